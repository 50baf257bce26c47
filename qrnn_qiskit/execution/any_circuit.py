"""Programs for the exact engine from any circuit with measurement, reset and feed-forward.

A bit that a condition reads later is copied to a qubit of its own, a wire; what the condition
governs becomes a gate controlled by wires. Qubits that are not used any more are used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Final, final

import numpy as np
from qiskit.circuit import (
    ClassicalRegister,
    Clbit,
    Gate,
    IfElseOp,
    ParameterExpression,
    QuantumCircuit,
    Qubit,
)
from qiskit.circuit.classical import expr
from qiskit.quantum_info import Operator

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.rewrite import Constant, is_parametrized, pauli_rotations
from qrnn_qiskit.engine.pauli import Complex, ptm_of_unitary
from qrnn_qiskit.engine.program import Channel, Measure, Operation, Program, Reset, Rotation
from qrnn_qiskit.errors import BackendError, CellError

MAX_QUBITS: Final = 10
# Constant gates on more qubits, wires included, are taken apart.
_WIDEST: Final = 4
_IGNORED: Final = ("barrier", "delay", "id")
Values = dict[Clbit, bool]


@final
@dataclass(frozen=True, slots=True)
class AnyProgram:
    """A program whose bits are those of a circuit, all in one step.

    Attributes:
        program: for the engine.
        angles: expression and factor of each angle.
        bits: bit of the program of each classical bit of the circuit.
    """

    program: Program
    angles: tuple[tuple[ParameterExpression, float], ...]
    bits: dict[Clbit, int]

    def values(self, circuit: QuantumCircuit, parameters: Array) -> Array:
        """Angles `[R, A]` for parameter values `[R, parameters]` in the circuit's order."""
        names = list(circuit.parameters)
        result = np.empty((len(parameters), len(self.angles)))
        made: dict[ParameterExpression, Array] = {}
        for column, (expression, factor) in enumerate(self.angles):
            if expression not in made:
                made[expression] = _evaluated(expression, names, parameters)
            result[:, column] = factor * made[expression]
        return result


def _evaluated(expression: ParameterExpression, names: list[Any], parameters: Array) -> Array:
    used = [(i, name) for i, name in enumerate(names) if name in expression.parameters]
    slopes = [expression.gradient(name) for _, name in used]
    if any(isinstance(slope, ParameterExpression) for slope in slopes):
        # Not linear: value by value.
        return np.array(
            [float(expression.bind({name: row[i] for i, name in used})) for row in parameters]
        )
    values = np.full(len(parameters), float(expression.bind({name: 0.0 for _, name in used})))
    for (i, _), slope in zip(used, slopes, strict=True):
        values += float(slope) * parameters[:, i]
    return values


def compile_circuit(circuit: QuantumCircuit, max_qubits: int = MAX_QUBITS) -> AnyProgram:
    """The program of a circuit.

    Raises:
        BackendError: where it needs too many qubits at a time, or holds what the engine cannot run.
    """
    return _Compiler(circuit, max_qubits).compile()


@final
@dataclass(frozen=True, slots=True)
class _Condition:
    """When an operation acts: for these values of wires `bits` `[2^w, w]`, 0 or 1."""

    bits: tuple[Clbit, ...]
    allowed: Array

    def joined(self, other: _Condition) -> _Condition:
        """Both conditions."""
        bits = tuple(dict.fromkeys((*self.bits, *other.bits)))
        allowed = np.ones((2,) * len(bits))
        for condition in (self, other):
            order = [bits.index(bit) for bit in condition.bits]
            spread = condition.allowed.transpose(np.argsort(order))
            allowed = allowed * np.expand_dims(
                spread, [i for i in range(len(bits)) if i not in order]
            )
        return _Condition(bits, allowed)

    def negated(self) -> _Condition:
        """When this one does not hold."""
        return _Condition(self.bits, 1.0 - self.allowed)


_ALWAYS: Final = _Condition((), np.ones(()))


class _Compiler:
    def __init__(self, circuit: QuantumCircuit, max_qubits: int) -> None:
        self._circuit = circuit
        self._max_qubits = max_qubits
        self._operations: list[Operation] = []
        self._angles: list[tuple[ParameterExpression, float]] = []
        self._bits = {bit: i for i, bit in enumerate(circuit.clbits)}
        self._place: dict[Qubit | Clbit, int] = {}
        self._num_qubits = 0
        self._idle: list[int] = []
        self._last_use: dict[Qubit, int] = {}
        # Instructions that read or write each bit, in order.
        self._uses: dict[Clbit, list[tuple[int, str]]] = {bit: [] for bit in circuit.clbits}
        for i, item in enumerate(circuit.data):
            self._last_use.update(dict.fromkeys(item.qubits, i))
            if item.operation.name == "measure":
                self._uses[item.clbits[0]].append((i, "w"))
            else:
                for bit in item.clbits:
                    self._uses[bit].append((i, "r"))

    def compile(self) -> AnyProgram:
        for i, item in enumerate(self._circuit.data):
            qubits = list(item.qubits)
            self._instruction(i, item.operation, qubits, list(item.clbits), _ALWAYS)
            for owner in [*qubits, *item.clbits]:
                if owner in self._place and not self._needed(owner, i):
                    self._idle.append(self._place.pop(owner))
        program = Program(
            num_qubits=max(1, self._num_qubits),
            num_steps=1,
            num_bits=max(1, len(self._bits)),
            num_angles=len(self._angles),
            operations=tuple(self._operations),
        )
        return AnyProgram(program, tuple(self._angles), self._bits)

    def _needed(self, owner: Qubit | Clbit, now: int) -> bool:
        """Whether a qubit is used later, or a bit read before it is written again."""
        if isinstance(owner, Qubit):
            return self._last_use[owner] > now
        return next((kind for i, kind in self._uses[owner] if i > now), "w") == "r"

    def _at(self, owner: Qubit | Clbit) -> int:
        """The engine's qubit of a qubit, or of the wire of a bit; in state 0 if it is new."""
        if owner not in self._place:
            if self._idle:
                self._place[owner] = self._idle.pop()
                self._operations.append(Reset(self._place[owner]))
            else:
                self._place[owner] = self._num_qubits
                self._num_qubits += 1
                if self._num_qubits > self._max_qubits:
                    raise BackendError(
                        f"circuit {self._circuit.name!r} has more than {self._max_qubits} qubits "
                        "in use at a time, bits kept for conditions included: sample it with "
                        "qiskit_aer.primitives.SamplerV2, or allow more with max_qubits"
                    )
        return self._place[owner]

    def _instruction(
        self,
        number: int,
        operation: Any,
        qubits: list[Qubit],
        clbits: list[Clbit],
        condition: _Condition,
    ) -> None:
        name = operation.name
        if name in _IGNORED:
            return
        if isinstance(operation, IfElseOp):
            self._branch(number, operation, qubits, clbits, condition)
        elif isinstance(operation, Gate):
            self._gate(operation, tuple(self._at(q) for q in qubits), condition)
        elif name in ("measure", "reset") and condition.bits:
            raise self._refusal(f"{name!r} inside of a condition")
        elif name == "measure":
            qubit = self._at(qubits[0])
            self._operations.append(Measure(qubit, 0, self._bits[clbits[0]]))
            if self._needed(clbits[0], number):
                if clbits[0] in self._place:
                    self._operations.append(Reset(self._place[clbits[0]]))
                wire = self._at(clbits[0])
                self._operations.append(Channel(_COPY, (qubit, wire)))
        elif name == "reset":
            if qubits[0] in self._place:  # else it is in state 0
                self._operations.append(Reset(self._at(qubits[0])))
        elif getattr(operation, "definition", None) is not None:
            self._inline(number, operation.definition, qubits, clbits, condition)
        else:
            raise self._refusal(f"{name!r}")

    def _refusal(self, what: str) -> BackendError:
        return BackendError(
            f"circuit {self._circuit.name!r}: the exact sampler cannot run {what}; it runs gates, "
            "measure, reset and if_test around gates: use qiskit_aer.primitives.SamplerV2"
        )

    def _inline(
        self,
        number: int,
        body: QuantumCircuit,
        qubits: list[Qubit],
        clbits: list[Clbit],
        condition: _Condition,
    ) -> None:
        for item in body.data:
            inner = [qubits[body.find_bit(q).index] for q in item.qubits]
            outer = [clbits[body.find_bit(c).index] for c in item.clbits]
            self._instruction(number, item.operation, inner, outer, condition)

    def _branch(
        self,
        number: int,
        operation: IfElseOp,
        qubits: list[Qubit],
        clbits: list[Clbit],
        outer: _Condition,
    ) -> None:
        condition = self._condition(operation.condition)
        for bit in condition.bits:
            if bit not in self._bits:
                raise self._refusal("a condition on bits that are not the circuit's own")
        for body, when in zip(operation.blocks, (condition, condition.negated()), strict=False):
            self._inline(number, body, qubits, clbits, outer.joined(when))

    def _condition(self, given: Any) -> _Condition:
        if isinstance(given, expr.Expr):
            bits = tuple(dict.fromkeys(self._read(given)))
            value_of: Callable[[Values], int] = partial(self._value, given)
        else:
            target, wanted = given
            bits = tuple(target) if isinstance(target, ClassicalRegister) else (target,)
            value_of = partial(_equal, bits, int(wanted))
        allowed = np.zeros((2,) * len(bits))
        for outcome in product((0, 1), repeat=len(bits)):
            values = dict(zip(bits, map(bool, outcome), strict=True))
            allowed[outcome] = float(bool(value_of(values)))
        return _Condition(bits, allowed)

    def _read(self, node: expr.Expr) -> Iterator[Clbit]:
        for variable in expr.iter_vars(node):
            if isinstance(variable.var, Clbit):
                yield variable.var
            elif isinstance(variable.var, ClassicalRegister):
                yield from variable.var
            else:
                raise self._refusal("conditions on variables")

    def _value(self, node: expr.Expr, values: Values) -> int:
        if isinstance(node, expr.Var):
            if isinstance(node.var, Clbit):
                return int(values[node.var])
            return sum(values[bit] << i for i, bit in enumerate(node.var))
        if isinstance(node, expr.Value):
            return int(node.value)
        if isinstance(node, expr.Cast):
            return self._value(node.operand, values)
        if isinstance(node, expr.Unary) and node.op.name == "LOGIC_NOT":
            return int(not self._value(node.operand, values))
        if isinstance(node, expr.Unary) and node.op.name == "BIT_NOT":
            width = getattr(node.type, "width", 1)
            return ~self._value(node.operand, values) & ((1 << width) - 1)
        if isinstance(node, expr.Binary) and node.op.name in _BINARY:
            left, right = self._value(node.left, values), self._value(node.right, values)
            return int(_BINARY[node.op.name](left, right))
        raise self._refusal(f"the expression {node} in a condition")

    def _gate(self, gate: Gate, qubits: tuple[int, ...], condition: _Condition) -> None:
        if not is_parametrized(gate):
            self._constant(gate, qubits, condition)
            return
        try:
            pieces = list(pauli_rotations(gate, self._circuit.name))
        except CellError:
            raise self._refusal(f"the parametrized gate {gate.name!r}") from None
        for piece in pieces:
            on = tuple(qubits[q] for q in piece.qubits)
            if isinstance(piece, Constant):
                self._constant(piece.operation, on, condition)
            else:
                self._rotate(piece.generator, on, piece.angle, condition)

    def _rotate(
        self, generator: str, qubits: tuple[int, ...], angle: Any, condition: _Condition
    ) -> None:
        """A rotation where a condition holds: the condition is a sum of strings of Z on wires."""
        wires = tuple(self._at(bit) for bit in condition.bits)
        for flips in product((0, 1), repeat=len(wires)):
            signs = np.ones((2,) * len(wires))
            for axis, flip in enumerate(flips):
                if flip:
                    shape = [2 if i == axis else 1 for i in range(len(wires))]
                    signs = signs * np.array([1.0, -1.0]).reshape(shape)
            factor = float((signs * condition.allowed).mean())
            if factor != 0.0:
                chosen = tuple(wire for wire, flip in zip(wires, flips, strict=True) if flip)
                label, on = generator + "Z" * len(chosen), qubits + chosen
                self._operations.append(Rotation(label, on, len(self._angles)))
                self._angles.append((angle, factor))

    def _constant(self, gate: Any, qubits: tuple[int, ...], condition: _Condition) -> None:
        if gate.name in _IGNORED:
            return
        if len(qubits) + len(condition.bits) > _WIDEST and len(qubits) > 1:
            if gate.definition is None:
                raise self._refusal(f"{gate.name!r} on {len(qubits)} qubits")
            for item in gate.definition.data:
                on = tuple(qubits[gate.definition.find_bit(q).index] for q in item.qubits)
                self._constant(item.operation, on, condition)
            return
        matrix = np.asarray(Operator(gate).data, dtype=np.complex128)
        wires = tuple(self._at(bit) for bit in condition.bits)
        controlled = _controlled(matrix, condition.allowed.ravel())
        # Qiskit's first qubit is the least significant factor, the engine's the most.
        self._operations.append(Channel(ptm_of_unitary(controlled), wires + qubits[::-1]))


def _equal(bits: tuple[Clbit, ...], wanted: int, values: Values) -> int:
    return int(sum(values[bit] << i for i, bit in enumerate(bits)) == wanted)


def _controlled(matrix: Complex, allowed: Array) -> Complex:
    """The gate for each value of the wires that allows it, else nothing; wires come first."""
    size = len(matrix)
    whole = np.zeros((len(allowed) * size, len(allowed) * size), dtype=np.complex128)
    for i, acts in enumerate(allowed):
        part = slice(i * size, (i + 1) * size)
        whole[part, part] = matrix if acts else np.eye(size)
    return whole


_COPY: Final = ptm_of_unitary(
    np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], dtype=np.complex128)
)
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
