"""A cell after the quantum recurrent unit of Wu and Goan (arXiv:2601.18164)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.families._parts import Positive, Weights, rotate
from qrnn_qiskit.spec.messages import key_problem


@final
@dataclass(frozen=True, slots=True)
class QRU:
    """Candidate, memory and gate qubits; a gate swaps candidate and memory; bits are fed forward.

    Of the paper come the controlled swaps as gates, the measured bits as part of the state that the
    next step starts from, the general rotations in four layers, and the 72 weights of its smallest
    forecast, which six qubits make. The wiring is ours: bit i of the last step puts candidate i
    into |1>; then RY(x) on the candidates; layers of RZ RY RZ on all qubits and a ring of CX; gate
    i controls the swap of candidate i and memory i; the candidates are measured.

    Attributes:
        n_hidden: n memory qubits, and as many candidates (`io`) and gates (`ancilla`).
        layers: L.
        n_features: F, at most n; candidate q reads feature q modulo F.
    """

    n_hidden: Positive = 2
    layers: Positive = 4
    n_features: Positive = 1

    def __post_init__(self) -> None:
        if self.n_features > self.n_hidden:
            raise key_problem(
                "n_features", self.n_features, f"must be at most n_hidden = {self.n_hidden}"
            )

    def build(self) -> Cell:
        """The cell: P = 9 n L weights.

        Order of the weights: layer by layer and qubit by qubit (`io`, `hidden`, `ancilla`) the
        angles of RZ, RY, RZ. The first RZ of each gate qubit acts on |0> and is dead; so is, for
        n > 1, the last RZ of the last gate qubit.
        """
        io = QuantumRegister(self.n_hidden, "io")
        hidden = QuantumRegister(self.n_hidden, "hidden")
        gates = QuantumRegister(self.n_hidden, "ancilla")
        readout = ClassicalRegister(self.n_hidden, "readout")
        circuit = QuantumCircuit(io, hidden, gates, readout, name="qru")
        features, weights = [Parameter(f"x_{f}") for f in range(self.n_features)], Weights()
        for qubit, bit in zip(io, readout, strict=True):
            with circuit.if_test((bit, 1)):
                circuit.x(qubit)
        for q, qubit in enumerate(io):
            circuit.ry(features[q % self.n_features], qubit)
        qubits = circuit.qubits
        for _ in range(self.layers):
            for qubit in qubits:
                rotate(circuit, qubit, "zyz", weights)
            for i, qubit in enumerate(qubits):
                circuit.cx(qubit, qubits[(i + 1) % len(qubits)])
        for gate, candidate, memory in zip(gates, io, hidden, strict=True):
            circuit.cswap(gate, candidate, memory)
        circuit.measure(io, readout)
        circuit.reset([*io, *gates])
        return Cell.from_circuit(circuit, weights=weights, features=features)


PROVIDES = QRU
