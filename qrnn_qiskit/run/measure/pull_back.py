"""From dL/d(outputs) to dL/d(weights) and dL/d(features), for losses that others work out.

Axes: B sequences, T steps, F features, K output values, P weights, O occurrences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array, SparseJacobian
from qrnn_qiskit.estimate import Estimate, Outputs
from qrnn_qiskit.execution.executor import stream_seed
from qrnn_qiskit.gradients.contraction import Contraction
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.gradients.problem import GradientProblem, GradientRule, HasVariance
from qrnn_qiskit.learning import postselection
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.gradient import (
    RULE_STREAM,
    Adjoint,
    check_slopes,
    feature_jacobian,
    shift_rule,
)

Mask = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True)
class PulledBack:
    """A cotangent of the outputs, pulled back through the circuit.

    The standard errors are those of the rows measured here, for the given cotangent: noise of the
    outputs that the cotangent was worked out from is not in them.

    Attributes:
        by_weights: `[P]`.
        by_features: `[B, T, F]`; None if not asked for.
        rows: evaluated rows; 0 for reverse mode.
        shots: over all rows; 0 if exact.
    """

    by_weights: Estimate
    by_features: Estimate | None
    rows: int = 0
    shots: int = 0


def measure_pull_back(
    evaluator: Evaluator,
    rule: GradientRule | Adjoint,
    *,
    weights: Array,
    features: Array,
    raw: Outputs,
    cotangent: Array,
    shots: int | None,
    call: Call,
    by_weights: bool = True,
    by_features: bool | Mask = False,
) -> PulledBack:
    """Pull a cotangent back, both ways from the same rows.

    Args:
        evaluator: circuit and executor.
        rule: how derivatives are got.
        weights: `[P]`.
        features: `[B, T, F]`.
        raw: what `measure_outputs` gave at this point.
        cotangent: `[B, T, K]` dL/d(outputs); of a post-selected circuit, by the conditional ones.
        shots: of each row; None for exact values.
        call: the place in the run.
        by_weights: whether dL/d(weights) is wanted; zeros where it is not.
        by_features: whether dL/d(features) is wanted (parameter shift and adjoint); `[F]` for some
            of them, the others are zeros.

    Raises:
        DataError: where an encoding has no slope, or the rule none by features.
        BackendError: for reverse mode on anything but the exact engine.
    """
    read = np.any(cotangent != 0.0, axis=(0, 2))
    if evaluator.unrolled.postselected:
        cotangent = _by_raw(raw, cotangent)
    some = bool(np.any(by_features))
    if isinstance(rule, Adjoint):
        return _reverse(evaluator, weights, features, cotangent, some)
    problem = GradientProblem(
        evaluator.unrolled.angle_map,
        evaluator.occurrences,
        weights,
        features,
        read,
        shots,
        seed=stream_seed(evaluator.seed, (RULE_STREAM, *call.spawn_key)),
    )
    plan = backward_plan(problem, rule, by_weights=by_weights, by_features=by_features)
    size = weights.size + (features[0].size if some else 0)
    values = variances = np.zeros((size, len(features)))
    if len(plan.term_row):
        outputs = evaluator.outputs(plan, shots, call)
        numbers = Contraction(plan.term_row, plan.term_weight, plan.term_coefficient, size)
        values, variances = numbers.contract(plan, outputs, cotangent)
        if isinstance(rule, HasVariance) and shots is not None:
            # Random choices are common to all sequences; no rule that makes them is by features.
            variances = rule.variance(plan, outputs, cotangent)[:, None]
    rows = plan.num_rows if len(plan.term_row) else 0
    spent = plan.total_repeats * shots if rows and shots is not None else 0
    count = weights.size
    found = None
    if some:
        found = _estimate(
            values[count:].T.reshape(features.shape),
            variances[count:].T.reshape(features.shape),
            shots,
        )
    of_weights = _estimate(values[:count].sum(axis=1), variances[:count].sum(axis=1), shots)
    return PulledBack(of_weights, found, rows, spent)


def backward_plan(
    problem: GradientProblem,
    rule: GradientRule,
    *,
    by_weights: bool = True,
    by_features: bool | Mask = False,
) -> EvaluationPlan:
    """The rows of a backward pass: with shots, base rows are left out where they serve no term.

    `term_weight` counts the P weights, then the features of all steps; an occurrence that depends
    on both is measured once.
    """
    plan = (
        _plan_of_both(problem, rule, by_weights, by_features)
        if np.any(by_features)
        else rule.plan(problem)
    )
    if problem.shots is not None and not isinstance(rule, HasVariance):
        plan = plan.without_base_rows()
    return plan


def _estimate(mean: Array, variance: Array, shots: int | None) -> Estimate:
    return Estimate(mean, None if shots is None else np.sqrt(variance))


def _by_raw(raw: Outputs, cotangent: Array) -> Array:
    """`[B, T, K+1]` by the raw values of a post-selected circuit."""
    product = np.sum(cotangent * postselection.conditional(raw).mean, axis=2)
    return postselection.pull_back(cotangent, product, postselection.inverse_probability(raw))


def _reverse(
    evaluator: Evaluator, weights: Array, features: Array, cotangent: Array, by_features: bool
) -> PulledBack:
    angle_map = evaluator.unrolled.angle_map
    angles = angle_map.angles(weights, features)
    _, by_angles = evaluator.value_and_vjp(angles, lambda _: cotangent)
    found = None
    if by_features:
        check_slopes(angle_map.feature_jacobian(weights, features).values)
        found = Estimate(angle_map.pull_back_features(weights, features, by_angles))
    by_weights = Estimate(angle_map.pull_back_weights(weights, features, by_angles))
    return PulledBack(by_weights, found)


def _plan_of_both(
    problem: GradientProblem, rule: GradientRule, by_weights: bool, by_features: bool | Mask
) -> EvaluationPlan:
    parts = [feature_jacobian(problem)]
    num_features = problem.features.shape[2]
    wanted = np.broadcast_to(by_features, num_features)[parts[0].column % num_features]
    parts[0] = SparseJacobian(
        parts[0].occurrence[wanted],
        parts[0].column[wanted] + problem.weights.size,
        parts[0].values[:, wanted],
    )
    if by_weights:
        parts.insert(0, problem.angle_map.weight_jacobian(problem.weights, problem.features))
    both = SparseJacobian(
        np.concatenate([part.occurrence for part in parts]),
        np.concatenate([part.column for part in parts]),
        np.concatenate([part.values for part in parts], axis=1),
    )
    return shift_rule(rule).plan_for(problem, both)
