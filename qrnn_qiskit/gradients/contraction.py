"""From outputs of rows to any numbers that are linear in them, one for each sequence.

Axes: N terms, G numbers (a gradient's components), R rows, B sequences, T steps, K output values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.gradients.plan import EvaluationPlan


@final
@dataclass(frozen=True, slots=True)
class Contraction:
    """Number g of sequence b is the sum of coefficient times masked outputs, over its terms.

    Attributes:
        row, number, coefficient: `[N]`; a row has at most one term for each number.
        size: G.
    """

    row: Index
    number: Index
    coefficient: Array
    size: int

    @staticmethod
    def by_weights(plan: EvaluationPlan) -> Contraction:
        """The terms of a plan itself: numbers are weights."""
        return Contraction(
            plan.term_row, plan.term_weight, plan.term_coefficient, plan.weights.shape[1]
        )

    def part(self, terms: NDArray[np.bool_]) -> Contraction:
        """Some of the terms, `[N]`."""
        return Contraction(self.row[terms], self.number[terms], self.coefficient[terms], self.size)

    def contract(
        self, plan: EvaluationPlan, outputs: Outputs, cotangent: Array
    ) -> tuple[Array, Array]:
        """Values `[G, B]` and their variance due to the rows of the terms `[G, B]`.

        Args:
            plan: whose rows they are.
            outputs: of all rows, `[R, T, K]`.
            cotangent: dL/dy `[B, T, K]`, independent of these rows' shots.
        """
        weighted = cotangent[plan.sequence] * plan.masks[plan.mask][:, :, None]
        values = np.einsum("rtk,rtk->r", weighted, outputs.mean)
        variances = outputs.contracted_variance(weighted)
        return (
            self._sum(plan, self.coefficient * values[self.row]),
            self._sum(plan, self.coefficient**2 * variances[self.row]),
        )

    def jacobian(self, plan: EvaluationPlan, outputs: Outputs) -> Array:
        """Derivatives of the outputs, `[G, B, T*K]`."""
        masked = (outputs.mean * plan.masks[plan.mask][:, :, None]).reshape(plan.num_rows, -1)
        jacobian = np.zeros((self.size, plan.num_sequences, masked.shape[1]))
        place = self.number, plan.sequence[self.row]
        np.add.at(jacobian, place, self.coefficient[:, None] * masked[self.row])
        return jacobian

    def jacobian_variance(self, plan: EvaluationPlan, outputs: Outputs) -> Array | None:
        """Variance of each entry of `jacobian`, `[G, B, T*K]`; None for exact values."""
        covariance = outputs.covariance_of_mean
        if covariance is None:
            return None
        masked = np.repeat(plan.masks[plan.mask], outputs.mean.shape[2], axis=1)
        diagonal = np.diagonal(covariance, axis1=1, axis2=2) * masked
        variance = np.zeros((self.size, plan.num_sequences, diagonal.shape[1]))
        place = self.number, plan.sequence[self.row]
        np.add.at(variance, place, self.coefficient[:, None] ** 2 * diagonal[self.row])
        return variance

    def variance_of_product(self, plan: EvaluationPlan, outputs: Outputs, spread: Array) -> Array:
        """tr[Var(J) V] of the derivatives J and a covariance V of the cotangent, `[G, B]`.

        Args:
            plan: whose rows they are.
            outputs: of all rows, `[R, T, K]`.
            spread: V, `[B, T*K, T*K]`.
        """
        covariance = outputs.covariance_of_mean
        if covariance is None:
            return np.zeros((self.size, plan.num_sequences))
        masked = np.repeat(plan.masks[plan.mask], outputs.mean.shape[2], axis=1).astype(np.float64)
        product = covariance * spread[plan.sequence]
        traces = np.sum((masked[:, None, :] @ product)[:, 0] * masked, axis=1)
        return self._sum(plan, self.coefficient**2 * traces[self.row])

    def _sum(self, plan: EvaluationPlan, values: Array) -> Array:
        place = self.number * plan.num_sequences + plan.sequence[self.row]
        sums = np.bincount(place, values, self.size * plan.num_sequences)
        return sums.astype(np.float64).reshape(self.size, plan.num_sequences)
