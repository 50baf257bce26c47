"""Gates on the components of a state vector, qubit 0 the most significant."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np

from qrnn_qiskit.engine.pauli import MATRICES, Complex
from qrnn_qiskit.engine.segments import Index


@final
@dataclass(frozen=True, slots=True, eq=False)
class Permutation:
    """-i P for a Pauli string P: component i of the result is factor[i] times component index[i].

    `factor` is real where the number of letters Y is odd.
    """

    index: Index
    factor: Complex
    diagonal: bool


@lru_cache(maxsize=1024)
def permutation_of(generator: str, qubits: tuple[int, ...], num_qubits: int) -> Permutation:
    """-i P of a label on some of n qubits, the first of which is most significant."""
    index = np.arange(2**num_qubits)
    factor = np.full(2**num_qubits, -1j)
    for letter, q in zip(generator, qubits, strict=True):
        place = 2 ** (num_qubits - 1 - q)
        bit = (np.arange(2**num_qubits) // place) % 2
        matrix = MATRICES["IXYZ".index(letter)]
        flips = letter in "XY"
        factor = factor * matrix[bit, 1 - bit if flips else bit]
        if flips:
            index = index ^ place
    return Permutation(index, factor, bool(np.all(index == np.arange(2**num_qubits))))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """A matrix `[2^k, 2^k]`; `index` `[2^k, 2^(n-k)]` are the components that it mixes."""

    matrix: Complex
    index: Index


def local_of(matrix: Complex, qubits: tuple[int, ...], num_qubits: int) -> Local:
    """A gate on some of n qubits, the first of which is most significant."""
    others = [q for q in range(num_qubits) if q not in qubits]
    index = np.arange(2**num_qubits).reshape((2,) * num_qubits).transpose(*qubits, *others)
    return Local(matrix, index.reshape(len(matrix), -1))
