"""Conditions of `if` statements, as the values of bits for which they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Final, final

import numpy as np
from qiskit.circuit import ClassicalRegister, Clbit
from qiskit.circuit.classical import expr

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import BackendError

Values = dict[Clbit, bool]
Refusal = Callable[[str], BackendError]
"""What cannot be run, to the error that says so."""


@final
@dataclass(frozen=True, slots=True)
class Condition:
    """When an operation acts: for which values of some bits.

    Attributes:
        bits: w classical bits.
        allowed: `[2] * w`, an axis for each bit: 1 where it acts, else 0.
    """

    bits: tuple[Clbit, ...]
    allowed: Array

    def joined(self, other: Condition) -> Condition:
        """Both conditions."""
        bits = tuple(dict.fromkeys((*self.bits, *other.bits)))
        allowed = np.ones((2,) * len(bits))
        for condition in (self, other):
            order = [bits.index(bit) for bit in condition.bits]
            spread = condition.allowed.transpose(np.argsort(order))
            allowed = allowed * np.expand_dims(
                spread, [i for i in range(len(bits)) if i not in order]
            )
        return Condition(bits, allowed)

    def negated(self) -> Condition:
        """When this one does not hold."""
        return Condition(self.bits, 1.0 - self.allowed)


ALWAYS: Final = Condition((), np.ones(()))


def read_condition(given: Any, refusal: Refusal) -> Condition:
    """The condition of an `if` statement: an expression, or a bit or register and its value.

    Raises:
        BackendError: `refusal` of what it asks for.
    """
    if isinstance(given, expr.Expr):
        bits = tuple(dict.fromkeys(_read(given, refusal)))
        value_of: Callable[[Values], int] = partial(_value, given, refusal)
    else:
        target, wanted = given
        bits = tuple(target) if isinstance(target, ClassicalRegister) else (target,)
        value_of = partial(_equal, bits, int(wanted))
    allowed = np.zeros((2,) * len(bits))
    for outcome in product((0, 1), repeat=len(bits)):
        values = dict(zip(bits, map(bool, outcome), strict=True))
        allowed[outcome] = float(bool(value_of(values)))
    return Condition(bits, allowed)


def _read(node: expr.Expr, refusal: Refusal) -> Iterator[Clbit]:
    for variable in expr.iter_vars(node):
        if isinstance(variable.var, Clbit):
            yield variable.var
        elif isinstance(variable.var, ClassicalRegister):
            yield from variable.var
        else:
            raise refusal("conditions on variables")


def _value(node: expr.Expr, refusal: Refusal, values: Values) -> int:
    if isinstance(node, expr.Var):
        if isinstance(node.var, Clbit):
            return int(values[node.var])
        return sum(values[bit] << i for i, bit in enumerate(node.var))
    if isinstance(node, expr.Value):
        return int(node.value)
    if isinstance(node, expr.Cast):
        return _value(node.operand, refusal, values)
    if isinstance(node, expr.Unary) and node.op.name == "LOGIC_NOT":
        return int(not _value(node.operand, refusal, values))
    if isinstance(node, expr.Unary) and node.op.name == "BIT_NOT":
        width = getattr(node.type, "width", 1)
        return ~_value(node.operand, refusal, values) & ((1 << width) - 1)
    if isinstance(node, expr.Binary) and node.op.name in _BINARY:
        left, right = _value(node.left, refusal, values), _value(node.right, refusal, values)
        return int(_BINARY[node.op.name](left, right))
    raise refusal(f"the expression {node} in a condition")


def _equal(bits: tuple[Clbit, ...], wanted: int, values: Values) -> int:
    return int(sum(values[bit] << i for i, bit in enumerate(bits)) == wanted)


_BINARY: Final[dict[str, Callable[[int, int], int]]] = {
    "BIT_AND": lambda a, b: a & b,
    "BIT_OR": lambda a, b: a | b,
    "BIT_XOR": lambda a, b: a ^ b,
    "LOGIC_AND": lambda a, b: a and b,
    "LOGIC_OR": lambda a, b: a or b,
    "EQUAL": lambda a, b: a == b,
    "NOT_EQUAL": lambda a, b: a != b,
    "LESS": lambda a, b: a < b,
    "LESS_EQUAL": lambda a, b: a <= b,
    "GREATER": lambda a, b: a > b,
    "GREATER_EQUAL": lambda a, b: a >= b,
}
