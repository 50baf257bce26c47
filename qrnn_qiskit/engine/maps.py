"""Constant maps on the state in place: channels, dephasing, reset (layout: `rotations`).

Only elementwise arithmetic and, for channels with entries off the diagonal, matrix products touch
the rows, so that a row's result does not depend on the other rows (see `plan.padded`).
"""

from __future__ import annotations

from typing import Protocol, final

import numpy as np

from qrnn_qiskit.engine.pauli import expand
from qrnn_qiskit.engine.rotations import grouped
from qrnn_qiskit.estimate import Array


class BoundMap(Protocol):
    """A constant map bound to an array."""

    def forward(self) -> None:
        """Apply it."""

    def adjoint(self) -> None:
        """Apply its transpose, which takes the adjoint state one operation back."""


class MapKernel(Protocol):
    """A constant map that can be bound to an array."""

    def bind(self, array: Array, scratch: Array) -> BoundMap:
        """The map of `array`; `scratch` is flat and at least its size."""


@final
class _BoundDiagonal:
    def __init__(self, components: Array, diagonal: Array) -> None:
        self.components = components
        self.diagonal = diagonal

    def forward(self) -> None:
        np.multiply(self.components, self.diagonal, self.components)

    adjoint = forward


@final
class DiagonalKernel:
    """A channel with a diagonal PTM (Pauli noise, depolarizing, dephasing)."""

    def __init__(self, diagonal: Array, qubits: tuple[int, ...], num_qubits: int) -> None:
        shape = [1]
        for _ in qubits:
            shape += [4, 1]
        self.diagonal = diagonal.reshape([*shape, 1])
        self.qubits = qubits
        self.num_qubits = num_qubits

    def bind(self, array: Array, scratch: Array) -> BoundMap:
        """See `MapKernel`."""
        return _BoundDiagonal(grouped(array, self.num_qubits, self.qubits), self.diagonal)


@final
class _BoundMatrix:
    def __init__(self, state: Array, operand: Array, result: Array, matrix: Array) -> None:
        self.state = state
        self.operand = operand
        self.result = result
        self.matrix = matrix
        self.transposed = np.ascontiguousarray(matrix.T)

    def _apply(self, matrix: Array) -> None:
        if self.operand is not self.state:
            np.copyto(self.operand, self.state)
        np.matmul(matrix, self.operand.reshape(self.result.shape), self.result)
        np.copyto(self.state, self.result.reshape(self.operand.shape))

    def forward(self) -> None:
        self._apply(self.matrix)

    def adjoint(self) -> None:
        self._apply(self.transposed)


@final
class MatrixKernel:
    """Any other channel, as a matrix product over the qubits' axes."""

    def __init__(self, ptm: Array, qubits: tuple[int, ...], num_qubits: int) -> None:
        self.ptm = ptm
        self.qubits = qubits
        self.num_qubits = num_qubits

    def bind(self, array: Array, scratch: Array) -> BoundMap:
        """See `MapKernel`."""
        size, rows, dim = array.shape[0], array.shape[1], self.ptm.shape[0]
        result = scratch[: array.size]
        first, k = self.qubits[0], len(self.qubits)
        if self.qubits == tuple(range(first, first + k)):
            state = array.reshape(-1, dim, 4 ** (self.num_qubits - first - k) * rows)
            return _BoundMatrix(state, state, result.reshape(state.shape), self.ptm)
        # The qubits' axes go to the front, which takes a copy.
        whole = grouped(array, self.num_qubits, self.qubits)
        inner = range(1, 2 * k, 2)
        state = whole.transpose(*inner, *(a for a in range(whole.ndim) if a not in inner))
        operand = np.empty(state.shape)
        return _BoundMatrix(state, operand, result.reshape(dim, size // dim * rows), self.ptm)


@final
class _BoundDephase:
    def __init__(self, coherences: Array) -> None:
        self.coherences = coherences

    def forward(self) -> None:
        self.coherences.fill(0.0)

    adjoint = forward


@final
class DephaseKernel:
    """A measurement whose outcome is not conditioned on: X and Y of the qubit vanish."""

    def __init__(self, qubit: int, num_qubits: int) -> None:
        self.qubit = qubit
        self.num_qubits = num_qubits

    def bind(self, array: Array, scratch: Array) -> BoundMap:
        """See `MapKernel`."""
        return _BoundDephase(grouped(array, self.num_qubits, (self.qubit,))[:, 1:3])


@final
class _BoundReset:
    def __init__(self, letters: Array) -> None:
        self.identity = letters[:, 0]
        self.coherences = letters[:, 1:3]
        self.z = letters[:, 3]
        self.others = letters[:, 1:4]

    def forward(self) -> None:
        self.coherences.fill(0.0)
        np.copyto(self.z, self.identity)

    def adjoint(self) -> None:
        np.add(self.identity, self.z, self.identity)
        self.others.fill(0.0)


@final
class ResetKernel:
    """The qubit is replaced by one in state 0."""

    def __init__(self, qubit: int, num_qubits: int) -> None:
        self.qubit = qubit
        self.num_qubits = num_qubits

    def bind(self, array: Array, scratch: Array) -> BoundMap:
        """See `MapKernel`."""
        return _BoundReset(grouped(array, self.num_qubits, (self.qubit,)))


def channel_kernel(ptm: Array, qubits: tuple[int, ...], num_qubits: int) -> MapKernel:
    """The cheapest kernel of a channel on any order of qubits."""
    ascending = tuple(sorted(qubits))
    ptm = expand(ptm, qubits, ascending)
    diagonal = np.diagonal(ptm)
    if np.count_nonzero(ptm) == np.count_nonzero(diagonal):
        return DiagonalKernel(diagonal.copy(), ascending, num_qubits)
    return MatrixKernel(ptm, ascending, num_qubits)
