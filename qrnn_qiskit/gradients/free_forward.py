"""Base outputs from every row that has them: free forward samples.

A row whose shift provably cannot influence the outputs of step t is one more measurement of y_t at
the unshifted weights. A row counts for the gradient only at the steps that its mask lets through,
and here only at the others: y_t and the derivatives that its cotangent multiplies come from
different rows, so their product has no bias. Different steps of one row share shots, though, and
their covariance belongs to the error of the gradient. Axes: R rows, B sequences, T steps, K output
values per step, P weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.gradients.plan import EvaluationPlan


@final
@dataclass(frozen=True, slots=True)
class FreeForward:
    """Outputs at the unshifted weights.

    Attributes:
        outputs: `[B, T, K]`; its covariance divided by its count is that of the means.
        share: `[R, T]` what part a row has in the mean of its sequence's step.
    """

    outputs: Outputs
    share: Array

    @staticmethod
    def of_base_rows(plan: EvaluationPlan, outputs: Outputs) -> FreeForward:
        """The base rows alone."""
        nothing = np.zeros((plan.num_rows, outputs.mean.shape[1]))
        return FreeForward(plan.base_outputs(outputs), nothing)


def free_forward(plan: EvaluationPlan, outputs: Outputs) -> FreeForward:
    """Base outputs from the base rows and from all others at the steps they leave untouched.

    Args:
        plan: the rows.
        outputs: of all rows, `[R, T, K]`.
    """
    batch, (_, steps, values) = plan.num_sequences, outputs.mean.shape
    base = plan.base_outputs(outputs)
    if base.count is None or outputs.count is None or outputs.covariance is None:
        return FreeForward.of_base_rows(plan, outputs)
    # A mask is also False at steps that the loss does not read: nothing is known about those.
    free = ~plan.masks & plan.masks.any(axis=0)
    weight = free[plan.mask] * outputs.count[:, None]
    weight[:batch] = base.count[:, None]
    used = np.flatnonzero(weight.any(axis=1))
    used = used[np.argsort(plan.sequence[used], kind="stable")]
    sequence = plan.sequence[used]
    starts = np.searchsorted(sequence, np.arange(batch))
    total = np.add.reduceat(weight[used], starts, axis=0)
    share = np.zeros((plan.num_rows, steps))
    share[used] = weight[used] / total[sequence]

    wide = np.repeat(share[used], values, axis=1)
    mean = np.add.reduceat(wide * outputs.mean[used].reshape(len(used), -1), starts, axis=0)
    scaled = wide / np.sqrt(outputs.count[used])[:, None]
    covariance = outputs.covariance[used] * scaled[:, :, None] * scaled[:, None, :]
    of_mean = np.add.reduceat(covariance, starts, axis=0)
    return FreeForward(
        Outputs(
            mean.reshape(batch, steps, values),
            base.count,
            of_mean * base.count[:, None, None],
        ),
        share,
    )


def shared_shots_variance(
    plan: EvaluationPlan, outputs: Outputs, cotangent: Array, slope: Array, share: Array
) -> Array:
    """What rows that serve both factors of the product add to the gradient's variance, `[P]`.

    A row's shots enter g = sum_t w_t J_t through J at the steps its mask lets through, and through
    w at the others: twice the covariance of these two parts.

    Args:
        plan: the rows.
        outputs: of all rows, with shots.
        cotangent: dL/dy `[B, T, K]`.
        slope: `[P, B, T*K]` derivative of g by the base outputs (through the cotangent).
        share: `[R, T]` of `FreeForward`.
    """
    if outputs.count is None or outputs.covariance is None:
        return np.zeros(plan.weights.shape[1])
    values = outputs.mean.shape[2]
    rows = np.unique(plan.term_row)
    rows = rows[share[rows].any(axis=1)]
    if not len(rows):
        return np.zeros(plan.weights.shape[1])
    flat = plan.weighted(cotangent)[rows].reshape(len(rows), -1)
    crossed = np.matmul(flat[:, None, :], outputs.covariance[rows])[:, 0]
    crossed *= np.repeat(share[rows], values, axis=1) / outputs.count[rows][:, None]

    place: Index = np.full(plan.num_rows, -1)
    place[rows] = np.arange(len(rows))
    terms = np.flatnonzero(place[plan.term_row] >= 0)
    row, weight = plan.term_row[terms], plan.term_weight[terms]
    covariance = np.einsum("ni,ni->n", crossed[place[row]], slope[weight, plan.sequence[row]])
    result = np.bincount(
        weight, 2 * plan.term_coefficient[terms] * covariance, plan.weights.shape[1]
    )
    return result.astype(np.float64)
