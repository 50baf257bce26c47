"""Ridge regression in closed form, for any penalty at the cost of one decomposition.

Axes: n samples, K inputs, M targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PENALTIES: Final = tuple(10.0**power for power in range(-8, 3))
_CONSTANT: Final = 1e-12


@final
@dataclass(frozen=True, slots=True)
class RidgeFit:
    """A regression on standardised inputs, as singular values.

    The penalty is that of the mean squared error: it minimizes mean |y - c·z - ȳ|² + penalty |c|².

    Attributes:
        mean, spread: `[K]` of the inputs.
        target_mean: `[M]`.
        singular: `[s]` singular values of the standardised inputs.
        right: `[s, K]` their right singular vectors.
        projected: `[s, M]` targets in the left singular vectors.
        total: `[M]` sum of the centred targets' squares.
        count: n.
    """

    mean: Array
    spread: Array
    target_mean: Array
    singular: Array
    right: Array
    projected: Array
    total: Array
    count: int

    @classmethod
    def of(cls, inputs: Array, targets: Array) -> RidgeFit:
        """Decompose inputs `[n, K]` for targets `[n, M]`."""
        mean, spread = inputs.mean(axis=0), inputs.std(axis=0)
        # A value that never varies is off its mean by rounding, which must not count as spread.
        spread = np.where(spread > _CONSTANT * np.abs(inputs).max(axis=0), spread, 1.0)
        target_mean = targets.mean(axis=0)
        centred = targets - target_mean
        left, singular, right = np.linalg.svd((inputs - mean) / spread, full_matrices=False)
        return cls(
            mean,
            spread,
            target_mean,
            singular,
            right,
            left.T @ centred,
            np.sum(centred**2, axis=0),
            len(inputs),
        )

    def linear_map(self, penalty: float) -> tuple[Array, Array]:
        """Matrix `[M, K]` and bias `[M]` for the inputs as they are."""
        weights = self._weights(penalty)
        matrix = (weights[:, None] * self.projected).T @ self.right / self.spread
        return matrix, self.target_mean - matrix @ self.mean

    def predict(self, inputs: Array, penalty: float) -> Array:
        """Predictions `[n, M]`."""
        matrix, bias = self.linear_map(penalty)
        predictions: Array = inputs @ matrix.T + bias
        return predictions

    def standard_errors(self, penalty: float) -> tuple[Array, Array]:
        """Of the matrix `[M, K]` and the bias `[M]`, from the scatter of the residuals.

        Residuals are taken as independent with one variance for each target: samples that overlap
        make the errors too small. The penalty's own bias is not among them.
        """
        variance = self._residual(penalty) / max(self.count - self.freedom(penalty), 1.0)
        root = (self._weights(penalty)[:, None] * self.right) / self.spread
        of_matrix = np.sqrt(np.sum(root**2, axis=0))
        of_bias = np.sqrt(1.0 / self.count + np.sum((root @ self.mean) ** 2))
        scatter = np.sqrt(variance)
        return scatter[:, None] * of_matrix, scatter * of_bias

    def freedom(self, penalty: float) -> float:
        """Effective number of fitted coefficients of a target, the bias included."""
        return 1.0 + float(np.sum(self.singular * self._weights(penalty)))

    def cross_validation(self, penalty: float) -> float:
        """Generalized cross-validation: what the mean squared error of new samples may be.

        Golub, Heath and Wahba, Technometrics 21, 215 (1979).
        """
        remaining = 1.0 - self.freedom(penalty) / self.count
        if remaining <= 0.0:
            return float("inf")
        return float(np.mean(self._residual(penalty)) / self.count / remaining**2)

    def _residual(self, penalty: float) -> Array:
        """Sum of squared residuals of each target, `[M]`."""
        kept = self.singular * self._weights(penalty)
        explained = np.sum((1.0 - (1.0 - kept) ** 2)[:, None] * self.projected**2, axis=0)
        residual: Array = np.maximum(self.total - explained, 0.0)
        return residual

    def _weights(self, penalty: float) -> Array:
        """Of each singular vector `[s]`; none for those that rounding alone makes."""
        real = self.singular > _CONSTANT * self.singular.max(initial=0.0)
        square = np.where(real, self.singular**2 + self.count * penalty, 1.0)
        weights: Array = np.where(real, self.singular, 0.0) / square
        return weights
