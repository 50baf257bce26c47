"""Elman's stream of letters: each random consonant decides the vowels that follow it."""

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

LETTERS: Final = "bdgaiu"
"""The letter of each word; word 6 says: a consonant, which is random."""
_SYLLABLES: Final = ("ba", "dii", "guuu")
_CONSONANT: Final = 6


@final
@dataclass(frozen=True, slots=True)
class ElmanLetters(RandomSequences):
    """Random ba, dii, guuu: tell the next letter (Elman, Cogn. Sci. 14, 179, 1990).

    The features of a step are the three bits of its letter's word (b d g a i u = 0 … 5), the
    highest first. The target is the next word as a label, or 6 where a consonant follows: which
    one is random, that one follows is not. The numbers of letters and the code are ours.

    Attributes:
        length: letters of a sequence (T + 1).
    """

    length: Annotated[int, Field(ge=2)] = 36

    def load(self, seed: int) -> Splits:
        """The three parts; `seed` draws the consonants."""
        names: tuple[str, ...] = ("bit 2", "bit 1", "bit 0")
        if self.given:
            names = (*names, *given_names(3))
        return self._drawn(seed, self._sequences, names, "next word")

    def _sequences(self, random: np.random.Generator, count: int) -> tuple[Array, Array]:
        # The shortest syllable has two letters, so so many always suffice.
        chosen = random.integers(0, len(_SYLLABLES), (count, self.length // 2 + 1))
        texts = ["".join(_SYLLABLES[i] for i in row)[: self.length] for row in chosen]
        words = np.array([[LETTERS.index(letter) for letter in text] for text in texts])
        words = words.reshape(count, self.length).astype(np.intp)
        known = np.where(words < len(_SYLLABLES), _CONSONANT, words)
        features, labels = bits_of(words[:, :-1], 3), known[:, 1:, None].astype(np.float64)
        return with_given(features, labels, 3) if self.given else features, labels


PROVIDES = ElmanLetters
