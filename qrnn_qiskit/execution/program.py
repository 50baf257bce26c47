"""Programs for the exact engine, compiled from unrolled or ISA circuits, with noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from qiskit.circuit import Gate, Parameter, ParameterExpression, QuantumCircuit
from qiskit.quantum_info import PTM, Operator

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.circuit.rewrite import Rotation as CircuitRotation
from qrnn_qiskit.circuit.rewrite import is_parametrized, pauli_rotations
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.engine.program import Channel, Operation, Program, Reset, Rotation
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.bit_wires import BitWires
from qrnn_qiskit.execution.controlled import Control
from qrnn_qiskit.execution.flat import Asked, flat_operations
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.execution.noise import Noise
from qrnn_qiskit.execution.noise.insert import noisy_circuit
from qrnn_qiskit.execution.noise.model import RESETS, transfer_matrix
from qrnn_qiskit.execution.reset import with_plain_names


@final
@dataclass(frozen=True, slots=True)
class CompiledProgram:
    """A program and how its angles come from those of the occurrences.

    Program angle a = offset[a] + sum over terms of a: coefficient * occurrence angle. The
    transpiler adds constants and merges neighbouring RZ, hence sums.

    Attributes:
        program: for the engine.
        offset: `[A]` in rad.
        term_angle, term_occurrence, term_coefficient: `[E]` the sums.
        single: whether term a is that of angle a, and no occurrence is in two: no sums then.
    """

    program: Program
    offset: Array
    term_angle: Index
    term_occurrence: Index
    term_coefficient: Array
    single: bool

    def angles(self, occurrence_angles: Array) -> Array:
        """Program angles `[R, A]` from occurrence angles `[R, O]`."""
        terms: Array = occurrence_angles[:, self.term_occurrence] * self.term_coefficient
        if self.single:
            terms += self.offset
            return terms
        angles = np.tile(self.offset, (len(occurrence_angles), 1))
        np.add.at(angles.T, self.term_angle, terms.T)
        return angles

    def pull_back(self, cotangent: Array, num_occurrences: int) -> Array:
        """dL/d(occurrence angles) `[R, O]` from dL/d(program angles) `[R, A]`."""
        result = np.zeros((len(cotangent), num_occurrences))
        if self.single:
            result[:, self.term_occurrence] = cotangent * self.term_coefficient
            return result
        terms = cotangent[:, self.term_angle] * self.term_coefficient
        np.add.at(result.T, self.term_occurrence, terms.T)
        return result


def compile_unrolled(unrolled: UnrolledCircuit) -> CompiledProgram:
    """The ideal program of an unrolled circuit."""
    return _Compiler(unrolled, None, tuple(range(unrolled.circuit.num_qubits))).compile(
        unrolled.circuit
    )


def compile_isa(unrolled: UnrolledCircuit, isa: ISACircuit, noise: Noise | None) -> CompiledProgram:
    """The program of an ISA circuit's used qubits, with the noise of the physical ones."""
    circuit = with_plain_names(isa.compact) if noise is None else noisy_circuit(isa, noise)
    return _Compiler(unrolled, noise, isa.qubits).compile(circuit)


class _Compiler:
    """Collects operations and angles of one circuit."""

    def __init__(
        self, unrolled: UnrolledCircuit, noise: Noise | None, physical: tuple[int, ...]
    ) -> None:
        self._unrolled = unrolled
        self._noise = noise
        self._physical = physical
        self._index = {name: i for i, name in enumerate(unrolled.occurrences.names)}
        self._operations: list[Operation] = []
        self._offset: list[float] = []
        self._terms: list[tuple[int, int, float]] = []
        # The same few gates and errors recur at every step.
        self._gates: dict[tuple[str, tuple[float, ...]], Array] = {}
        self._errors: dict[int, Array] = {}
        self._channels: dict[tuple[int, tuple[int, ...]], Channel] = {}

    def compile(self, circuit: QuantumCircuit) -> CompiledProgram:
        registers = {register.name: register for register in circuit.cregs}
        places = {
            bit: (step, k)
            for step in range(self._unrolled.num_steps)
            for k, bit in enumerate(registers[f"step_{step}"])
        }
        flat = list(flat_operations(circuit))
        wires = BitWires(
            circuit.num_qubits,
            self._operations,
            flat,
            places,
            self._unrolled.cell.postselected,
        )
        for item in flat:
            name = item.operation.name
            control = None
            if item.asked is not None:
                controls = [wires.control(bit) for bit in item.asked.bits]
                control, acts = _control(item.asked, controls)
                if not acts:
                    wires.has_read(item.asked.bits)
                    continue
            if item.bit is not None:
                qubit = item.qubits[0]
                flips = self._noise.flips(self._physical[qubit]) if self._noise else (0.0, 0.0)
                wires.measure(qubit, item.bit, flips)
            elif name in RESETS:
                self._operations.append(Reset(item.qubits[0]))
            elif name == "quantum_channel":
                self._add_error(item.operation._quantum_error, item.qubits, control)
            elif isinstance(item.operation, Gate):
                self._add_gate(item.operation, item.qubits, control)
            else:
                raise BackendError(
                    f"the exact engine cannot run {name!r}: choose backend.name = 'aer'"
                )
            if item.asked is not None:
                wires.has_read(item.asked.bits)
        term_angle, term_occurrence, coefficient = (
            np.array([term[i] for term in self._terms]) for i in range(3)
        )
        return CompiledProgram(
            Program(
                num_qubits=wires.num_qubits,
                num_steps=self._unrolled.num_steps,
                num_bits=self._unrolled.num_clbits,
                num_angles=len(self._offset),
                operations=tuple(self._operations),
                postselected=self._unrolled.cell.postselected,
            ),
            np.array(self._offset, dtype=np.float64),
            term_angle.astype(np.intp),
            term_occurrence.astype(np.intp),
            coefficient.astype(np.float64),
            single=[term[0] for term in self._terms] == list(range(len(self._offset)))
            and len({term[1] for term in self._terms}) == len(self._terms),
        )

    def _add_gate(self, gate: Gate, qubits: tuple[int, ...], control: Control | None) -> None:
        if not is_parametrized(gate):
            self._add_channel(self._transfer_matrix(gate), qubits[::-1], control)
            return
        for piece in pauli_rotations(gate, self._unrolled.cell.name):
            on = tuple(qubits[q] for q in piece.qubits)
            if isinstance(piece, CircuitRotation):
                parts = (
                    [(piece.generator, on, 1.0)]
                    if control is None
                    else control.rotations(piece.generator, on)
                )
                for generator, where, factor in parts:
                    number = self._add_angle(piece.angle, factor)
                    self._operations.append(Rotation(generator, where, number))
            elif isinstance(piece.operation, Gate):
                self._add_gate(piece.operation, on, control)

    def _add_channel(self, ptm: Array, qubits: tuple[int, ...], control: Control | None) -> None:
        if control is not None:
            self._operations.append(control.channel(ptm, qubits))
            return
        # Keys hold the matrix's identity: the channel keeps it alive.
        key = id(ptm), qubits
        if key not in self._channels:
            self._channels[key] = Channel(ptm, qubits)
        self._operations.append(self._channels[key])

    def _add_angle(self, angle: ParameterExpression, factor: float) -> int:
        number = len(self._offset)
        if isinstance(angle, Parameter):  # nearly all are, and Qiskit's algebra takes its time
            self._offset.append(0.0)
            self._terms.append((number, self._index[angle.name], factor))
            return number
        values: Mapping[object, float] = {p: 0.0 for p in angle.parameters}
        self._offset.append(factor * float(angle.bind(values)))
        for parameter in angle.parameters:
            slope = angle.gradient(parameter)
            if isinstance(slope, ParameterExpression):
                raise BackendError(
                    f"the transpiler made the angle {angle}, which is not linear in the circuit's "
                    "parameters: choose a lower backend.optimization_level"
                )
            self._terms.append((number, self._index[parameter.name], factor * float(slope)))
        return number

    def _add_error(self, error: Any, qubits: tuple[int, ...], control: Control | None) -> None:
        if id(error) not in self._errors:
            self._errors[id(error)] = transfer_matrix(error)
        self._add_channel(self._errors[id(error)], qubits[::-1], control)

    def _transfer_matrix(self, gate: Gate) -> Array:
        """Of a constant gate; Qiskit's first qubit is the least significant factor.

        The engine's first factor is the most significant, so it gets the qubits reversed.
        """
        if not all(isinstance(angle, int | float) for angle in gate.params):
            return _transfer_matrix(gate)  # a matrix is no key
        key = gate.name, tuple(float(angle) for angle in gate.params)
        if key not in self._gates:
            self._gates[key] = _transfer_matrix(gate)
        return self._gates[key]


def _control(asked: Asked, wires: Sequence[int | None]) -> tuple[Control | None, bool]:
    """The control of a condition, None if its outcome is certain; and whether it may hold.

    A bit without a wire has never been measured, so it is 0.
    """
    kept = [(i, wire) for i, wire in enumerate(wires) if wire is not None]
    certain = sum((asked.value >> i) & 1 for i, wire in enumerate(wires) if wire is None) == 0
    if asked.value >> len(wires):
        certain = False
    if not certain or not kept:
        return None, certain != asked.otherwise
    value = sum(((asked.value >> i) & 1) << j for j, (i, _) in enumerate(kept))
    return Control(tuple(wire for _, wire in kept), value, asked.otherwise), True


def _transfer_matrix(gate: Gate) -> Array:
    matrix: Array = np.real(PTM(Operator(gate)).data)
    return matrix
