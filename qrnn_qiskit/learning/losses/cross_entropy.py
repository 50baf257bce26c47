"""Cross-entropy of a softmax over the predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qrnn_qiskit.learning.plugins import block_diagonal

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """The mean of -ln softmax(predictions)[label] over sequences and the steps in the mask.

    The predictions are logits, usually those of a linear head (`readout.head = "linear"`), the
    targets labels: integers from 0 to `classes` - 1, one a step.

    Axes: B sequences, T steps, M classes.

    Attributes:
        classes: M.
    """

    classes: Annotated[int, Field(ge=2)]

    labels: ClassVar[bool] = True
    quadratic: ClassVar[bool] = False

    def num_predictions(self, num_values: int, num_targets: int) -> int:
        """One logit for each class."""
        return self.classes

    def value_and_cotangent(
        self, predictions: Array, targets: Array, mask: Mask
    ) -> tuple[Array, Array]:
        """Value of each sequence `[B]`, and the derivative `[B, T, M]` of their mean."""
        label = np.where(mask, targets[:, :, 0], 0.0).astype(np.intp)[:, :, None]
        shifted = predictions - predictions.max(axis=2, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=2))
        value = log_sum - np.take_along_axis(shifted, label, axis=2)[:, :, 0]
        steps = np.count_nonzero(mask)
        chosen = label == np.arange(predictions.shape[2])
        cotangent = np.where(mask[:, None], softmax(predictions) - chosen, 0.0)
        return np.sum(value * mask, axis=1) / steps, cotangent / (steps * len(predictions))

    def curvature(self, predictions: Array, targets: Array, mask: Mask) -> Array:
        """Second derivative of the mean, `[B, T*M, T*M]`."""
        p = softmax(predictions) * mask[:, None]
        blocks = p[..., None] * np.eye(p.shape[2]) - p[..., None] * p[..., None, :]
        return block_diagonal(blocks / (np.count_nonzero(mask) * len(p)))


def softmax(logits: Array) -> Array:
    """exp(logit) over their sum, along the last axis."""
    exponential = np.exp(logits - logits.max(axis=-1, keepdims=True))
    normalized: Array = exponential / exponential.sum(axis=-1, keepdims=True)
    return normalized


PROVIDES = CrossEntropy
