"""The arrays of one batch of rows, kernels bound to them, and the run of a tape forward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.maps import BoundMap
from qrnn_qiskit.engine.rotations import BoundRotation, RotationKernel, grouped
from qrnn_qiskit.engine.tape import Entry, Fixed, Fork, Join, Record, Tape, Turn
from qrnn_qiskit.estimate import Array


def bind(
    tape: Tape, arrays: dict[int, Array], scratch: Array
) -> tuple[dict[int, BoundRotation], dict[int, BoundMap]]:
    """All kernels of a tape bound to the arrays of their numbers of branches, by kernel index."""
    turns: dict[int, BoundRotation] = {}
    maps: dict[int, BoundMap] = {}
    for i, (kernel, lead) in enumerate(zip(tape.kernels.table, tape.kernels.leads, strict=True)):
        if isinstance(kernel, RotationKernel):
            turns[i] = kernel.bind(arrays[lead], scratch)
        else:
            maps[i] = kernel.bind(arrays[lead], scratch)
    return turns, maps


def ground_state(num_qubits: int) -> Array:
    """Components `[4^n]` of all qubits in state 0: 1 for every string of I and Z."""
    state = np.ones(1)
    for _ in range(num_qubits):
        state = np.kron(state, np.array([1.0, 0.0, 0.0, 1.0]))
    return state


@final
class Workspace:
    """State, scratch space and angles of up to `rows` rows.

    Attributes:
        states: for each number of branches, `[copies, lead * 4^n, rows]`; the state is copy 0,
            copy 1, where there are two, its adjoint.
        cos: for each angle, `[rows]`.
        sin: for each angle, `[2, rows]`: minus and plus the sine.
    """

    def __init__(self, tape: Tape, rows: int, copies: int = 1) -> None:
        self.rows = rows
        self.num_qubits = tape.num_qubits
        self.leads = tape.kernels.leads
        size = 4**tape.num_qubits
        self.states = {lead: np.zeros((copies, lead * size, rows)) for lead in tape.leads}
        self.scratch = np.empty(copies * max(tape.leads) * size * rows)
        self.turns, self.maps = bind(tape, {k: v[0] for k, v in self.states.items()}, self.scratch)
        self.ground = ground_state(tape.num_qubits)[:, None]
        self.cos: Sequence[Array] | dict[int, Array] = ()
        self.sin: Sequence[Array] | dict[int, Array] = ()

    @property
    def num_bytes(self) -> int:
        return self.scratch.nbytes + sum(state.nbytes for state in self.states.values())

    def load(self, angles: Array, columns: NDArray[np.intp] | None = None) -> None:
        """Take the angles `[r, A]` of up to `rows` rows; the others get angle 0.

        Args:
            angles: in rad.
            columns: the only ones that are going to be read; None for all.
        """
        used = angles if columns is None else angles[:, columns]
        padded = np.zeros((used.shape[1], self.rows))
        padded[:, : used.shape[0]] = used.T
        sin = np.empty((used.shape[1], 2, self.rows))
        np.sin(padded, out=sin[:, 1])
        np.negative(sin[:, 1], out=sin[:, 0])
        cos = np.cos(padded, out=padded)
        if columns is None:
            # Lists hand out their rows faster than arrays do.
            self.cos, self.sin = list(cos), list(sin)
        else:
            numbers = columns.tolist()
            self.cos = dict(zip(numbers, cos, strict=True))
            self.sin = dict(zip(numbers, sin, strict=True))

    def start(self) -> None:
        """All qubits in state 0."""
        np.copyto(self.states[1][0], self.ground)

    def forward(
        self, entries: Sequence[Entry], records: Array, kept: list[Array] | None = None
    ) -> None:
        """Run entries from the present state.

        Args:
            entries: part of the tape.
            records: `[slots, rows]`, filled.
            kept: if given, gets a copy of the state after the last rotation of each run.
        """
        turns, maps, cos, sin = self.turns, self.maps, self.cos, self.sin
        state = self.states[1][0]
        for entry in entries:
            if isinstance(entry, Turn):
                turns[entry.kernel].forward(cos[entry.column], sin[entry.column])
                if kept is not None and entry.closes:
                    kept.append(self.states[self.leads[entry.kernel]][0].copy())
            elif isinstance(entry, Fixed):
                maps[entry.kernel].forward()
            elif isinstance(entry, Record):
                records[entry.slot] = state[entry.component]
            elif isinstance(entry, Fork):
                self._fork(entry)
            else:
                self._join(entry, records)

    def _fork(self, entry: Fork) -> None:
        before = grouped(self.states[entry.lead][0], self.num_qubits, (entry.qubit,))
        after = self.states[2 * entry.lead][0].reshape(2, *before.shape)
        after[:, :, 1:3] = 0.0
        for r in (0, 1):
            for i, letter in enumerate((0, 3)):
                a, b = entry.readout[r, i]
                after[r, :, letter] = a * before[:, 0] + b * before[:, 3]

    def _join(self, entry: Join, records: Array) -> None:
        bits = (2,) * entry.num_axes
        before = self.states[2**entry.num_axes][0].reshape(*bits, -1, self.rows)
        others = tuple(a for a in range(entry.num_axes) if a not in entry.axes)
        mass = before[..., 0, :].transpose(*entry.axes, *others, entry.num_axes)
        mass = mass.sum(axis=tuple(range(len(entry.axes), entry.num_axes)))
        records[entry.slots] = mass.reshape(-1, self.rows)
        after = self.states[2 ** len(others)][0]
        before.sum(axis=entry.axes, out=after.reshape(*(2,) * len(others), -1, self.rows))
