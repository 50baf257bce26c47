"""Programs for the exact engine, compiled from unrolled or ISA circuits, with noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from qiskit.circuit import Gate, ParameterExpression, QuantumCircuit
from qiskit.quantum_info import PTM, Operator

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.circuit.rewrite import Rotation as CircuitRotation
from qrnn_qiskit.circuit.rewrite import is_parametrized, pauli_rotations
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.engine.program import Channel, Operation, Program, Reset, Rotation
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.bit_wires import BitWires
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.execution.noise import Noise
from qrnn_qiskit.execution.noise.insert import noisy_circuit
from qrnn_qiskit.execution.noise.model import MEASUREMENTS, RESETS, transfer_matrix


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
    """

    program: Program
    offset: Array
    term_angle: Index
    term_occurrence: Index
    term_coefficient: Array

    def angles(self, occurrence_angles: Array) -> Array:
        """Program angles `[R, A]` from occurrence angles `[R, O]`."""
        angles = np.tile(self.offset, (len(occurrence_angles), 1))
        terms = occurrence_angles[:, self.term_occurrence] * self.term_coefficient
        np.add.at(angles.T, self.term_angle, terms.T)
        return angles

    def pull_back(self, cotangent: Array, num_occurrences: int) -> Array:
        """dL/d(occurrence angles) `[R, O]` from dL/d(program angles) `[R, A]`."""
        result = np.zeros((len(cotangent), num_occurrences))
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
    circuit = isa.compact if noise is None else noisy_circuit(isa, noise)
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

    def compile(self, circuit: QuantumCircuit) -> CompiledProgram:
        bits = {
            bit: (step, k)
            for step, register in enumerate(circuit.cregs)
            for k, bit in enumerate(register)
        }
        writes = [bits[i.clbits[0]] for i in circuit.data if i.operation.name == "measure"]
        wires = BitWires(
            circuit.num_qubits, self._operations, writes, self._unrolled.cell.postselected
        )
        for item in circuit.data:
            qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
            name = item.operation.name
            if name in ("barrier", "delay"):
                continue
            if name in MEASUREMENTS:
                flips = self._noise.flips(self._physical[qubits[0]]) if self._noise else (0.0, 0.0)
                wires.measure(qubits[0], bits[item.clbits[0]], flips)
            elif name in RESETS:
                self._operations.append(Reset(qubits[0]))
            elif name == "quantum_channel":
                self._add_error(item.operation._quantum_error, qubits)
            elif isinstance(item.operation, Gate):
                self._add_gate(item.operation, qubits)
            else:
                raise BackendError(
                    f"the exact engine cannot run {name!r}: choose backend.name = 'aer'"
                )
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
        )

    def _add_gate(self, gate: Gate, qubits: tuple[int, ...]) -> None:
        if not is_parametrized(gate):
            self._operations.append(Channel(self._transfer_matrix(gate), qubits[::-1]))
            return
        for piece in pauli_rotations(gate, self._unrolled.cell.name):
            on = tuple(qubits[q] for q in piece.qubits)
            if isinstance(piece, CircuitRotation):
                self._operations.append(Rotation(piece.generator, on, self._add_angle(piece.angle)))
            elif isinstance(piece.operation, Gate):
                self._add_gate(piece.operation, on)

    def _add_angle(self, angle: ParameterExpression) -> int:
        number = len(self._offset)
        values: Mapping[object, float] = {p: 0.0 for p in angle.parameters}
        self._offset.append(float(angle.bind(values)))
        for parameter in angle.parameters:
            slope = angle.gradient(parameter)
            if isinstance(slope, ParameterExpression):
                raise BackendError(
                    f"the transpiler made the angle {angle}, which is not linear in the circuit's "
                    "parameters: choose a lower backend.optimization_level"
                )
            self._terms.append((number, self._index[parameter.name], float(slope)))
        return number

    def _add_error(self, error: Any, qubits: tuple[int, ...]) -> None:
        if id(error) not in self._errors:
            self._errors[id(error)] = transfer_matrix(error)
        self._operations.append(Channel(self._errors[id(error)], qubits[::-1]))

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


def _transfer_matrix(gate: Gate) -> Array:
    matrix: Array = np.real(PTM(Operator(gate)).data)
    return matrix
