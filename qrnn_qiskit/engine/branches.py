"""Branches of a measurement record: how the state of each is carried through a segment.

Axes: b branches, d carried components (identity first, normalised to 1), U distinct sets of angles.
"""

from __future__ import annotations

from typing import Final, Protocol, final

import numpy as np

from qrnn_qiskit.engine.maps import BoundMap, MatrixKernel
from qrnn_qiskit.engine.plan import CACHE, ROW_BLOCK
from qrnn_qiskit.engine.rotations import BoundRotation, RotationKernel
from qrnn_qiskit.engine.segments import Index, Segment, Segments
from qrnn_qiskit.engine.tape import Turn
from qrnn_qiskit.estimate import Array

_FLOAT: Final = 8


class Passage(Protocol):
    """Branches on their way through one segment."""

    def ones(self) -> Array:
        """Probability that each branch records a 1, `[b]`."""

    def after(self, parent: Index, bit: Index, probability: Array) -> Array:
        """States `[c, d']` of c branches: those of `parent` that recorded `bit`, normalised."""


@final
class Runner:
    """Runs the operations of segments; keeps arrays and bound kernels between segments."""

    def __init__(self, segments: Segments) -> None:
        self.segments = segments
        self._shape = (0, 0)
        self._state = np.empty((0, 0))
        self._scratch = np.empty(0)
        self._turns: dict[int, BoundRotation] = {}
        self._maps: dict[int, BoundMap] = {}

    def blank(self, segment: Segment, lead: int, rows: int) -> Array:
        """A state of zeros for at least so many rows, `[lead, 4^n, >= rows]`, used over again.

        Rows are added up to whole blocks where a matrix product needs them (see `engine.plan`).
        """
        table = self.segments.kernels.table
        if any(isinstance(table[entry.kernel], MatrixKernel) for entry in segment.entries):
            rows = -(-rows // ROW_BLOCK) * ROW_BLOCK
        if self._shape != (lead, rows):
            self._shape = (lead, rows)
            self._state = np.empty((lead * 4**self.segments.num_qubits, rows))
            self._scratch = np.empty(self._state.size)
            self._turns.clear()
            self._maps.clear()
        self._state.fill(0.0)
        return self._state.reshape(lead, -1, rows)

    def run(self, segment: Segment, angles: Array) -> None:
        """Run a segment's operations on the state handed out last; `angles` is `[r, A]`.

        Rows beyond the r given get angle 0.
        """
        used = np.zeros((segment.columns.size, self._shape[1]))
        used[:, : angles.shape[0]] = angles[:, segment.columns].T
        sin = np.empty((used.shape[0], 2, used.shape[1]))
        np.sin(used, out=sin[:, 1])
        np.negative(sin[:, 1], out=sin[:, 0])
        cos = np.cos(used)
        place = {int(column): i for i, column in enumerate(segment.columns)}
        for entry in segment.entries:
            if entry.kernel not in self._turns and entry.kernel not in self._maps:
                kernel = self.segments.kernels.table[entry.kernel]
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


@final
class Direct:
    """Every branch is run on its own: best while there are few branches."""

    def __init__(
        self, runner: Runner, segment: Segment, states: Array, angles: Array, row: Index
    ) -> None:
        """`states` is `[b, d]`, `angles` `[R, A]`, `row` the row of each branch."""
        self.given = np.empty((2, states.shape[0], segment.num_left))
        for part in _blocks(states.shape[0], _FLOAT * 4**runner.segments.num_qubits):
            count = part.stop - part.start
            state = runner.blank(segment, 1, count)[0]
            state[segment.target, :count] = states[part].T[segment.source]
            runner.run(segment, angles[row[part]])
            for bit in (0, 1):
                self.given[bit, part] = segment.given(bit, state)[:, :count].T

    def ones(self) -> Array:
        """See `Passage`."""
        return self.given[1, :, 0]

    def after(self, parent: Index, bit: Index, probability: Array) -> Array:
        """See `Passage`."""
        states: Array = self.given[bit, parent]
        return states / probability[:, None]


def matrices_of(runner: Runner, segment: Segment, angles: Array) -> Array:
    """The segment as matrices `[U, 2, d, d']` for angles `[U, A]`, one for each recorded bit."""
    carried = segment.num_carried
    matrices = np.empty((angles.shape[0], 2, carried, segment.num_left))
    for part in _blocks(angles.shape[0], _FLOAT * carried * 4**runner.segments.num_qubits):
        count = part.stop - part.start
        state = runner.blank(segment, carried, count)
        state[segment.source, segment.target] = 1.0
        runner.run(segment, angles[part])
        for bit in (0, 1):
            given = segment.given(bit, state)[:, :, :count]
            matrices[part, bit] = given.transpose(2, 0, 1)
    return matrices


@final
class ByMatrix:
    """Branches with the same angles are multiplied by one matrix: best with many branches."""

    def __init__(self, matrices: Array, states: Array, group: Index) -> None:
        """`matrices` is `[U, 2, d, d']`, `states` `[b, d]`, `group` the matrix of each branch."""
        self.matrices, self.states, self.group = matrices, states, group

    def ones(self) -> Array:
        """See `Passage`."""
        masses = np.ascontiguousarray(self.matrices[:, 1, :, 0])
        ones: Array = np.einsum("bd,bd->b", self.states, masses[self.group])
        return ones

    def after(self, parent: Index, bit: Index, probability: Array) -> Array:
        """See `Passage`."""
        kind = 2 * self.group[parent] + bit
        order = np.argsort(kind, kind="stable")
        ends = np.cumsum(np.bincount(kind))
        result = np.empty((parent.size, self.matrices.shape[3]))
        start = 0
        for k, end in enumerate(ends):
            if end == start:
                continue
            chosen = order[start:end]
            # Whole blocks, so that the product of a branch does not depend on the others.
            wanted = parent[np.resize(chosen, -(-chosen.size // ROW_BLOCK) * ROW_BLOCK)]
            product = self.states[wanted] @ self.matrices[k // 2, k % 2]
            result[chosen] = product[: chosen.size]
            start = end
        return result / probability[:, None]
