"""Programs for the exact engine from any circuit with measurement, reset and feed-forward.

A bit that a condition reads later is copied to a qubit of its own, a wire; what the condition
governs becomes a gate controlled by wires. Qubits that are not used any more are used again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Final, final

import numpy as np
from qiskit.circuit import (
    Clbit,
    Gate,
    IfElseOp,
    ParameterExpression,
    QuantumCircuit,
    Qubit,
)
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Operator

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.rewrite import Constant, is_parametrized, pauli_rotations
from qrnn_qiskit.engine.pauli import Complex, ptm_of_unitary
from qrnn_qiskit.engine.program import Channel, Measure, Operation, Program, Reset, Rotation
from qrnn_qiskit.errors import BackendError, CellError
from qrnn_qiskit.execution.bit_wires import read_to_wire
from qrnn_qiskit.execution.condition import ALWAYS, Condition, read_condition
from qrnn_qiskit.execution.controlled import Control
from qrnn_qiskit.execution.noise.model import Noise

MAX_QUBITS: Final = 10
# Constant gates on more qubits, wires included, are taken apart.
_WIDEST: Final = 4
_IGNORED: Final = ("barrier", "delay", "id")
_STANDARD: Final = get_standard_gate_name_mapping()


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


def compile_circuit(
    circuit: QuantumCircuit, max_qubits: int = MAX_QUBITS, noise: Noise | None = None
) -> AnyProgram:
    """The program of a circuit.

    Args:
        circuit: with measurement, reset and feed-forward.
        max_qubits: most that are in use at a time.
        noise: of whose gates and readout, qubit i of the circuit being its physical qubit i; idle
            qubits do not decay.

    Raises:
        BackendError: where it needs too many qubits at a time, or holds what the engine cannot run.
    """
    return _Compiler(circuit, max_qubits, noise).compile()


class _Compiler:
    def __init__(self, circuit: QuantumCircuit, max_qubits: int, noise: Noise | None) -> None:
        self._circuit = circuit
        self._max_qubits = max_qubits
        self._noise = noise
        # The same few gates and errors recur at every step.
        self._unitaries: dict[tuple[object, ...], Array] = {}
        self._errors: dict[tuple[str, tuple[int, ...]], Array | None] = {}
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
            self._instruction(i, item.operation, qubits, list(item.clbits), ALWAYS)
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
        condition: Condition,
    ) -> None:
        name = operation.name
        if isinstance(operation, IfElseOp):
            self._branch(number, operation, qubits, clbits, condition)
        elif isinstance(operation, Gate):
            self._gate(operation, tuple(self._at(q) for q in qubits), condition)
            self._error(name, qubits, condition)
        elif name in _IGNORED:
            return
        elif name in ("measure", "reset") and condition.bits:
            raise self._refusal(f"{name!r} inside of a condition")
        elif name == "measure":
            self._measure(qubits[0], clbits[0], self._needed(clbits[0], number))
        elif name == "reset":
            if qubits[0] in self._place:  # else it is in state 0
                self._operations.append(Reset(self._at(qubits[0])))
        elif getattr(operation, "definition", None) is not None:
            self._inline(number, operation.definition, qubits, clbits, condition)
        else:
            raise self._refusal(f"{name!r}")

    def _measure(self, owner: Qubit, bit: Clbit, needed: bool) -> None:
        qubit, number = self._at(owner), self._bits[bit]
        flips = (0.0, 0.0)
        if self._noise is not None:
            flips = self._noise.flips(self._circuit.find_bit(owner).index)
        if not needed:
            self._operations.append(Measure(qubit, 0, number, flips))
        elif any(flips):  # what is read later is what was read here
            wire = self._at(bit)
            self._operations.append(Channel(read_to_wire(flips), (qubit, wire)))
            self._operations.append(Measure(wire, 0, number))
        else:
            self._operations.append(Measure(qubit, 0, number))
            if bit in self._place:
                self._operations.append(Reset(self._place[bit]))
            self._operations.append(Channel(_COPY, (qubit, self._at(bit))))

    def _error(self, name: str, qubits: list[Qubit], condition: Condition) -> None:
        """What follows a gate, where a condition holds."""
        if self._noise is None:
            return
        key = name, tuple(self._circuit.find_bit(q).index for q in qubits)
        if key not in self._errors:
            self._errors[key] = self._noise.transfer_matrix(*key)
        ptm = self._errors[key]
        if ptm is None:
            return
        on = tuple(self._at(q) for q in reversed(qubits))
        if not condition.bits:
            self._operations.append(Channel(ptm, on))
            return
        wires = tuple(self._at(bit) for bit in condition.bits)
        if len(wires) + len(on) > _WIDEST:
            raise self._refusal(f"the error of {name!r} on a condition of {len(wires)} bits")
        for outcome in np.argwhere(condition.allowed).tolist():
            value = sum(bit << i for i, bit in enumerate(outcome))
            self._operations.append(Control(wires, value, otherwise=False).channel(ptm, on))

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
        condition: Condition,
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
        outer: Condition,
    ) -> None:
        condition = read_condition(operation.condition, self._refusal)
        for bit in condition.bits:
            if bit not in self._bits:
                raise self._refusal("a condition on bits that are not the circuit's own")
        for body, when in zip(operation.blocks, (condition, condition.negated()), strict=False):
            self._inline(number, body, qubits, clbits, outer.joined(when))

    def _gate(self, gate: Gate, qubits: tuple[int, ...], condition: Condition) -> None:
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
        self, generator: str, qubits: tuple[int, ...], angle: Any, condition: Condition
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

    def _constant(self, gate: Any, qubits: tuple[int, ...], condition: Condition) -> None:
        if gate.name in _IGNORED:
            return
        if len(qubits) + len(condition.bits) > _WIDEST and len(qubits) > 1:
            if gate.definition is None:
                raise self._refusal(f"{gate.name!r} on {len(qubits)} qubits")
            for item in gate.definition.data:
                on = tuple(qubits[gate.definition.find_bit(q).index] for q in item.qubits)
                self._constant(item.operation, on, condition)
            return
        wires = tuple(self._at(bit) for bit in condition.bits)
        # Qiskit's first qubit is the least significant factor, the engine's the most.
        self._operations.append(Channel(self._unitary(gate, condition), wires + qubits[::-1]))

    def _unitary(self, gate: Any, condition: Condition) -> Array:
        """Transfer matrix of a constant gate under a condition."""
        known = _STANDARD.get(gate.name)
        if known is None or known.base_class is not gate.base_class:
            return _controlled_ptm(gate, condition)
        key = gate.name, *gate.params, condition.allowed.tobytes()
        if key not in self._unitaries:
            self._unitaries[key] = _controlled_ptm(gate, condition)
        return self._unitaries[key]


def _controlled_ptm(gate: Any, condition: Condition) -> Array:
    matrix = np.asarray(Operator(gate).data, dtype=np.complex128)
    return ptm_of_unitary(_controlled(matrix, condition.allowed.ravel()))


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
