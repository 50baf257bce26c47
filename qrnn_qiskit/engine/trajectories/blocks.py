"""A program cut into blocks of operations on few qubits, between measurements.

While nothing goes wrong, which is nearly always, a block is one small matrix: the product of its
gates and of the likeliest Kraus operator of each channel.

Axes: D = 2^k components of the k qubits of a block.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, final

from qrnn_qiskit.engine.gates import Permutation, local_of, permutation_of
from qrnn_qiskit.engine.program import Channel, Program, Reset, Rotation
from qrnn_qiskit.engine.segments import Index
from qrnn_qiskit.engine.simplify import Outcome, simplify
from qrnn_qiskit.engine.trajectories.kraus import Unravelling, unravelled

# Qubits of a block: one more doubles the arithmetic and saves a fifth of the blocks.
BLOCK_QUBITS: Final = 4
# How many items to look ahead for a block with room.
_LOOK: Final = 64
HIDDEN: Final = -1


@final
@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A rotation by the angle in one column, on the components of a block."""

    gate: Permutation
    column: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class Chance:
    """A channel; `index` `[d, D / d]` are the components of the block that it mixes."""

    kraus: Unravelling
    index: Index


@final
@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Operations on neighbouring axes of the state.

    Attributes:
        operations: in order of time.
        axes: new order of the qubits' axes, first of all; None to leave them.
        before: components of the axes before the block's.
        size: D.
        turning: whether it has rotations, so that its matrix depends on the row.
        noisy: whether anything may go wrong.
        survival: probability that nothing does, where it does not depend on the state; else None.
    """

    operations: tuple[Turn | Chance, ...]
    axes: tuple[int, ...] | None
    before: int
    size: int
    turning: bool = field(init=False)
    noisy: bool = field(init=False)
    survival: float | None = field(init=False)

    def __post_init__(self) -> None:
        channels = [op.kraus for op in self.operations if isinstance(op, Chance)]
        noisy = [kraus for kraus in channels if not kraus.unitary]
        survival: float | None = 1.0
        for kraus in noisy:
            if kraus.chances is None or survival is None:
                survival = None
            else:
                survival *= float(kraus.chances[0])
        object.__setattr__(self, "turning", len(channels) < len(self.operations))
        object.__setattr__(self, "noisy", bool(noisy))
        object.__setattr__(self, "survival", survival)


@final
@dataclass(frozen=True, slots=True)
class Collapse:
    """A measurement of the axis behind `before` components.

    Attributes:
        before: as above.
        slot: step * K + bit, or `HIDDEN`.
        flip: readout error, as that of `Measure`.
        reset: whether a 1 is turned into a 0.
    """

    before: int
    slot: int
    flip: tuple[float, float]
    reset: bool


@final
@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Plan:
    """What every trajectory of a program passes.

    Attributes:
        num_qubits: n.
        items: in order of time.
        draws: random numbers of a trajectory: one for each noisy block and each collapse.
    """

    num_qubits: int
    items: tuple[Block | Collapse, ...]
    draws: int


def plan_of(program: Program) -> Plan:
    """Cut a program.

    Raises:
        CellError: where a channel is not completely positive.
    """
    fused = _fused(program)
    order = list(range(program.num_qubits))
    made: dict[Hashable, Turn | Chance] = {}
    items = list[Block | Collapse]()
    for part in fused:
        if isinstance(part, _Open):
            items.append(_block(part, order, made))
        else:
            qubit, slot, flip, reset = part
            items.append(Collapse(2 ** order.index(qubit), slot, flip, reset))
    draws = sum(isinstance(item, Collapse) or item.noisy for item in items)
    return Plan(program.num_qubits, tuple(items), draws)


@final
@dataclass(slots=True, eq=False)
class _Open:
    qubits: set[int]
    operations: list[Rotation | Channel]


_Closed = tuple[int, int, tuple[float, float], bool]


def _fused(program: Program) -> list[_Open | _Closed]:
    """Each operation in the earliest block that has room for it."""
    parts = list[_Open | _Closed]()
    latest = [-1] * program.num_qubits  # last part that touches each qubit
    for operation in simplify(program):
        if isinstance(operation, Rotation | Channel):
            qubits = set(operation.qubits)
            first = max(latest[q] for q in qubits)
            chosen = len(parts)
            for i in range(max(first, len(parts) - _LOOK, 0), len(parts)):
                part = parts[i]
                if isinstance(part, _Open) and len(part.qubits | qubits) <= BLOCK_QUBITS:
                    chosen = i
                    part.qubits |= qubits
                    part.operations.append(operation)
                    break
            else:
                parts.append(_Open(qubits, [operation]))
            for q in qubits:
                latest[q] = chosen
            continue
        latest[operation.qubit] = len(parts)
        if isinstance(operation, Outcome):
            slot = operation.step * program.num_bits + operation.bit
            parts.append((operation.qubit, slot, operation.flip, operation.reset))
        else:
            parts.append((operation.qubit, HIDDEN, (0.0, 0.0), isinstance(operation, Reset)))
    return parts


def _block(part: _Open, order: list[int], made: dict[Hashable, Turn | Chance]) -> Block:
    """A block where the axes are in some order, which it may change."""
    places = sorted(order.index(q) for q in part.qubits)
    first, count = places[0], len(places)
    axes = None
    if places[-1] - first >= count:
        axes = (*places, *(i for i in range(len(order)) if i not in places))
        order[:] = [order[i] for i in axes]
        first = 0
    own = {q: i for i, q in enumerate(order[first : first + count])}
    operations = []
    for operation in part.operations:
        on = tuple(own[q] for q in operation.qubits)
        key: Hashable
        if isinstance(operation, Rotation):
            key = operation.generator, on, count, operation.angle
            if key not in made:
                gate = permutation_of(operation.generator, on, count)
                made[key] = Turn(gate, operation.angle)
        else:
            key = operation.ptm.tobytes(), on, count
            if key not in made:
                kraus = unravelled(operation)
                made[key] = Chance(kraus, local_of(kraus.operators[0], on, count).index)
        operations.append(made[key])
    return Block(tuple(operations), axes, 2**first, 2**count)
