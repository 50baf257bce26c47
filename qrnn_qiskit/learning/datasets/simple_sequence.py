"""Two fixed sequences of words, to be continued word by word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, final

import numpy as np
from pydantic import Field

from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.learning.datasets._words import bits_of, given_names, with_given


@final
@dataclass(frozen=True, slots=True)
class SimpleSequence:
    """The words 0 1 2 3 0 1 2 3 … and 4 4 4 …: tell the next one (Bausch, arXiv:2006.14619).

    The features of a step are the three bits of its word, the highest first; the target is the
    next word as a label. Both sequences are for training, and the test part, if there is to be one,
    is the same two: the paper's error rate is that of what was learnt by heart.

    Attributes:
        length: words of a sequence (T + 1).
        given: whether the word that the step before should have told is a feature too.
        repeated: whether the test part is the training part again.
    """

    length: Annotated[int, Field(ge=2)] = 20
    given: bool = False
    repeated: bool = False

    def load(self, seed: int) -> Splits:
        """Training part `[2, T, 3]`, no validation part. The seed is not used."""
        words = np.stack([np.arange(self.length) % 4, np.full(self.length, 4)])
        features, labels = bits_of(words[:, :-1], 3), words[:, 1:, None].astype(np.float64)
        names: tuple[str, ...] = ("bit 2", "bit 1", "bit 0")
        if self.given:
            features, names = with_given(features, labels, 3), (*names, *given_names(3))
        train = Dataset(features, labels)
        empty = train.sequences(slice(0))
        return Splits(
            train, empty, train if self.repeated else empty, names, ("next word",), (None,)
        )


PROVIDES = SimpleSequence
