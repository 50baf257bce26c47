"""Commands that print numbers: predictions, outputs, a gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from qrnn_qiskit.cli.options import (
    AsJson,
    DataFile,
    JobFile,
    LedgerDirectory,
    NoWait,
    Overrides,
    WeightsFile,
)
from qrnn_qiskit.cli.output import (
    cell_text,
    show_json,
    show_line,
    show_message,
    show_table,
    with_error,
)
from qrnn_qiskit.errors import DataError

_MAX_ROWS: Final = 60


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    data: Annotated[Path, typer.Option("--data", metavar="NEW", help="New data: .npz or .csv.")],
    overrides: Overrides = None,
    run_dir: LedgerDirectory = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Predict new data with a run's best weights, in the data's units."""
    from qrnn_qiskit.run.jobs import predict_run

    result = predict_run(run, data, overrides=overrides or (), run_dir=run_dir, wait=not no_wait)
    if as_json:
        show_json(result)
        return
    _show_steps(result["predictions"], result["standard_errors"], result["target_names"])


def forecast(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    steps: Annotated[
        int, typer.Option("--steps", min=1, metavar="N", help="Steps beyond the last known one.")
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE", help="Where to go on from [the run's test part]."),
    ] = None,
    overrides: Overrides = None,
    run_dir: LedgerDirectory = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Forecast in a closed loop: predictions become the features that are not known yet."""
    from qrnn_qiskit.run.onward import forecast_run

    result = forecast_run(
        run, steps, data, overrides=overrides or (), run_dir=run_dir, wait=not no_wait
    )
    if as_json:
        show_json(result)
        return
    _show_steps(result["predictions"], result["standard_errors"], result["target_names"])


def sample(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    prompt: Annotated[
        str, typer.Option("--prompt", metavar="WORDS", help="First words, such as 0,1.")
    ],
    length: Annotated[
        int, typer.Option("--length", min=1, metavar="N", help="Words, the prompt included.")
    ] = 20,
    count: Annotated[
        int, typer.Option("--count", min=1, metavar="N", help="Sequences to draw.")
    ] = 5,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draws.")] = 0,
    overrides: Overrides = None,
    run_dir: LedgerDirectory = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Continue words: each next one is drawn by its probability and read in turn."""
    from qrnn_qiskit.run.onward import sample_run

    try:
        words = [int(word) for word in prompt.split(",")]
    except ValueError:
        raise DataError(f"--prompt {prompt}: give whole numbers, such as 0,1") from None
    result = sample_run(
        run,
        words,
        length,
        count,
        seed,
        overrides=overrides or (),
        run_dir=run_dir,
        wait=not no_wait,
    )
    if as_json:
        show_json(result)
        return
    rows = zip(result["sequences"], result["log_probability"], strict=True)
    show_table(
        ["words", "ln p"],
        [[" ".join(map(str, sequence)), f"{value:.3f}"] for sequence, value in rows],
    )


def evaluate(
    source: JobFile,
    weights: WeightsFile = None,
    data: DataFile = None,
    overrides: Overrides = None,
    run_dir: LedgerDirectory = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate the outputs of each step for given weights."""
    from qrnn_qiskit.run.jobs import evaluate_job

    result = evaluate_job(
        source,
        overrides=overrides or (),
        weights=weights,
        data=data,
        run_dir=run_dir,
        wait=not no_wait,
    )
    if as_json:
        show_json(result)
        return
    outputs = result["outputs"]
    num_outputs = len(outputs[0][0]) if outputs and outputs[0] else 0
    names = ["output"] if num_outputs == 1 else [f"output {k}" for k in range(num_outputs)]
    _show_steps(outputs, result["standard_errors"], names)
    if "survival" in result:
        show_line()
        errors = result["survival_standard_errors"]
        kept = [[[p] for p in sequence] for sequence in result["survival"]]
        _show_steps(
            kept, errors and [[[e] for e in sequence] for sequence in errors], ["kept shots"]
        )
    show_line()
    show_line(f"shots per row: {_exact_or(result['shots'])}")
    _show_sampling(result)


def gradient(
    source: JobFile,
    weights: WeightsFile = None,
    data: DataFile = None,
    overrides: Overrides = None,
    run_dir: LedgerDirectory = None,
    no_wait: NoWait = False,
    by_features: Annotated[
        bool, typer.Option("--features", help="Differentiate by the features, not the weights.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate a loss and its gradient by any gradient rule."""
    from qrnn_qiskit.run.jobs import gradient_job

    result = gradient_job(
        source,
        overrides=overrides or (),
        weights=weights,
        data=data,
        run_dir=run_dir,
        wait=not no_wait,
        by="features" if by_features else "weights",
    )
    if as_json:
        show_json(result)
        return
    if by_features:
        _show_steps(result["gradient"], result["standard_errors"], result["features"])
        _show_cost(result)
        return
    errors = result["standard_errors"] or [None] * len(result["gradient"])
    show_table(
        ["weight", "gradient"],
        [
            [name, with_error(value, error)]
            for name, value, error in zip(
                result["weights"], result["gradient"], errors, strict=True
            )
        ],
    )
    _show_cost(result)


def _show_cost(result: Mapping[str, Any]) -> None:
    show_line()
    show_line(f"loss: {with_error(result['loss'], result['loss_standard_error'])}")
    if "loss_correction" in result:
        show_line(f"correction: {result['loss_correction']}")
    show_line(f"method: {result['method']}")
    show_line(f"rows: {cell_text(result['rows'])}")
    show_line(f"shots: {_exact_or(result['shots_total'])}")
    _show_sampling(result)


def _show_sampling(result: Mapping[str, Any]) -> None:
    if "sampling" in result:
        show_line(
            f"sampling: {result['sampling']} (each step by itself: no errors for what combines "
            "steps)"
        )


def _exact_or(shots: int | None) -> str:
    return "none (exact)" if shots is None else cell_text(shots)


def _show_steps(values: Sequence[Any], errors: Sequence[Any] | None, names: Sequence[str]) -> None:
    """Print `[B][T][K]` nested lists, one row for each sequence and step."""
    rows = list(_step_rows(values, errors))
    show_table(["sequence", "step", *names], rows[:_MAX_ROWS])
    if len(rows) > _MAX_ROWS:
        show_message(f"… {len(rows) - _MAX_ROWS:,} more rows; --json prints all")


def _step_rows(values: Sequence[Any], errors: Sequence[Any] | None) -> Iterator[list[Any]]:
    for b, sequence in enumerate(values):
        for t, step in enumerate(sequence):
            at_step = [None] * len(step) if errors is None else errors[b][t]
            yield [b, t, *(with_error(v, e) for v, e in zip(step, at_step, strict=True))]
