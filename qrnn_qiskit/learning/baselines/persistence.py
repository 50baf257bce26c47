"""Persistence: the target will be what its variable is now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.learning.plugins import BaselineTask, Kind

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Persistence:
    """Repeats the last known value of each target."""

    title: ClassVar[str] = "persistence"
    key: ClassVar[str] = "persistence"
    kind: ClassVar[Kind] = "values"

    def predict(self, task: BaselineTask) -> Array:
        """Predictions `[N, T, M]`."""
        return persistence(task.splits, task.data)


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


PROVIDES = Persistence
