"""Logistic regression on all features up to a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.baselines._softmax import LogisticRegression as Fit
from qrnn_qiskit.learning.dataset import Dataset
from qrnn_qiskit.learning.plugins import BaselineTask, Kind

Array = NDArray[np.float64]

_MOST_FITS: Final = 40


@final
@dataclass(frozen=True, slots=True)
class LogisticRegression:
    """For each step that counts a regression on the features of that step and all before.

    Of more than 40 such steps the last 40 have one each; the earlier ones get equal probabilities.
    """

    title: ClassVar[str] = "logistic regression"
    key: ClassVar[str] = "logistic"
    kind: ClassVar[Kind] = "labels"

    def predict(self, task: BaselineTask) -> Array:
        """Probabilities `[N, T, M]`."""
        shape = (*task.data.features.shape[:2], task.num_classes)
        found = np.full(shape, 1.0 / task.num_classes)
        for step in np.flatnonzero(task.mask)[-_MOST_FITS:]:
            inputs, labels = _samples(task.splits.train, step)
            validation = None
            if task.splits.validation.num_sequences:
                validation = _samples(task.splits.validation, step)
            fit = Fit(inputs, labels, task.num_classes, validation)
            found[:, step] = fit.probabilities(_inputs(task.data, step))
        return found


def _inputs(data: Dataset, step: int) -> Array:
    return data.features[:, : step + 1].reshape(data.num_sequences, -1)


def _samples(data: Dataset, step: int) -> tuple[Array, NDArray[np.intp]]:
    return _inputs(data, step), data.targets[:, step, 0].astype(np.intp)


PROVIDES = LogisticRegression
