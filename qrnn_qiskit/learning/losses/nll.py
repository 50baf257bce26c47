"""Negative log-likelihood of the observed class of each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import digamma

from qrnn_qiskit.learning.plugins import block_diagonal

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True)
class NegativeLogLikelihood:
    """The mean of -ln p(label) over sequences and the steps in the mask; e to it is the perplexity.

    The predictions are the probabilities of a step's outcomes (`readout.output = "probabilities"`,
    `readout.head = "identity"`), the targets labels: integers from 0, one a step.

    Axes: B sequences, T steps, M classes.

    Attributes:
        floor: below this probability -ln p goes on as its tangent: finite at p = 0. Counts of shots
            do not need it.
    """

    floor: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-6

    quadratic: ClassVar[bool] = False

    def num_predictions(self, num_values: int, num_targets: int) -> int:
        """The outcomes are the classes."""
        return num_values

    def value_and_cotangent(
        self, predictions: Array, targets: Array, mask: Mask
    ) -> tuple[Array, Array]:
        """Value of each sequence `[B]`, and the derivative `[B, T, M]` of their mean."""
        chosen = _chosen(targets, mask, predictions.shape[2])
        probability = np.where(mask, np.sum(predictions * chosen, axis=2), 1.0)
        bounded = np.maximum(probability, self.floor)
        value = -np.log(bounded) - (probability - bounded) / bounded
        steps = np.count_nonzero(mask)
        cotangent = -chosen / bounded[:, :, None] / (steps * len(predictions))
        return np.sum(value, axis=1) / steps, cotangent

    def curvature(self, predictions: Array, targets: Array, mask: Mask) -> Array:
        """Second derivative of the mean, `[B, T*M, T*M]`."""
        chosen = _chosen(targets, mask, predictions.shape[2])
        above = chosen * (predictions >= self.floor)
        each = above / np.maximum(predictions, self.floor) ** 2
        each /= np.count_nonzero(mask) * len(predictions)
        return block_diagonal(each[:, :, :, None] * np.eye(predictions.shape[2]))

    def label_steps(self, mask: Mask) -> Mask:
        """`[T]` steps whose targets are read: all in the mask."""
        return mask

    def probabilities(self, predictions: Array, mask: Mask) -> Array:
        """The predictions themselves."""
        return predictions

    def of_counts(
        self, counts: Array, kept: Array, shots: Array, targets: Array, mask: Mask
    ) -> tuple[Array, Array, Array]:
        """Value and derivatives without bias, from the counts of shots.

        With k of N shots, E[ψ(N+1) - ψ(k+1)] = -ln p and E[(N+1)/(k+1)] = 1/p up to terms of order
        (1-p)^(N+1), ψ the digamma function. So -ln(m/q) of m = p(class and kept), q = p(kept) is
        estimated by ψ(kept+1) - ψ(k+1).

        Args:
            counts: `[B, T, M]` kept shots of each outcome.
            kept: `[B, T]` kept shots; all of them without post-selection.
            shots: `[B]` N.
            targets: `[B, T, 1]`.
            mask: `[T]`.

        Returns:
            Value of each sequence `[B]`, and the derivatives of their mean by m `[B, T, M]` and by
            q `[B, T]`.
        """
        chosen = _chosen(targets, mask, counts.shape[2])
        count = np.sum(counts * chosen, axis=2)
        value = np.where(mask, digamma(kept + 1.0) - digamma(count + 1.0), 0.0)
        steps = np.count_nonzero(mask)
        each = (shots[:, None] + 1.0) / (steps * len(counts))
        by_class = -chosen * (each / (count + 1.0))[:, :, None]
        by_kept = np.where(mask, each / (kept + 1.0), 0.0)
        return np.sum(value, axis=1) / steps, by_class, by_kept


def _chosen(targets: Array, mask: Mask, num_classes: int) -> Array:
    """`[B, T, M]` 1 at the label of each step that is read, else 0."""
    label = np.where(mask, targets[:, :, 0], -1.0)
    indicator: Array = (label[:, :, None] == np.arange(num_classes)).astype(np.float64)
    return indicator


PROVIDES = NegativeLogLikelihood
