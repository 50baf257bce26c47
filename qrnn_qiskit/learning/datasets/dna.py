"""A random strand of four bases, one of them marked: which was it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, final

import numpy as np
from pydantic import Field

from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.datasets._words import (
    Array,
    RandomSequences,
    bits_of,
    given_names,
    with_given,
)

_BASES: Final = 4


@final
@dataclass(frozen=True, slots=True)
class DNA(RandomSequences):
    """Bases G A T C (0 … 3), one in the first half marked: name it at the end.

    A test of memory after Bausch (arXiv:2006.14619). The features of a step are three bits: the
    mark, then the two bits of the base, the higher first. The target of every step is the marked
    base as a label; the task asks for the last step only (`loss.last = 1`).

    Attributes:
        length: bases of a strand (T).
    """

    length: Annotated[int, Field(ge=2)] = 10

    def load(self, seed: int) -> Splits:
        """The three parts; `seed` draws bases and marks."""
        names: tuple[str, ...] = ("mark", "bit 1", "bit 0")
        if self.given:
            names = (*names, *given_names(3))
        return self._drawn(seed, self._strands, names, "marked base")

    def _strands(self, random: np.random.Generator, count: int) -> tuple[Array, Array]:
        words = random.integers(0, _BASES, (count, self.length))
        place = random.integers(0, self.length // 2, count)
        rows = np.arange(count)
        labels = words[rows, place].copy()
        words[rows, place] += _BASES
        targets = np.broadcast_to(labels[:, None, None], (count, self.length, 1))
        features = bits_of(words, 3)
        if self.given:
            # No step but the last is asked: the words of the others are to be 0.
            features = with_given(features, np.zeros(targets.shape), 3)
        return features, targets.astype(np.float64)


PROVIDES = DNA
