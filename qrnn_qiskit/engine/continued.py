"""A program that starts from given states of some qubits and hands out their last ones.

The other qubits start in state 0 and are traced out at the end. Values and derivatives are those of
`forward` and `reverse`, with two more arguments: the states, as Pauli components.

Axes: R rows, A angles, T steps, K output values per step, C = 4^kept components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.adjoint import AdjointSpace
from qrnn_qiskit.engine.forward import (
    FLOAT,
    Kind,
    finished,
    padded_part,
    pulled_back,
    state_bytes,
    tape_for,
)
from qrnn_qiskit.engine.plan import MEMORY_LIMIT, chunks
from qrnn_qiskit.engine.program import Measure, Operation, Program
from qrnn_qiskit.engine.tape import Record, Tape, Turn
from qrnn_qiskit.engine.workspace import Workspace
from qrnn_qiskit.errors import CellError
from qrnn_qiskit.estimate import Array

_Z: Final = 3


@final
class Continued:
    """The program; made once and run often."""

    def __init__(
        self,
        program: Program,
        *,
        starts: Sequence[int],
        ends: Sequence[int],
        after: Sequence[Operation] = (),
        traced: int,
        kind: Kind = "z",
    ) -> None:
        """Make one.

        Args:
            program: without post-selection.
            starts: qubits whose first states are given, in the order of their components.
            ends: qubits whose last states are wanted, likewise.
            after: operations to add at the end.
            traced: a qubit that is not wanted at the end.
            kind: of the outputs, as for `forward.outputs`.

        Raises:
            CellError: for a program with post-selection: its states are not normalised.
        """
        if program.postselected:
            raise CellError("a post-selected program cannot be continued: its states have a weight")
        self._steps, self._kind = program.num_steps, kind
        # One more step, whose only bit keeps all operations before it from being left out.
        self._program = replace(
            program,
            num_steps=program.num_steps + 1,
            operations=(*program.operations, *after, Measure(traced, program.num_steps, 0)),
        )
        tape = tape_for(self._program, kind)
        self._slots = tape.start.size
        read = _places(program.num_qubits, ends, others=())
        self._first = _places(program.num_qubits, starts, others=(0, _Z))
        more = np.zeros(len(read))
        self._tape = replace(
            tape,
            entries=(
                *tape.entries,
                *(Record(int(component), self._slots + i) for i, component in enumerate(read)),
            ),
            start=np.concatenate([tape.start, more]),
            offset=np.concatenate([tape.offset, more]),
            scale=np.concatenate([tape.scale, more + 1.0]),
        )

    def forward(self, angles: Array, states: Array) -> tuple[Array, Array]:
        """Outputs `[R, T, K]` and the last states `[R, C]`, from the first ones `[R, C]`."""
        angles = self._program.checked(angles)
        rows = len(angles)
        records = np.empty((self._tape.start.size, rows))
        for chunk in self._chunks(rows, kept=0):
            part = angles[chunk]
            size = padded_part(rows, part)
            with self._tape.pool.borrow(Workspace, size, lambda n: Workspace(self._tape, n)) as w:
                records[:, chunk] = self._run(w, part, states[chunk])[:, : len(part)]
        return self._outputs(records), np.ascontiguousarray(records[self._slots :].T)

    def pull_back(
        self, angles: Array, states: Array, by_outputs: Array, by_last: Array
    ) -> tuple[Array, Array]:
        """dL/d(angles) `[R, A]` and dL/d(first states) `[R, C]`.

        Args:
            angles: `[R, A]`.
            states: `[R, C]` the first ones.
            by_outputs: `[R, T, K]` dL/d(outputs).
            by_last: `[R, C]` dL/d(last states).
        """
        angles = self._program.checked(angles)
        rows, steps, width = by_outputs.shape
        padded_outputs = np.zeros((rows, steps + 1, width))
        padded_outputs[:, :steps] = by_outputs
        seeds = np.concatenate(
            [
                pulled_back(self._program, self._plain, padded_outputs, self._kind),
                np.ascontiguousarray(by_last.T),
            ]
        )
        by_angles = np.empty((rows, self._program.num_angles))
        by_states = np.empty((rows, len(self._first[0])))
        closing = sum(isinstance(entry, Turn) and entry.closes for entry in self._tape.entries)
        for chunk in self._chunks(rows, kept=closing):
            part = angles[chunk]
            size = padded_part(rows, part)
            padded = np.zeros((len(seeds), size))
            padded[:, : len(part)] = seeds[:, chunk]
            with self._tape.pool.borrow(
                AdjointSpace, size, lambda n: AdjointSpace(self._tape, n)
            ) as space:
                kept: list[Array] = []
                self._run(space.forward, part, states[chunk], kept)
                gradient = np.zeros((self._tape.num_angles, size))
                space.start()
                space.backward(self._tape.entries, kept, padded, gradient)
                adjoint = space.forward.states[1][1]
                by_angles[chunk] = gradient.T[: len(part)]
                by_states[chunk] = adjoint[self._first].sum(axis=0)[:, : len(part)].T
        return by_angles, by_states

    def _run(
        self, space: Workspace, angles: Array, states: Array, kept: list[Array] | None = None
    ) -> Array:
        """Records `[slots, rows]`; rows that only pad start in no state at all."""
        space.load(angles)
        state = space.states[1][0]
        state[...] = 0.0
        state[:, : len(angles)][self._first] = states.T
        noted = np.repeat(self._tape.start[:, None], space.rows, axis=1)
        space.forward(self._tape.entries, noted, kept)
        return noted

    def _outputs(self, records: Array) -> Array:
        return finished(self._program, self._plain, records[: self._slots], self._kind)[
            :, : self._steps
        ]

    @property
    def _plain(self) -> Tape:
        """The tape whose records are those of the outputs alone."""
        return tape_for(self._program, self._kind)

    def _chunks(self, rows: int, kept: int) -> list[slice]:
        tape, state = self._tape, state_bytes(self._tape)
        per_row = (8 + kept) * state + FLOAT * (6 * tape.num_angles + 3 * tape.start.size)
        what = f"a density matrix of {tape.num_qubits} qubits"
        return chunks(rows, state, per_row, MEMORY_LIMIT, what)


def _places(num_qubits: int, qubits: Sequence[int], others: Sequence[int]) -> NDArray[np.intp]:
    """Where the components of some qubits stand in the state.

    Args:
        num_qubits: of the state.
        qubits: the first is the most significant letter of a component.
        others: letters of the other qubits that are non-zero; none for I alone.

    Returns:
        `[C]`; with `others` `[2^rest, C]`: one row for each string of I and Z on the others.
    """
    weight = 4 ** (num_qubits - 1 - np.arange(num_qubits))
    own = np.zeros(1, dtype=np.intp)
    for qubit in qubits:
        own = (own[:, None] + np.arange(4) * weight[qubit]).ravel()
    if not others:
        return own
    rest = np.zeros(1, dtype=np.intp)
    for qubit in set(range(num_qubits)) - set(qubits):
        rest = (rest[:, None] + np.array(others) * weight[qubit]).ravel()
    return rest[:, None] + own
