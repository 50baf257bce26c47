"""A loss of what a sequence predicts as a whole: the mean of its predictions over steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.plugins import Loss

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True)
class MeanOverSteps:
    """A loss of the mean prediction over the steps in the mask, against the last step's target.

    Axes: B sequences, T steps, M predicted values.
    """

    loss: Loss

    @property
    def labels(self) -> bool:
        """As the loss itself."""
        return self.loss.labels

    @property
    def quadratic(self) -> bool:
        """As the loss itself: a mean is linear."""
        return self.loss.quadratic

    def num_predictions(self, num_values: int, num_targets: int) -> int:
        """As the loss itself."""
        return self.loss.num_predictions(num_values, num_targets)

    def value_and_cotangent(
        self, predictions: Array, targets: Array, mask: Mask
    ) -> tuple[Array, Array]:
        """Value of each sequence `[B]`, and the derivative `[B, T, M]` of their mean."""
        value, cotangent = self.loss.value_and_cotangent(
            *self._pooled(predictions, targets, mask), np.ones(1, dtype=bool)
        )
        return value, _weight(mask)[:, None] * cotangent

    def curvature(self, predictions: Array, targets: Array, mask: Mask) -> Array:
        """Second derivative of the mean, `[B, T*M, T*M]`: it couples the steps."""
        batch, steps, width = predictions.shape
        inner = self.loss.curvature(
            *self._pooled(predictions, targets, mask), np.ones(1, dtype=bool)
        )
        weight = _weight(mask)
        full: Array = np.einsum("s,t,bmn->bsmtn", weight, weight, inner)
        return full.reshape(batch, steps * width, steps * width)

    @staticmethod
    def _pooled(predictions: Array, targets: Array, mask: Mask) -> tuple[Array, Array]:
        return predictions[:, mask].mean(axis=1, keepdims=True), targets[:, -1:]


def _weight(mask: Mask) -> Array:
    weight: Array = mask / np.count_nonzero(mask)
    return weight
