"""How often each label follows another."""

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
class TransitionFrequencies:
    """A Markov chain of labels."""

    title: ClassVar[str] = "transition frequencies"
    key: ClassVar[str] = "transitions"
    kind: ClassVar[Kind] = "label_sequences"

    def predict(self, task: BaselineTask) -> Array:
        """Probabilities `[N, T, M]`."""
        return transition_frequencies(task.splits, task.data, task.num_classes, task.mask)


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


PROVIDES = TransitionFrequencies
