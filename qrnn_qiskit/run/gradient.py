"""Loss and gradient with error bars, by any rule, on any executor.

Axes: B sequences, T steps, K output values, M target values, P weights, n readout parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Estimate, Outputs
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.gradients.plan import EvaluationPlan, forward_plan
from qrnn_qiskit.gradients.problem import GradientProblem, GradientRule, HasVariance
from qrnn_qiskit.run.evaluator import Call, Evaluator, stream_seed
from qrnn_qiskit.run.objective import Objective
from qrnn_qiskit.run.shots import ShotPlan

RULE_STREAM = 6


@final
@dataclass(frozen=True, slots=True)
class Adjoint:
    """Reverse mode through the whole sequence on the exact engine: exact, no rows."""


@final
@dataclass(frozen=True, slots=True)
class GradientResult:
    """A loss, its gradient, and what they cost.

    Attributes:
        loss: scalar estimate.
        gradient: by the cell's weights, `[P]`.
        readout_gradient: by the readout's parameters, `[n]`.
        rows: evaluated rows, base rows included; 0 for reverse mode.
        shots_total: over all rows; 0 if exact.
    """

    loss: Estimate
    gradient: Estimate
    readout_gradient: Estimate
    rows: int
    shots_total: int


def measure_gradient(
    evaluator: Evaluator,
    rule: GradientRule | Adjoint,
    objective: Objective,
    *,
    weights: Array,
    readout: Array,
    features: Array,
    targets: Array,
    shots: ShotPlan,
    call: Call,
) -> GradientResult:
    """Loss and gradient at one point.

    Args:
        evaluator: circuit and executor.
        rule: how the gradient is got.
        objective: outputs to loss.
        weights: `[P]`.
        readout: `[n]` the readout's parameters.
        features: `[B, T, F]`.
        targets: `[B, T, M]`.
        shots: how many.
        call: the place in the run.
    """
    if isinstance(rule, Adjoint):
        return _adjoint(evaluator, objective, weights, readout, features, targets)
    plan, per_row = shots.apply(
        rule.plan(
            GradientProblem(
                evaluator.unrolled.angle_map,
                evaluator.executor.occurrences(evaluator.unrolled),
                weights,
                features,
                objective.steps,
                shots.per_row,
                shots.total,
                stream_seed(evaluator.seed, (RULE_STREAM, *call.spawn_key)),
            )
        )
    )
    outputs = evaluator.outputs(plan, per_row, call)
    base = plan.base_outputs(outputs)
    _, by_readout, by_outputs = objective.cotangent(readout, base.mean, targets)
    gradient = plan.contract(outputs, by_outputs)
    if base.count is not None and isinstance(rule, HasVariance):
        gradient = Estimate(gradient.mean, np.sqrt(rule.variance(plan, outputs, by_outputs)))
    by_readout = by_readout - objective.readout_bias(readout, base)
    readout_gradient = Estimate(by_readout)
    if base.count is not None:
        gradient = _with_forward_error(plan, outputs, objective, readout, gradient)
        readout_gradient = _readout_estimate(objective, readout, base, targets, by_readout)
    return GradientResult(
        loss=objective.loss_estimate(readout, base, targets),
        gradient=gradient,
        readout_gradient=readout_gradient,
        rows=plan.num_rows,
        shots_total=0 if per_row is None else plan.total_repeats * per_row,
    )


def measure_outputs(
    evaluator: Evaluator, weights: Array, features: Array, shots: int | None, call: Call
) -> Outputs:
    """Outputs `[B, T, K]` at one weight point."""
    return evaluator.outputs(forward_plan(weights, features), shots, call)


def _adjoint(
    evaluator: Evaluator,
    objective: Objective,
    weights: Array,
    readout: Array,
    features: Array,
    targets: Array,
) -> GradientResult:
    if not isinstance(evaluator.executor, ExactExecutor):
        raise BackendError(
            f"gradient.method = 'adjoint' needs backend.name = 'exact', not "
            f"{evaluator.executor.name!r}: use parameter_shift there"
        )
    angle_map = evaluator.unrolled.angle_map
    angles = angle_map.angles(weights, features)
    correction = evaluator.correction

    def corrected(outputs: Array) -> Array:
        return outputs if correction is None else correction.values(outputs)

    def cotangent_of(outputs: Array) -> Array:
        cotangent = objective.cotangent(readout, corrected(outputs), targets)[2]
        return cotangent if correction is None else cotangent * correction.slope

    mean, by_angles = evaluator.executor.value_and_vjp(
        evaluator.unrolled, angles, cotangent_of, evaluator.kind
    )
    mean = corrected(mean)
    value, by_readout, _ = objective.cotangent(readout, mean, targets)
    return GradientResult(
        loss=Estimate(np.asarray(value)),
        gradient=Estimate(angle_map.pull_back_weights(weights, features, by_angles)),
        readout_gradient=Estimate(by_readout),
        rows=0,
        shots_total=0,
    )


def _with_forward_error(
    plan: EvaluationPlan,
    outputs: Outputs,
    objective: Objective,
    readout: Array,
    gradient: Estimate,
) -> Estimate:
    """Add the error that the cotangent brings, itself estimated from the base rows.

    With g = w'J, w and J independent: Var g = w' Var(J) w + J' Var(w) J + Var(J) Var(w); the two
    plug-in terms together count the last one twice, so it is subtracted once (its diagonal).
    """
    base = plan.base_outputs(outputs)
    if base.count is None or base.covariance is None or gradient.standard_error is None:
        return gradient
    covariance = base.covariance / base.count[:, None, None]
    bent = objective.curvature(readout, base.mean)
    of_cotangent = bent @ covariance @ bent.transpose(0, 2, 1)
    jacobian = plan.output_jacobian(outputs).reshape(len(gradient.mean), *of_cotangent.shape[:2])
    variance = np.einsum("pbi,bij,pbj->p", jacobian, of_cotangent, jacobian, optimize=True)
    spread = plan.output_jacobian_variance(outputs).reshape(jacobian.shape)
    diagonal = np.diagonal(of_cotangent, axis1=1, axis2=2)
    twice = np.einsum("pbi,bi->p", spread, diagonal)
    total = gradient.standard_error**2 + np.maximum(variance - twice, 0.0)
    return Estimate(gradient.mean, np.sqrt(total))


def _readout_estimate(
    objective: Objective, readout: Array, base: Outputs, targets: Array, mean: Array
) -> Estimate:
    """Standard error of the readout's gradient, first order in the outputs."""
    if base.covariance is None or base.count is None:
        return Estimate(mean)
    predictions = objective.readout.predict(readout, base.mean)
    _, slope = objective.loss.value_and_cotangent(predictions, targets, objective.steps)
    bent = objective.loss.curvature(predictions, objective.steps)
    by_outputs = objective.readout.gradient_sensitivity(readout, base.mean, slope, bent)
    variance = [base.contracted_variance(row).sum() for row in by_outputs]
    return Estimate(mean, np.sqrt(np.array(variance)))
