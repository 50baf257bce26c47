"""State vectors between two measured bits, for programs without noise.

A measurement whose bit is not recorded, and the reset of a qubit that may be in state 1, get a
hidden bit: the sampler draws it like any other and forgets it. So every history of bits, hidden
ones included, has a pure state, whose squared norm is the probability of the history.

Axes: U distinct sets of angles, d components that may differ from 0 before a segment, d' after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.pauli import MATRICES, Complex, pauli_matrices
from qrnn_qiskit.engine.program import Channel, Program, Reset, Rotation
from qrnn_qiskit.engine.segments import Index
from qrnn_qiskit.engine.simplify import Outcome, simplify
from qrnn_qiskit.estimate import Array

States = NDArray[Any]

HIDDEN: Final = -1
# How far a channel may be from a unitary gate; rounding of its matrix is far smaller.
_UNITARY: Final = 1e-12


@final
@dataclass(frozen=True, slots=True, eq=False)
class PureSegment:
    """Gates up to a measured qubit.

    Attributes:
        gates: in order of time: (angle, generator) or (-1, unitary of all qubits).
        columns: angles that they read, ascending.
        source: `[d]` components that may differ from 0 before the segment.
        kept: `[2, d']` components after the gates that each outcome keeps, 0 first; they become
            the `source` of the next segment.
        weight: `[2, d']` 1, or 0 for what the outcome excludes.
        slot: step * K + bit, or `HIDDEN`.
    """

    gates: tuple[tuple[int, Permutation | Complex], ...]
    columns: Index
    source: Index
    kept: Index
    weight: Array
    slot: int


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
def _permutation(generator: str, qubits: tuple[int, ...], num_qubits: int) -> Permutation:
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


@lru_cache(maxsize=1024)
def _unitary(ptm: bytes, qubits: tuple[int, ...], num_qubits: int) -> Complex | None:
    """The matrix on all qubits of a unitary channel, up to a phase; None if it is not unitary."""
    k = len(qubits)
    matrix = np.frombuffer(ptm).reshape(4**k, 4**k)
    strings = pauli_matrices(k)
    # Sum of R[i, j] P_i x conj(P_j) is vec(U) vec(U)^dagger, reshuffled.
    choi = np.einsum("ij,iab,jcd->acbd", matrix, strings, strings.conj(), optimize=True)
    choi = choi.reshape(4**k, 4**k) / 2**k
    values, vectors = np.linalg.eigh(choi)
    if abs(values[-1] - 2**k) > _UNITARY * 4**k or np.abs(values[:-1]).max() > _UNITARY * 4**k:
        return None
    gate = vectors[:, -1].reshape(2**k, 2**k) * np.sqrt(2**k)
    largest = gate.ravel()[np.argmax(np.abs(gate))]
    gate = gate * (abs(largest) / largest)
    if np.abs(gate.imag).max() < _UNITARY:
        gate = gate.real.astype(np.complex128)
    others = [q for q in range(num_qubits) if q not in qubits]
    full = np.kron(gate, np.eye(2 ** len(others))).reshape((2,) * (2 * num_qubits))
    present = [*qubits, *others]
    order = [present.index(q) for q in range(num_qubits)]
    result: Complex = full.transpose(order + [num_qubits + i for i in order])
    return np.ascontiguousarray(result.reshape(2**num_qubits, 2**num_qubits))


@final
class PureStates:
    """Histories with pure states; squared norms are probabilities.

    Attributes:
        slots: of each segment's bit, `HIDDEN` for none.
        columns: angles that each segment reads.
        sizes: d of each segment, d' of the last.
    """

    def __init__(
        self, num_qubits: int, segments: tuple[PureSegment, ...], dtype: np.dtype[Any]
    ) -> None:
        self.num_qubits = num_qubits
        self.segments = segments
        self.dtype = dtype
        self.slots = [segment.slot for segment in segments]
        self.columns = [segment.columns for segment in segments]
        self.sizes = [s.source.size for s in segments] + [segments[-1].kept.shape[1]]

    def mass(self, states: States) -> Array:
        """Squared norms, `[...]` of states `[..., d]`."""
        flat = states.view(np.float64)
        norms: Array = np.einsum("...i,...i->...", flat, flat)
        return norms

    def start(self) -> States:
        """All qubits in state 0, `[1, 1]`."""
        return np.ones((1, 1), dtype=self.dtype)

    def normalised(self, states: States, mass: Array) -> States:
        """States `[N, d]` with norm 1."""
        return states / np.sqrt(mass)[:, None]

    def matrices(self, place: int, angles: Array) -> States:
        """Segment `place` for angles `[U, A]`: `[U, d, 2 d']`, d' columns for each outcome."""
        segment = self.segments[place]
        size = segment.source.size
        state = np.zeros((2**self.num_qubits, size, len(angles)), dtype=np.complex128)
        state[segment.source, np.arange(size)] = 1.0
        state = self._run(segment, state, angles)
        return self._split(segment, state.transpose(2, 1, 0))

    def advance(self, place: int, states: States, angles: Array) -> States:
        """States `[N, d]` with angles `[N, A]` through segment `place`: `[N, 2 d']`."""
        segment = self.segments[place]
        state = np.zeros((2**self.num_qubits, len(states)), dtype=np.complex128)
        state[segment.source] = states.T
        return self._split(segment, self._run(segment, state, angles).T)

    def _split(self, segment: PureSegment, state: Complex) -> States:
        result = state[..., segment.kept.ravel()] * segment.weight.ravel()
        return np.ascontiguousarray(result if self.dtype.kind == "c" else result.real)

    def _run(self, segment: PureSegment, state: Complex, angles: Array) -> Complex:
        """Gates on `[2^n, ...]`; `angles` is `[last axis, A]`."""
        axes = (slice(None), *(None,) * (state.ndim - 1))
        half = np.moveaxis(angles[..., segment.columns] / 2.0, -1, 0)
        cos, sin = np.cos(half), np.sin(half)
        place = {int(column): i for i, column in enumerate(segment.columns)}
        for column, gate in segment.gates:
            if not isinstance(gate, Permutation):
                state = (gate @ state.reshape(len(gate), -1)).reshape(state.shape)
                continue
            i = place[column]
            turned = state if gate.diagonal else state[gate.index]
            turned = turned * (gate.factor[axes] * sin[i])
            state *= cos[i]
            state += turned
        return state


def pure_states(program: Program) -> PureStates | None:
    """The program as histories of pure states; None if noise makes that impossible."""
    n = program.num_qubits
    index = np.arange(2**n)
    fresh = set(range(n))  # qubits in state 0 for certain
    segments: list[PureSegment] = []
    gates: list[tuple[int, Permutation | Complex]] = []
    source = np.zeros(1, dtype=np.intp)
    real = True

    def close(qubit: int, slot: int, reset: bool) -> None:
        nonlocal gates, source
        columns = np.unique(np.array([c for c, _ in gates if c >= 0], dtype=np.intp))
        bit = (index // 2 ** (n - 1 - qubit)) % 2
        possible = np.ones(2**n, dtype=bool)
        for q in fresh - {qubit}:
            possible &= (index // 2 ** (n - 1 - q)) % 2 == 0
        if reset or qubit in fresh:
            # A 1 is turned into a 0.
            fresh.add(qubit)
            left = np.flatnonzero(possible & (bit == 0))
            kept = np.stack([left, left + 2 ** (n - 1 - qubit)])
            weight = np.ones(kept.shape)
        else:
            left = np.flatnonzero(possible)
            kept = np.stack([left, left])
            weight = np.stack([1.0 - bit[left], 1.0 * bit[left]])
        segments.append(PureSegment(tuple(gates), columns, source, kept, weight, slot))
        source, gates = left, []

    for operation in simplify(program):
        if isinstance(operation, Rotation):
            gate = _permutation(operation.generator, operation.qubits, n)
            real = real and operation.generator.count("Y") % 2 == 1
            gates.append((operation.angle, gate))
            fresh.difference_update(operation.qubits)
        elif isinstance(operation, Channel):
            ptm = np.ascontiguousarray(operation.ptm)
            unitary = _unitary(ptm.tobytes(), operation.qubits, n)
            if unitary is None:
                return None
            real = real and not unitary.imag.any()
            gates.append((-1, unitary))
            fresh.difference_update(operation.qubits)
        elif isinstance(operation, Outcome):
            if operation.flip != (0.0, 0.0):
                return None
            close(
                operation.qubit, operation.step * program.num_bits + operation.bit, operation.reset
            )
        elif operation.qubit not in fresh:
            close(operation.qubit, HIDDEN, isinstance(operation, Reset))
    if not segments:
        return None
    return PureStates(n, tuple(segments), np.dtype(np.float64 if real else np.complex128))
