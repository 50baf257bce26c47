"""Training of the readout alone, in closed form: the cell as a reservoir.

One circuit for each sequence and no gradients. Steps that the loss does not read are the wash-out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import DataError, SpecError
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.gradients.plan import forward_plan
from qrnn_qiskit.learning.dataset import Dataset
from qrnn_qiskit.learning.losses.mse import MeanSquaredError
from qrnn_qiskit.learning.metrics import squared_correlation
from qrnn_qiskit.learning.plugins import ReadoutFit, ReadoutSolver
from qrnn_qiskit.run.measure.evaluator import Call
from qrnn_qiskit.run.measure.riding import Rider, measure_together
from qrnn_qiskit.run.record.checkpoint import TrainingState
from qrnn_qiskit.run.reporter import StepReport
from qrnn_qiskit.run.setup import Setup

if TYPE_CHECKING:
    from qrnn_qiskit.run.train import Training

READOUT_STREAM: Final = 5


def check_reservoir(setup: Setup) -> None:
    """Refuse a readout or a loss that has no closed form.

    Raises:
        SpecError: saying which keys to set.
    """
    job, readout = setup.job, setup.objective.readout
    free = readout.max_scale is None and readout.train_scale and readout.train_bias
    if readout.head != "linear" or not free:
        raise SpecError(
            f"optimizer.name = {job.optimizer.name!r} solves for the whole linear readout: set "
            'readout.head = "linear", readout.max_scale = "none" and leave readout.train_scale '
            "and readout.train_bias true"
        )
    if not isinstance(setup.objective.loss, MeanSquaredError):
        raise SpecError(
            f"loss.name = {job.loss.name!r}: optimizer.name = {job.optimizer.name!r} minimizes "
            "squared errors, so it needs loss.name = 'mse'"
        )


def fit_readout(training: Training, solver: ReadoutSolver) -> TrainingState:
    """Measure the outputs of all sequences, solve for the readout, leave `readout.json`.

    The file holds the readout's coefficients with their standard errors, and for each target the
    squared correlation of prediction and target, on the validation part where there is one; over
    the delays of `delayed_memory` it sums to the memory capacity.

    Raises:
        DataError: if a target is not known.
    """
    setup, splits = training.setup, training.setup.splits
    weights, _ = setup.split_parameters(setup.initial)
    parts = {"train": splits.train}
    if splits.validation.num_sequences:
        parts["validation"] = splits.validation
    first, *others = [
        Rider(data.features, setup.forward_shots, Call(f"readout/{part}", (READOUT_STREAM, stream)))
        for stream, (part, data) in enumerate(parts.items())
    ]
    plan = forward_plan(weights, first.features)
    found = measure_together(training.evaluator, plan, first.shots, first.call, others)
    samples = [_samples(setup, raw, *part) for raw, part in zip(found, parts.items(), strict=True)]
    inputs, targets = samples[0]
    held_out = samples[1] if len(samples) > 1 else None
    fit = solver.solve(inputs, targets, held_out)
    judged, wanted = held_out or (inputs, targets)
    predictions = judged @ fit.matrix.T + fit.bias
    loss = float(np.mean((inputs @ fit.matrix.T + fit.bias - targets) ** 2))
    held_out_loss = float(np.mean((predictions - wanted) ** 2)) if held_out else None
    training.directory.write_json(
        "readout.json",
        _record(setup, fit, squared_correlation(predictions, wanted), held_out is not None),
    )
    shots, seconds = training.account.shots, training.account.qpu_seconds
    budget = setup.job.budget.shots
    report = StepReport(
        step=0,
        loss=loss,
        loss_standard_error=None,
        validation_loss=held_out_loss,
        gradient_norm=0.0,
        shots_used=shots,
        shots_left=None if budget is None else budget - shots,
        qpu_seconds_used=round(seconds, 3),
    )
    training.directory.truncate_history(0)
    training.directory.append_history(report)
    training.reporter.step(report)
    parameters = np.concatenate([weights, fit.matrix.ravel(), fit.bias])
    state = TrainingState(
        1,
        parameters,
        shots_used=shots,
        qpu_seconds=seconds,
        finished=True,
        reason="readout solved in closed form",
    )
    return state.considered(parameters, loss if held_out_loss is None else held_out_loss, 1)


def _samples(setup: Setup, raw: Outputs, part: str, data: Dataset) -> tuple[Array, Array]:
    """Outputs `[n, K]` and targets `[n, M]` of the steps that the loss reads."""
    mask = setup.objective.steps
    outputs = setup.objective.condition(raw).mean[:, mask]
    targets = data.targets[:, mask]
    if not np.all(np.isfinite(targets)):
        raise DataError(f"the {part} data hold unknown targets: the readout needs all of them")
    return outputs.reshape(-1, outputs.shape[2]), targets.reshape(-1, targets.shape[2])


def _record(setup: Setup, fit: ReadoutFit, explained: Array, held_out: bool) -> dict[str, Any]:
    errors = np.concatenate([fit.matrix_error.ravel(), fit.bias_error])
    values = np.concatenate([fit.matrix.ravel(), fit.bias])
    names = setup.objective.readout.names()
    return {
        "penalty": fit.penalty,
        "effective_coefficients": fit.freedom,
        "coefficients": {
            name: {"value": float(value), "standard_error": float(error)}
            for name, value, error in zip(names, values, errors, strict=True)
        },
        "part": "validation" if held_out else "train",
        "squared_correlation": {
            name: float(value) if math.isfinite(value) else None
            for name, value in zip(setup.splits.target_names, explained, strict=True)
        },
        "capacity": float(np.nansum(explained)),
    }
