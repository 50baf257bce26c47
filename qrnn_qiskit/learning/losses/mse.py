"""Mean of squared errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.plugins import block_diagonal

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True)
class MeanSquaredError:
    """The mean of (prediction - target)² over sequences, the steps in the mask, and targets.

    Axes: B sequences, T steps, M target values.
    """

    quadratic: ClassVar[bool] = True

    def num_predictions(self, num_values: int, num_targets: int) -> int:
        """One prediction for each target value."""
        return num_targets

    def value_and_cotangent(
        self, predictions: Array, targets: Array, mask: Mask
    ) -> tuple[Array, Array]:
        """Value of each sequence `[B]`, and the derivative `[B, T, M]` of their mean."""
        error = np.where(mask[:, None], predictions - targets, 0.0)
        count = np.count_nonzero(mask) * error.shape[2]
        return np.sum(error**2, axis=(1, 2)) / count, error * (2.0 / (count * len(error)))

    def curvature(self, predictions: Array, targets: Array, mask: Mask) -> Array:
        """Second derivative of the mean, `[B, T*M, T*M]`."""
        batch, steps, width = predictions.shape
        each = 2.0 / (batch * np.count_nonzero(mask) * width)
        blocks = np.where(mask, each, 0.0)[:, None, None] * np.eye(width)
        return block_diagonal(np.broadcast_to(blocks, (batch, steps, width, width)))


PROVIDES = MeanSquaredError
