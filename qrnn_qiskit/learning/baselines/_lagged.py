"""Ridge regressions on functions of the last steps' features, one for each number of steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.learning.ridge import PENALTIES, RidgeFit

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Expand = Callable[[Array], Array]


class LaggedRidge:
    """Regressions on the last `lags` steps, the present one included, with the best penalty.

    There is one regression for each number of steps available: step t < lags - 1 has only t + 1,
    all later steps share one. Each is fitted on the training part with standardised inputs, on its
    own step, or on all steps from there on where the sequences are too few for that; the penalty,
    one for all, is the best of 1e-8 … 1e2 on the validation part at the steps in `mask`, or by
    generalized cross-validation of the last regression.

    Attributes:
        error: mean squared error on the validation part, or what cross-validation expects.
    """

    def __init__(self, splits: Splits, mask: Mask, lags: int, expand: Expand) -> None:
        self._expand = expand
        self._fits = [self._fit(splits.train, used, lags) for used in range(1, lags + 1)]
        validation = splits.validation

        def error(penalty: float) -> float:
            if not validation.num_sequences:
                return self._fits[-1].cross_validation(penalty)
            predicted = self._predict(validation, penalty)
            return float(np.mean((predicted - validation.targets)[:, mask] ** 2))

        self._penalty = min(PENALTIES, key=error)
        self.error = error(self._penalty)

    def predict(self, data: Dataset) -> Array:
        """Predictions `[N, T, M]`."""
        return self._predict(data, self._penalty)

    def _fit(self, train: Dataset, used: int, lags: int) -> RidgeFit:
        steps = _steps(used, lags)
        inputs = self._expand(_lagged(train.features, used, steps))
        if train.num_sequences <= inputs.shape[1]:
            steps = slice(used - 1, None)  # too few samples at one step: later ones say the same
            inputs = self._expand(_lagged(train.features, used, steps))
        return RidgeFit.of(inputs, train.targets[:, steps].reshape(len(inputs), -1))

    def _predict(self, data: Dataset, penalty: float) -> Array:
        predictions = np.empty_like(data.targets)
        for used, fit in enumerate(self._fits, start=1):
            steps = _steps(used, len(self._fits))
            inputs = self._expand(_lagged(data.features, used, steps))
            predictions[:, steps] = fit.predict(inputs, penalty).reshape(
                predictions[:, steps].shape
            )
        return predictions


def _steps(used: int, lags: int) -> slice:
    """The steps whose regression uses `used` steps."""
    return slice(used - 1, used if used < lags else None)


def _lagged(features: Array, used: int, steps: slice) -> Array:
    """Inputs `[N * steps, used * F]`: the last `used` steps up to each of `steps`."""
    num_sequences, num_steps, _ = features.shape
    last = np.arange(num_steps)[steps]
    window = features[:, last[:, None] - np.arange(used)]
    return window.reshape(num_sequences * len(last), -1)
