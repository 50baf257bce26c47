"""One text for equal angle expressions, whatever order their terms are stored in.

Qiskit's symbolic engine orders the terms of a sum differently from process to process, and the
text of an expression follows it.
"""

from __future__ import annotations

import math
from typing import Any

from qiskit.circuit import Parameter, ParameterExpression

from qrnn_qiskit.circuit.expression import affine_of, function_names, tree_of


def expression_text(expression: ParameterExpression) -> str:
    """The expression in OpenQASM 3's syntax, terms and factors in a fixed order.

    Numbers have all their digits.

    Raises:
        CellError: for an expression that cannot be read.
    """
    if isinstance(expression, Parameter):
        return str(expression.name)
    affine = affine_of(expression)
    if affine is None:
        return _sum(tree_of(expression))
    factors, offset = affine
    terms = [_term(factor, name) for name, factor in factors.items()]
    return _joined([*terms, _term(offset)] if offset else terms)


def _sum(node: Any) -> str:
    return _joined([_product(argument) for argument in (node.args if node.is_Add else (node,))])


def _term(coefficient: float, *names: str) -> str:
    size = _number(abs(coefficient))
    shown = names if size == "1" and names else (size, *names)
    return ("-" if coefficient < 0 else "") + "*".join(shown)


def _joined(terms: list[str]) -> str:
    text = ""
    for term in sorted(terms, key=_unsigned):
        if not text:
            text = term
        elif term.startswith("-"):
            text += f" - {term[1:]}"
        else:
            text += f" + {term}"
    return text


def _unsigned(term: str) -> str:
    """Numbers after names, then by the text without its coefficient."""
    head, _, rest = term.lstrip("-").partition("*")
    if head[0].isdigit():
        return rest or "~" + head
    return term.lstrip("-")


def _product(node: Any) -> str:
    coefficient, above, below = 1.0, list[str](), list[str]()
    for factor in node.args if node.is_Mul else (node,):
        if factor.is_number:
            coefficient *= float(factor)
        elif factor.is_Pow and factor.exp.is_Integer:
            side = above if factor.exp > 0 else below
            side += [_factor(factor.base)] * abs(int(factor.exp))
        else:
            above.append(_factor(factor))
    return "/".join([_term(coefficient, *sorted(above)), *sorted(below)])


def _factor(node: Any) -> str:
    if node.is_Symbol:
        return str(node.name)
    name = function_names().get(node.func)
    if name is not None:
        return f"{name}({_sum(node.args[0])})"
    if node.is_Pow:
        return f"{_factor(node.base)}**{_factor(node.exp)}"
    return f"({_sum(node)})"


def _number(value: float) -> str:
    for parts in (1, 2, 4):
        if value == math.pi / parts:
            return "pi" if parts == 1 else f"pi/{parts}"
    if value == math.floor(value) and value < 1e15:
        return str(int(value))
    return repr(value)
