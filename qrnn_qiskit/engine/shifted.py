"""Exact outputs of rows that differ from a base row in one stretch of the circuit only.

Such are the rows of a parameter-shift plan. Up to the stretch a row has the state of its base row;
after it, every later output is an inner product of the row's state with the observable that the
output is at that time (Heisenberg picture), which is the base row's too. So a row runs through its
stretch instead of through the whole circuit.

Axes: R rows, B base rows, A angles, T steps, K bits of a step, N = T K records.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, final

import numpy as np

from qrnn_qiskit.engine.forward import FLOAT, finished, outputs, vectors_for
from qrnn_qiskit.engine.plan import CACHE, MEMORY_LIMIT, ROW_BLOCK, padded
from qrnn_qiskit.engine.program import Program
from qrnn_qiskit.engine.segments import Index
from qrnn_qiskit.engine.tape import Entry, Fixed, Record, Tape, Turn, tape_of
from qrnn_qiskit.engine.workspace import Workspace
from qrnn_qiskit.estimate import Array

# Components to save before arrays for three passes are worth making (measured).
ENOUGH: Final = 2**18


def shifted_outputs(
    program: Program,
    base: Array,
    angles: Array,
    base_of: Index,
    *,
    memory_limit: int = MEMORY_LIMIT,
) -> Array:
    """<Z> of each output bit, `[R, T, K]`, as `outputs` has it, up to rounding.

    Args:
        program: the circuit.
        base: `[B, A]` angles of the base rows, in rad.
        angles: `[R, A]`; any rows, but only those that differ from their base row between two
            measurements alone are faster than with `outputs`.
        base_of: `[R]` base row of each row.
        memory_limit: bytes to stay within.

    Raises:
        DataError: where the angles do not fit the program or are not finite.
        BackendError: where the memory limit is too small for a block of 8 rows.
    """
    base, angles = program.checked(base), program.checked(angles)
    if vectors_for(program, angles) is not None:
        return outputs(program, angles, memory_limit=memory_limit)
    tape = tape_of(program, joint=False)
    if len(angles) * program.num_steps * program.num_bits * 4**program.num_qubits <= ENOUGH:
        return outputs(program, angles, memory_limit=memory_limit)
    result = np.empty((len(angles), program.num_steps, tape.start.size // program.num_steps))
    stretches = _stretches(tape)
    near, where = _located(stretches, base, angles, base_of)
    used, number = np.unique(base_of[near], return_inverse=True)
    observables = FLOAT * used.size * tape.start.size * 4**program.num_qubits
    # A row costs its stretch, a base row a pass with as many observables as there are records.
    saved = near.size * (len(stretches) - 1)
    cost = used.size * (tape.start.size + 1) * len(stretches)
    worthwhile = (saved - cost) * 4**program.num_qubits > ENOUGH
    if worthwhile and 8 * observables < memory_limit:
        run = _Run(tape, stretches, base[used], memory_limit)
        records = run.records(angles[near], number.reshape(-1), where)
        result[near] = finished(program, tape, records, "z")
        far = np.setdiff1d(np.arange(len(angles)), near)
    else:
        far = np.arange(len(angles))
    result[far] = outputs(program, angles[far], memory_limit=memory_limit)
    return result


@final
@dataclass(frozen=True, slots=True)
class _Stretch:
    """Part of a tape, from a rotation to the next one after a record.

    Attributes:
        entries: of the tape.
        columns: angles that they read.
        slots: records that they make.
    """

    entries: tuple[Entry, ...]
    columns: Index
    slots: Index


def _stretches(tape: Tape) -> list[_Stretch]:
    """The tape cut; nothing where it keeps classical bits."""
    cuts, recorded = [0], False
    for i, entry in enumerate(tape.entries):
        if not isinstance(entry, Turn | Fixed | Record):
            return []
        if isinstance(entry, Turn) and recorded:
            cuts.append(i)
        recorded = isinstance(entry, Record) or (recorded and not isinstance(entry, Turn))
    stretches = []
    for first, last in zip(cuts, [*cuts[1:], len(tape.entries)], strict=True):
        entries = tape.entries[first:last]
        columns = sorted({entry.column for entry in entries if isinstance(entry, Turn)})
        slots = [entry.slot for entry in entries if isinstance(entry, Record)]
        stretches.append(
            _Stretch(entries, np.array(columns, dtype=np.intp), np.array(slots, dtype=np.intp))
        )
    return stretches


def _located(
    stretches: list[_Stretch], base: Array, angles: Array, base_of: Index
) -> tuple[Index, Index]:
    """Rows that differ from their base row in at most one stretch, and in which."""
    differs = angles != base[base_of]
    found = np.zeros((len(angles), len(stretches)), dtype=bool)
    for i, stretch in enumerate(stretches):
        found[:, i] = differs[:, stretch.columns].any(axis=1)
    near = np.flatnonzero(found.sum(axis=1) <= 1)
    return near, found[near].argmax(axis=1) if stretches else near


@final
class _Run:
    """Base rows forward, every other row through its stretch, then observables backward."""

    def __init__(
        self, tape: Tape, stretches: list[_Stretch], base: Array, memory_limit: int
    ) -> None:
        self.tape = tape
        self.stretches = stretches
        self.base = base
        state = FLOAT * 4**tape.num_qubits
        # At most so many rows at a time.
        fitting = min(CACHE // state, memory_limit // 4 // (4 * state + 64 * tape.num_angles))
        self.most = max(fitting // ROW_BLOCK, 1) * ROW_BLOCK

    def records(self, angles: Array, base_of: Index, where: Index) -> Array:
        """Records `[N, R]` of rows that differ from `base_of` in stretch `where`."""
        tape, num_base = self.tape, len(self.base)
        base_space = Workspace(tape, padded(num_base))
        base_space.load(self.base)
        base_space.start()
        base_records = np.repeat(tape.start[:, None], base_space.rows, axis=1)
        order = np.argsort(where, kind="stable")
        bounds = np.searchsorted(where[order], np.arange(len(self.stretches) + 1))
        rows_of = [order[i:j] for i, j in pairwise(bounds)]
        most = min(self.most, padded(max(len(rows) for rows in rows_of)))
        space = Workspace(tape, most)
        noted = np.empty((tape.start.size, most))
        ends = np.empty((len(angles), 4**tape.num_qubits))
        own = np.empty((tape.start.size, len(angles)))
        for stretch, rows in zip(self.stretches, rows_of, strict=True):
            before = base_space.states[1][0]
            for i in range(0, len(rows), most):
                part = rows[i : i + most]
                space.load(angles[part], stretch.columns)
                space.states[1][0][:, : part.size] = before[:, base_of[part]]
                space.forward(stretch.entries, noted)
                ends[part] = space.states[1][0][:, : part.size].T
                own[np.ix_(stretch.slots, part)] = noted[stretch.slots, : part.size]
            base_space.forward(stretch.entries, base_records)
        records = base_records[:, base_of]
        self._look_back(records, ends, base_of, rows_of)
        for stretch, rows in zip(self.stretches, rows_of, strict=True):
            records[np.ix_(stretch.slots, rows)] = own[np.ix_(stretch.slots, rows)]
        return records

    def _look_back(self, records: Array, ends: Array, base_of: Index, rows_of: list[Index]) -> None:
        """Fill in what is recorded after each row's stretch."""
        tape, num_base, num_slots = self.tape, len(self.base), self.tape.start.size
        space = Workspace(tape, padded(num_base * num_slots))
        space.load(np.repeat(self.base, num_slots, axis=0))
        array = space.states[1][0]
        array.fill(0.0)
        observables = array[:, : num_base * num_slots].reshape(-1, num_base, num_slots)
        later = np.zeros(num_slots, dtype=bool)
        for stretch, rows in zip(reversed(self.stretches), reversed(rows_of), strict=True):
            slots = np.flatnonzero(later)
            for b in np.unique(base_of[rows]) if slots.size else ():
                own = rows[base_of[rows] == b]
                records[np.ix_(slots, own)] = (ends[own] @ observables[:, b, slots]).T
            for entry in reversed(stretch.entries):
                if isinstance(entry, Turn):
                    cos, sin = space.cos[entry.column], space.sin[entry.column]
                    space.turns[entry.kernel].inverse(cos, sin)
                elif isinstance(entry, Fixed):
                    space.maps[entry.kernel].adjoint()
                elif isinstance(entry, Record):
                    observables[entry.component, :, entry.slot] += 1.0
            later[stretch.slots] = True
