"""The public functions behind the commands: one job file in, one result out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.export import to_qasm
from qrnn_qiskit.errors import DataError, RunError, SpecError
from qrnn_qiskit.estimate import Estimate
from qrnn_qiskit.learning.data import load_new, load_plain
from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.plugins import OPTIMIZERS
from qrnn_qiskit.run import checkpoint
from qrnn_qiskit.run.cost import check_budget
from qrnn_qiskit.run.cost import plan_job as plan_setup
from qrnn_qiskit.run.directory import RunDirectory, check_writable, default_path
from qrnn_qiskit.run.evaluator import Call, Evaluator
from qrnn_qiskit.run.forecast import compare, forecast
from qrnn_qiskit.run.gradient import measure_gradient, measure_outputs
from qrnn_qiskit.run.ledger import Ledger
from qrnn_qiskit.run.provenance import provenance
from qrnn_qiskit.run.reporter import Reporter, Silent
from qrnn_qiskit.run.setup import Setup, describe, make_cell, make_setup, method_name
from qrnn_qiskit.run.train import Training
from qrnn_qiskit.run.weights import read_weights
from qrnn_qiskit.spec.compose import job_from_dict, job_to_dict, load_job, override_job
from qrnn_qiskit.spec.job import DataSpec, Job

EVALUATION_STREAM = 5


@final
@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run left.

    Attributes:
        run_dir: its directory.
        table: the comparison with baselines; empty without held-out data.
        summary: steps, losses, shots and the verdict, as JSON-able values.
    """

    run_dir: Path
    table: list[dict[str, Any]]
    summary: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {"run_dir": str(self.run_dir), **self.summary, "table": self.table}


def run_job(
    source: str | Path,
    *,
    overrides: Sequence[str] = (),
    run_dir: Path | None = None,
    wait: bool = True,
    reporter: Reporter | None = None,
) -> RunResult:
    """Train as a job file says, or continue a run.

    Args:
        source: a job file (or its name in the library), or a run directory.
        overrides: `key=value` settings; for a run only those of `budget`.
        run_dir: where a new run is kept; `runs/<date>-<job>-<id>` by default.
        wait: wait for pending jobs instead of raising `PendingError`.
        reporter: receives progress.

    Raises:
        QRNNError: one line saying what is wrong and how to mend it.
    """
    reporter = reporter or Silent()
    if is_run(source):
        if run_dir is not None:
            raise SpecError("--run-dir is for new runs; a run continues where it is")
        return _continue(RunDirectory.open(Path(source)), overrides, wait, reporter)
    job = load_job(source, overrides)
    if job.kind != "train":
        raise SpecError(
            f"{source} has kind = {job.kind!r}: qrnn run is for kind = 'train'; use "
            f"qrnn {job.kind} {source}"
        )
    path = run_dir or default_path(job.name or Path(source).stem)
    check_writable(path)
    setup = make_setup(job)
    OPTIMIZERS.build(job.optimizer.name, job.optimizer.options)
    check_budget(setup)
    directory = RunDirectory.create(
        path,
        {
            "job": job_to_dict(job),
            "state": "running",
            "target_names": list(setup.splits.target_names),
            "data": setup.splits.info.to_dict(),
            "work": describe(setup),
            "provenance": provenance(),
        },
    )
    (path / "cell.qasm").write_text(to_qasm(setup.cell), encoding="utf-8")
    reporter.message(f"run directory {path}")
    return _train(setup, directory, wait, reporter)


def is_run(source: str | Path) -> bool:
    """Whether a path is a run directory rather than a job file."""
    return (Path(source) / "run.json").is_file()


def _continue(
    directory: RunDirectory, overrides: Sequence[str], wait: bool, reporter: Reporter
) -> RunResult:
    record = directory.record()
    for override in overrides:
        if not override.startswith("budget."):
            raise RunError(
                f"--set {override}: a run continues as it was started; only budget.* can change. "
                "Start a new run from its weights with: initial.from = RUN"
            )
    if overrides:
        job = job_to_dict(override_job(job_from_dict(record["job"]), overrides))
        directory.update(job=job)
        record = directory.record()
    if record.get("state") == "done":
        reporter.message(f"run {directory.path} is finished: nothing to do")
        return _result(directory)
    setup = _setup_of(directory, record)
    return _train(setup, directory, wait, reporter)


def _setup_of(directory: RunDirectory, record: dict[str, Any]) -> Setup:
    setup = make_setup(job_from_dict(record["job"]))
    found = describe(setup)
    for key, recorded in record["work"].items():
        if found.get(key) != recorded:
            raise RunError(
                f"{directory.path}: {key} is {found.get(key)!r}, but the run was started with "
                f"{recorded!r}: restore the cell and data files, or start a new run"
            )
    return setup


def _train(setup: Setup, directory: RunDirectory, wait: bool, reporter: Reporter) -> RunResult:
    job = setup.job
    with directory.locked():
        directory.log("started")
        ledger = None if setup.forward_shots is None else Ledger(directory.path)
        try:
            evaluator = _evaluator(setup, ledger, wait)
            optimizer = OPTIMIZERS.build(job.optimizer.name, job.optimizer.options)
            state = Training(setup, evaluator, directory, reporter).run(optimizer)
            _write_weights(setup, directory, state)
            before = evaluator.shots_used
            comparison = compare(setup, evaluator, state.best, directory)
            shots = state.shots_used + evaluator.shots_used - before
        finally:
            if ledger is not None:
                ledger.close()
        summary = {
            "steps": state.step,
            "reason": state.reason,
            "best_loss": state.best_loss,
            "best_step": state.best_step,
            "shots": shots,
            "qpu_seconds": round(state.qpu_seconds, 3),
            "verdict": None if comparison is None else comparison.verdict,
        }
        directory.update(state="done", summary=summary)
        directory.log(f"done: {state.reason}")
    return _result(directory)


def _evaluator(setup: Setup, ledger: Ledger | None = None, wait: bool = True) -> Evaluator:
    return Evaluator(
        setup.unrolled,
        setup.executor,
        kind=setup.job.readout.output,
        seed=setup.job.seed,
        ledger=ledger,
        wait=wait,
    )


def _write_weights(setup: Setup, directory: RunDirectory, state: checkpoint.TrainingState) -> None:
    last, last_readout = setup.split_parameters(state.parameters)
    best, best_readout = setup.split_parameters(state.best)
    directory.write_json(
        "weights.json",
        {
            "names": list(setup.cell.weight_names),
            "last": last.tolist(),
            "best": best.tolist(),
            "best_step": state.best_step,
            "readout": {
                "names": setup.objective.readout.names(),
                "last": last_readout.tolist(),
                "best": best_readout.tolist(),
            },
            "scaling": setup.splits.info.to_dict()["scaling"],
        },
    )


def _result(directory: RunDirectory) -> RunResult:
    record = directory.record()
    table: list[dict[str, Any]] = []
    if (directory.path / "table.json").exists():
        table = directory.read_json("table.json")["table"]
    return RunResult(directory.path, table, record.get("summary", {}))


def plan_job(source: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """What a job (or the job of a run) would cost; nothing is submitted."""
    return plan_setup(make_setup(_job_of(source, overrides)))


def _job_of(source: str | Path, overrides: Sequence[str]) -> Job:
    if is_run(source):
        return override_job(
            job_from_dict(RunDirectory.open(Path(source)).record()["job"]), overrides
        )
    return load_job(source, overrides)


def evaluate_job(
    source: str | Path,
    overrides: Sequence[str] = (),
    weights: Path | None = None,
    data: Path | None = None,
) -> dict[str, Any]:
    """Raw outputs of a job's circuit on its training sequences, or on those of a file.

    Returns:
        `outputs` `[B][T][K]`, `standard_errors` likewise or None, `shots` of each row or None.
    """
    setup, parameters = _prepared(source, overrides, weights, data)
    shots = setup.forward_shots
    point, _ = setup.split_parameters(parameters)
    call = Call("evaluate", (EVALUATION_STREAM,))
    outputs = measure_outputs(_evaluator(setup), point, setup.splits.train.features, shots, call)
    return {
        "outputs": outputs.mean.tolist(),
        "standard_errors": _errors(outputs.estimate),
        "shots": shots,
    }


def gradient_job(
    source: str | Path,
    overrides: Sequence[str] = (),
    weights: Path | None = None,
    data: Path | None = None,
) -> dict[str, Any]:
    """Loss and gradient on a job's training sequences, or on those of a file.

    Returns:
        `method`, `loss`, `loss_standard_error`, `gradient` `[P]`, `standard_errors` `[P]` or None,
        `rows`, `shots_total`, `weights` (names), and the readout's gradient where it is trained.
    """
    setup, parameters = _prepared(source, overrides, weights, data)
    train = setup.splits.train
    if not np.all(np.isfinite(train.targets[:, setup.objective.steps])):
        raise DataError("the data hold no targets, which a loss needs: add an array 'targets'")
    point, readout = setup.split_parameters(parameters)
    result = measure_gradient(
        _evaluator(setup),
        setup.rule,
        setup.objective,
        weights=point,
        readout=readout,
        features=train.features,
        targets=train.targets,
        shots=setup.shots,
        call=Call("gradient", (EVALUATION_STREAM,)),
    )
    answer = {
        "method": method_name(setup.rule),
        "loss": float(result.loss.mean),
        "loss_standard_error": _errors(result.loss),
        "gradient": result.gradient.mean.tolist(),
        "standard_errors": _errors(result.gradient),
        "rows": result.rows,
        "shots_total": result.shots_total,
        "weights": list(setup.cell.weight_names),
    }
    if len(readout):
        answer["readout"] = {
            "names": setup.objective.readout.names(),
            "gradient": result.readout_gradient.mean.tolist(),
            "standard_errors": _errors(result.readout_gradient),
        }
    return answer


def predict_run(run: Path, data: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Predictions of a finished run's best weights for new data, in the data's units.

    Args:
        run: run directory.
        data: `.npz` or `.csv`, in the units of the training data.
        overrides: settings such as `backend.name=aer` and `backend.shots=4096`.

    Returns:
        `predictions` `[B][T][M]`, `standard_errors` likewise or None, `target_names`, `shots`.
    """
    directory = RunDirectory.open(Path(run))
    record = directory.record()
    job = override_job(job_from_dict(record["job"]), overrides)
    dataset = load_new(Path(data), record["data"])
    empty = dataset.sequences(slice(0, 0))
    names = tuple(record["target_names"])
    features = tuple(record["data"]["feature_names"])
    splits = Splits(dataset, empty, empty, features, names, (None,) * len(names))
    setup = make_setup(job, splits)
    weights, readout = read_weights(directory.path, setup.cell)
    parameters = np.concatenate([weights, np.empty(0) if readout is None else readout])
    shots = setup.test_shots
    estimate = forecast(setup, _evaluator(setup), parameters, dataset, shots, "predict")
    return {
        "predictions": estimate.mean.tolist(),
        "standard_errors": _errors(estimate),
        "target_names": list(names),
        "shots": shots,
    }


def status_run(run: Path | None = None) -> Any:
    """State of one run, or of all runs in `runs/`."""
    if run is None:
        folders = sorted(Path("runs").glob("*/run.json")) if Path("runs").is_dir() else []
        return [status_run(path.parent) for path in folders]
    directory = RunDirectory.open(Path(run))
    record = directory.record()
    state = checkpoint.load(directory)
    job = job_from_dict(record["job"])
    status: dict[str, Any] = {
        "run": str(run),
        "name": job.name,
        "state": record["state"],
        "step": 0 if state is None else state.step,
        "steps": job.training.steps,
        "best_loss": None if state is None or not len(state.best) else state.best_loss,
        "shots": 0 if state is None else state.shots_used,
        "qpu_seconds": 0.0 if state is None else round(state.qpu_seconds, 3),
        "backend": job.backend.name,
        "method": record["work"]["method"],
    }
    if (directory.path / "ledger.sqlite").exists():
        ledger = Ledger(directory.path)
        try:
            entries = ledger.entries()
        finally:
            ledger.close()
        for name in ("planned", "submitted", "completed"):
            status[f"requests_{name}"] = sum(entry.state == name for entry in entries)
    return status


def _prepared(
    source: str | Path, overrides: Sequence[str], weights: Path | None, data: Path | None
) -> tuple[Setup, Array]:
    job = _job_of(source, overrides)
    splits = None
    if data is not None:
        cell = make_cell(job.cell)
        plain = load_plain(Path(data), job.data or DataSpec())
        if plain.targets.shape[2] == 0:
            width = cell.num_bits if job.readout.output == "z" else 2**cell.num_bits
            shape = (*plain.features.shape[:2], width)
            plain = type(plain)(plain.features, np.full(shape, np.nan), None, plain.times)
        empty = plain.sequences(slice(0, 0))
        count = plain.targets.shape[2]
        splits = Splits(plain, empty, empty, (), (), (None,) * count)
    setup = make_setup(job, splits)
    parameters = setup.initial
    if weights is not None:
        point, readout = read_weights(Path(weights), setup.cell)
        _, start = setup.split_parameters(parameters)
        parameters = np.concatenate([point, start if readout is None else readout])
    return setup, parameters


def _errors(estimate: Estimate) -> Any:
    return None if estimate.standard_error is None else np.asarray(estimate.standard_error).tolist()
