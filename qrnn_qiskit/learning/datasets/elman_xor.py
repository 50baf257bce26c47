"""Elman's stream of bits in which every third is the XOR of the two before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from qrnn_qiskit.errors import DataError
from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.datasets._words import (
    Array,
    Positive,
    RandomSequences,
    Words,
    bits_of,
    given_names,
    with_given,
)

_RANDOM = 2  # the word that says: the next bit is random


@final
@dataclass(frozen=True, slots=True)
class ElmanXor(RandomSequences):
    """Triples a, b, a xor b with random a, b: tell the next bit (Elman, Cogn. Sci. 14, 179, 1990).

    Only every third bit can be told; the target says so of the others.

    Attributes:
        triples: a sequence has 3 * triples bits, hence T = 3 * triples - 1 steps.
        targets: `expectation`: one feature, the bit; the target is 1 - 2 * next bit, or 0 where
            the next bit is random. `words`: two features, the bits of the word (0 or 1), the
            higher first; the target is the next bit as a label, or 2 where it is random (Bausch,
            arXiv:2006.14619).
    """

    triples: Positive = 12
    targets: Literal["expectation", "words"] = "expectation"

    def load(self, seed: int) -> Splits:
        """The three parts; `seed` draws the bits.

        Raises:
            DataError: for `given` words with expectations as targets.
        """
        if self.targets == "expectation":
            if self.given:
                raise DataError("data.given = true is for data.targets = 'words'")
            return self._drawn(seed, self._expectations, ("bit",), "mean of the next bit's Z")
        names: tuple[str, ...] = ("bit 1", "bit 0")
        if self.given:
            names = (*names, *given_names(2))
        return self._drawn(seed, self._words, names, "next word")

    def _bits(self, random: np.random.Generator, count: int) -> Words:
        bits = random.integers(0, 2, (count, self.triples, 3))
        bits[:, :, 2] = bits[:, :, 0] ^ bits[:, :, 1]
        return bits.reshape(count, 3 * self.triples)

    def _expectations(self, random: np.random.Generator, count: int) -> tuple[Array, Array]:
        bits = self._bits(random, count)
        targets = np.zeros((count, bits.shape[1] - 1))
        targets[:, 1::3] = 1.0 - 2.0 * bits[:, 2::3]
        return bits[:, :-1, None].astype(np.float64), targets[:, :, None]

    def _words(self, random: np.random.Generator, count: int) -> tuple[Array, Array]:
        bits = self._bits(random, count)
        targets = np.full((count, bits.shape[1] - 1), float(_RANDOM))
        targets[:, 1::3] = bits[:, 2::3]
        features, labels = bits_of(bits[:, :-1], 2), targets[:, :, None]
        return with_given(features, labels, 2) if self.given else features, labels


PROVIDES = ElmanXor
