"""The operations of one time step as a flat list, its parametrized gates as Pauli rotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from qiskit.circuit import Operation, QuantumCircuit, Reset

from qrnn_qiskit.circuit.cell import Cell
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
    """

    operation: Operation | None
    qubits: tuple[int, ...]
    bit: int = -1
    generator: str = ""
    angle: Any = None
    gate: int = -1

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


def _items(circuit: QuantumCircuit, cell: str, first_gate: int = 0) -> list[Item]:
    items: list[Item] = []
    gates = first_gate
    for instruction in circuit.data:
        operation = instruction.operation
        qubits = tuple(circuit.find_bit(q).index for q in instruction.qubits)
        if not is_parametrized(operation):
            bit = circuit.find_bit(instruction.clbits[0]).index if instruction.clbits else -1
            items.append(Item(operation, qubits, bit))
            continue
        for piece in pauli_rotations(operation, cell):
            local = tuple(qubits[q] for q in piece.qubits)
            if isinstance(piece, Constant):
                items.append(Item(piece.operation, local))
            elif isinstance(piece, Rotation):
                items.append(
                    Item(None, local, generator=piece.generator, angle=piece.angle, gate=gates)
                )
                gates += 1
    return items
