"""The adjoint state of one batch of rows, and the run of a tape backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

import numpy as np

from qrnn_qiskit.engine.rotations import RotationKernel, bound_block, grouped
from qrnn_qiskit.engine.tape import Entry, Fixed, Fork, Join, Record, Tape, Turn
from qrnn_qiskit.engine.workspace import Workspace, bind
from qrnn_qiskit.estimate import Array

# Bytes of products that one rotation kernel collects before it sums them.
_COLLECTED: Final = 2**16


@final
class Products:
    """Derivatives by the angles of one kernel's rotations.

    With state v and adjoint l after the rotation, dL/d(angle) = sum_Q sign(Q) l[Q] v[partner(Q)].
    Summing costs more than multiplying at few rows, so that several rotations are summed at once.
    """

    def __init__(self, kernel: RotationKernel, states: Array, uses: int, scratch: Array) -> None:
        rows = states.shape[-1]
        state = grouped(states[0], kernel.num_qubits, kernel.qubits)
        adjoint = grouped(states[1], kernel.num_qubits, kernel.qubits)
        half = states.shape[1] // 2
        room = max(1, min(uses, _COLLECTED // (half * rows * 8)))
        blocks = len(kernel.blocks)
        # Axes: rotation, sign, block, component, row. What is summed at once needs no own space.
        own = scratch[: half * rows] if room == 1 else np.empty(room * half * rows)
        self.products = own.reshape(room, 2, blocks, half // 2 // blocks, rows)
        self.factors = []
        for b, block in enumerate(kernel.blocks):
            right = bound_block(block, state)
            left = bound_block(block, adjoint).components
            space = self.products[:, :, b].reshape(room, 2, *left.shape[:-2], rows)
            self.factors.append((left, right.partners, np.moveaxis(space, 1, -2), right.residual))
        self.columns: list[int] = []

    def add(self, column: int, gradient: Array) -> None:
        """Multiply for a rotation by angle `column`; sum into `gradient` `[A, rows]` when full."""
        i = len(self.columns)
        self.columns.append(column)
        for adjoint, partners, space, residual in self.factors:
            np.multiply(adjoint, partners, space[i])
            if residual is not None:
                np.multiply(space[i], residual, space[i])
        if i + 1 == len(self.products):
            self.flush(gradient)

    def flush(self, gradient: Array) -> None:
        """Sum what has been collected into `gradient`."""
        count, rows = len(self.columns), gradient.shape[1]
        if count == 0:
            return
        sums = np.add.reduce(self.products[:count].reshape(count, 2, -1, rows), axis=2)
        np.add.at(gradient, self.columns, sums[:, 1] - sums[:, 0])
        self.columns.clear()


@final
class AdjointSpace:
    """A workspace with, beside the state, its adjoint: dL/d(state)."""

    def __init__(self, tape: Tape, rows: int) -> None:
        self.forward = Workspace(tape, rows, copies=2)
        states, scratch = self.forward.states, self.forward.scratch
        both = {lead: s.reshape(-1, rows) for lead, s in states.items()}
        self.both_turns, self.both_maps = bind(tape, both, scratch)
        self.turns, self.maps = bind(tape, {lead: s[1] for lead, s in states.items()}, scratch)
        kernels = tape.kernels
        self.products = {
            i: Products(kernel, states[kernels.leads[i]], kernels.uses[i], scratch)
            for i, kernel in enumerate(kernels.table)
            if isinstance(kernel, RotationKernel)
        }

    @property
    def rows(self) -> int:
        return self.forward.rows

    @property
    def num_bytes(self) -> int:
        products = sum(p.products.nbytes for p in self.products.values())
        return self.forward.num_bytes + products

    def start(self) -> None:
        """No dependence on the state at the end of the tape."""
        self.forward.states[1][1] = 0.0

    def backward(
        self, entries: Sequence[Entry], kept: list[Array], cotangent: Array, gradient: Array
    ) -> None:
        """Run entries backward from the present adjoint.

        Args:
            entries: part of the tape; the runs in it are whole.
            kept: the states that going forward kept; used up.
            cotangent: dL/d(records) `[slots, rows]`.
            gradient: dL/d(angles) `[A, rows]`, added to.
        """
        forward = self.forward
        cos, sin, leads = forward.cos, forward.sin, forward.leads
        adjoint = forward.states[1][1]
        following = False  # whether the state is being undone along with the adjoint
        for entry in reversed(entries):
            if isinstance(entry, Turn):
                if entry.closes:
                    forward.states[leads[entry.kernel]][0][...] = kept.pop()
                self.products[entry.kernel].add(entry.column, gradient)
                following = not entry.opens
                turns = self.both_turns if following else self.turns
                turns[entry.kernel].inverse(cos[entry.column], sin[entry.column])
            elif isinstance(entry, Fixed):
                maps = self.both_maps if following else self.maps
                maps[entry.kernel].adjoint()
            elif isinstance(entry, Record):
                adjoint[entry.component] += cotangent[entry.slot]
            elif isinstance(entry, Fork):
                self._unfork(entry)
            else:
                self._unjoin(entry, cotangent)
        for products in self.products.values():
            products.flush(gradient)

    def _unfork(self, entry: Fork) -> None:
        n, states = self.forward.num_qubits, self.forward.states
        before = grouped(states[entry.lead][1], n, (entry.qubit,))
        after = grouped(states[2 * entry.lead][1], n, (entry.qubit,)).reshape(2, *before.shape)
        before[:, 1:3] = 0.0
        for j, letter in enumerate((0, 3)):
            a, b = entry.readout[0, :, j]
            c, d = entry.readout[1, :, j]
            before[:, letter] = (a * after[0, :, 0] + b * after[0, :, 3]) + (
                c * after[1, :, 0] + d * after[1, :, 3]
            )

    def _unjoin(self, entry: Join, cotangent: Array) -> None:
        rows = self.rows
        bits = (2,) * entry.num_axes
        others = tuple(a for a in range(entry.num_axes) if a not in entry.axes)
        before = self.forward.states[2**entry.num_axes][1].reshape(*bits, -1, rows)
        after = self.forward.states[2 ** len(others)][1].reshape(*(2,) * len(others), -1, rows)
        before[...] = np.expand_dims(after, entry.axes)
        mass = before[..., 0, :].transpose(*entry.axes, *others, entry.num_axes)
        seeds = cotangent[entry.slots].reshape(*(2,) * len(entry.axes), *(1,) * len(others), rows)
        mass += seeds
