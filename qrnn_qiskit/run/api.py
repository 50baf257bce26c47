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
from qrnn_qiskit.gradients.problem import GradientRule
from qrnn_qiskit.learning.plugins import LOSSES
from qrnn_qiskit.learning.readout import Readout
from qrnn_qiskit.learning.steps import step_mask
from qrnn_qiskit.run.evaluator import Call, Evaluator
from qrnn_qiskit.run.gradient import Adjoint, GradientResult, measure_gradient, measure_outputs
from qrnn_qiskit.run.objective import Objective
from qrnn_qiskit.run.shots import ShotPlan


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
        Outputs with mean `[B, T, K]`.

    Raises:
        QRNNError: saying what does not fit.
    """
    evaluator = _evaluator(unrolled, executor, output, shots, seed)
    point, sequences = _arrays(unrolled, weights, features)
    return measure_outputs(evaluator, point, sequences, shots, Call("evaluate", (0,)))


def gradient(
    unrolled: UnrolledCircuit,
    weights: ArrayLike,
    features: ArrayLike,
    targets: ArrayLike,
    *,
    executor: Executor,
    rule: GradientRule | Adjoint,
    loss: str = "mse",
    last: int | None = None,
    shots: int | None = None,
    shots_total: int | None = None,
    seed: int | None = None,
    output: OutputKind = "z",
) -> GradientResult:
    """Loss of the outputs against targets, and its gradient by the weights.

    Args:
        unrolled: the circuit.
        weights: `[P]`.
        features: `[B, T, F]`.
        targets: `[B, T, K]`.
        executor: where it runs.
        rule: how the gradient is got, such as `ParameterShift()`.
        loss: name of the loss.
        last: the loss reads only the last so many steps.
        shots: of each row; None for exact values on the exact engine.
        shots_total: of all rows together, instead of `shots`.
        seed: of the shots. Use another one for every call whose shots must be independent.
        output: "z" or "probabilities".

    Returns:
        Loss and gradient as estimates, rows and shots spent.

    Raises:
        QRNNError: saying what does not fit.
    """
    if shots is not None and shots_total is not None:
        raise DataError("give shots (of each row) or shots_total (of the gradient), not both")
    sampled = shots if shots is not None else shots_total
    if isinstance(rule, Adjoint) and sampled is not None:
        raise DataError("Adjoint() is exact: leave the shots out, or use ParameterShift()")
    evaluator = _evaluator(unrolled, executor, output, sampled, seed)
    point, sequences = _arrays(unrolled, weights, features)
    wanted = np.asarray(targets, dtype=np.float64)
    values = unrolled.num_bits if output == "z" else 2**unrolled.num_bits
    if wanted.shape != (*sequences.shape[:2], values):
        raise DataError(
            f"targets have shape {wanted.shape}, but features and cell need "
            f"{(*sequences.shape[:2], values)}"
        )
    objective = Objective(
        Readout("identity", values, values),
        LOSSES.build(loss, {}),
        step_mask(unrolled.num_steps, last),
    )
    return measure_gradient(
        evaluator,
        rule,
        objective,
        weights=point,
        readout=np.empty(0),
        features=sequences,
        targets=wanted,
        shots=ShotPlan(shots, shots_total),
        call=Call("gradient", (0,)),
    )


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
