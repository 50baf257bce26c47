"""Second derivatives of the loss and the outputs by the weights, with error bars.

Axes: B sequences, T steps, K raw values, P weights, G numbers, V directions, D = T*K.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.errors import DataError
from qrnn_qiskit.estimate import Estimate, Outputs
from qrnn_qiskit.gradients.hessian import HessianForm, HessianPlan, hessian_plan, hessian_rows
from qrnn_qiskit.gradients.problem import GradientProblem
from qrnn_qiskit.learning.propagation import directional, principal_axes, second_difference
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.objective import LossEstimate, Objective, Spread
from qrnn_qiskit.run.measure.shots import ShotPlan

MAX_ROWS: Final = 200_000
_CHUNK: Final = 64  # rows at a time


@final
@dataclass(frozen=True, slots=True)
class HessianResult:
    """Second derivatives, and what they cost.

    Attributes:
        loss: scalar estimate.
        hessian: of the loss: `[P, P]`, its diagonal `[P]`, or its product with the direction `[P]`.
        outputs: of the raw values, `[P, P, B, T, K]` or `[P, B, T, K]`.
        rows: evaluated rows, base rows included.
        shots_total: over all rows; 0 if exact.
    """

    loss: Estimate
    hessian: Estimate
    outputs: Estimate
    rows: int
    shots_total: int


def measure_hessian(
    evaluator: Evaluator,
    objective: Objective,
    *,
    weights: Array,
    readout: Array,
    features: Array,
    targets: Array,
    shots: ShotPlan,
    call: Call,
    form: HessianForm = "full",
    direction: Array | None = None,
    max_rows: int = MAX_ROWS,
) -> HessianResult:
    """Hessian of the loss by the weights at one point, by repeated shifts.

    With w = dL/dy, H = d²L/dy² and J = dy/dθ it is w d²y/dθ² + J' H J. The first factor and H come
    from the base rows. Both J of the second term come from the same rows: the bias of that
    product, the trace of H with the covariance of J, is subtracted.

    Args:
        evaluator: circuit and executor.
        objective: outputs to loss.
        weights: `[P]`.
        readout: `[n]` the readout's parameters.
        features: `[B, T, F]`.
        targets: `[B, T, M]`.
        shots: how many.
        call: the place in the run.
        form: "full", "diagonal", or "product" with a direction.
        direction: `[P]`, for "product".
        max_rows: refuse more rows than that.

    Raises:
        DataError: if more rows are needed than `max_rows`, saying how many.
    """
    problem = GradientProblem(
        evaluator.unrolled.angle_map,
        evaluator.occurrences,
        weights,
        features,
        objective.steps,
        shots.per_row,
        shots.total,
    )
    needed = hessian_rows(problem, form, direction)
    if needed.total > max_rows:
        raise DataError(
            f"the Hessian (form = {form!r}) needs {needed.total:,} rows: {needed.num_sequences} "
            f"sequences of 4 for each of {len(needed.pairs):,} pairs of occurrences, and "
            f"{2 * len(needed.single) + len(needed.double) + 1:,} more; the limit is max_rows = "
            f"{max_rows:,}. form = 'diagonal', fewer sequences or fewer steps need less"
        )
    made = hessian_plan(problem, form, direction)
    plan, per_row = shots.apply(made.plan)
    outputs = evaluator.outputs(plan, per_row, call)
    result = contracted_twice(
        replace(made, plan=plan), outputs, objective, readout=readout, targets=targets
    )
    estimate = objective.estimate(readout, plan.base_outputs(outputs), targets)
    of_outputs = made.second.jacobian(plan, outputs)
    spread = made.second.jacobian_variance(plan, outputs)
    shape = (len(of_outputs), *outputs.mean[: len(features)].shape)
    full = len(weights) if form == "full" else None
    return HessianResult(
        loss=estimate.loss,
        hessian=_mirrored(result.total(), full),
        outputs=_mirrored(
            Estimate(
                of_outputs.reshape(shape),
                None if spread is None else np.sqrt(spread).reshape(shape),
            ),
            full,
        ),
        rows=plan.num_rows,
        shots_total=0 if per_row is None else plan.total_repeats * per_row,
    )


def contracted_twice(
    made: HessianPlan, outputs: Outputs, objective: Objective, *, readout: Array, targets: Array
) -> Spread:
    """Second derivatives of the loss, each sequence's part `[G, B]`.

    Args:
        made: rows and contractions.
        outputs: of all rows.
        objective: outputs to loss.
        readout: `[n]`.
        targets: `[B, T, M]`.

    Raises:
        DataError: of marginal shots.
    """
    plan = made.plan
    base = plan.base_outputs(outputs)
    estimate = objective.estimate(readout, base, targets)
    shape = base.mean.shape
    center = base.mean.reshape(shape[0], -1)

    def curvature_at(flat: Array) -> Array:
        return objective.curvature(readout, flat.reshape(shape), targets)

    curvature = curvature_at(center)
    covariance = base.covariance_of_mean
    if covariance is not None and np.isnan(covariance).any():
        raise DataError(
            "second derivatives need the covariance of the steps, which marginal shots leave "
            'unknown: take joint shots (sampling = "joint")'
        )
    axes = np.zeros((0, *center.shape)) if covariance is None else principal_axes(covariance)
    bent = np.array([directional(curvature_at, center, axis) for axis in axes])
    if covariance is not None and objective.correction != "none":
        for axis in axes:
            curvature = curvature - 0.5 * second_difference(curvature_at, center, axis)

    jacobian = made.first.jacobian(plan, outputs)
    along = np.einsum("vp,pbd->vbd", made.directions, jacobian)
    pulled = np.einsum("bij,vbj->vbi", curvature, along)
    value, _ = made.second.contract(plan, outputs, estimate.cotangent)
    value = value + np.einsum("gbd,gbd->gb", jacobian[made.left], pulled[made.right])
    if covariance is None or estimate.cotangent_covariance is None:
        return Spread(value)

    singles = _Singles.of(made)
    bias, of_singles = singles.statistics(
        outputs, estimate, curvature, np.einsum("bij,pbj->pbi", curvature, jacobian), pulled
    )
    others = ~np.isin(made.second.row, singles.rows)
    _, of_others = made.second.part(others).contract(plan, outputs, estimate.cotangent)

    second = np.einsum("bij,gbj->gbi", curvature, made.second.jacobian(plan, outputs))
    forward = np.zeros(value.shape)
    for axis, change in zip(axes, bent, strict=True):
        slope = np.einsum("bd,gbd->gb", axis, second)
        moved = np.einsum("bij,vbj->vbi", change, along)
        slope += np.einsum("gbd,gbd->gb", jacobian[made.left], moved[made.right])
        forward += slope**2
    both = made.second.variance_of_product(plan, outputs, estimate.cotangent_covariance)
    variance = of_singles + of_others + np.maximum(forward - both, 0.0)
    return Spread(value - bias, variance, np.zeros(variance.shape))


@final
@dataclass(frozen=True, slots=True)
class _Singles:
    """Rows with one shift of ±π/2, which first and second derivatives share.

    Attributes:
        made: the plan.
        rows: `[S]`.
        first: `[S, P]` coefficients of first derivatives.
        second: `[S, G]` of second derivatives.
    """

    made: HessianPlan
    rows: Index
    first: Array
    second: Array

    @staticmethod
    def of(made: HessianPlan) -> _Singles:
        """Those of a plan."""
        rows = np.unique(made.first.row)
        first = np.zeros((len(rows), made.first.size))
        place = np.searchsorted(rows, made.first.row), made.first.number
        first[place] = made.first.coefficient
        second = np.zeros((len(rows), made.second.size))
        mine = np.isin(made.second.row, rows)
        place = np.searchsorted(rows, made.second.row[mine]), made.second.number[mine]
        second[place] = made.second.coefficient[mine]
        return _Singles(made, rows, first, second)

    def statistics(
        self,
        outputs: Outputs,
        estimate: LossEstimate,
        curvature: Array,
        pulled: Array,
        pulled_along: Array,
    ) -> tuple[Array, Array]:
        """Bias of J' H J and variance of the Hessian due to these rows, `[G, B]` each.

        Args:
            outputs: of all rows.
            estimate: of the loss.
            curvature: H `[B, D, D]`.
            pulled: H J, `[P, B, D]`.
            pulled_along: H J in the directions, `[V, B, D]`.
        """
        made, plan = self.made, self.made.plan
        covariance = outputs.covariance_of_mean
        shape = len(made.left), plan.num_sequences
        bias, variance = np.zeros(shape), np.zeros(shape)
        if covariance is None:
            return bias, variance
        along = self.first @ made.directions.T
        width = outputs.mean.shape[2]
        cotangent = estimate.cotangent.reshape(shape[1], -1)
        for start in range(0, len(self.rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            rows = self.rows[part]
            sequence = plan.sequence[rows]
            mask = np.repeat(plan.masks[plan.mask[rows]], width, axis=1)
            spread = covariance[rows] * mask[:, :, None] * mask[:, None, :]
            left, right = self.first[part][:, made.left], along[part][:, made.right]
            trace = np.einsum("rij,rij->r", spread, curvature[sequence])
            slope = (
                self.second[part][:, :, None] * cotangent[sequence][:, None, :]
                + left[:, :, None] * pulled_along[:, sequence].swapaxes(0, 1)[:, made.right]
                + right[:, :, None] * pulled[:, sequence].swapaxes(0, 1)[:, made.left]
            )
            np.add.at(bias.T, sequence, left * right * trace[:, None])
            np.add.at(variance.T, sequence, np.sum((slope @ spread) * slope, axis=2))
        return bias, variance


def _mirrored(estimate: Estimate, size: int | None) -> Estimate:
    """Matrices `[P, P, ...]` from the upper triangles `[G, ...]` of full Hessians."""
    if size is None:
        return estimate
    place = np.zeros((size, size), dtype=np.intp)
    upper = np.triu_indices(size)
    place[upper] = place.T[upper] = np.arange(len(upper[0]))
    error = estimate.standard_error
    return Estimate(estimate.mean[place], None if error is None else error[place])
