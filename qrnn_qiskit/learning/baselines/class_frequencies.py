"""How often each class is a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.learning.plugins import BaselineTask, Kind

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True)
class ClassFrequencies:
    """The same probabilities for all sequences."""

    title: ClassVar[str] = "class frequencies"
    key: ClassVar[str] = "frequencies"
    kind: ClassVar[Kind] = "labels"

    def predict(self, task: BaselineTask) -> Array:
        """Probabilities `[N, T, M]`."""
        return class_frequencies(task.splits, task.data, task.num_classes, task.mask)


def class_frequencies(splits: Splits, data: Dataset, num_classes: int, mask: Mask) -> Array:
    """Probabilities `[N, T, M]` of classes: how often each is a label of the training part.

    One is added to each count, so that no class is impossible.
    """
    labels = splits.train.targets[:, mask, 0].ravel().astype(np.intp)
    counts = np.bincount(labels, minlength=num_classes) + 1.0
    shape = (*data.targets.shape[:2], num_classes)
    return np.broadcast_to(counts / counts.sum(), shape).copy()


PROVIDES = ClassFrequencies
