"""Pauli strings as bit masks, and permutations of basis states that are affine in the bits.

In masks, qubit q is bit 2^q.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.pauli import Complex

Index = NDArray[np.intp]


@final
@dataclass(frozen=True, slots=True)
class PauliString:
    """i^power X^flips Z^signs: Z acts first."""

    power: int
    flips: int
    signs: int


@lru_cache(maxsize=4096)
def pauli_string(label: str, qubits: tuple[int, ...]) -> PauliString:
    """The string of a label; Y is i X Z."""
    flips = sum(1 << q for letter, q in zip(label, qubits, strict=True) if letter in "XY")
    signs = sum(1 << q for letter, q in zip(label, qubits, strict=True) if letter in "YZ")
    return PauliString(label.count("Y") % 4, flips, signs)


@final
class Affine:
    """A permutation of basis states, i -> M i + shift over bits, put off until it matters.

    A circuit made of CX, X and SWAP is of this kind. Instead of moving the components of a state
    it can move the generators of the rotations that follow.
    """

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        # Image of each unit vector under M, and under its inverse.
        self.columns = [1 << q for q in range(num_qubits)]
        self.inverse = [1 << q for q in range(num_qubits)]
        self.shift = 0

    @property
    def trivial(self) -> bool:
        """Whether nothing has been put off."""
        return self.shift == 0 and all(c == 1 << q for q, c in enumerate(self.columns))

    def leaves(self, qubits: tuple[int, ...]) -> bool:
        """Whether these qubits take no part in it."""
        mask = sum(1 << q for q in qubits)
        return not self.shift & mask and all(
            column == 1 << q if mask >> q & 1 else not column & mask
            for q, column in enumerate(self.columns)
        )

    def image(self, states: Index) -> Index:
        """Images of basis states."""
        result = np.full_like(states, self.shift)
        for q, column in enumerate(self.columns):
            result ^= ((states >> q) & 1) * column
        return result

    def pulled(self, string: PauliString) -> PauliString:
        """The string that acts before the permutation as the given one does after it."""
        flips = _combination(self.inverse, string.flips)
        signs = sum(
            1 << q
            for q, column in enumerate(self.columns)
            if (column & string.signs).bit_count() % 2
        )
        power = string.power + 2 * (self.shift & string.signs).bit_count()
        return PauliString(power % 4, flips, signs)

    def then(self, gate: AffineGate) -> None:
        """Let another one follow."""
        columns, shift = self.columns, self.shift
        after = list(columns)
        for q, change in gate.changes:
            after = [
                image ^ change if column >> q & 1 else image
                for column, image in zip(columns, after, strict=True)
            ]
            if shift >> q & 1:
                self.shift ^= change
        self.columns = after
        self.shift ^= gate.shift
        before = self.inverse
        self.inverse = list(before)
        for q, states in gate.undone:
            self.inverse[q] = _combination(before, states)


@final
@dataclass(frozen=True, slots=True)
class AffineGate:
    """A gate that permutes basis states as i -> M i + shift over bits.

    Attributes:
        changes: for each unit vector that it moves, the bits in which its image under M differs.
        undone: for the same ones, their images under the inverse of M.
        shift: as above.
        moved: where it takes each qubit, if it only swaps some.
    """

    changes: tuple[tuple[int, int], ...]
    undone: tuple[tuple[int, int], ...]
    shift: int
    moved: dict[int, int] | None


def _combination(columns: list[int], chosen: int) -> int:
    result = 0
    while chosen:
        lowest = chosen & -chosen
        result ^= columns[lowest.bit_length() - 1]
        chosen ^= lowest
    return result


def _inverse(columns: list[int]) -> list[int]:
    """Columns of the inverse of an invertible matrix over bits, by elimination."""
    size = len(columns)
    work, result = list(columns), [1 << q for q in range(size)]
    for q in range(size):
        pivot = next(i for i in range(q, size) if work[i] >> q & 1)
        work[q], work[pivot] = work[pivot], work[q]
        result[q], result[pivot] = result[pivot], result[q]
        for i in range(size):
            if i != q and work[i] >> q & 1:
                work[i] ^= work[q]
                result[i] ^= result[q]
    return result


def affine_of(matrix: Complex, qubits: tuple[int, ...]) -> AffineGate | None:
    """A gate as one that permutes basis states in this way; None for others.

    Args:
        matrix: `[2^k, 2^k]`, the first of the qubits most significant.
        qubits: those that it acts on.
    """
    if not np.all((matrix == 0) | (matrix == 1)) or np.any(matrix.sum(axis=0) != 1):
        return None
    k, targets = len(qubits), np.argmax(matrix.real, axis=0).tolist()
    # Local basis states as masks of the qubits.
    masks = [
        sum(1 << q for i, q in enumerate(qubits) if state >> (k - 1 - i) & 1)
        for state in range(2**k)
    ]
    shift = masks[targets[0]]
    columns = [1 << q for q in range(1 + max(qubits))]
    for i, q in enumerate(qubits):
        columns[q] = masks[targets[1 << (k - 1 - i)]] ^ shift
    if any(_combination(columns, masks[i]) ^ shift != masks[t] for i, t in enumerate(targets)):
        return None
    inverse = _inverse(columns)
    moving = [q for q in qubits if columns[q] != 1 << q]
    swaps = not shift and all(column.bit_count() == 1 for column in columns)
    return AffineGate(
        tuple((q, columns[q] ^ (1 << q)) for q in moving),
        tuple((q, inverse[q]) for q in moving),
        shift,
        {q: columns[q].bit_length() - 1 for q in qubits} if swaps else None,
    )
