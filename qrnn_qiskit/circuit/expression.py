"""From Qiskit's parameter expressions to tapes that numpy evaluates on whole batches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from qiskit.circuit import ParameterExpression

from qrnn_qiskit.angle_map import Operation, Tape
from qrnn_qiskit.errors import CellError

ENCODINGS = ("arccos", "arcsin", "arctan", "tanh")
"""Elementwise encodings a feature may name; each is an operation of the tape."""
_WRITE = "write it with + - * /, constant powers, sin, cos, tan, arcsin, arccos, arctan, exp or log"


def compile_tape(
    expressions: Sequence[ParameterExpression],
    weights: Sequence[str],
    features: Sequence[str],
    encodings: Mapping[str, str],
) -> Tape:
    """Compile angles into a tape.

    Args:
        expressions: the G angles.
        weights: names of the P weights, in order.
        features: names of the F features, in order.
        encodings: for some features, the name of the encoding applied before anything else.

    Raises:
        CellError: where an expression is not differentiable or uses an unknown function.
    """
    builder = _Builder(weights, features, encodings)
    outputs = tuple(builder.slot_of(expression) for expression in expressions)
    return Tape(len(weights), len(features), tuple(builder.operations), outputs)


def tree_of(expression: ParameterExpression) -> Any:
    """SymPy's tree of an expression.

    Raises:
        CellError: where Qiskit cannot translate the expression.
    """
    # SymPy is the public way into an expression's tree; it is slow to import, so not before a
    # cell is compiled.
    import sympy

    try:
        node = expression.sympify()
        if isinstance(node, sympy.Symbol):
            # Where 0*a + b is simplified to b, Qiskit 2.6 may hand out the symbol of a.
            node = (2 * expression).sympify() / 2
    except (AttributeError, TypeError):
        node = None
    if not isinstance(node, sympy.Basic):  # Qiskit cannot translate a number to a power
        raise CellError(f"the angle {expression} cannot be read: {_WRITE}")
    return node


def affine_of(expression: ParameterExpression) -> tuple[dict[str, float], float] | None:
    """Factors by name and the constant of a sum of parameters times numbers; None for others.

    Qiskit's derivatives tell in microseconds what SymPy's tree takes milliseconds for.
    """
    try:
        factors = {p: expression.gradient(p) for p in expression.parameters}
    except RuntimeError:  # a function that Qiskit cannot differentiate
        return None
    if not factors or not all(isinstance(factor, float) for factor in factors.values()):
        return None
    offset = expression.bind(dict.fromkeys(factors, 0.0)).numeric()
    if not isinstance(offset, float | int):
        return None
    named = {parameter.name: factor for parameter, factor in factors.items() if factor}
    return (named, float(offset)) if named else None


def function_names() -> dict[Any, str]:
    """SymPy's functions that an angle may use, and their names in tapes and OpenQASM."""
    import sympy

    return {
        sympy.sin: "sin",
        sympy.cos: "cos",
        sympy.tan: "tan",
        sympy.asin: "arcsin",
        sympy.acos: "arccos",
        sympy.atan: "arctan",
        sympy.tanh: "tanh",
        sympy.exp: "exp",
        sympy.log: "log",
    }


class _Builder:
    """Collects operations, each distinct subexpression once."""

    def __init__(
        self, weights: Sequence[str], features: Sequence[str], encodings: Mapping[str, str]
    ) -> None:
        self.num_inputs = len(weights) + len(features)
        self.operations: list[Operation] = []
        self._known: dict[Operation, int] = {}
        self._inputs = {name: i for i, name in enumerate([*weights, *features])}
        for name, encoding in encodings.items():
            self._inputs[name] = self._emit(Operation(encoding, (self._inputs[name],)))

    def _emit(self, operation: Operation) -> int:
        if operation not in self._known:
            self._known[operation] = self.num_inputs + len(self.operations)
            self.operations.append(operation)
        return self._known[operation]

    def _constant(self, value: float) -> int:
        return self._emit(Operation("const", value=value))

    def slot_of(self, expression: ParameterExpression) -> int:
        affine = affine_of(expression)
        if affine is None:
            return self._visit(tree_of(expression), expression)
        factors, offset = affine
        slot = -1
        for name in sorted(factors, key=self._inputs.__getitem__):
            term = self._inputs[name]
            if factors[name] != 1.0:
                term = self._emit(Operation("mul", (self._constant(factors[name]), term)))
            slot = term if slot < 0 else self._emit(Operation("add", (slot, term)))
        return self._emit(Operation("add", (slot, self._constant(offset)))) if offset else slot

    def _visit(self, node: Any, whole: ParameterExpression) -> int:
        import sympy

        functions = function_names()
        if isinstance(node, sympy.Symbol):
            return self._inputs[node.name]
        if node.is_number:
            value = complex(node)
            if value.imag or not math.isfinite(value.real):
                raise CellError(f"the angle {whole} is not a finite real number")
            return self._constant(value.real)
        if isinstance(node, sympy.Add | sympy.Mul):
            name = "add" if isinstance(node, sympy.Add) else "mul"
            slot, *rest = (self._visit(argument, whole) for argument in node.args)
            for other in rest:
                slot = self._emit(Operation(name, (slot, other)))
            return slot
        if isinstance(node, sympy.Pow) and node.exp.is_real and node.exp.is_number:
            return self._emit(
                Operation("pow", (self._visit(node.base, whole), self._constant(float(node.exp))))
            )
        if node.func in functions:
            return self._emit(Operation(functions[node.func], (self._visit(node.args[0], whole),)))
        raise CellError(
            f"the angle {whole} uses {node.func.__name__!r}, which has no derivative here: {_WRITE}"
        )
