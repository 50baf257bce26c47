"""The operations of one time step as a flat list, its parametrized gates as Pauli rotations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from qiskit.circuit import CircuitInstruction, IfElseOp, Operation, QuantumCircuit, Reset

from qrnn_qiskit.circuit.branch import Condition, condition_of
from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.gate_angles import gate_angles, standard_gates
from qrnn_qiskit.circuit.rewrite import Constant, Rotation, is_parametrized, pauli_rotations


@final
@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One operation of a step on qubits of the cell; compared by identity.

    Attributes:
        operation: the Qiskit operation; for a rotation only its generator and angle count.
        qubits: indices in the cell, in the operation's order.
        bit: the output bit that a measurement writes.
        generator: Pauli label if the item is a parametrized rotation, else "".
        angle: the rotation's angle, an expression of weights and features.
        gate: index of the rotation within the step, -1 for others; rotations that only the last
            step has count on from those of every step.
        source: `gate` of the first rotation that comes from the same gate angle, -1 for others;
            see `OccurrenceTable`.
        factor: d(rotation's angle) / d(gate angle).
        frequencies: of outcomes' probabilities in the gate angle, in 1/rad.
        condition: of the `if` statement that the operation is part of.
        otherwise: whether it is in the `else` branch.
    """

    operation: Operation | None
    qubits: tuple[int, ...]
    bit: int = -1
    generator: str = ""
    angle: Any = None
    gate: int = -1
    source: int = -1
    factor: float = 1.0
    frequencies: tuple[float, ...] = ()
    condition: Condition | None = None
    otherwise: bool = False

    @property
    def name(self) -> str:
        return self.operation.name if self.operation is not None else "rotation"


def step_items(cell: Cell) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Items of every step, and those that only the last step has.

    Every step but the last ends with `io` and `ancilla` reset: `unroll` leaves out the resets
    that nothing follows.

    Raises:
        CellError: for a parametrized gate that no product of Pauli rotations is known for.
    """
    body = _items(cell.circuit, cell.name)
    fresh = [
        cell.circuit.find_bit(q).index
        for register in cell.circuit.qregs
        if register.name != "hidden"
        for q in register
    ]
    for qubit in fresh:
        uses = [item for item in body if qubit in item.qubits and item.name != "barrier"]
        if not uses or uses[-1].name != "reset":
            body.append(Item(Reset(), (qubit,)))
    gates = sum(item.gate >= 0 for item in body)
    return tuple(body), tuple(_items(cell.last, cell.name, first_gate=gates))


def steps_of(
    body: Sequence[Item], last: Sequence[Item], permutation: Sequence[int], num_steps: int
) -> list[tuple[Item, ...]]:
    """The items of each step on qubits of the whole circuit; equal steps are one object.

    Args:
        body: items of every step but the last.
        last: items of the last step.
        permutation: see `Cell`.
        num_steps: T.
    """
    steps = [tuple(body)] * (num_steps - 1) + [tuple(last)]
    if permutation:
        known: dict[tuple[int, ...], tuple[Item, ...]] = {}
        wire = tuple(range(len(permutation)))
        for step in range(num_steps - 1):
            if wire not in known:
                known[wire] = _moved(body, wire)
            steps[step] = known[wire]
            wire = tuple(wire[i] for i in permutation)
        steps[-1] = _moved(last, wire)
    return steps


def _moved(items: Sequence[Item], wire: Sequence[int]) -> tuple[Item, ...]:
    return tuple(replace(item, qubits=tuple(wire[q] for q in item.qubits)) for item in items)


def first_step(items: Sequence[Item]) -> Iterator[Item]:
    """The items of the first step: before it all bits are 0, which decides some conditions."""
    measured: set[int] = set()
    for item in items:
        condition = item.condition
        if condition is None or not measured.isdisjoint(condition.bits):
            yield item
        elif condition.holds((0,) * len(condition.bits)) != item.otherwise:
            yield replace(item, condition=None, otherwise=False)
        if item.bit >= 0:
            measured.add(item.bit)


def _items(circuit: QuantumCircuit, cell: str, first_gate: int = 0) -> list[Item]:
    items: list[Item] = []
    gates = first_gate
    for instruction, qubits, condition, otherwise in _flat(circuit, cell):
        operation = instruction.operation
        if not is_parametrized(operation):
            bit = circuit.find_bit(instruction.clbits[0]).index if instruction.clbits else -1
            items.append(Item(operation, qubits, bit, condition=condition, otherwise=otherwise))
            continue
        for item in _rotations(operation, cell, first=gates):
            local = tuple(qubits[q] for q in item.qubits)
            items.append(replace(item, qubits=local, condition=condition, otherwise=otherwise))
            gates += item.gate >= 0
    return items


def _rotations(operation: Operation, cell: str, *, first: int) -> Iterator[Item]:
    """A parametrized gate as rotations and constant gates, counted from `first`."""
    number = first
    for gate, qubits in standard_gates(operation):
        if not is_parametrized(gate):
            yield Item(gate, qubits)
            continue
        origins = iter(gate_angles(gate, cell))
        sources: dict[int, int] = {}  # of each angle of the gate
        for piece in pauli_rotations(gate, cell):
            local = tuple(qubits[q] for q in piece.qubits)
            if isinstance(piece, Constant):
                yield Item(piece.operation, local)
            elif isinstance(piece, Rotation):
                origin = next(origins)
                yield Item(
                    None,
                    local,
                    generator=piece.generator,
                    angle=piece.angle,
                    gate=number,
                    source=sources.setdefault(origin.number, number),
                    factor=origin.factor,
                    frequencies=origin.frequencies,
                )
                number += 1


def _flat(
    circuit: QuantumCircuit, cell: str
) -> Iterator[tuple[CircuitInstruction, tuple[int, ...], Condition | None, bool]]:
    """Operations with their qubits, those of branches with their condition."""
    for instruction in circuit.data:
        qubits = tuple(circuit.find_bit(q).index for q in instruction.qubits)
        operation = instruction.operation
        if not isinstance(operation, IfElseOp):
            yield instruction, qubits, None, False
            continue
        condition = condition_of(operation, circuit, cell)
        for block, otherwise in zip(operation.blocks, (False, True), strict=False):
            for inner in block.data:
                local = tuple(qubits[block.find_bit(q).index] for q in inner.qubits)
                yield inner, local, condition, otherwise
