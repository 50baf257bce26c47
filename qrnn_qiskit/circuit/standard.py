"""Qiskit's standard gates that OpenQASM's stdgates.inc lacks: their definitions, and back."""

from __future__ import annotations

import functools

from qiskit.circuit import ControlFlowOp, Gate, Operation, ParameterExpression, QuantumCircuit
from qiskit.circuit.library import (
    RXXGate,
    RYYGate,
    RZXGate,
    RZZGate,
    XXMinusYYGate,
    XXPlusYYGate,
)
from qiskit.quantum_info import Operator

PRELUDE = {
    "rxx": "gate rxx(a) p, q { h p; h q; cx p, q; rz(a) q; cx p, q; h p; h q; }",
    "ryy": "gate ryy(a) p, q { rx(pi/2) p; rx(pi/2) q; cx p, q; rz(a) q; cx p, q; "
    "rx(-pi/2) p; rx(-pi/2) q; }",
    "rzz": "gate rzz(a) p, q { cx p, q; rz(a) q; cx p, q; }",
    "rzx": "gate rzx(a) p, q { h q; cx p, q; rz(a) q; cx p, q; h q; }",
}
_GATES: dict[str, type[Gate]] = {
    "rxx": RXXGate,
    "ryy": RYYGate,
    "rzz": RZZGate,
    "rzx": RZXGate,
    "xx_plus_yy": XXPlusYYGate,
    "xx_minus_yy": XXMinusYYGate,
}


@functools.cache
def standard_gate_names() -> frozenset[str]:
    """Names of the gates that stdgates.inc and the language itself define."""
    stdgates = (
        "p x y z h s sdg t tdg sx rx ry rz cx cy cz cp crx cry crz ch swap ccx cswap cu CX phase "
        "cphase id u1 u2 u3 U gphase"
    )
    return frozenset(stdgates.split())


def replace_standard_gates(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit in gates that every cell file may use; others are expanded.

    The importer returns every gate defined in a file as an opaque gate of that name: it is read as
    Qiskit's own where name and matrix agree.
    """
    result = circuit.copy_empty_like()
    for item in circuit.data:
        operation = item.operation
        if isinstance(operation, ControlFlowOp):
            blocks = [replace_standard_gates(block) for block in operation.blocks]
            result.append(operation.replace_blocks(blocks), item.qubits, item.clbits)
            continue
        if _is_standard(operation) or operation.definition is None:
            result.append(operation, item.qubits, item.clbits)
            continue
        kind = _GATES.get(operation.name)
        if kind is not None and _agrees(operation, kind):
            result.append(kind(*operation.params), item.qubits)
            continue
        expanded = QuantumCircuit(list(item.qubits))
        expanded.append(operation, item.qubits)
        for inner in replace_standard_gates(expanded.decompose()).data:
            result.append(inner.operation, inner.qubits)
    return result


def _is_standard(operation: Operation) -> bool:
    if not isinstance(operation, Gate):
        return True
    known = operation.name in _GATES or operation.name in standard_gate_names() | {"u"}
    return known and operation.base_class.__module__.startswith("qiskit.circuit.library")


def _agrees(gate: Gate, kind: type[Gate]) -> bool:
    """Whether a defined gate is the standard one up to a global phase, checked at two points."""
    circuit = QuantumCircuit(gate.num_qubits)
    circuit.append(gate, circuit.qubits)
    for start in (0.37, 1.91):
        point = {p: start + 0.61 * i for i, p in enumerate(circuit.parameters)}
        angles = [
            angle.bind({p: point[p] for p in angle.parameters})
            if isinstance(angle, ParameterExpression)
            else angle
            for angle in gate.params
        ]
        try:
            standard = Operator(kind(*(float(angle) for angle in angles)))
        except TypeError:  # another number of angles
            return False
        if not Operator(circuit.assign_parameters(point)).equiv(standard, atol=1e-9):
            return False
    return True
