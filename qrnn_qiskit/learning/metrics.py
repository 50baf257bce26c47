"""How good predictions `[N, T, M]` are; only the steps in `mask` `[T]` count.

Targets that are not known (NaN) are left out. Without any target the result is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def rmse(predictions: Array, targets: Array, mask: Mask) -> float:
    """Root of the mean squared error, over all targets alike."""
    error = _errors(predictions, targets, mask)
    return float(np.sqrt(np.mean(error**2))) if error.size else float("nan")


def mae(predictions: Array, targets: Array, mask: Mask) -> float:
    """Mean absolute error, over all targets alike."""
    error = _errors(predictions, targets, mask)
    return float(np.mean(np.abs(error))) if error.size else float("nan")


def r2(predictions: Array, targets: Array, mask: Mask) -> float:
    """Part of the variance explained: 1 is perfect, 0 no better than the targets' own mean.

    The mean over the target values of a step; NaN when one of them never varies.
    """
    scores = []
    for m in range(targets.shape[2]):
        error = _errors(predictions[:, :, m], targets[:, :, m], mask)
        known = targets[:, mask, m]
        known = known[np.isfinite(known)]
        spread = np.sum((known - known.mean()) ** 2) if known.size else 0.0
        scores.append(1.0 - np.sum(error**2) / spread if spread > 0.0 else np.nan)
    return float(np.mean(scores))


def accuracy(probabilities: Array, targets: Array, mask: Mask) -> float:
    """Part of the labels `[N, T, 1]` that are the most probable class of `[N, T, M]`."""
    label, known = _labels(targets, mask)
    hit = np.argmax(probabilities[:, mask], axis=2)[known] == label
    return float(np.mean(hit)) if hit.size else float("nan")


def perplexity(probabilities: Array, targets: Array, mask: Mask) -> float:
    """The geometric mean of 1 / p(label): 1 is certainty, M is guessing, infinity a p of zero."""
    label, known = _labels(targets, mask)
    chosen = probabilities[:, mask][known][np.arange(len(label)), label]
    with np.errstate(divide="ignore"):
        return float(np.exp(-np.mean(np.log(chosen)))) if chosen.size else float("nan")


def _labels(targets: Array, mask: Mask) -> tuple[NDArray[np.intp], Mask]:
    read = targets[:, mask, 0]
    known = np.isfinite(read)
    return read[known].astype(np.intp), known


def _errors(predictions: Array, targets: Array, mask: Mask) -> Array:
    error = predictions[:, mask] - targets[:, mask]
    return error[np.isfinite(targets[:, mask])]


def squared_correlation(predictions: Array, targets: Array) -> Array:
    """Squared correlation `[M]` of predictions and targets `[n, M]`; NaN where one never varies.

    Over targets that are inputs of earlier steps it sums to the linear memory capacity of H.
    Jaeger, GMD report 152 (2001).
    """
    predictions = predictions - predictions.mean(axis=0)
    targets = targets - targets.mean(axis=0)
    spread = np.sum(predictions**2, axis=0) * np.sum(targets**2, axis=0)
    product = np.sum(predictions * targets, axis=0) ** 2
    known = spread > 0.0
    result: Array = np.where(known, product / np.where(known, spread, 1.0), np.nan)
    return result
