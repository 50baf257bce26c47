"""Data re-uploading of Pérez-Salinas et al., Quantum 4, 226 (arXiv:1907.02085), with memory."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import final

from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.families._parts import Positive, Weights, interleaved, rotate


@final
@dataclass(frozen=True, slots=True)
class Reupload:
    """L times: U(theta + w * x) on every `io` qubit, U(theta) on the memory, CZ along a line.

    U(a) = RY(a_3) RZ(a_2) RY(a_1) with every three features; fewer leave the last angles without
    a feature. The paper has a feed-forward network; here the memory qubits sit on the same line,
    in turn with the `io` qubits, and a last RY lets the last CZ matter.

    Attributes:
        n_io: measured qubits, each of which is written all features.
        n_hidden: memory qubits.
        n_features: F.
        layers: L.
    """

    n_io: Positive = 1
    n_hidden: Positive = 2
    n_features: Positive = 1
    layers: Positive = 3

    def build(self) -> Cell:
        """The cell: P = L (n_io (3 ceil(F/3) + F) + 3 n_hidden) + n_io weights.

        Order of the weights: layer by layer; for each `io` qubit and three features the three
        angles, each followed by its w where it has a feature; the three angles of each memory
        qubit. Last the final RY.
        """
        io, hidden = QuantumRegister(self.n_io, "io"), QuantumRegister(self.n_hidden, "hidden")
        readout = ClassicalRegister(self.n_io, "readout")
        circuit = QuantumCircuit(io, hidden, readout, name="reupload")
        features, weights = [Parameter(f"x_{f}") for f in range(self.n_features)], Weights()
        for _ in range(self.layers):
            for qubit in io:
                for first in range(0, self.n_features, 3):
                    for place, axis in enumerate("yzy"):
                        angle = 1 * weights.new()
                        if first + place < self.n_features:
                            angle = angle + weights.new() * features[first + place]
                        getattr(circuit, f"r{axis}")(angle, qubit)
            for qubit in hidden:
                rotate(circuit, qubit, "yzy", weights)
            for one, other in pairwise(interleaved(list(io), list(hidden))):
                circuit.cz(one, other)
        for qubit in io:
            rotate(circuit, qubit, "y", weights)
        circuit.measure(io, readout)
        circuit.reset(io)
        return Cell.from_circuit(circuit, weights=weights, features=features)


PROVIDES = Reupload
