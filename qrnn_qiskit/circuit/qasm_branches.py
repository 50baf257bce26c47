"""The `if` statements of an OpenQASM file: refusals, and conditions as the importer has them."""

from __future__ import annotations

from collections.abc import Iterator

from openqasm3 import ast

from qrnn_qiskit.errors import CellError


def flat(statement: ast.Statement | ast.Pragma) -> Iterator[ast.Statement | ast.Pragma]:
    """A statement, and those within its branches."""
    yield statement
    if isinstance(statement, ast.BranchingStatement):
        for inner in [*statement.if_block, *statement.else_block]:
            yield from flat(inner)


def check_branches(program: ast.Program, source: str) -> None:
    """Raise where an `if` is outside the rules of hardware.

    Raises:
        CellError: with file and line, for an `if` in an `if`, a measurement or reset in an `if`,
            and a condition that reads what no statement of the file measures.
    """
    measured = {
        name
        for s in program.statements
        if isinstance(s, ast.QuantumMeasurementStatement) and (name := _name(s.target)) is not None
    }
    measured |= {name.partition("[")[0] for name in measured}
    for statement in program.statements:
        if not isinstance(statement, ast.BranchingStatement):
            continue
        for inner in [*statement.if_block, *statement.else_block]:
            _check_inner(inner, f"{source}:{_line(inner)}")
        where = f"{source}:{_line(statement)}"
        name = _name(_operand(statement.condition))
        if name is None:
            raise CellError(
                f"{where}: this condition is not supported: compare one bit, as in "
                "if (readout[0]) or if (!readout[0]), or one register with a number, as in "
                "if (readout == 2)"
            )
        whole = {m for m in measured if "[" not in m and f"{m}[" not in "".join(measured)}
        if name not in measured and name.partition("[")[0] not in whole:
            raise CellError(
                f"{where}: the condition reads {name}, which no statement measures: add "
                f"{name} = measure io[0]; before it, or after it to read the step before"
            )


def _check_inner(inner: ast.QASMNode, where: str) -> None:
    if isinstance(inner, ast.BranchingStatement):
        raise CellError(
            f"{where}: if within an if is not supported by hardware: put the statements one after "
            "the other"
        )
    if isinstance(inner, ast.QuantumMeasurementStatement | ast.QuantumReset):
        raise CellError(
            f"{where}: measure and reset within an if are not supported by hardware: only gates; "
            "measure and reset before or after it"
        )


def with_plain_conditions(text: str, program: ast.Program) -> str:
    """The text with bits compared with true and false, which is what the importer reads."""
    lines = text.split("\n")
    for statement in program.statements:
        condition = getattr(statement, "condition", None)
        if not isinstance(condition, ast.BinaryExpression):
            continue
        left, right = condition.lhs, condition.rhs
        if isinstance(left, ast.IndexExpression) and isinstance(right, ast.IntegerLiteral):
            span = right.span
            if span is not None and right.value in (0, 1):
                row, start, stop = span.start_line - 1, span.start_column, span.end_column + 1
                word = "true" if right.value else "false"
                lines[row] = lines[row][:start] + word + lines[row][stop:]
    return "\n".join(lines)


def _operand(condition: ast.Expression) -> ast.Expression | None:
    if isinstance(condition, ast.UnaryExpression) and condition.op.name in ("!", "~"):
        return condition.expression
    if isinstance(condition, ast.BinaryExpression):
        plain = isinstance(condition.rhs, ast.IntegerLiteral | ast.BooleanLiteral)
        return condition.lhs if plain and condition.op.name == "==" else None
    return condition


def _name(node: object) -> str | None:
    """`readout[0]` or `readout` for what names a bit or a register."""
    if isinstance(node, ast.Identifier):
        return str(node.name)
    base: object = None
    indices: object = None
    if isinstance(node, ast.IndexedIdentifier):
        base, indices = node.name, node.indices[0]
    elif isinstance(node, ast.IndexExpression):
        base, indices = node.collection, node.index
    if isinstance(base, ast.Identifier) and isinstance(indices, list) and len(indices) == 1:
        (index,) = indices
        if isinstance(index, ast.IntegerLiteral):
            return f"{base.name}[{index.value}]"
    return None


def _line(node: ast.QASMNode) -> int:
    return node.span.start_line if node.span else 0
