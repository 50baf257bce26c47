"""Channels as Kraus operators, of which a trajectory meets one.

Axes: J operators, d = 2^k components of the k qubits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, final

import numpy as np

from qrnn_qiskit.engine.pauli import Complex, pauli_matrices, ptm_of_unitary
from qrnn_qiskit.engine.program import Channel
from qrnn_qiskit.errors import CellError
from qrnn_qiskit.estimate import Array

# What rounding leaves of a PTM's entries and of the eigenvalues made of them.
_ROUNDING: Final = 1e-12
# Rates below zero that are more than rounding, with which no Kraus operators exist.
_NEGATIVE: Final = 1e-9


@final
@dataclass(frozen=True, slots=True, eq=False)
class Unravelling:
    """A channel as rho -> sum_j K_j rho K_j†, the likeliest operator first.

    Attributes:
        operators: `[J, d, d]`.
        effects: `[J, d, d]` K_j† K_j, which sum to 1.
        chances: `[J]` where every K_j is a unitary matrix times the root of a probability, so that
            the state need not be looked at; else None.
    """

    operators: Complex
    effects: Complex
    chances: Array | None

    @property
    def unitary(self) -> bool:
        """Whether there is nothing to be drawn."""
        return len(self.operators) == 1


def unravelled(channel: Channel) -> Unravelling:
    """The Kraus operators of a channel.

    Raises:
        CellError: where it is not completely positive.
    """
    ptm = np.ascontiguousarray(channel.ptm, dtype=np.float64)
    return _unravelled(ptm.tobytes(), len(channel.qubits))


@lru_cache(maxsize=1024)
def _unravelled(ptm: bytes, num_qubits: int) -> Unravelling:
    k = num_qubits
    matrix = np.frombuffer(ptm).reshape(4**k, 4**k)
    operators = _canonical(matrix, k)
    diagonal = np.abs(matrix - np.diag(np.diagonal(matrix))).max() < _ROUNDING
    gate = np.eye(2**k, dtype=np.complex128) if diagonal else _as_gate(operators[0])
    if gate is not None:
        # Pauli errors after a gate: the canonical operators of equal rates would mix them.
        error = matrix @ ptm_of_unitary(gate).T
        rates = np.diagonal(error)
        if np.abs(error - np.diag(rates)).max() < _ROUNDING:
            operators = _pauli_errors(rates, k) @ gate
    effects = operators.conj().transpose(0, 2, 1) @ operators
    chances = np.trace(effects, axis1=1, axis2=2).real / 2**k
    flat = chances[:, None, None] * np.eye(2**k)
    mixed = np.abs(effects - flat).max() < _ROUNDING
    return Unravelling(operators, effects, chances / chances.sum() if mixed else None)


def _canonical(matrix: Array, k: int) -> Complex:
    """Orthogonal operators `[J, d, d]` from the eigenvectors of the Choi matrix."""
    strings = pauli_matrices(k)
    choi = np.einsum("ij,iab,jcd->acbd", matrix, strings, strings.conj(), optimize=True)
    values, vectors = np.linalg.eigh(choi.reshape(4**k, 4**k) / 2**k)
    if values[0] < -_NEGATIVE * 2**k:
        raise CellError(
            f"a channel is not completely positive (its Choi matrix has the eigenvalue "
            f"{values[0]:.3g}), so that no trajectory can follow it"
        )
    chosen = np.flatnonzero(values > _ROUNDING * 2**k)[::-1]
    roots = np.sqrt(values[chosen])
    operators: Complex = (vectors[:, chosen] * roots).T.reshape(-1, 2**k, 2**k)
    return operators


def _as_gate(operator: Complex) -> Complex | None:
    """The unitary matrix that an operator is a multiple of; None if it is not."""
    square = operator.conj().T @ operator
    chance = np.trace(square).real / len(square)
    if np.abs(square - chance * np.eye(len(square))).max() > _ROUNDING:
        return None
    gate: Complex = operator / np.sqrt(chance)
    return gate


def _pauli_errors(rates: Array, k: int) -> Complex:
    """Pauli strings times roots of their probabilities, from the diagonal of the PTM."""
    # A string changes the sign of those that it does not commute with.
    one = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]], dtype=float)
    signs = np.ones((1, 1))
    for _ in range(k):
        signs = np.kron(signs, one)
    chances = signs @ rates / 4**k
    order = [j for j in np.argsort(-chances, kind="stable").tolist() if chances[j] > _ROUNDING]
    errors: Complex = pauli_matrices(k)[order] * np.sqrt(chances[order])[:, None, None]
    return errors
