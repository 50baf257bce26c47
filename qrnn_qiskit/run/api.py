"""The functions that a notebook calls, on circuits and arrays instead of job files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import DataError
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.bits import OutputKind
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.gradients.hessian import HessianForm
from qrnn_qiskit.gradients.problem import GradientRule
from qrnn_qiskit.learning.labels import check_labels, check_readout
from qrnn_qiskit.learning.plugins import LOSSES, LabelLoss, Loss
from qrnn_qiskit.learning.postselection import check_survival, conditional, kept_of
from qrnn_qiskit.learning.readout import Readout
from qrnn_qiskit.learning.steps import step_mask
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.gradient import (
    Adjoint,
    GradientResult,
    Inputs,
    measure_gradient,
    measure_outputs,
)
from qrnn_qiskit.run.measure.hessian import MAX_ROWS, HessianResult, measure_hessian
from qrnn_qiskit.run.measure.objective import Correction, Objective
from qrnn_qiskit.run.measure.shots import ShotPlan
from qrnn_qiskit.run.measure.survival import check_expected_survival


def evaluate(
    unrolled: UnrolledCircuit,
    weights: ArrayLike,
    features: ArrayLike,
    *,
    executor: Executor,
    shots: int | None = None,
    seed: int | None = None,
    output: OutputKind = "z",
) -> Outputs:
    """Outputs of every step for a batch of sequences.

    Args:
        unrolled: the circuit.
        weights: `[P]`.
        features: `[B, T, F]`.
        executor: where it runs.
        shots: for each sequence; None for exact values on the exact engine.
        seed: of the shots. Use another one for every call whose shots must be independent.
        output: "z" or "probabilities".

    Returns:
        Outputs with mean `[B, T, K]`; of a post-selected circuit given that a shot is kept.

    Raises:
        QRNNError: saying what does not fit.
    """
    evaluator = _evaluator(unrolled, executor, output, shots, seed)
    point, sequences = _arrays(unrolled, weights, features)
    check_expected_survival(unrolled, point, sequences, shots)
    raw = measure_outputs(evaluator, point, sequences, shots, Call("evaluate", (0,)))
    if not unrolled.postselected:
        return raw
    check_survival(*kept_of(raw))
    return conditional(raw)


def gradient(
    unrolled: UnrolledCircuit,
    weights: ArrayLike,
    features: ArrayLike,
    targets: ArrayLike,
    *,
    executor: Executor,
    rule: GradientRule | Adjoint,
    by: Inputs = "weights",
    loss: str | Loss = "mse",
    last: int | None = None,
    correction: Correction = "auto",
    shots: int | None = None,
    shots_total: int | None = None,
    seed: int | None = None,
    output: OutputKind = "z",
) -> GradientResult:
    """Loss of the outputs against targets, and its gradient.

    Args:
        unrolled: the circuit.
        weights: `[P]`.
        features: `[B, T, F]`.
        targets: `[B, T, K]`, or labels `[B, T, 1]`.
        executor: where it runs.
        rule: how the gradient is got, such as `ParameterShift()`.
        by: "weights", or "features" for a gradient `[B, T, F]` (parameter shift and adjoint).
        loss: name of the loss, or a loss with options of its own.
        last: the loss reads only the last so many steps.
        correction: of the bias that shots bring: "auto", "first_order" or "none".
        shots: of each row; None for exact values on the exact engine.
        shots_total: of all rows together, instead of `shots`.
        seed: of the shots. Use another one for every call whose shots must be independent.
        output: "z" or "probabilities".

    Returns:
        Loss and gradient as estimates, rows and shots spent.

    Raises:
        QRNNError: saying what does not fit.
    """
    sampled = _sampled(shots, shots_total)
    if not isinstance(rule, Adjoint) and not hasattr(rule, "plan"):
        raise DataError(
            f"rule = {rule!r} is no gradient rule: use ParameterShift(), which shifts one "
            "occurrence at a time; a shared weight shifted at all its occurrences at once by ±π/2 "
            "does not give its gradient"
        )
    if isinstance(rule, Adjoint) and sampled is not None:
        raise DataError("Adjoint() is exact: leave the shots out, or use ParameterShift()")
    evaluator = _evaluator(unrolled, executor, output, sampled, seed)
    point, sequences = _arrays(unrolled, weights, features)
    objective = _objective(unrolled, loss, last, correction, output)
    check_expected_survival(unrolled, point, sequences, shots)
    return measure_gradient(
        evaluator,
        rule,
        objective,
        weights=point,
        readout=np.empty(0),
        features=sequences,
        targets=_targets(objective, targets, sequences),
        shots=ShotPlan(shots, shots_total, tiles=executor.isa(unrolled).num_tiles),
        call=Call("gradient", (0,)),
        by=by,
    )


def hessian(
    unrolled: UnrolledCircuit,
    weights: ArrayLike,
    features: ArrayLike,
    targets: ArrayLike,
    *,
    executor: Executor,
    form: HessianForm = "full",
    direction: ArrayLike | None = None,
    loss: str | Loss = "mse",
    last: int | None = None,
    correction: Correction = "auto",
    shots: int | None = None,
    shots_total: int | None = None,
    seed: int | None = None,
    output: OutputKind = "z",
    max_rows: int = MAX_ROWS,
) -> HessianResult:
    """Second derivatives of the loss and the outputs by the weights, by repeated shifts.

    The other arguments are those of `gradient`.

    Args:
        unrolled: the circuit.
        weights: `[P]`.
        features: `[B, T, F]`.
        targets: `[B, T, K]`, or labels `[B, T, 1]`.
        executor: where it runs.
        form: "full" `[P, P]`; "diagonal" `[P]`; "product": the Hessian times `direction`, `[P]`.
        direction: `[P]`, for "product".
        loss: name of the loss, or a loss with options of its own.
        last: the loss reads only the last so many steps.
        correction: of the bias that shots bring.
        shots: of each row.
        shots_total: of all rows together, instead of `shots`.
        seed: of the shots.
        output: "z" or "probabilities".
        max_rows: refuse more rows than that, before anything is evaluated.

    Returns:
        Loss, its Hessian and that of the outputs as estimates; rows and shots spent.

    Raises:
        QRNNError: saying what does not fit.
    """
    evaluator = _evaluator(unrolled, executor, output, _sampled(shots, shots_total), seed)
    point, sequences = _arrays(unrolled, weights, features)
    objective = _objective(unrolled, loss, last, correction, output)
    check_expected_survival(unrolled, point, sequences, shots)
    along = None if direction is None else np.asarray(direction, dtype=np.float64)
    if (along is not None) != (form == "product") or (
        along is not None and along.shape != point.shape
    ):
        raise DataError(
            f"form = 'product' needs a direction with a number for each of the {len(point)} "
            "weights; the other forms take none"
        )
    return measure_hessian(
        evaluator,
        objective,
        weights=point,
        readout=np.empty(0),
        features=sequences,
        targets=_targets(objective, targets, sequences),
        shots=ShotPlan(shots, shots_total, tiles=executor.isa(unrolled).num_tiles),
        call=Call("hessian", (0,)),
        form=form,
        direction=along,
        max_rows=max_rows,
    )


def _sampled(shots: int | None, shots_total: int | None) -> int | None:
    if shots is not None and shots_total is not None:
        raise DataError("give shots (of each row) or shots_total (of all together), not both")
    return shots if shots is not None else shots_total


def _objective(
    unrolled: UnrolledCircuit,
    loss: str | Loss,
    last: int | None,
    correction: Correction,
    output: OutputKind,
) -> Objective:
    name = loss if isinstance(loss, str) else type(loss).__module__.rpartition(".")[2]
    made: Loss = LOSSES.build(loss, {}) if isinstance(loss, str) else loss
    values = unrolled.num_bits if output == "z" else 2**unrolled.num_bits
    check_readout(made, name, "identity", output)
    return Objective(
        Readout("identity", values, values),
        made,
        step_mask(unrolled.num_steps, last),
        unrolled.postselected,
        correction,
    )


def _targets(objective: Objective, targets: ArrayLike, features: Array) -> Array:
    wanted = np.asarray(targets, dtype=np.float64)
    values, loss = objective.readout.num_values, objective.loss
    labels = isinstance(loss, LabelLoss)
    shape = (*features.shape[:2], 1 if labels else values)
    if wanted.shape != shape:
        raise DataError(f"targets have shape {wanted.shape}, but features and cell need {shape}")
    if isinstance(loss, LabelLoss):
        classes = loss.num_predictions(values, 1)
        if classes != values:
            raise DataError(
                f"the loss has {classes} classes, but the circuit {values} output values per step"
            )
        check_labels(wanted, classes, loss.label_steps(objective.steps), "targets")
    return wanted


def _evaluator(
    unrolled: UnrolledCircuit,
    executor: Executor,
    output: OutputKind,
    shots: int | None,
    seed: int | None,
) -> Evaluator:
    if shots is not None and seed is None:
        raise DataError(
            "shots need an explicit seed, such as seed=7: another one for every call whose shots "
            "must be independent"
        )
    if shots is not None and shots < 2:
        raise DataError(f"shots = {shots}: must be at least 2, to estimate errors from")
    return Evaluator(unrolled, executor, kind=output, seed=seed or 0)


def _arrays(unrolled: UnrolledCircuit, weights: Any, features: Any) -> tuple[Array, Array]:
    point = np.asarray(weights, dtype=np.float64)
    sequences = np.asarray(features, dtype=np.float64)
    names = unrolled.cell.weight_names
    if point.shape != (len(names),):
        raise DataError(
            f"weights have shape {point.shape}, but the cell needs one vector of {len(names)}: "
            f"{', '.join(names)}"
        )
    if sequences.ndim != 3:
        raise DataError(f"features have shape {sequences.shape}: [B, T, F] is needed")
    return point, sequences
