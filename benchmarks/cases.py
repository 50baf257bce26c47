"""The circuits that are timed: a ring of rotations, one measured and reset qubit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import Measure, Reset, RXGate, RYGate, RZGate, RZZGate
from qiskit.transpiler import Target
from qiskit_aer.noise import depolarizing_error

from qrnn_qiskit import Cell, ExactExecutor, Noise, ParameterShift, UnrolledCircuit, unroll
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.gradients.problem import GradientProblem

DEPOLARIZING: Final = 0.01
SIZES: Final = {"A": (3, 8), "B": (4, 20), "C": (3, 8), "D": (5, 20)}


def ring_cell(num_qubits: int, layers: int = 1) -> Cell:
    """RY(x) on io; RX RZ on each qubit; a ring of RZZ; RX on each qubit; measure and reset io.

    What lies between RY and the measurement comes `layers` times, each with weights of its own.
    """
    io, hidden = QuantumRegister(1, "io"), QuantumRegister(num_qubits - 1, "hidden")
    circuit = QuantumCircuit(io, hidden, ClassicalRegister(1, "readout"), name="ring")
    weights = [Parameter(f"theta_{i}") for i in range(4 * num_qubits * layers)]
    angle = iter(weights)
    feature = Parameter("x")
    qubits = [*io, *hidden]
    circuit.ry(feature, io[0])
    for _ in range(layers):
        for qubit in qubits:
            circuit.rx(next(angle), qubit)
            circuit.rz(next(angle), qubit)
        for i, qubit in enumerate(qubits):
            circuit.rzz(next(angle), qubit, qubits[(i + 1) % num_qubits])
        for qubit in qubits:
            circuit.rx(next(angle), qubit)
    circuit.measure(io, circuit.clbits)
    circuit.reset(io)
    return Cell.from_circuit(circuit, weights=weights, features=[feature])


def ring_noise(num_qubits: int) -> Noise:
    """Depolarizing noise after each RZZ; the circuit's own gates are the target's."""
    target = Target(num_qubits=num_qubits)
    angle = Parameter("angle")
    one = {(i,): None for i in range(num_qubits)}
    two = {(i, j): None for i in range(num_qubits) for j in range(num_qubits) if i != j}
    for gate in (RXGate(angle), RYGate(angle), RZGate(angle), Measure(), Reset()):
        target.add_instruction(gate, one)
    target.add_instruction(RZZGate(angle), two)
    return Noise(target, {("rzz", ()): depolarizing_error(DEPOLARIZING, 2)}, {})


@dataclass(frozen=True)
class Case:
    """A circuit, the executor that runs it, and a point to differentiate at."""

    name: str
    num_qubits: int
    unrolled: UnrolledCircuit
    executor: ExactExecutor
    weights: Array
    features: Array
    targets: Array

    def plan(self) -> EvaluationPlan:
        """All rows of the parameter-shift rule."""
        steps = np.ones(self.features.shape[1], dtype=bool)
        occurrences = self.executor.occurrences(self.unrolled)
        return ParameterShift().plan(
            GradientProblem(
                self.unrolled.angle_map, occurrences, self.weights, self.features, steps
            )
        )


def make_case(
    name: str, num_qubits: int, num_steps: int, sequences: int = 1, layers: int = 1
) -> Case:
    """A case; noisy if its name is C."""
    random = np.random.default_rng(7)
    unrolled = unroll(ring_cell(num_qubits, layers), num_steps=num_steps)
    shape = (sequences, num_steps, 1)
    return Case(
        name,
        num_qubits,
        unrolled,
        ExactExecutor(noise=ring_noise(num_qubits) if name == "C" else None),
        random.uniform(-np.pi, np.pi, 4 * num_qubits * layers),
        random.uniform(-1.0, 1.0, shape),
        random.uniform(-1.0, 1.0, shape),
    )
