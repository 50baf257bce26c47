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

from qrnn_qiskit.engine.gates import Local, Permutation, local_of, permutation_of
from qrnn_qiskit.engine.pauli import Complex, pauli_matrices
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
        gates: in order of time: (angle, rotation) or (-1, matrix).
        columns: angles that they read, ascending.
        source: `[d]` components that may differ from 0 before the segment.
        kept: `[2, d']` components after the gates that each outcome keeps, 0 first; they become
            the `source` of the next segment.
        weight: `[2, d']` 1, or 0 for what the outcome excludes.
        slot: step * K + bit, or `HIDDEN`.
    """

    gates: tuple[tuple[int, Permutation | Local], ...]
    columns: Index
    source: Index
    kept: Index
    weight: Array
    slot: int


@lru_cache(maxsize=1024)
def _unitary(ptm: bytes, num_qubits: int) -> Complex | None:
    """The matrix `[2^k, 2^k]` of a unitary channel, up to a phase; None if it is not unitary."""
    k = num_qubits
    matrix = np.frombuffer(ptm).reshape(4**k, 4**k)
    strings = pauli_matrices(k)
    # Sum of R[i, j] P_i x conj(P_j) is vec(U) vec(U)^dagger, reshuffled.
    choi = np.einsum("ij,iab,jcd->acbd", matrix, strings, strings.conj(), optimize=True)
    choi = choi.reshape(4**k, 4**k) / 2**k
    values, vectors = np.linalg.eigh(choi)
    if abs(values[-1] - 2**k) > _UNITARY * 4**k or np.abs(values[:-1]).max() > _UNITARY * 4**k:
        return None
    gate: Complex = vectors[:, -1].reshape(2**k, 2**k) * np.sqrt(2**k)
    largest = gate.ravel()[np.argmax(np.abs(gate))]
    gate = gate * (abs(largest) / largest)
    # Entries that ought to be 0 decide which qubits stay classical.
    for part in (gate.real, gate.imag):
        whole = np.abs(part - np.rint(part)) < _UNITARY
        part[whole] = np.rint(part[whole])
    return gate


def unitary_of(channel: Channel) -> Complex | None:
    """The matrix `[2^k, 2^k]` of a unitary channel, up to a phase; None if it is not unitary."""
    ptm = np.ascontiguousarray(channel.ptm, dtype=np.float64)
    return _unitary(ptm.tobytes(), len(channel.qubits))


@final
class PureStates:
    """Histories with pure states; squared norms are probabilities.

    Attributes:
        dtype: of states.
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
        flat = states.view(states.real.dtype)
        norms: Array = np.einsum("...i,...i->...", flat, flat).astype(np.float64, copy=False)
        return norms

    def start(self) -> States:
        """All qubits in state 0, `[1, 1]`."""
        return np.ones((1, 1), dtype=self.dtype)

    def normalised(self, states: States, mass: Array) -> States:
        """States `[N, d]` with norm 1."""
        return (states / np.sqrt(mass)[:, None]).astype(self.dtype, copy=False)

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
        kept = state[..., segment.kept.ravel()] * segment.weight.ravel()
        result: States = kept if self.dtype.kind == "c" else kept.real
        return np.ascontiguousarray(result, dtype=self.dtype)

    def _run(self, segment: PureSegment, state: Complex, angles: Array) -> Complex:
        """Gates on `[2^n, ...]`; `angles` is `[last axis, A]`."""
        axes = (slice(None), *(None,) * (state.ndim - 1))
        half = np.moveaxis(angles[..., segment.columns] / 2.0, -1, 0)
        cos, sin = np.cos(half), np.sin(half)
        place = {int(column): i for i, column in enumerate(segment.columns)}
        for column, gate in segment.gates:
            if isinstance(gate, Local):
                mixed = state[gate.index]
                turned = (gate.matrix @ mixed.reshape(len(mixed), -1)).reshape(mixed.shape)
                state = np.empty_like(state)
                state[gate.index] = turned
                continue
            i = place[column]
            turned = state if gate.diagonal else state[gate.index]
            turned = turned * (gate.factor[axes] * sin[i])
            state *= cos[i]
            state += turned
        return state


def noise_free(program: Program) -> bool:
    """Whether all channels are gates and nothing is misread, so that `pure_states` exist."""
    return not any(
        (isinstance(operation, Channel) and unitary_of(operation) is None)
        or (isinstance(operation, Outcome) and operation.flip != (0.0, 0.0))
        for operation in simplify(program)
    )


def pure_states(program: Program, *, single: bool = False) -> PureStates | None:
    """The program as histories of pure states; None if noise makes that impossible.

    Args:
        program: the circuit.
        single: keep states in single precision.
    """
    builder = _Builder(program.num_qubits)
    for operation in simplify(program):
        if isinstance(operation, Rotation):
            builder.rotate(operation)
        elif isinstance(operation, Channel):
            unitary = _unitary(np.ascontiguousarray(operation.ptm).tobytes(), len(operation.qubits))
            if unitary is None:
                return None
            builder.apply(unitary, operation.qubits)
        elif isinstance(operation, Outcome):
            if operation.flip != (0.0, 0.0):
                return None
            slot = operation.step * program.num_bits + operation.bit
            builder.measure(operation.qubit, slot, operation.reset)
        elif isinstance(operation, Reset):
            builder.reset(operation.qubit)
        elif operation.qubit not in builder.classical:
            builder.measure(operation.qubit, HIDDEN, reset=False)
    if not builder.segments:
        return None
    if builder.real:
        dtype = np.dtype(np.float32 if single else np.float64)
    else:
        dtype = np.dtype(np.complex64 if single else np.complex128)
    return PureStates(program.num_qubits, tuple(builder.segments), dtype)


@final
class _Builder:
    """Collects segments.

    Attributes:
        fresh: qubits in state 0 for certain.
        classical: qubits in state 0 or 1, the history says which; the fresh ones among them.
        real: whether all matrices are real.
    """

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self.segments: list[PureSegment] = []
        self.fresh = set(range(num_qubits))
        self.classical = set(range(num_qubits))
        self.real = True
        self._gates: list[tuple[int, Permutation | Local]] = []
        self._source: Index = np.zeros(1, dtype=np.intp)

    def rotate(self, rotation: Rotation) -> None:
        """Add a rotation."""
        gate = permutation_of(rotation.generator, rotation.qubits, self.num_qubits)
        self._gates.append((rotation.angle, gate))
        self.real = self.real and rotation.generator.count("Y") % 2 == 1
        moved = {q for q, p in zip(rotation.qubits, rotation.generator, strict=True) if p in "XY"}
        self.fresh -= moved
        self.classical -= moved

    def apply(self, matrix: Complex, qubits: tuple[int, ...]) -> None:
        """Add a constant gate `[2^k, 2^k]`."""
        self._gates.append((-1, local_of(matrix, qubits, self.num_qubits)))
        self.real = self.real and not matrix.imag.any()
        k = len(qubits)
        index = np.arange(2**k)
        moved = set()
        for i, q in enumerate(qubits):
            bit = (index >> (k - 1 - i)) & 1
            if matrix[bit[:, None] != bit].any():
                moved.add(q)
        self.fresh -= moved
        permutes = np.all(np.count_nonzero(matrix, axis=0) == 1)
        if not (permutes and self.classical.issuperset(qubits)):
            self.classical -= moved

    def reset(self, qubit: int) -> None:
        """Bring a qubit to state 0."""
        if qubit not in self.classical:
            self.measure(qubit, HIDDEN, reset=True)
        elif qubit not in self.fresh:
            # One of the two components is 0.
            merged = np.array([[1.0, 1.0], [0.0, 0.0]], dtype=np.complex128)
            self._gates.append((-1, local_of(merged, (qubit,), self.num_qubits)))
            self.fresh.add(qubit)

    def measure(self, qubit: int, slot: int, reset: bool) -> None:
        """Close a segment by a measurement, followed by a reset or not."""
        n, index = self.num_qubits, np.arange(2**self.num_qubits)
        place = n - 1 - qubit
        columns = np.unique(np.array([c for c, _ in self._gates if c >= 0], dtype=np.intp))
        possible = np.ones(2**n, dtype=bool)
        for q in self.fresh - {qubit}:
            possible &= (index >> (n - 1 - q)) & 1 == 0
        bit = (index >> place) & 1
        self.classical.add(qubit)
        if reset or qubit in self.fresh:
            # A 1 is turned into a 0.
            self.fresh.add(qubit)
            left = np.flatnonzero(possible & (bit == 0))
            kept = np.stack([left, left + 2**place])
            weight = np.ones(kept.shape)
        else:
            left = np.flatnonzero(possible)
            kept = np.stack([left, left])
            weight = np.stack([1.0 - bit[left], 1.0 * bit[left]])
        segment = PureSegment(tuple(self._gates), columns, self._source, kept, weight, slot)
        self.segments.append(segment)
        self._source, self._gates = left, []
