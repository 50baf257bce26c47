"""What a trained network must beat: persistence, and linear ridge regression on the same steps.

At step t both use features of steps <= t of the same sequence only. Predictions are in the units
of the data set given (scaled, where it is).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.learning.ridge import PENALTIES, RidgeFit

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_DEFAULT_PENALTY: Final = 1e-3


def persistence(splits: Splits, data: Dataset) -> Array:
    """Predictions `[N, T, M]`: the target will be what its variable is now.

    Where no feature holds the variable, the last target known by then is repeated: that of
    `horizon` steps before in a series, of the step before in other data. At the first steps,
    where there is none, it is the mean of the training targets.
    """
    lag = 1 if splits.series is None else max(1, splits.series.horizon)
    predictions = np.empty_like(data.targets)
    for m, feature in enumerate(splits.present):
        if feature is not None:
            # One column of a series is scaled alike as feature and as target.
            predictions[:, :, m] = data.features[:, :, feature]
        else:
            predictions[:, :lag, m] = np.mean(splits.train.targets[:, :, m])
            predictions[:, lag:, m] = data.targets[:, :-lag, m]
    return predictions


def linear_ridge(splits: Splits, data: Dataset, mask: Mask, lags: int | None = None) -> Array:
    """Predictions `[N, T, M]` of a linear regression on the last `lags` steps' features.

    There is one regression for each number of steps available: step t < lags - 1 has only t + 1,
    all later steps share one. Each is fitted on the training part with standardised features; the
    penalty, one for all, is the best of 1e-8 … 1e2 on the validation part at the steps in `mask`,
    or 1e-3 without a validation part.

    Args:
        splits: training and validation parts.
        data: sequences to predict, of the same number of steps.
        mask: `[T]` steps that count.
        lags: steps back that are used, the present one included; None: the whole window.
    """
    num_steps = splits.train.num_steps
    lags = num_steps if lags is None else min(lags, num_steps)
    fits = [_fit(splits.train, used, lags) for used in range(1, lags + 1)]
    penalty = _DEFAULT_PENALTY
    if splits.validation.num_sequences:

        def validation_error(candidate: float) -> float:
            predicted = _predict(fits, splits.validation, candidate)
            return float(np.mean((predicted - splits.validation.targets)[:, mask] ** 2))

        penalty = min(PENALTIES, key=validation_error)
    return _predict(fits, data, penalty)


def class_frequencies(splits: Splits, data: Dataset, num_classes: int, mask: Mask) -> Array:
    """Probabilities `[N, T, M]` of classes: how often each is a label of the training part.

    One is added to each count, so that no class is impossible.
    """
    labels = splits.train.targets[:, mask, 0].ravel().astype(np.intp)
    counts = np.bincount(labels, minlength=num_classes) + 1.0
    shape = (*data.targets.shape[:2], num_classes)
    return np.broadcast_to(counts / counts.sum(), shape).copy()


def transition_frequencies(splits: Splits, data: Dataset, num_classes: int, mask: Mask) -> Array:
    """Probabilities `[N, T, M]` of a label given the one of the step before.

    The first step has the frequencies of first labels. One is added to each count.
    """
    labels = splits.train.targets[:, :, 0]
    before = _previous(labels, num_classes)
    counts = np.ones((num_classes + 1, num_classes))
    np.add.at(counts, (before[:, mask], labels[:, mask].astype(np.intp)), 1.0)
    probabilities = counts / counts.sum(axis=1, keepdims=True)
    found: Array = probabilities[_previous(data.targets[:, :, 0], num_classes)]
    return found


def _previous(labels: Array, num_classes: int) -> NDArray[np.intp]:
    """The label of the step before; `num_classes` where there is none."""
    first = np.full((len(labels), 1), float(num_classes))
    before = np.concatenate([first, labels[:, :-1]], axis=1)
    return np.where(np.isfinite(before), before, num_classes).astype(np.intp)


def _fit(train: Dataset, used: int, lags: int) -> RidgeFit:
    inputs = _lagged(train.features, used, lags)
    return RidgeFit.of(inputs, train.targets[:, _steps(used, lags)].reshape(len(inputs), -1))


def _predict(fits: list[RidgeFit], data: Dataset, penalty: float) -> Array:
    predictions = np.empty_like(data.targets)
    for used, fit in enumerate(fits, start=1):
        steps = _steps(used, len(fits))
        predicted = fit.predict(_lagged(data.features, used, len(fits)), penalty)
        predictions[:, steps] = predicted.reshape(predictions[:, steps].shape)
    return predictions


def _steps(used: int, lags: int) -> slice:
    """The steps whose regression uses `used` steps."""
    return slice(used - 1, used if used < lags else None)


def _lagged(features: Array, used: int, lags: int) -> Array:
    """Inputs `[N * steps, used * F]` of the regression that uses `used` steps."""
    num_sequences, num_steps, _ = features.shape
    last = np.arange(num_steps)[_steps(used, lags)]
    window = features[:, last[:, None] - np.arange(used)]
    return window.reshape(num_sequences * len(last), -1)
