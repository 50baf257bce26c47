"""A cell from an OpenQASM 3 file: roles by annotation, weights in the order of declaration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import openqasm3
from openqasm3 import ast
from qiskit import qasm3
from qiskit.circuit import CircuitError, Parameter, ParameterExpression, QuantumCircuit

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.expression import ENCODINGS
from qrnn_qiskit.circuit.qasm_errors import importer_message, syntax_error
from qrnn_qiskit.circuit.rewrite import is_parametrized
from qrnn_qiskit.circuit.standard import PRELUDE, replace_standard_gates, standard_gate_names
from qrnn_qiskit.errors import CellError

# What the importer cannot read, or a cell must not hold, and what to write instead.
REFUSED: dict[type[ast.QASMNode], str] = {
    ast.BranchingStatement: (
        "if is not supported in a cell: a gate conditioned on a measured bit equals the same gate "
        "controlled by the qubit, placed before its measurement"
    ),
    ast.ForInLoop: "for is not supported: write the gates out, one line each",
    ast.WhileLoop: "while is not supported: write the gates out, one line each",
    ast.SwitchStatement: "switch is not supported: use controlled gates before the measurement",
    ast.SubroutineDefinition: "def is not supported: define a gate instead (gate name(a) q { … })",
    ast.ExternDeclaration: "extern is not supported: use gates only",
    ast.ConstantDeclaration: "const is not supported: write the number where it is used",
    ast.Box: "box is not supported: write its gates directly",
    ast.Pragma: "pragmas are not supported: remove the line",
    ast.AliasStatement: "let is not supported: name the qubits directly, as in io[0]",
    ast.ClassicalAssignment: "assignments to bits are not supported: measure into the bit",
    ast.CalibrationDefinition: "defcal is not supported: remove it",
    ast.CalibrationStatement: "cal is not supported: remove it",
    ast.CalibrationGrammarDeclaration: "defcalgrammar is not supported: remove it",
    ast.EndStatement: "end is not supported: remove it",
}
ROLES = ("qrnn.weight", "qrnn.feature")
LAST_STEP = "qrnn.last_step"
POSTSELECT = "qrnn.postselect"


@final
@dataclass(slots=True)
class _Declarations:
    """What the declarations of a file say."""

    weights: list[str] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    encodings: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    postselected: list[str] = field(default_factory=list)


def load_qasm(path: Path) -> Cell:
    """Read a cell from an OpenQASM 3 file.

    Raises:
        CellError: with file, line, and what to write instead.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CellError(f"cannot read the cell {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CellError(f"{path} is not UTF-8 text, so it is no OpenQASM 3 file") from None
    return parse_qasm(text, name=path.stem, source=str(path))


def parse_qasm(text: str, *, name: str, source: str) -> Cell:
    """Read a cell from OpenQASM 3 text; `source` is what errors call it."""
    version = re.search(r"^\s*OPENQASM\s+([\d.]+)", text, re.MULTILINE)
    if version and not version[1].startswith("3"):
        line = text[: version.start(1)].count("\n") + 1
        raise CellError(f"{source}:{line}: OPENQASM {version[1]}: cells are OPENQASM 3.0 files")
    if not re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL).strip():
        raise CellError(f"{source} is empty: a cell is an OpenQASM 3 program")
    program = _parse(text, source)
    declarations = _read_declarations(program, source)
    _check_statements(program, declarations, source)
    last = [s for s in program.statements if _is_last_step(s)]
    body = [s for s in program.statements if not _is_last_step(s) and not _is_declaration(s)]
    prelude = _prelude(program)
    circuit = _import(_without(text, last), prelude, source)
    tail = _import(_without(text, body), prelude, source) if last else None
    last_circuit = circuit.copy_empty_like()
    if tail is not None:
        _append_shared(last_circuit, tail, {p.name: p for p in circuit.parameters})
    by_name = {p.name: p for c in (circuit, last_circuit) for p in c.parameters}
    try:
        return Cell.from_circuit(
            circuit,
            weights=[by_name.get(w, Parameter(w)) for w in declarations.weights],
            features=[by_name.get(f, Parameter(f)) for f in declarations.features],
            encodings=declarations.encodings,
            last=last_circuit,
            name=name,
            postselected=declarations.postselected,
        )
    except CellError as error:
        raise CellError(f"{source}: {error}") from None


def _parse(text: str, source: str) -> ast.Program:
    try:
        return openqasm3.parse(text)
    except openqasm3.parser.QASM3ParsingError as error:
        line, what = syntax_error(error)
        where = f"{source}:{line}" if line else source
        raise CellError(f"{where}: not valid OpenQASM 3: {what}") from None


def _line(node: ast.QASMNode) -> int:
    return node.span.start_line if node.span else 0


def _is_last_step(statement: ast.QASMNode) -> bool:
    return any(a.keyword == LAST_STEP for a in getattr(statement, "annotations", ()))


def _is_declaration(statement: ast.QASMNode) -> bool:
    return isinstance(
        statement,
        ast.Include
        | ast.IODeclaration
        | ast.QubitDeclaration
        | ast.ClassicalDeclaration
        | ast.QuantumGateDefinition,
    )


def _read_declarations(program: ast.Program, source: str) -> _Declarations:
    found = _Declarations()
    gates = standard_gate_names()
    for statement in program.statements:
        where = f"{source}:{_line(statement)}"
        name = _declared_name(statement)
        if name in gates:
            raise CellError(
                f"{source}:{_declared_line(statement)}: {name!r} is the name of a gate and cannot "
                f"name anything else: rename it, for example to {name}_0"
            )
        if isinstance(statement, ast.IODeclaration):
            _read_input(statement, found, where)
        elif isinstance(statement, ast.QubitDeclaration):
            found.sizes[statement.qubit.name] = _size(statement.size)
        elif isinstance(statement, ast.ClassicalDeclaration):
            found.sizes[statement.identifier.name] = _size(getattr(statement.type, "size", None))
            if any(a.keyword == POSTSELECT for a in statement.annotations):
                found.postselected.append(statement.identifier.name)
    return found


def _declared_name(statement: ast.QASMNode) -> str:
    if isinstance(statement, ast.QubitDeclaration):
        return str(statement.qubit.name)
    if isinstance(statement, ast.IODeclaration | ast.ClassicalDeclaration):
        return str(statement.identifier.name)
    return ""


def _declared_line(statement: ast.QASMNode) -> int:
    """Line of the declared name; the statement itself begins at its annotations."""
    if isinstance(statement, ast.QubitDeclaration):
        return _line(statement.qubit)
    if isinstance(statement, ast.IODeclaration | ast.ClassicalDeclaration):
        return _line(statement.identifier)
    return _line(statement)


def _size(size: object) -> int:
    return int(size.value) if isinstance(size, ast.IntegerLiteral) else 1


def _read_input(statement: ast.IODeclaration, found: _Declarations, where: str) -> None:
    name = statement.identifier.name
    if statement.io_identifier is not ast.IOKeyword.input:
        raise CellError(f"{where}: output is not supported: declare bit[1] {name} and measure")
    if not isinstance(statement.type, ast.FloatType | ast.AngleType):
        raise CellError(
            f"{where}: input {name!r} must be a scalar float or angle: write one line each, "
            f"input float[64] {name}_0; input float[64] {name}_1; …"
        )
    roles = [a for a in statement.annotations if a.keyword.startswith("qrnn.")]
    if len(roles) != 1 or roles[0].keyword not in ROLES:
        written = ", ".join(f"@{a.keyword}" for a in roles) or "no annotation"
        raise CellError(
            f"{where}: input {name!r} has {written}: put @qrnn.weight or @qrnn.feature on the line "
            "before it"
        )
    argument = (roles[0].command or "").strip()
    if roles[0].keyword == "qrnn.weight":
        if argument:
            raise CellError(f"{where}: @qrnn.weight takes no argument, but has {argument!r}")
        found.weights.append(name)
        return
    found.features.append(name)
    if argument:
        if argument not in ENCODINGS:
            raise CellError(
                f"{where}: @qrnn.feature takes the name of an encoding "
                f"({', '.join(ENCODINGS)}) or nothing, but has {argument!r}; the order of the "
                "features is the order of their declarations"
            )
        found.encodings[name] = argument


def _check_statements(program: ast.Program, found: _Declarations, source: str) -> None:
    for statement in program.statements:
        where = f"{source}:{_line(statement)}"
        for kind, advice in REFUSED.items():
            if isinstance(statement, kind):
                raise CellError(f"{where}: {advice}")
        if isinstance(statement, ast.Include) and statement.filename != "stdgates.inc":
            raise CellError(
                f'{where}: include "{statement.filename}" is not supported: only "stdgates.inc"; '
                "define other gates in this file (gate name(a) q { … })"
            )
        _check_annotations(statement, where)
        for index in _indices(statement):
            size = found.sizes.get(index.name.name)
            values = index.indices[0]
            if size is None or not isinstance(values, list):
                continue
            for value in values:
                if isinstance(value, ast.IntegerLiteral) and not 0 <= value.value < size:
                    raise CellError(
                        f"{where}: {index.name.name}[{value.value}] does not exist: "
                        f"{index.name.name} has {size} element(s), counted from 0"
                    )


def _check_annotations(statement: ast.QASMNode, where: str) -> None:
    known = (*ROLES, LAST_STEP, POSTSELECT)
    for annotation in getattr(statement, "annotations", ()):
        name = annotation.keyword
        if not name.startswith("qrnn."):
            continue
        if name not in known:
            raise CellError(
                f"{where}: @{name} is unknown; known: {', '.join('@' + k for k in known)}"
            )
        if name in ROLES and not isinstance(statement, ast.IODeclaration):
            raise CellError(f"{where}: @{name} stands on the line before an input declaration")
        if name == POSTSELECT and not isinstance(statement, ast.ClassicalDeclaration):
            raise CellError(
                f"{where}: @{name} stands on the line before the declaration of a bit register"
            )
        if name == POSTSELECT and annotation.command:
            raise CellError(
                f"{where}: @{name} takes no argument, but has {annotation.command!r}: a bit of "
                "the register must be read 0 for a shot to be kept"
            )
        if name == LAST_STEP and _is_declaration(statement):
            raise CellError(
                f"{where}: @{name} stands on the line before a gate, measurement or reset"
            )


def _indices(node: object) -> Iterator[ast.IndexedIdentifier]:
    if isinstance(node, ast.IndexedIdentifier):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _indices(item)
    elif isinstance(node, ast.QASMNode):
        for value in vars(node).values():
            yield from _indices(value)


def _prelude(program: ast.Program) -> str:
    """Definitions of gates that Qiskit knows and stdgates.inc lacks, where the file uses them."""
    defined = {s.name.name for s in program.statements if isinstance(s, ast.QuantumGateDefinition)}
    used = {s.name.name for s in program.statements if isinstance(s, ast.QuantumGate)}
    used |= {
        inner.name.name
        for s in program.statements
        if isinstance(s, ast.QuantumGateDefinition)
        for inner in s.body
        if isinstance(inner, ast.QuantumGate)
    }
    return " ".join(text for name, text in PRELUDE.items() if name in used - defined)


def _without(text: str, statements: Sequence[ast.QASMNode]) -> str:
    """The text with some statements blanked out; line numbers stay."""
    lines = text.split("\n")
    for statement in statements:
        span = statement.span
        if span is None:
            continue
        start = (span.start_line - 1, span.start_column)
        stop = (span.end_line - 1, span.end_column)
        for i in range(start[0], stop[0] + 1):
            first = start[1] if i == start[0] else 0
            end = stop[1] + 1 if i == stop[0] else len(lines[i])
            lines[i] = lines[i][:first] + " " * (end - first) + lines[i][end:]
    return "\n".join(lines)


def _import(text: str, prelude: str, source: str) -> QuantumCircuit:
    if prelude:
        include = re.search(r'^[^/\n]*?include\s+"stdgates\.inc"\s*;', text, re.MULTILINE)
        if include is None:
            raise CellError(f'{source}: add include "stdgates.inc"; after the OPENQASM line')
        text = f"{text[: include.end()]} {prelude}{text[include.end() :]}"
    try:
        circuit = qasm3.loads(text)
    except qasm3.QASM3ImporterError as error:
        raise CellError(importer_message(str(error.message), source)) from None
    except (CircuitError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        # The importer lets errors of the circuits it builds through, without a line.
        advice = (
            "give the angles of a gate definition names that no input has"
            if "Name conflict" in str(error)
            else "check its gate, the number of its angles and its qubits"
        )
        raise CellError(
            f"{source}:{_failing_line(text)}: this statement cannot be built ({error}): {advice}"
        ) from None
    return replace_standard_gates(circuit)


def _failing_line(text: str) -> int:
    """Line of the first statement that the importer cannot build."""
    statements = openqasm3.parse(text).statements
    for i, statement in enumerate(statements):
        try:
            qasm3.loads(_without(text, statements[i + 1 :]))
        except Exception:  # whatever the importer lets through
            return _line(statement)
    return 0


def _append_shared(
    target: QuantumCircuit, source: QuantumCircuit, parameters: dict[str, Parameter]
) -> None:
    """Append a circuit imported apart, its parameters replaced by those of the same name."""
    for item in source.data:
        operation = item.operation
        if is_parametrized(operation):
            operation = operation.to_mutable()
            operation.params = [
                angle.subs({p: parameters.get(p.name, p) for p in angle.parameters})
                if isinstance(angle, ParameterExpression)
                else angle
                for angle in operation.params
            ]
        qubits = [source.find_bit(q).index for q in item.qubits]
        target.append(operation, qubits, [source.find_bit(c).index for c in item.clbits])
