"""From a program to the entries that a state vector passes, if its state stays pure.

It does where there is no noise and nobody looks away: a measurement is post-selected, or nothing
that follows could tell whether it was made. That holds for a qubit which from then on is only a
control, or is left alone, or is next flipped for certain and then post-selected: so a step's
outputs can be read and the next step start from the word that the data hold. "For certain" is a
matter of angles, which have to be multiples of pi: see `Lowered.selecting`.

CX, X and SWAP move the generators of later rotations instead of the state; commuting rotations that
flip the same qubits become one turn, whose angles are sums (a uniformly controlled rotation); what
a post-selected ancilla does to one qubit becomes one map of that (`blend`).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np

from qrnn_qiskit.engine.pauli import Complex
from qrnn_qiskit.engine.program import Channel, Program, Reset, Rotation
from qrnn_qiskit.engine.pure import unitary_of
from qrnn_qiskit.engine.simplify import Dephase, Outcome, simplify
from qrnn_qiskit.engine.vectors.blend import Blend, half_turn
from qrnn_qiskit.engine.vectors.entries import Fixed, Project, Read, Rotations, Turn
from qrnn_qiskit.engine.vectors.kernels import Kernels, bits
from qrnn_qiskit.engine.vectors.strings import (
    Affine,
    AffineGate,
    PauliString,
    affine_of,
    commute,
    pauli_string,
)

Entry = Rotations | Blend | Fixed | Read


@final
@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Lowered:
    """A program for state vectors.

    Attributes:
        entries: in order of time; the first one starts from one component, 1.
        real: whether the state is real.
        selecting: columns of angles that must be multiples of pi; their derivatives are 0.
    """

    entries: tuple[Entry, ...]
    real: bool
    selecting: tuple[int, ...]


class _Mixed(Exception):
    """The state does not stay pure."""


def lowered(program: Program) -> Lowered | None:
    """The entries of a program; None if its state does not stay pure."""
    lowering = _Lowering(program)
    try:
        return lowering.run()
    except _Mixed:
        return None


def lowered_gates(program: Program, live: int) -> tuple[tuple[Entry, ...], bool] | None:
    """Gates without measurement, see `_Lowering.unitary`; None where one is not unitary."""
    try:
        entries, real = _Lowering(program).unitary(live)
    except _Mixed:
        return None
    return tuple(entries), real


@final
@dataclass(slots=True, eq=False)
class _Open:
    """Rotations that are going to be one turn."""

    flips: int
    parity: int
    selecting: bool
    strings: list[PauliString] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)


@final
@dataclass(frozen=True, slots=True)
class _Map:
    """A real turn or blend of one qubit: the qubit, its controls, the live qubits before it."""

    qubit: int
    controls: int
    live: int


@final
class _Lowering:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.place = {bit: k for k, bit in enumerate(program.outputs)}
        self.operations = simplify(program)
        self.entries: list[Entry] = []
        self.live = 0
        self.frame = Affine(program.num_qubits)
        self.open: list[_Open] = []
        self.real = True
        self.measured = 0  # not known to anybody since: only some operations may follow
        self.lost = 0  # reset while entangled: nothing may follow
        self.unread: dict[int, int] = {}  # measured qubit: output, of the step being measured
        self.unread_step = 0
        self.selecting: set[int] = set()
        self.shrunk = False
        self.kernels = Kernels()
        self.gates: dict[Hashable, tuple[Complex, AffineGate | None]] = {}
        # By place among the entries: maps, and controlled half turns (control, target, sign).
        self.maps: dict[int, _Map] = {}
        self.turns: dict[int, tuple[int, int, float]] = {}

    def run(self) -> Lowered:
        last = {op.step: i for i, op in enumerate(self.operations) if isinstance(op, Outcome)}
        due = 0  # the first step that has not been read
        for i, operation in enumerate(self.operations):
            if isinstance(operation, Rotation):
                self._rotate(operation)
            elif isinstance(operation, Channel):
                self._apply(operation)
            elif isinstance(operation, Outcome):
                while self.program.postselected and due < operation.step:
                    self._read(due)
                    due += 1
                self._measure(operation)
                if last[operation.step] == i:
                    self._read(operation.step)
                    due = operation.step + 1
            else:
                self._discard(operation)
        while self.program.postselected and due < self.program.num_steps:
            self._read(due)
            due += 1
        return Lowered(tuple(self.entries), self.real, tuple(sorted(self.selecting)))

    def unitary(self, live: int) -> tuple[list[Entry], bool]:
        """The entries of gates alone, and whether they are real.

        Args:
            live: qubits that may be in any state before; all are behind.
        """
        self.live = live
        for operation in self.program.operations:
            if isinstance(operation, Rotation):
                self._rotate(operation)
            elif isinstance(operation, Channel):
                self._apply(operation)
        every = tuple(range(self.program.num_qubits))
        self._close()
        self._settle(every)
        fresh = ((1 << len(every)) - 1) & ~self.live
        if fresh:
            entry, self.live = self.kernels.expansion(self.live, fresh)
            self.entries.append(entry)
        return self.entries, self.real

    def _may_touch(self, qubits: int) -> None:
        if self.lost & qubits:
            raise _Mixed

    def _rotate(self, rotation: Rotation) -> None:
        string = pauli_string(rotation.generator, rotation.qubits)
        self._may_touch(string.flips | string.signs)
        selecting = False
        if string.flips & self.measured:
            if len(rotation.qubits) > 1 or rotation.qubits[0] in self.unread:
                raise _Mixed
            selecting = True
            self.selecting.add(rotation.angle)
        string = self.frame.pulled(string)
        group = self._group(string, selecting)
        group.strings.append(string)
        group.columns.append(rotation.angle)

    def _group(self, string: PauliString, selecting: bool) -> _Open:
        """The open turn that a rotation can join, perhaps past others, or a new one.

        A new one comes last, so that the rotations of an ancilla by all of its controls, which do
        not all commute with what is open, stay together.
        """
        for group in reversed(self.open):
            if (group.flips, group.parity) == (string.flips, string.power % 2):
                if group.selecting == selecting:
                    return group
                break
            if not all(commute(string, other) for other in group.strings):
                break
        self.open.append(_Open(string.flips, string.power % 2, selecting))
        return self.open[-1]

    def _close(self, projected: int = -1) -> bool:
        """End the open turns; whether the last one also projects qubit `projected`."""
        groups, self.open = self.open, []
        done = False
        for i, group in enumerate(groups):
            done = self._end(group, projected if i + 1 == len(groups) else -1)
        return done

    def _end(self, group: _Open, projected: int) -> bool:
        fresh = bits(group.flips & ~self.live)
        if len(fresh) > 1:
            entry, self.live = self.kernels.expansion(self.live, sum(1 << q for q in fresh[1:]))
            self.entries.append(entry)
        # Z on a qubit in state 0 is 1.
        present = self.live | group.flips
        strings = [replace(string, signs=string.signs & present) for string in group.strings]
        if not group.flips and not any(string.signs for string in strings):
            return False
        done = projected >= 0 and not fresh and bool(group.flips >> projected & 1)
        split = -1
        if group.flips:
            split = fresh[0] if fresh else projected if done else bits(group.flips)[0]
        kernel = self.kernels.rotation(
            self.live,
            group.flips,
            tuple(strings),
            split,
            fresh=bool(fresh),
            projected=done,
            snapped=group.selecting,
        )
        columns = tuple(group.columns)
        none = (self.program.num_angles,) * len(columns)
        real = bool(group.flips) and group.parity == 1
        if real and not group.selecting and group.flips == 1 << split:
            controls = 0
            for string in strings:
                controls |= string.signs & ~group.flips
            self.maps[len(self.entries)] = _Map(split, controls, self.live)
        self.entries.append(Rotations(kernel, columns, none if group.selecting else columns))
        self.real = self.real and real
        self.live |= group.flips
        if done:
            self.live &= ~(1 << projected)
            self._blend(projected)
        return done

    def _project(self, q: int) -> None:
        """A live qubit that nothing open turns is found in state 0."""
        last, made = len(self.entries) - 1, self.entries[-1]
        of = self.maps.get(last)
        if isinstance(made, Blend) and of and of.qubit == q and not made.kernel.fresh:
            kernel = self.kernels.blend(
                of.live, of.controls, made.kernel.sums, q, fresh=False, projected=True
            )
            self.entries[last] = replace(made, kernel=kernel)
        else:
            lower = (self.live & ((1 << q) - 1)).bit_count()
            upper = (self.live >> (q + 1)).bit_count()
            self.entries.append(Project(2**lower, 2**upper))
        self.live &= ~(1 << q)
        self._blend(q)

    def _blend(self, q: int) -> None:
        """Make one map of the last three entries, if qubit `q` was only the control of a turn."""
        place = len(self.entries) - 3
        before, after = self.maps.get(place), self.maps.get(place + 2)
        control, target, sign = self.turns.get(place + 1, (-1, -1, 1.0))
        if before is None or after is None or not before.qubit == after.qubit == control == q:
            return
        first, _, second = self.entries[place:]
        if not isinstance(first, Rotations | Blend) or not isinstance(second, Rotations | Blend):
            return
        sums = first.kernel.sums
        if (
            not isinstance(first.kernel, Turn)
            or not first.kernel.fresh
            or second.kernel.sums is not sums
            or before.controls != after.controls
            or before.controls >> target & 1
        ):
            return
        columns = list[tuple[int, ...]]()
        for part in (first, second):
            columns += part.columns if isinstance(part, Blend) else [part.columns]
            sign *= part.sign if isinstance(part, Blend) else 1.0
        kernel = self.kernels.blend(
            before.live,
            before.controls,
            sums,
            target,
            fresh=not before.live >> target & 1,
            projected=False,
        )
        del self.entries[place:], self.maps[place + 2], self.turns[place + 1]
        self.maps[place] = _Map(target, before.controls, before.live)
        self.entries.append(Blend(kernel, tuple(columns), sign))

    def _apply(self, channel: Channel) -> None:
        qubits = channel.qubits
        mask = sum(1 << q for q in qubits)
        self._may_touch(mask)
        key = id(channel)
        if key not in self.gates:
            matrix = unitary_of(channel)
            if matrix is None:
                raise _Mixed
            self.gates[key] = matrix, affine_of(matrix, qubits)
        matrix, affine = self.gates[key]
        moved = affine.moved if affine else None
        if moved is not None:
            self.measured = _relabelled(self.measured, moved)
            self.unread = {moved.get(q, q): bit for q, bit in self.unread.items()}
        for i, q in enumerate(qubits if moved is None else ()):
            if self.measured >> q & 1 and not _controls(matrix, len(qubits), i):
                permutes = np.count_nonzero(matrix) == len(matrix)
                if len(qubits) > 1 or not permutes or q in self.unread:
                    raise _Mixed
        if affine is not None:
            self.frame.then(affine)
            return
        self._close()
        self._settle(qubits)
        entry, self.live = self.kernels.gate(self.live, matrix, qubits)
        for order in ((0, 1), (1, 0)) if len(qubits) == 2 else ():
            axes = (*order, *(2 + i for i in order))
            sign = half_turn(matrix.reshape(2, 2, 2, 2).transpose(axes).reshape(4, 4))
            if sign is not None:
                control, target = (qubits[i] for i in order)
                self.turns[len(self.entries)] = control, target, sign
        self.entries.append(entry)
        self.real = self.real and not matrix.imag.any()

    def _settle(self, qubits: tuple[int, ...]) -> None:
        """Make up for what was put off, if these qubits are part of it."""
        if self.frame.leaves(qubits):
            return
        self._close()
        entry, self.live = self.kernels.permutation(self.live, self.frame)
        self.entries.append(entry)
        self.frame = Affine(self.program.num_qubits)

    def _measure(self, outcome: Outcome) -> None:
        q = outcome.qubit
        self._may_touch(1 << q)
        if outcome.flip != (0.0, 0.0):
            raise _Mixed
        self._settle((q,))
        if outcome.bit in self.place:
            if q in self.unread or (self.unread and self.unread_step != outcome.step):
                raise _Mixed
            self.unread[q], self.unread_step = self.place[outcome.bit], outcome.step
            self.measured |= 1 << q
            if outcome.reset:
                self.lost |= 1 << q
            return
        self.shrunk = True
        if not self._close(projected=q) and self.live >> q & 1:
            self._project(q)
        self.measured &= ~(1 << q)

    def _discard(self, operation: Dephase | Reset) -> None:
        q = operation.qubit
        self._may_touch(1 << q)
        self._settle((q,))
        self._close()
        if not self.live >> q & 1:
            return
        if isinstance(operation, Reset):
            self.lost |= 1 << q
        self.measured |= 1 << q

    def _read(self, step: int) -> None:
        qubits = tuple(self.unread)
        self._settle(qubits)
        self._close()
        live = bits(self.live)
        present = [q for q in qubits if self.live >> q & 1]
        outcomes = np.zeros((2,) * len(present), dtype=np.intp)
        for axis, q in enumerate(present):
            shape = [2 if i == axis else 1 for i in range(len(present))]
            outcomes = outcomes + np.array([0, 1 << self.unread[q]]).reshape(shape)
        axes = tuple(live.index(q) for q in present)
        self.entries.append(Read(step, len(live), axes, outcomes, self.shrunk))
        self.unread = {}
        self.shrunk = False


def _relabelled(mask: int, moved: dict[int, int]) -> int:
    return sum(1 << moved.get(q, q) for q in bits(mask))


def _controls(matrix: Complex, num_qubits: int, place: int) -> bool:
    """Whether a gate never flips qubit `place`."""
    bit = (np.arange(len(matrix)) >> (num_qubits - 1 - place)) & 1
    return not matrix[bit[:, None] != bit].any()
