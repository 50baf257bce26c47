"""Loss and gradient with error bars, by any rule, on any executor.

Axes: B sequences, T steps, K output values, M target values, P weights, n readout parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np

from qrnn_qiskit.angle_map import Array, SparseJacobian
from qrnn_qiskit.errors import DataError
from qrnn_qiskit.estimate import Estimate, Outputs
from qrnn_qiskit.execution.executor import stream_seed
from qrnn_qiskit.gradients.contraction import Contraction
from qrnn_qiskit.gradients.free_forward import FreeForward, free_forward, shared_shots_variance
from qrnn_qiskit.gradients.plan import EvaluationPlan, forward_plan
from qrnn_qiskit.gradients.problem import GradientProblem, GradientRule, HasVariance
from qrnn_qiskit.gradients.rules.parameter_shift import ParameterShift
from qrnn_qiskit.learning.propagation import quadratic_form
from qrnn_qiskit.markup import html_records, with_error
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.lags import lags_of_rows
from qrnn_qiskit.run.measure.objective import LossEstimate, Objective, Spread
from qrnn_qiskit.run.measure.riding import Rider, measure_together
from qrnn_qiskit.run.measure.shots import ShotPlan

RULE_STREAM = 6
Inputs = Literal["weights", "features"]


@final
@dataclass(frozen=True, slots=True)
class Adjoint:
    """Reverse mode through the whole sequence on the exact engine: exact, no rows."""


@final
@dataclass(frozen=True, slots=True)
class GradientCost:
    """What the shots of a gradient went to, for the decisions on later ones.

    Attributes:
        spread: w² (1 - y²) of each output, `[B, T, K]`, w = dL/dy.
        forward_shots: on base rows.
        forward_variance: part of the summed variance that is due to them.
        weight_shots: on the rows of each weight, `[P]`; a row of several is shared evenly.
    """

    spread: Array
    forward_shots: int
    forward_variance: float
    weight_shots: Array


@final
@dataclass(frozen=True, slots=True)
class GradientResult:
    """A loss, its gradient, and what they cost.

    Attributes:
        loss: scalar estimate.
        gradient: by the cell's weights, `[P]`; or by the features, `[B, T, F]`.
        readout_gradient: by the readout's parameters, `[n]`.
        rows: evaluated rows, base rows included; 0 for reverse mode.
        shots_total: over all rows; 0 if exact.
        cost: what they went to; None if exact.
        lags: how far back outputs depend on angles (`lags`), where the rows show it.
        differences: what a rule with random rows can use as a baseline later, `[B, O, T, K]`.
        riders: outputs `[V, T, K]` of the forward evaluations that were asked for along with it.
    """

    loss: Estimate
    gradient: Estimate
    readout_gradient: Estimate
    rows: int
    shots_total: int
    cost: GradientCost | None = None
    lags: Array | None = None
    differences: Array | None = None
    riders: tuple[Outputs, ...] = ()

    def _repr_html_(self) -> str:
        """For notebooks: loss, cost and gradient."""
        error = self.loss.standard_error
        loss = with_error(float(self.loss.mean), None if error is None else float(error))
        facts = {"loss": loss, "rows": self.rows, "shots": self.shots_total or "none (exact)"}
        return html_records([facts]) + "\n" + self.gradient._repr_html_()


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
    by: Inputs = "weights",
    known: Array | None = None,
    riders: Sequence[Rider] = (),
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
        by: what to differentiate by. The gradient by the features is `[B, T, F]`: that of each
            sequence's share of the loss.
        known: `differences` of earlier gradients, 0 for what was never measured; the baseline of
            rules with random rows.
        riders: forward evaluations at the same weights; on a device they travel with the
            gradient's rows where that saves QPU jobs.

    Raises:
        DataError: for a gradient by features where an encoding has no slope, or with a rule that
            has none.
    """
    if isinstance(rule, Adjoint):
        found = _adjoint(evaluator, objective, weights, readout, features, targets, by)
        along = [
            measure_outputs(evaluator, weights, rider.features, rider.shots, rider.call)
            for rider in riders
        ]
        return replace(found, riders=tuple(along))
    problem = GradientProblem(
        evaluator.unrolled.angle_map,
        evaluator.occurrences,
        weights,
        features,
        objective.steps,
        shots.per_row,
        shots.total,
        stream_seed(evaluator.seed, (RULE_STREAM, *call.spawn_key)),
    )
    plan, per_row = shots.apply(
        rule.plan(problem) if by == "weights" else _plan_by_features(problem, rule),
        drawn=isinstance(rule, HasVariance),
    )
    outputs, *along = measure_together(evaluator, plan, per_row, call, riders)
    free = FreeForward.of_base_rows(plan, outputs)
    if by == "weights" and not objective.needs_counts:
        free = free_forward(plan, outputs)
    base = free.outputs
    estimate = objective.estimate(readout, base, targets)
    cost: GradientCost | None = None
    all_pairs = by == "weights" and isinstance(rule, ParameterShift)
    if by == "weights":
        by_weights = Contraction.by_weights(plan)
        spread, of_rows = _contracted(plan, by_weights, outputs, estimate, rule, free, known)
        gradient = spread.total()
        if known is not None and isinstance(rule, HasVariance):
            more = rule.baseline(problem, plan, estimate.cotangent, known)
            gradient = replace(gradient, mean=gradient.mean + more)
        if spread.first is not None and per_row is not None:
            cost = GradientCost(
                estimate.cotangent**2 * np.maximum(1 - base.mean**2, 0.0),
                int(plan.repeats[: plan.num_sequences].sum()) * per_row,
                float(spread.first.sum() - of_rows.sum()),
                plan.repeats_by_weight() * per_row,
            )
    else:
        size = features[0].size
        of_features = Contraction(plan.term_row, plan.term_weight, plan.term_coefficient, size)
        gradient = _of_sequences(contracted(plan, of_features, outputs, estimate), features)
    return GradientResult(
        loss=estimate.loss,
        gradient=gradient,
        readout_gradient=estimate.by_readout.total(),
        rows=plan.num_rows,
        shots_total=0 if per_row is None else plan.total_repeats * per_row,
        cost=cost,
        lags=lags_of_rows(plan, outputs, problem.occurrences) if all_pairs else None,
        differences=rule.differences(plan, outputs, len(problem.occurrences))
        if isinstance(rule, HasVariance) and by == "weights"
        else None,
        riders=tuple(along),
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
    by: Inputs,
) -> GradientResult:
    angle_map = evaluator.unrolled.angle_map
    angles = angle_map.angles(weights, features)

    def cotangent_of(outputs: Array) -> Array:
        return objective.cotangent(readout, outputs, targets)[2]

    mean, by_angles = evaluator.value_and_vjp(angles, cotangent_of)
    value, by_readout, _ = objective.cotangent(readout, mean, targets)
    if by == "features":
        check_slopes(angle_map.feature_jacobian(weights, features).values)
        gradient = angle_map.pull_back_features(weights, features, by_angles)
    else:
        gradient = angle_map.pull_back_weights(weights, features, by_angles)
    return GradientResult(
        loss=Estimate(np.asarray(value)),
        gradient=Estimate(gradient),
        readout_gradient=Estimate(by_readout),
        rows=0,
        shots_total=0,
    )


def _plan_by_features(problem: GradientProblem, rule: GradientRule) -> EvaluationPlan:
    """Rows for derivatives by features; `term_weight` counts the features of all steps."""
    return shift_rule(rule).plan_for(problem, feature_jacobian(problem))


def shift_rule(rule: GradientRule) -> ParameterShift:
    """The rule, if it can differentiate by features.

    Raises:
        DataError: if it cannot.
    """
    if not isinstance(rule, ParameterShift):
        raise DataError(
            "a gradient by features is had by parameter_shift, or by adjoint without shots; "
            f"{type(rule).__name__} has none"
        )
    return rule


def feature_jacobian(problem: GradientProblem) -> SparseJacobian:
    """d(angle)/d(feature); columns count the features of all steps, `T * F`.

    Raises:
        DataError: where an encoding has no slope.
    """
    jacobian = problem.angle_map.feature_jacobian(problem.weights, problem.features)
    check_slopes(jacobian.values)
    step = problem.occurrences.step[jacobian.occurrence]
    column = step * problem.features.shape[2] + jacobian.column
    return SparseJacobian(jacobian.occurrence, column, jacobian.values)


def check_slopes(slopes: Array) -> None:
    """Refuse derivatives of encodings that are infinite.

    Raises:
        DataError: saying how to mend it.
    """
    if not np.all(np.isfinite(slopes)):
        raise DataError(
            "an encoding has no slope at a feature, such as arccos at 1 or -1: a gradient by "
            "features needs values inside (-1, 1), for instance data.range = [-0.99, 0.99]"
        )


def _of_sequences(spread: Spread, features: Array) -> Estimate:
    """`[B, T, F]` from `[T*F, B]`."""
    mean = spread.value.T.reshape(features.shape)
    if spread.first is None:
        return Estimate(mean)
    return Estimate(mean, np.sqrt(spread.first).T.reshape(features.shape))


def contracted(
    plan: EvaluationPlan,
    contraction: Contraction,
    outputs: Outputs,
    estimate: LossEstimate,
    rule: GradientRule | None = None,
    free: FreeForward | None = None,
) -> Spread:
    """Derivatives of the loss `[G, B]`, their errors with that of the cotangent.

    With g = w'J, w and J independent: Var g = w' Var(J) w + J' Var(w) J + tr[Var(J) Var(w)]; the
    two plug-in terms contain the last one twice, so it is subtracted once. Rows that serve w and J
    at different steps add their covariance.

    Args:
        plan: the rows.
        contraction: their sums.
        outputs: of all rows.
        estimate: loss and cotangent, from the base outputs.
        rule: the one that made the plan, where it has a variance of its own.
        free: the base outputs, where other rows than the base rows are in them.
    """
    return _contracted(plan, contraction, outputs, estimate, rule, free)[0]


def _contracted(
    plan: EvaluationPlan,
    contraction: Contraction,
    outputs: Outputs,
    estimate: LossEstimate,
    rule: GradientRule | None,
    free: FreeForward | None,
    known: Array | None = None,
) -> tuple[Spread, Array]:
    """As `contracted`, and the variance `[G, B]` that is due to the contracted rows alone."""
    value, first = contraction.contract(plan, outputs, estimate.cotangent)
    spread = estimate.cotangent_covariance
    if spread is None:
        return Spread(value), first
    if isinstance(rule, HasVariance):
        # Random choices are common to all sequences: their variance is that of the sum.
        first = _in_first_sequence(rule.variance(plan, outputs, estimate.cotangent, known), first)
    jacobian = contraction.jacobian(plan, outputs)
    forward = quadratic_form(jacobian, spread)
    both = contraction.variance_of_product(plan, outputs, spread)
    total = first + np.maximum(forward - both, 0.0)
    if free is not None and estimate.curvature is not None:
        slope = np.einsum("pbi,bij->pbj", jacobian, estimate.curvature, optimize=True)
        shared = shared_shots_variance(plan, outputs, estimate.cotangent, slope, free.share)
        # Itself an estimate, the covariance must not make a variance negative.
        total += _in_first_sequence(np.maximum(shared, -0.5 * total.sum(axis=1)), total)
    return Spread(value, total, np.zeros(total.shape)), first


def _in_first_sequence(variance: Array, like: Array) -> Array:
    """A variance `[G]` of the sum over sequences, `[G, B]` as one of its terms."""
    shared = np.zeros(like.shape)
    shared[:, 0] = variance
    return shared
