"""Mean of the predictions: no loss to train with, but its gradient is that of the outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of the predictions over sequences, the steps in the mask, and targets.

    Targets are not used. Being linear, it compares gradient methods by what they do to outputs:
    with `loss.last = 1` its gradient is that of the last output.

    Axes: B sequences, T steps, M target values.
    """

    labels: ClassVar[bool] = False
    quadratic: ClassVar[bool] = True

    def num_predictions(self, num_values: int, num_targets: int) -> int:
        """One prediction for each target value."""
        return num_targets

    def value_and_cotangent(
        self, predictions: Array, targets: Array, mask: Mask
    ) -> tuple[Array, Array]:
        """Value of each sequence `[B]`, and the derivative `[B, T, M]` of their mean."""
        value: Array = predictions[:, mask].mean(axis=(1, 2))
        weight = np.where(mask, 1.0 / (len(predictions) * np.count_nonzero(mask)), 0.0)[:, None]
        slope: Array = np.broadcast_to(weight / predictions.shape[2], predictions.shape).copy()
        return value, slope

    def curvature(self, predictions: Array, targets: Array, mask: Mask) -> Array:
        """Zero, `[B, T*M, T*M]`."""
        size = predictions.shape[1] * predictions.shape[2]
        return np.zeros((len(predictions), size, size))


PROVIDES = Mean
