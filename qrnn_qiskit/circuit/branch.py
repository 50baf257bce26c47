"""Feed-forward: the `if` statements of a cell, within the rules of IBM's dynamic circuits.

A condition compares one bit, or all bits of a step, with a number. A bit that the step has not
measured yet still has the value of the step before; before the first step bits are 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from qiskit.circuit import (
    ClassicalRegister,
    Clbit,
    ControlFlowOp,
    IfElseOp,
    Instruction,
    QuantumCircuit,
)
from qiskit.circuit.classical import expr

from qrnn_qiskit.errors import CellError


@final
@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """What one `if` statement asks; compared by identity, one for each statement.

    Attributes:
        bits: classical bits of the circuit, the least significant first.
        value: what they are compared with.
    """

    bits: tuple[int, ...]
    value: int

    def holds(self, values: tuple[int, ...]) -> bool:
        """Whether bits of these values meet the condition."""
        return sum(v << i for i, v in enumerate(values)) == self.value


def condition_of(operation: IfElseOp, circuit: QuantumCircuit, cell: str) -> Condition:
    """The condition of an `if` statement in `circuit`.

    Raises:
        CellError: unless it compares one bit or one register.
    """
    target, value = _comparison(operation.condition)
    if isinstance(target, Clbit):
        return Condition((circuit.find_bit(target).index,), value)
    if isinstance(target, ClassicalRegister):
        return Condition(tuple(circuit.find_bit(bit).index for bit in target), value)
    raise CellError(
        f"cell {cell!r}: the condition {operation.condition} is not supported: compare one bit, as "
        "in if (readout[0]), or one register with a number, as in if (readout == 2)"
    )


def _comparison(condition: Any) -> tuple[Any, int]:
    if isinstance(condition, tuple):
        target, value = condition
        return target, int(value)
    if isinstance(condition, expr.Var):
        return condition.var, 1
    if isinstance(condition, expr.Unary) and condition.op in (
        expr.Unary.Op.LOGIC_NOT,
        expr.Unary.Op.BIT_NOT,
    ):
        target, value = _comparison(condition.operand)
        return (target, 1 - value) if isinstance(target, Clbit) else (None, 0)
    if isinstance(condition, expr.Binary) and condition.op is expr.Binary.Op.EQUAL:
        left, right = condition.left, condition.right
        if isinstance(left, expr.Var) and isinstance(right, expr.Value):
            return left.var, int(right.value)
    return None, 0


def check_branches(operation: Instruction, cell: str) -> None:
    """Raise where a control-flow operation is outside the rules.

    Raises:
        CellError: for loops and switches, an `if` within an `if`, and a measurement or reset
            within an `if`.
    """
    if not isinstance(operation, IfElseOp):
        raise CellError(
            f"cell {cell!r}: {operation.name!r} is not supported in a cell: hardware runs if and "
            "else only; write loops out"
        )
    for block in operation.blocks:
        for item in block.data:
            if isinstance(item.operation, ControlFlowOp):
                raise CellError(
                    f"cell {cell!r}: {item.operation.name!r} within an if is not supported by "
                    "hardware: put the statements one after the other"
                )
            if item.operation.name in ("measure", "reset"):
                raise CellError(
                    f"cell {cell!r}: {item.operation.name!r} within an if is not supported by "
                    "hardware: only gates; measure and reset before or after it"
                )
