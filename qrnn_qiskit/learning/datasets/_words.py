"""Sequences of words: random draws for each part, and words as bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qrnn_qiskit.learning.dataset import Dataset, Splits

Array = NDArray[np.float64]
Words = NDArray[np.intp]
Positive = Annotated[int, Field(gt=0)]

_DATA_STREAM = 0
Counts = tuple[
    Annotated[int, Field(gt=0)], Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]
]


def bits_of(words: Words, count: int) -> Array:
    """The `count` bits of each word, the highest first, along a new last axis."""
    bits = (words[..., None] >> np.arange(count)[::-1]) & 1
    return bits.astype(np.float64)


def with_given(features: Array, labels: Array, count: int) -> Array:
    """Features `[N, T, F + count]`: to those of a step, the bits of the label before it.

    They are what `bausch` with `words = "given"` post-selects the output before on; 0 at first.

    Args:
        features: `[N, T, F]`.
        labels: `[N, T, 1]`.
        count: bits of a label.
    """
    before = np.zeros(labels.shape[:2], dtype=np.intp)
    before[:, 1:] = labels[:, :-1, 0].astype(np.intp)
    return np.concatenate([features, bits_of(before, count)], axis=2)


def given_names(count: int) -> tuple[str, ...]:
    """Names of the features that `with_given` adds."""
    return tuple(f"given {i}" for i in range(count)[::-1])


@dataclass(frozen=True, slots=True)
class RandomSequences:
    """Sequences drawn at random, one independent stream for each part.

    Attributes:
        sequences: numbers of sequences for training, validation and test.
        given: whether the word that the step before should have told is a feature too.
    """

    sequences: Counts = (64, 32, 32)
    given: bool = False

    def _drawn(
        self,
        seed: int,
        draw: Callable[[np.random.Generator, int], tuple[Array, Array]],
        feature_names: tuple[str, ...],
        target_name: str,
    ) -> Splits:
        """Parts of features `[N, T, F]` and targets `[N, T, 1]` made by `draw(random, N)`."""
        parts = []
        for part, count in enumerate(self.sequences):
            stream = np.random.SeedSequence(seed, spawn_key=(_DATA_STREAM, part))
            parts.append(Dataset(*draw(np.random.default_rng(stream), count)))
        return Splits(parts[0], parts[1], parts[2], feature_names, (target_name,), (None,))
