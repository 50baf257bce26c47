"""The public functions behind the commands: one job file in, one result out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from qrnn_qiskit.errors import DataError, RunError
from qrnn_qiskit.estimate import Estimate
from qrnn_qiskit.learning.data import load_data, load_new, load_plain
from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.learning.plugins import LOSSES, LabelLoss
from qrnn_qiskit.learning.postselection import survival
from qrnn_qiskit.run.cost.plan import plan_job as plan_setup
from qrnn_qiskit.run.forecast import forecast
from qrnn_qiskit.run.measure import health
from qrnn_qiskit.run.measure.evaluator import Call
from qrnn_qiskit.run.measure.gradient import Inputs, measure_gradient, measure_outputs
from qrnn_qiskit.run.method import method_name
from qrnn_qiskit.run.record import checkpoint
from qrnn_qiskit.run.record.directory import RunDirectory, is_run
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.place import ledger_folder
from qrnn_qiskit.run.runs import RunResult as RunResult
from qrnn_qiskit.run.runs import run_job as run_job
from qrnn_qiskit.run.service.hardware import recorded
from qrnn_qiskit.run.service.remote import spending
from qrnn_qiskit.run.setup import Setup, make_cell, make_evaluator, make_setup
from qrnn_qiskit.spec.compose import job_from_dict, load_job, override_job
from qrnn_qiskit.spec.job import Job
from qrnn_qiskit.spec.model import CellSpec, DataSpec
from qrnn_qiskit.spec.training import InitialSpec

EVALUATION_STREAM = 5


def plan_job(source: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """What a job (or the job of a run) would cost; nothing is submitted."""
    return plan_setup(make_setup(_job_of(source, overrides)))


def _job_of(source: str | Path, overrides: Sequence[str]) -> Job:
    if is_run(source):
        return override_job(_job_of_run(RunDirectory.open(Path(source))), overrides)
    return load_job(source, overrides)


def _job_of_run(directory: RunDirectory) -> Job:
    """The job of a run, with the copy of the cell's file that the run keeps."""
    job = job_from_dict(directory.record()["job"])
    copy = directory.path / "cell.qasm"
    if job.cell.file is None or not copy.is_file():
        return job
    return job.model_copy(update={"cell": CellSpec(file=copy)})


def evaluate_job(
    source: str | Path,
    overrides: Sequence[str] = (),
    weights: Path | None = None,
    data: Path | None = None,
    run_dir: Path | None = None,
    wait: bool = True,
) -> dict[str, Any]:
    """Outputs of a job's circuit on its training sequences, or on those of a file.

    Args:
        source: a job file, or a finished run for its best weights.
        overrides: `key=value` settings.
        weights: what to use instead of the job's initial weights (or the run's best).
        data: what to use instead of the job's or run's data, in their units: scaled as their
            training part is. A job without `[data]` takes it as it is.
        run_dir: keeps the ledger that a real device needs; the same call continues from there.
        wait: wait for QPU jobs instead of raising `PendingError`.

    Returns:
        `outputs` `[B][T][K]`, `standard_errors` likewise or None, `shots` of each row or None; of a
        post-selected circuit, whose outputs are given that a shot is kept, also the probability
        of that: `survival` `[B][T]` and `survival_standard_errors`; and `sampling` where shots are
        not those of whole sequences.
    """
    setup = _prepared(source, overrides, weights, data)
    shots = setup.forward_shots
    point, _ = setup.split_parameters(setup.initial)
    call = Call("evaluate", (EVALUATION_STREAM,))
    with recorded(setup, run_dir, wait=wait) as submission:
        evaluator = make_evaluator(setup, submission=submission)
        raw = measure_outputs(evaluator, point, setup.splits.train.features, shots, call)
    outputs = setup.objective.condition(raw)
    answer = {
        "outputs": outputs.mean.tolist(),
        "standard_errors": _errors(outputs.estimate),
        "shots": shots,
        **_label(setup),
    }
    if setup.objective.postselected:
        kept = survival(raw)
        answer["survival"] = kept.mean.tolist()
        answer["survival_standard_errors"] = _errors(kept)
    return answer


def _label(setup: Setup) -> dict[str, str]:
    """What a reader of shots must know about them."""
    sampling = setup.job.backend.sampling
    return {} if sampling == "joint" else {"sampling": sampling}


def gradient_job(
    source: str | Path,
    overrides: Sequence[str] = (),
    weights: Path | None = None,
    data: Path | None = None,
    run_dir: Path | None = None,
    wait: bool = True,
    by: Inputs = "weights",
) -> dict[str, Any]:
    """Loss and gradient on a job's training sequences, or on those of a file.

    The arguments are those of `evaluate_job`, and `by`: "features" for a gradient `[B][T][F]`.

    Returns:
        `method`, `loss`, `loss_standard_error`, `gradient` `[P]`, `standard_errors` `[P]` or None,
        `rows`, `shots_total` or None, `weights` (names), `sampling`
        as for `evaluate_job`, and the readout's gradient where it is trained.
    """
    setup = _prepared(source, overrides, weights, data)
    train = setup.splits.train
    if not np.all(np.isfinite(train.targets[:, setup.objective.steps])):
        raise DataError("the data hold no targets, which a loss needs: add an array 'targets'")
    point, readout = setup.split_parameters(setup.initial)
    with recorded(setup, run_dir, wait=wait) as submission:
        result = measure_gradient(
            make_evaluator(setup, submission=submission),
            setup.rule,
            setup.objective,
            weights=point,
            readout=readout,
            features=train.features,
            targets=train.targets,
            shots=setup.shots,
            call=Call("gradient", (EVALUATION_STREAM,)),
            by=by,
        )
    answer = {
        "method": method_name(setup.rule),
        "loss": float(result.loss.mean),
        "loss_standard_error": _errors(result.loss),
        "gradient": result.gradient.mean.tolist(),
        "standard_errors": _errors(result.gradient),
        "rows": result.rows,
        "shots_total": result.shots_total or None,
        by: list(setup.cell.weight_names if by == "weights" else setup.cell.feature_names),
        **_label(setup),
    }
    if result.shots_total:
        answer["loss_correction"] = setup.objective.correction_name
    if len(readout):
        answer["readout"] = {
            "names": setup.objective.readout.names(),
            "gradient": result.readout_gradient.mean.tolist(),
            "standard_errors": _errors(result.readout_gradient),
        }
    return answer


def predict_run(
    run: Path,
    data: Path,
    overrides: Sequence[str] = (),
    run_dir: Path | None = None,
    wait: bool = True,
) -> dict[str, Any]:
    """Predictions of a finished run's best weights for new data, in the data's units.

    Args:
        run: run directory.
        data: `.npz` or `.csv`, in the units of the training data.
        overrides: settings such as `backend.name=aer` and `backend.shots=4096`.
        run_dir: keeps the ledger that a real device needs; the same call continues from there.
        wait: wait for QPU jobs instead of raising `PendingError`.

    Returns:
        `predictions` `[B][T][M]`, `standard_errors` likewise or None, `target_names`, `shots`.
    """
    record, job = trained(run, overrides)
    dataset = load_new(Path(data), record["data"])
    setup = setup_on(record, job, dataset)
    names = tuple(record["target_names"])
    shots = setup.test_shots
    with recorded(setup, run_dir, wait=wait) as submission:
        evaluator = make_evaluator(setup, submission=submission)
        estimate = forecast(setup, evaluator, setup.initial, dataset, shots, "predict")
    if isinstance(setup.objective.loss, LabelLoss):
        names = tuple(f"class {i}" for i in range(estimate.mean.shape[2]))
    return {
        "predictions": estimate.mean.tolist(),
        "standard_errors": _errors(estimate),
        "target_names": list(names),
        "shots": shots,
    }


def trained(run: Path, overrides: Sequence[str]) -> tuple[dict[str, Any], Job]:
    """The record of a training, and its job with the best weights to start from.

    The job needs none of the files that the run was trained with.

    Raises:
        RunError: if the run is no training.
    """
    directory = RunDirectory.open(Path(run))
    record = directory.record()
    if "data" not in record:
        raise RunError(f"{run} is no training: it has no weights to predict with")
    alone = _job_of_run(directory).model_copy(update={"data": None, "initial": InitialSpec()})
    if alone.gradient.shots_total is not None:  # shared out by the training data's rows
        alone = override_job(alone, [f"backend.shots={record['forecast_shots']}"])
    if alone.gradient.method == "adjoint":  # exact only, and a prediction needs no gradient
        alone = override_job(alone, ["gradient.method=auto"])
    return record, _starting_from(override_job(alone, overrides), directory.path)


def setup_on(record: dict[str, Any], job: Job, dataset: Dataset) -> Setup:
    """What `job` needs to predict sequences prepared as those of a run's record."""
    empty = dataset.sequences(slice(0, 0))
    names = tuple(record["target_names"])
    features = tuple(record["data"]["feature_names"])
    splits = Splits(dataset, empty, empty, features, names, (None,) * len(names))
    return make_setup(job, splits)


def status_run(run: Path | None = None) -> Any:
    """State of one run, or of all runs in `runs/`."""
    if run is None:
        folders = sorted(Path("runs").glob("*/run.json")) if Path("runs").is_dir() else []
        return [status_run(path.parent) for path in folders]
    directory = RunDirectory.open(Path(run))
    record = directory.record()
    job = job_from_dict(record["job"])
    state = checkpoint.load(directory)
    last = directory.last_step()
    spent = {**last, **record.get("summary", {})}
    status: dict[str, Any] = {
        "run": str(run),
        "name": job.name,
        "state": record["state"],
        "step": last["step"] + 1 if last else 0,
        "steps": job.training.steps,
        "best_loss": None if state is None or not len(state.best) else state.best_loss,
        "shots": spent.get("shots", 0),
        "qpu_seconds": spent.get("qpu_seconds", 0.0),
        "backend": job.backend.name,
        "method": record["work"]["method"],
    }
    if state is not None:
        status |= health.summary(record["work"].get("weights", []), state.policy)
    if (ledger_folder(directory.path) / "ledger.sqlite").exists():
        ledger = Ledger(directory.path, looking=True)
        try:
            requests = ledger.requests()
        finally:
            ledger.close()
        if job.backend.is_service:
            status.update(spending(directory.path, job.budget))
        for name in ("planned", "completed"):
            status[f"requests_{name}"] = sum(entry.state == name for entry in requests)
    return status


def _prepared(
    source: str | Path, overrides: Sequence[str], weights: Path | None, data: Path | None
) -> Setup:
    job = _job_of(source, overrides)
    if weights is not None or is_run(source):
        job = _starting_from(job, Path(source if weights is None else weights))
    if data is None:
        return make_setup(job)
    if is_run(source):
        dataset = load_new(Path(data), RunDirectory.open(Path(source)).record()["data"])
    elif job.data is not None and (job.data.file or job.data.name):
        dataset = load_new(Path(data), load_data(job.data, job.seed).info)
    else:
        dataset = load_plain(Path(data), job.data or DataSpec())
    if dataset.targets.shape[2] == 0:
        bits = make_cell(job.cell).num_bits
        width = bits if job.readout.output == "z" else 2**bits
        if isinstance(LOSSES.build(job.loss.name, job.loss.options), LabelLoss):
            width = 1
        targets = np.full((*dataset.features.shape[:2], width), np.nan)
        dataset = replace(dataset, targets=targets)
    empty = dataset.sequences(slice(0, 0))
    return make_setup(
        job, Splits(dataset, empty, empty, (), (), (None,) * dataset.targets.shape[2])
    )


def _starting_from(job: Job, weights: Path) -> Job:
    return job.model_copy(update={"initial": job.initial.model_copy(update={"source": weights})})


def _errors(estimate: Estimate) -> Any:
    return None if estimate.standard_error is None else np.asarray(estimate.standard_error).tolist()
