"""Loss and gradient with error bars, by any rule, on any executor.

Axes: B sequences, T steps, K output values, M target values, P weights, n readout parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Estimate, Outputs
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.gradients.plan import EvaluationPlan, forward_plan
from qrnn_qiskit.gradients.problem import GradientProblem, GradientRule, HasVariance
from qrnn_qiskit.learning.plugins import Loss
from qrnn_qiskit.learning.readout import Readout
from qrnn_qiskit.run.evaluator import Call, Evaluator, stream_seed

RULE_STREAM = 6


@final
@dataclass(frozen=True, slots=True)
class Adjoint:
    """Reverse mode through the whole sequence on the exact engine: exact, no rows."""


@final
@dataclass(frozen=True, slots=True)
class Objective:
    """From outputs to a loss.

    Attributes:
        readout: outputs to predictions.
        loss: predictions and targets to a number.
        steps: `[T]` True where the loss reads.
    """

    readout: Readout
    loss: Loss
    steps: NDArray[np.bool_]

    def cotangent(
        self, parameters: Array, outputs: Array, targets: Array
    ) -> tuple[float, Array, Array]:
        """Plug-in loss, its derivatives by the readout's parameters `[n]` and the outputs."""
        predictions = self.readout.predict(parameters, outputs)
        value, slope = self.loss.value_and_cotangent(predictions, targets, self.steps)
        by_parameters, by_outputs = self.readout.pull_back(parameters, outputs, slope)
        return float(value.mean()), by_parameters, by_outputs

    def loss_estimate(self, parameters: Array, outputs: Outputs, targets: Array) -> Estimate:
        """The loss, corrected for the bias of noisy outputs, with its standard error.

        The plug-in value of a squared error exceeds its expectation by the predictions' variance;
        that is subtracted. The error of a quadratic form has a first order in the outputs'
        covariance and a second, which rules near a minimum; the first, taken at noisy outputs, is
        too large by twice the second.
        """
        value, _, by_outputs = self.cotangent(parameters, outputs.mean, targets)
        if outputs.count is None or outputs.covariance is None:
            return Estimate(np.asarray(value))
        covariance = outputs.covariance / outputs.count[:, None, None]
        variance = self.readout.prediction_variance(parameters, covariance)
        value -= self.loss.correction(variance, self.steps)
        first = outputs.contracted_variance(by_outputs).sum()
        curved = self.curvature(parameters, outputs.mean) @ covariance
        second = 0.5 * np.einsum("bij,bji->", curved, curved)
        variance_of_loss = max(first - second, second)
        return Estimate(np.asarray(value), np.asarray(np.sqrt(variance_of_loss)))

    def readout_bias(self, parameters: Array, outputs: Outputs) -> Array:
        """What noisy outputs add to the gradient by the readout's parameters, `[n]`.

        The derivative of the predictions' variance that `loss_estimate` subtracts from the loss.
        Without it, training would shrink the scale.
        """
        if outputs.count is None or outputs.covariance is None:
            return np.zeros(len(parameters))
        batch, steps, width = outputs.mean.shape
        covariance = outputs.covariance / outputs.count[:, None, None]
        covariance = covariance.reshape(batch, steps, width, steps, width)
        same_step = np.einsum("btktl->btkl", covariance)
        matrix, _ = self.readout.linear_map(parameters)
        bent = self.loss.curvature(self.readout.predict(parameters, outputs.mean), self.steps)
        fixed = self.readout.parameter_jacobian(parameters, np.zeros(outputs.mean.shape))
        bias = np.zeros(len(parameters))
        for m, row in enumerate(matrix):
            linear = self.readout.parameter_jacobian(parameters, row @ same_step) - fixed
            bias += np.einsum("bt,btn->n", bent[:, :, m], linear[:, :, m])
        return bias

    def curvature(self, parameters: Array, outputs: Array) -> Array:
        """Second derivative of the loss by the outputs, `[B, T*K, T*K]`, block by step."""
        batch, steps, width = outputs.shape
        matrix, _ = self.readout.linear_map(parameters)
        predictions = self.readout.predict(parameters, outputs)
        bent = self.loss.curvature(predictions, self.steps)
        blocks = np.einsum("mk,btm,ml->btkl", matrix, bent, matrix, optimize=True)
        full = np.zeros((batch, steps, width, steps, width))
        index = np.arange(steps)
        full[:, index, :, index, :] = blocks.transpose(1, 0, 2, 3)
        return full.reshape(batch, steps * width, steps * width)


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


@final
@dataclass(frozen=True, slots=True)
class ShotPlan:
    """Shots of a gradient: so many a row, or so many together.

    Attributes:
        per_row: shots of each row; None if exact or if `total` is given.
        total: shots of all rows together, at most.
        forward: shots of each base row, to the nearest multiple of the other rows' (of a `total`
            not above it); as many as other rows if None.
    """

    per_row: int | None = None
    total: int | None = None
    forward: int | None = None

    def apply(self, plan: EvaluationPlan) -> tuple[EvaluationPlan, int | None]:
        """The plan with repeats for the base rows, and the shots of each row.

        Raises:
            BackendError: if the total gives a row fewer than 2 shots.
        """
        shots = self.per_row if self.total is None else self._share(plan, self.total)
        if shots is None or self.forward is None:
            return plan, shots
        repeats, base = plan.repeats.copy(), plan.num_sequences
        times = round(self.forward / shots)
        if self.total is not None:
            affordable = (self.total // shots - (plan.num_rows - base)) // base
            times = min(self.forward // shots, affordable)
        repeats[:base] = max(1, times)
        return plan.with_repeats(repeats), shots

    def _share(self, plan: EvaluationPlan, total: int) -> int:
        """Shots of each row that is no base row; a row with repeats counts that often."""
        rows, base = plan.total_repeats, plan.num_sequences
        shots, needed = total // rows, 2 * rows
        if self.forward is not None and self.forward > shots and rows > base:
            shots = (total - base * self.forward) // (rows - base)
            needed = base * self.forward + 2 * (rows - base)
        if shots < 2:
            raise BackendError(
                f"gradient.shots_total = {total} is too few for {rows} rows: at least "
                f"{needed}, or fewer sequences (training.batch_size)"
            )
        return shots


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
    mean, by_angles = evaluator.executor.value_and_vjp(
        evaluator.unrolled,
        angles,
        lambda y: objective.cotangent(readout, y, targets)[2],
        evaluator.kind,
    )
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
