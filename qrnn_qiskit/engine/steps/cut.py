"""A program without noise, cut where qubits are measured and reset.

What lies between two cuts is a unitary matrix that does not depend on the state: those of all
steps and rows are built together, a few large numpy calls for a whole sequence. With the qubits
that are not reset as its columns, the matrix is a state vector of the qubits and a copy of these
(a "spectator" for each), so that `vectors` builds and differentiates it. Only the density matrix
of the qubits that are never reset goes from stretch to stretch.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, final
from weakref import WeakKeyDictionary

import numpy as np

from qrnn_qiskit.engine.program import Channel, Program, Reset, Rotation
from qrnn_qiskit.engine.simplify import Dephase, Outcome, simplify
from qrnn_qiskit.engine.vectors.lower import lowered_gates
from qrnn_qiskit.engine.vectors.run import Piece, pieces_of
from qrnn_qiskit.engine.vectors.strings import Index
from qrnn_qiskit.estimate import Array

# Least number of qubits and most components of all matrices of a call where this is the faster
# form (measured), and the least number of stretches that share their gates.
QUBITS: Final = 4
COMPONENTS: Final = 2**19
ALIKE: Final = 4


@final
@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """Stretches with the same gates.

    Attributes:
        piece: builds the matrices, in the order that `vectors` has its state in.
        real: whether they are real.
        columns: `[N, J]` angles of each stretch.
        shape: of a matrix as built: (2,) * n and the columns.
        order: of its axes: qubits that stay, qubits that are reset, columns.
        stays: dimension of the qubits that stay.
        resets: dimension of those that are reset.
        carried: dimension of the columns.
    """

    piece: Piece
    real: bool
    columns: Index
    shape: tuple[int, ...]
    order: tuple[int, ...]
    stays: int
    resets: int
    carried: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A program as a chain of stretches.

    Attributes:
        num_angles: A.
        kinds: of stretches.
        chain: kind and number within the kind of each stretch, in order of time.
        records: for each stretch, slots of records and the signs `[N, resets]` that each is made
            of: <Z> = sum of signs times the probabilities of the qubits that are reset.
        once: whether no angle is read twice.
    """

    num_angles: int
    kinds: tuple[Kind, ...]
    chain: tuple[tuple[int, int], ...]
    records: tuple[tuple[Index, Array], ...]
    once: bool

    @property
    def components(self) -> int:
        """Of all matrices of one row."""
        return sum(
            len(kind.columns) * kind.stays * kind.resets * kind.carried for kind in self.kinds
        )

    @property
    def row_bytes(self) -> int:
        """Memory that one row of a gradient takes: all states on the way, and a few matrices."""
        components = sum(
            len(kind.columns) * (kind.piece.total + 8 * kind.stays * kind.resets * kind.carried)
            for kind in self.kinds
        )
        return 16 * components


_STEPS: WeakKeyDictionary[Program, tuple[Steps | None]] = WeakKeyDictionary()


def steps_of(program: Program) -> Steps | None:
    """The stretches of a program, made once; None where it has noise or is not cut this way."""
    if program not in _STEPS:
        _STEPS[program] = (_cut(program),)
    return _STEPS[program][0]


def suit(program: Program, rows: int, memory_limit: int) -> bool:
    """Whether this is the faster form for so many rows, and fits into so many bytes."""
    if rows == 0 or program.num_qubits < QUBITS:
        return False
    steps = steps_of(program)
    return (
        steps is not None
        and rows * steps.components <= COMPONENTS
        and rows * steps.row_bytes <= memory_limit
        and len(steps.chain) >= ALIKE * len(steps.kinds)
    )


@final
@dataclass(slots=True, eq=False)
class _Stretch:
    gates: list[Rotation | Channel]
    events: list[Outcome | Reset]
    carried: tuple[int, ...] = ()


def _stretches(program: Program) -> list[_Stretch] | None:
    stretches = [_Stretch([], [])]
    for operation in simplify(program):
        if isinstance(operation, Dephase):
            return None
        if isinstance(operation, Rotation | Channel):
            if stretches[-1].events:
                stretches.append(_Stretch([], []))
            stretches[-1].gates.append(operation)
        else:
            stretches[-1].events.append(operation)
    for stretch in stretches[:-1]:
        if any(isinstance(event, Outcome) and not event.reset for event in stretch.events):
            return None
    every = range(program.num_qubits)
    for i, stretch in enumerate(stretches):
        # Before the first stretch every qubit is in state 0, whatever it takes for its columns.
        gone = {event.qubit for event in stretches[max(i - 1, 0)].events}
        stretch.carried = tuple(q for q in every if q not in gone)
    return stretches


def _cut(program: Program) -> Steps | None:
    stretches = None if program.postselected else _stretches(program)
    if not stretches or not stretches[-1].events:
        return None
    n, width = program.num_qubits, len(program.outputs)
    numbers: dict[Hashable, int] = {}
    members: list[list[_Stretch]] = []
    chain, records = list[tuple[int, int]](), list[tuple[Index, Array]]()
    for stretch in stretches:
        gone = tuple(sorted({event.qubit for event in stretch.events}))
        gates = tuple(
            (gate.generator, gate.qubits) if isinstance(gate, Rotation) else id(gate)
            for gate in stretch.gates
        )
        number = numbers.setdefault((gates, stretch.carried, gone), len(numbers))
        if number == len(members):
            members.append([])
        chain.append((number, len(members[number])))
        members[number].append(stretch)
        records.append(_records(stretch, gone, width))
    kinds = []
    for alike in members:
        kind = _kind(alike, n)
        if kind is None:
            return None
        kinds.append(kind)
    used = [int(column) for kind in kinds for column in kind.columns.ravel()]
    return Steps(
        program.num_angles, tuple(kinds), tuple(chain), tuple(records), len(used) == len(set(used))
    )


def _records(stretch: _Stretch, gone: tuple[int, ...], width: int) -> tuple[Index, Array]:
    slots, signs = [], []
    outcomes = np.arange(2 ** len(gone))
    for event in stretch.events:
        if isinstance(event, Outcome):
            slots.append(event.step * width + event.bit)
            place = len(gone) - 1 - gone.index(event.qubit)
            signs.append(1.0 - 2.0 * ((outcomes >> place) & 1))
    return np.array(slots, dtype=np.intp), np.array(signs).reshape(len(slots), outcomes.size)


def _kind(alike: list[_Stretch], num_qubits: int) -> Kind | None:
    first, n = alike[0], num_qubits
    gone = sorted({event.qubit for event in first.events})
    stay = [q for q in range(n) if q not in gone]
    carried = first.carried
    local: list[Rotation | Channel] = []
    count = 0
    for gate in first.gates:
        if isinstance(gate, Rotation):
            gate = Rotation(gate.generator, gate.qubits, count)
            count += 1
        local.append(gate)
    program = Program(n + len(carried), 1, 1, max(count, 1), tuple(local))
    live = sum(1 << q for q in carried) | sum(1 << (n + i) for i in range(len(carried)))
    found = lowered_gates(program, live)
    if found is None:
        return None
    columns = [
        [gate.angle for gate in stretch.gates if isinstance(gate, Rotation)] for stretch in alike
    ]
    (piece,) = pieces_of(found[0], 2**62)
    return Kind(
        piece=piece,
        real=found[1],
        columns=np.array(columns, dtype=np.intp).reshape(len(alike), count),
        shape=(2,) * n + (2 ** len(carried),),
        order=(*stay, *gone, n),
        stays=2 ** len(stay),
        resets=2 ** len(gone),
        carried=2 ** len(carried),
    )
