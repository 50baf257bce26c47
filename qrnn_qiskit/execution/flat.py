"""A circuit's operations in order of time, those of `if` statements with their condition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from qiskit.circuit import (
    Clbit,
    ControlFlowOp,
    IfElseOp,
    Instruction,
    QuantumCircuit,
)

from qrnn_qiskit.circuit.branch import condition_of
from qrnn_qiskit.errors import BackendError


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """What must hold for an operation to act.

    Attributes:
        bits: the bits that are compared, the least significant first.
        value: what they are compared with.
        otherwise: whether the operation acts where they differ.
    """

    bits: tuple[Clbit, ...]
    value: int
    otherwise: bool


@final
@dataclass(frozen=True, slots=True)
class FlatOperation:
    """One operation on qubits of the circuit, barriers and delays left out.

    Attributes:
        operation: a gate, measurement or reset.
        qubits: indices in the circuit.
        bit: what a measurement writes.
        asked: the condition; None if there is none.
    """

    operation: Instruction
    qubits: tuple[int, ...]
    bit: Clbit | None = None
    asked: Asked | None = None


def narrowed(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with each `if` on the qubits that its branches use: routing widens them."""
    if not any(isinstance(item.operation, IfElseOp) for item in circuit.data):
        return circuit
    result = circuit.copy_empty_like()
    for item in circuit.data:
        operation = item.operation
        if not isinstance(operation, IfElseOp):
            result.append(operation, item.qubits, item.clbits)
            continue
        used = sorted(
            {
                block.find_bit(q).index
                for block in operation.blocks
                for inner in block.data
                if inner.operation.name != "barrier"
                for q in inner.qubits
            }
        )
        blocks = [_restricted(block, used) for block in operation.blocks]
        result.append(operation.replace_blocks(blocks), [item.qubits[q] for q in used], item.clbits)
    return result


def _restricted(block: QuantumCircuit, used: list[int]) -> QuantumCircuit:
    qubits = [block.qubits[q] for q in used]
    result = QuantumCircuit(qubits, block.clbits, *block.cregs)
    for inner in block.data:
        if set(inner.qubits) <= set(qubits):
            result.append(inner.operation, inner.qubits, inner.clbits)
    return result


def flat_operations(circuit: QuantumCircuit) -> Iterator[FlatOperation]:
    """All operations of a circuit.

    Raises:
        BackendError: for control flow other than `if` statements that are not nested.
    """
    for item in circuit.data:
        qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
        operation = item.operation
        if operation.name in ("barrier", "delay"):
            continue
        if not isinstance(operation, ControlFlowOp):
            yield FlatOperation(operation, qubits, *item.clbits)
            continue
        if not isinstance(operation, IfElseOp):
            raise BackendError(
                f"the circuit has a {operation.name!r}, which hardware does not run: only if "
                "statements, one after the other"
            )
        condition = condition_of(operation, circuit, circuit.name)
        bits = tuple(circuit.clbits[i] for i in condition.bits)
        for block, otherwise in zip(operation.blocks, (False, True), strict=False):
            asked = Asked(bits, condition.value, otherwise)
            for inner in flat_operations(block):
                if inner.asked is not None:
                    raise BackendError("the circuit has an if within an if, which is not supported")
                local = tuple(qubits[q] for q in inner.qubits)
                yield FlatOperation(inner.operation, local, inner.bit, asked)
