"""Density matrices between two recorded bits: segments as matrices, or run branch by branch.

A history of recorded bits has an unnormalised state, whose trace is its probability.

Axes: N branches, U distinct sets of angles, d carried components before a segment (the identity
string first), d' after it.
"""

from __future__ import annotations

from typing import Final, final

import numpy as np

from qrnn_qiskit.engine.maps import BoundMap
from qrnn_qiskit.engine.plan import CACHE, ROW_BLOCK
from qrnn_qiskit.engine.program import Program
from qrnn_qiskit.engine.rotations import BoundRotation, RotationKernel
from qrnn_qiskit.engine.segments import Segment, segments_of
from qrnn_qiskit.engine.tape import Turn
from qrnn_qiskit.estimate import Array

_FLOAT: Final = 8


@final
class MixedStates:
    """Histories with density matrices, as vectors of Pauli components.

    Attributes:
        slots: step * K + bit of each segment's bit.
        columns: angles that each segment reads.
        sizes: d of each segment, d' of the last.
    """

    dtype: Final = np.dtype(np.float64)

    def __init__(self, program: Program) -> None:
        self._segments = segments_of(program)
        self.num_qubits = program.num_qubits
        segments = self._segments.segments
        self.slots = [segment.slot for segment in segments]
        self.columns = [segment.columns for segment in segments]
        self.sizes = [s.num_carried for s in segments] + [s.num_left for s in segments[-1:]]
        self._shape = (0, 0)
        self._state = np.empty((0, 0))
        self._scratch = np.empty(0)
        self._turns: dict[int, BoundRotation] = {}
        self._maps: dict[int, BoundMap] = {}

    def mass(self, states: Array) -> Array:
        """Traces `[...]` of states `[..., d]`."""
        traces: Array = states[..., 0]
        return traces

    def start(self) -> Array:
        """All qubits in state 0, `[1, 1]`."""
        return np.ones((1, 1))

    def normalised(self, states: Array, mass: Array) -> Array:
        """States `[N, d]` with trace 1."""
        return states / mass[:, None]

    def matrices(self, place: int, angles: Array) -> Array:
        """Segment `place` for angles `[U, A]`: `[U, d, 2 d']`, d' columns for each outcome."""
        segment = self._segments.segments[place]
        carried, left = segment.num_carried, segment.num_left
        matrices = np.empty((len(angles), carried, 2 * left))
        for part in _blocks(len(angles), _FLOAT * carried * 4**self.num_qubits):
            count = part.stop - part.start
            state = self._blank(carried, count)
            state[segment.source, segment.target] = 1.0
            self._run(segment, angles[part])
            for bit in (0, 1):
                given = segment.given(bit, state)[:, :, :count]
                matrices[part, :, bit * left : (bit + 1) * left] = given.transpose(2, 0, 1)
        return matrices

    def advance(self, place: int, states: Array, angles: Array) -> Array:
        """States `[N, d]` with angles `[N, A]` through segment `place`: `[N, 2 d']`."""
        segment = self._segments.segments[place]
        left = segment.num_left
        given = np.empty((len(states), 2 * left))
        for part in _blocks(len(states), _FLOAT * 4**self.num_qubits):
            count = part.stop - part.start
            state = self._blank(1, count)[0]
            state[segment.target, :count] = states[part].T[segment.source]
            self._run(segment, angles[part])
            for bit in (0, 1):
                given[part, bit * left : (bit + 1) * left] = segment.given(bit, state)[:, :count].T
        return given

    def _blank(self, lead: int, rows: int) -> Array:
        """A state of zeros for so many rows or more, `[lead, 4^n, rows]`, used over again."""
        rows = -(-rows // ROW_BLOCK) * ROW_BLOCK
        if self._shape != (lead, rows):
            self._shape = (lead, rows)
            self._state = np.empty((lead * 4**self.num_qubits, rows))
            self._scratch = np.empty(self._state.size)
            self._turns.clear()
            self._maps.clear()
        self._state.fill(0.0)
        return self._state.reshape(lead, -1, rows)

    def _run(self, segment: Segment, angles: Array) -> None:
        """Run a segment on the state handed out last; rows beyond those given get angle 0."""
        used = np.zeros((segment.columns.size, self._shape[1]))
        used[:, : len(angles)] = angles[:, segment.columns].T
        sin = np.empty((used.shape[0], 2, used.shape[1]))
        np.sin(used, out=sin[:, 1])
        np.negative(sin[:, 1], out=sin[:, 0])
        cos = np.cos(used)
        place = {int(column): i for i, column in enumerate(segment.columns)}
        for entry in segment.entries:
            if entry.kernel not in self._turns and entry.kernel not in self._maps:
                kernel = self._segments.kernels.table[entry.kernel]
                if isinstance(kernel, RotationKernel):
                    self._turns[entry.kernel] = kernel.bind(self._state, self._scratch)
                else:
                    self._maps[entry.kernel] = kernel.bind(self._state, self._scratch)
            if isinstance(entry, Turn):
                i = place[entry.column]
                self._turns[entry.kernel].forward(cos[i], sin[i])
            else:
                self._maps[entry.kernel].forward()


def _blocks(total: int, state: int) -> list[slice]:
    """Slices of branches whose states stay in the cache."""
    size = max(CACHE // state // ROW_BLOCK, 1) * ROW_BLOCK
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]
