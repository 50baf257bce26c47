"""A cell as an OpenQASM 3 file that `load_qasm` reads back as the same cell."""

from __future__ import annotations

import re
from collections.abc import Sequence

import openqasm3
from qiskit import qasm3
from qiskit.circuit import ControlFlowOp, Parameter, ParameterExpression, QuantumCircuit

from qrnn_qiskit.circuit.canonical import expression_text
from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.rewrite import is_parametrized
from qrnn_qiskit.circuit.standard import replace_standard_gates, standard_gate_names
from qrnn_qiskit.errors import CellError


def to_qasm(cell: Cell, comment: str = "") -> str:
    """OpenQASM 3 text of a cell, roles as annotations, inputs in the order of the vectors.

    Gates that neither stdgates.inc nor the loader knows are written out by their definitions, so
    that a cell and the file made of it are the same.

    Args:
        cell: the cell.
        comment: lines to put at the top, without comment marks.

    Raises:
        CellError: if a weight or feature has a name that OpenQASM 3 does not allow.
    """
    names = (*cell.weight_names, *cell.feature_names)
    for name in names if names and not _are_identifiers(names) else ():
        if not _are_identifiers([name]):
            raise CellError(
                f"cell {cell.name!r}: {name!r} cannot be the name of an input in OpenQASM 3: use "
                "letters, digits and _, and no name of a gate or keyword, such as theta_0"
            )
    head = [f"// {line}".rstrip() for line in comment.splitlines()]
    return "\n".join([*head, canonical_text(cell)])


def canonical_text(cell: Cell) -> str:
    """The text that `to_qasm` writes, whatever the names: the same for equal cells.

    That of the last cell is kept, since a run asks for it more than once.
    """
    if not _LAST or _LAST[0][0] is not cell:
        _LAST[:] = [(cell, _text_of(cell))]
    return _LAST[0][1]


_LAST: list[tuple[Cell, str]] = []


def _text_of(cell: Cell) -> str:
    circuit, last = replace_standard_gates(cell.circuit), replace_standard_gates(cell.last)
    body = _statements(circuit)
    tail = [f"@qrnn.last_step\n{line}" for line in _statements(last)]
    gates = dict.fromkeys([*_gate_definitions(circuit), *_gate_definitions(last)])
    inputs = []
    for weight in cell.weights:
        inputs += ["@qrnn.weight", f"input float[64] {weight.name};"]
    for feature in cell.features:
        encoding = cell.encodings.get(feature.name, "")
        inputs += [f"@qrnn.feature {encoding}".rstrip(), f"input float[64] {feature.name};"]
    registers = [f"qubit[{r.size}] {r.name};" for r in cell.circuit.qregs]
    if cell.permutation:
        names = [f"{r.name}[{i}]" for r in cell.circuit.qregs for i in range(r.size)]
        taken = ", ".join(names[i] for i in cell.permutation)
        registers.insert(0, f"@qrnn.permute {taken}")
    for register in cell.circuit.cregs:
        if cell.circuit.find_bit(register[0]).index in cell.postselected:
            registers.append("@qrnn.postselect")
        registers.append(f"bit[{register.size}] {register.name};")
    head = ["OPENQASM 3.0;", 'include "stdgates.inc";', *gates]
    return "\n".join([*head, *inputs, *registers, *body, *tail]) + "\n"


def _are_identifiers(names: Sequence[str]) -> bool:
    try:
        openqasm3.parse("\n".join(f"input float[64] {name};" for name in names))
    except openqasm3.parser.QASM3ParsingError:
        return False
    return not any(name in standard_gate_names() or name in _CONSTANTS for name in names)


_CONSTANTS = ("pi", "π", "tau", "τ", "euler", "ℇ")
_GATE = re.compile(r"^gate .*?^}$", flags=re.MULTILINE | re.DOTALL)
_ANGLE = re.compile(r"\bangle_(\d+)_(?!\w)")
_DECLARATION = ("OPENQASM ", "include ", "input ", "qubit[", "bit[")


def _statements(circuit: QuantumCircuit) -> list[str]:
    named, texts = _with_named_angles(circuit)
    lines = _GATE.sub("", qasm3.dumps(named)).splitlines()
    statements = list[str]()
    open_blocks = 0
    for line in lines:
        if not line or line.startswith(_DECLARATION):
            continue
        written = _ANGLE.sub(lambda found: texts[int(found[1])], line)
        if open_blocks:
            statements[-1] += f"\n{written}"
        else:
            statements.append(written)
        open_blocks += line.count("{") - line.count("}")
    return statements


def _with_named_angles(circuit: QuantumCircuit) -> tuple[QuantumCircuit, list[str]]:
    """The circuit with a parameter `angle_i_` for each expression, and the text of each.

    The exporter's own text of an expression depends on the order in which Qiskit stores it.
    """
    texts: list[str] = []

    def named(circuit: QuantumCircuit) -> QuantumCircuit:
        result = circuit.copy_empty_like()
        for item in circuit.data:
            operation = item.operation
            if isinstance(operation, ControlFlowOp):
                operation = operation.replace_blocks([named(block) for block in operation.blocks])
            elif is_parametrized(operation):
                operation = operation.to_mutable()
                operation.params = [name_of(angle) for angle in operation.params]
            result.append(operation, item.qubits, item.clbits)
        return result

    def name_of(angle: object) -> object:
        if not isinstance(angle, ParameterExpression) or not angle.parameters:
            return angle
        texts.append(expression_text(angle))
        return Parameter(f"angle_{len(texts) - 1}_")

    return named(circuit), texts


def _gate_definitions(circuit: QuantumCircuit) -> list[str]:
    others = circuit.copy_empty_like()
    for item in circuit.data:
        if item.operation.name not in standard_gate_names():
            others.append(item, copy=False)
    return [text.replace("_gate_", "") for text in _GATE.findall(qasm3.dumps(others))]
