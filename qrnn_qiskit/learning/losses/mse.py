"""Mean of squared errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True)
class MeanSquaredError:
    """The mean of (prediction - target)² over sequences, the steps in the mask, and targets.

    Axes: B sequences, T steps, M target values.
    """

    def value_and_cotangent(
        self, predictions: Array, targets: Array, mask: Mask
    ) -> tuple[Array, Array]:
        """Value of each sequence `[B]`, and the derivative `[B, T, M]` of their mean."""
        error = np.where(mask[:, None], predictions - targets, 0.0)
        value = np.sum(error**2, axis=(1, 2)) / (np.count_nonzero(mask) * error.shape[2])
        return value, error * self.curvature(predictions, mask)

    def curvature(self, predictions: Array, mask: Mask) -> Array:
        """Second derivative of the mean by each prediction, `[B, T, M]`."""
        count = len(predictions) * np.count_nonzero(mask) * predictions.shape[2]
        weight = np.where(mask, 2.0 / count, 0.0)[:, None]
        return np.broadcast_to(weight, predictions.shape).copy()

    def correction(self, variance: Array, mask: Mask) -> float:
        """What the expected loss of noisy predictions exceeds the loss of their means by.

        Exactly the mean of their variance `[B, T, M]` over what the loss reads.
        """
        return float(np.mean(variance[:, mask]))


PROVIDES = MeanSquaredError
