"""Commands around a run: start or continue it, plan it, see how it stands, draw it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qrnn_qiskit.cli.options import (
    AsJson,
    JobFile,
    JobFileOrRun,
    NewRunDirectory,
    NoWait,
    Overrides,
)
from qrnn_qiskit.cli.output import (
    show_json,
    show_line,
    show_mapping,
    show_message,
    show_records,
)
from qrnn_qiskit.errors import RunError

if TYPE_CHECKING:
    from qrnn_qiskit.run.jobs import RunResult
    from qrnn_qiskit.run.reporter import Reporter


def run(
    source: JobFileOrRun,
    run_dir: NewRunDirectory = None,
    overrides: Overrides = None,
    ledger_dir: Annotated[
        Path | None,
        typer.Option(
            "--ledger-dir", metavar="DIR", help="Local folder of the ledger, if not the run's."
        ),
    ] = None,
    no_wait: NoWait = False,
    tensorboard: Annotated[
        Path | None,
        typer.Option("--tensorboard", metavar="DIR", help="Also write event files there."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a job, or continue a run."""
    from qrnn_qiskit.cli.progress import make_reporter
    from qrnn_qiskit.run.jobs import run_job

    reporter = make_reporter()
    if tensorboard is not None:
        reporter = _with_tensorboard(tensorboard, reporter)
    try:
        result = run_job(
            source,
            overrides=overrides or (),
            run_dir=run_dir,
            ledger_dir=ledger_dir,
            wait=not no_wait,
            reporter=reporter,
        )
    except KeyboardInterrupt as interrupt:
        left = f"{interrupt}; " if str(interrupt) else ""
        raise KeyboardInterrupt(left + _how_to_continue(source, run_dir)) from None
    finally:
        reporter.stop()
    _show_result(result, as_json)


def _with_tensorboard(folder: Path, reporter: Reporter) -> Reporter:
    try:
        from qrnn_qiskit.tensorboard import TensorBoard
    except ImportError as error:
        raise RunError(f"--tensorboard: {error}") from None
    return TensorBoard(folder, reporter)


def plan(source: JobFile, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Say what a job would cost; nothing is submitted."""
    from qrnn_qiskit.run.jobs import plan_job

    planned = plan_job(source, overrides=overrides or ())
    show_json(planned) if as_json else show_mapping(planned)


def status(
    run: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="Run directory.")] = None,
    jobs: Annotated[bool, typer.Option("--jobs", help="List the run's QPU jobs.")] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="List the QPU jobs as the service sees them now.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say how far a run has come, or all runs below runs/."""
    from qrnn_qiskit.run.jobs import status_run

    found: Any = status_run(run)
    if run is not None and (jobs or refresh):
        from qrnn_qiskit.run.service.remote import jobs_table

        table = jobs_table(run, refresh=refresh)
        if as_json:
            show_json({**found, "jobs": table})
        else:
            show_mapping(_for_people(found))
            show_records(table)
        return
    if as_json:
        show_json(found)
    elif isinstance(found, dict):
        show_mapping(_for_people(found))
    elif found:
        show_records(found)
    else:
        show_message("no runs in runs/; start one with: qrnn run JOBFILE")


def _for_people(status: dict[str, Any]) -> dict[str, Any]:
    """A status with each number beside its name or its error."""
    shown = dict(status)
    error = shown.pop("far_over_near_error", None)
    if error is not None:
        ratio = f"{shown['far_over_near']:.3g}"
        shown["far_over_near"] = f"{ratio} ± {error:.2g}" if error else ratio
    if "shots_of_weights" in shown:
        shown["shots_of_weights"] = [
            f"{entry['weight']} {entry['shots']:,}" for entry in shown["shots_of_weights"]
        ]
    return shown


def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where to put them [RUN; here for several]."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw the pictures of a run or a comparison, or of several runs, and print their paths."""
    from qrnn_qiskit.plot import plot_comparison, plot_run, plot_runs

    if len(runs) > 1:
        found = plot_runs(runs, out)
    elif (runs[0] / "comparison.json").is_file():
        found = plot_comparison(runs[0], out)
    else:
        found = plot_run(runs[0], out)
    pictures = [str(path) for path in found]
    if as_json:
        show_json({"pictures": pictures})
    else:
        for path in pictures:
            show_line(path)


def _how_to_continue(source: str, run_dir: Path | None) -> str:
    """What to type after an interruption."""
    if run_dir is not None:
        return f"continue with: qrnn run {run_dir}"
    if Path(source).is_dir():
        return f"continue with: qrnn run {source}"
    return "find the run with: qrnn status, and continue it with: qrnn run RUN"


def _show_result(result: RunResult, as_json: bool) -> None:
    """Print the table of models and where the run is, after drawing its pictures."""
    from qrnn_qiskit.plot import plot_run

    pictures: list[Path] = []
    try:
        pictures = plot_run(result.run_dir)
    except RunError as error:  # the run itself is done, with a picture or without
        show_message(f"no picture: {error}")
    if as_json:
        show_json({**result.to_dict(), "pictures": [str(path) for path in pictures]})
        return
    if result.table:
        show_records(result.table)
        show_line(f"\n{result.summary['verdict']}")
    if result.summary.get("published"):  # runs of earlier versions have none
        show_line(f"published: {result.summary['published']}")
    show_line(f"run directory: {result.run_dir}")
    for path in pictures:
        show_line(f"picture: {path}")
