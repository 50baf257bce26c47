"""Cross-entropy of a softmax over the predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qrnn_qiskit.learning.plugins import block_diagonal

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """The mean of -ln softmax(logits)[label] over sequences and what is read of each.

    The logits are the predictions, usually those of a linear head (`readout.head = "linear"`), the
    targets labels: integers from 0 to `classes` - 1, one a step.

    Axes: B sequences, T steps, M classes, J softmaxes of a sequence.

    Attributes:
        classes: M.
        pool: "steps": a softmax and a label for each step in the mask; "mean": one softmax of the
            mean logits over the mask, for the label of the last step (that of the sequence).
    """

    classes: Annotated[int, Field(ge=2)]
    pool: Literal["steps", "mean"] = "steps"

    quadratic: ClassVar[bool] = False

    def num_predictions(self, num_values: int, num_targets: int) -> int:
        """One logit for each class."""
        return self.classes

    def label_steps(self, mask: Mask) -> Mask:
        """`[T]` steps whose targets are read."""
        if self.pool == "steps":
            return mask
        last: Mask = np.arange(len(mask)) == len(mask) - 1
        return last

    def probabilities(self, predictions: Array, mask: Mask) -> Array:
        """Of each class, `[B, T, M]`; of "mean" the sequence's, the same at every step."""
        if self.pool == "steps":
            return softmax(predictions)
        pooled = softmax(self._weights(mask) @ predictions)
        return np.broadcast_to(pooled, predictions.shape).copy()

    def value_and_cotangent(
        self, predictions: Array, targets: Array, mask: Mask
    ) -> tuple[Array, Array]:
        """Value of each sequence `[B]`, and the derivative `[B, T, M]` of their mean."""
        weights = self._weights(mask)
        logits = weights @ predictions
        label = targets[:, self.label_steps(mask)].astype(np.intp)
        shifted = logits - logits.max(axis=2, keepdims=True)
        chosen = np.take_along_axis(shifted, label, axis=2)[:, :, 0]
        value = np.mean(np.log(np.exp(shifted).sum(axis=2)) - chosen, axis=1)
        slope = softmax(logits) - (label == np.arange(logits.shape[2]))
        return value, weights.T @ slope / slope[:, :, 0].size

    def curvature(self, predictions: Array, targets: Array, mask: Mask) -> Array:
        """Second derivative of the mean, `[B, T*M, T*M]`."""
        weights = self._weights(mask)
        p = softmax(weights @ predictions)
        blocks = p[..., None] * np.eye(p.shape[2]) - p[..., None] * p[..., None, :]
        spread = np.kron(weights, np.eye(p.shape[2]))
        curvature: Array = spread.T @ block_diagonal(blocks / p[:, :, 0].size) @ spread
        return curvature

    def _weights(self, mask: Mask) -> Array:
        """`[J, T]`: logits of the softmaxes are these times the predictions."""
        rows = np.eye(len(mask))[mask]
        return rows if self.pool == "steps" else rows.mean(axis=0, keepdims=True)


def softmax(logits: Array) -> Array:
    """exp(logit) over their sum, along the last axis."""
    exponential = np.exp(logits - logits.max(axis=-1, keepdims=True))
    normalized: Array = exponential / exponential.sum(axis=-1, keepdims=True)
    return normalized


PROVIDES = CrossEntropy
