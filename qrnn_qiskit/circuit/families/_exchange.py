"""The cells with an exchange and a memory register of Viqueira et al., arXiv:2310.20671."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister, Qubit

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.families._parts import Natural, Positive, Weights, rotate

Pairs = Callable[[QuantumRegister, QuantumRegister], Iterable[tuple[Qubit, Qubit]]]


@dataclass(frozen=True, slots=True)
class ExchangeMemory:
    """Data re-uploading on the exchange qubits, then layers of rotations and CZ.

    Attributes:
        n_exchange: exchange (`io`) qubits, one for each feature.
        n_memory: memory (`hidden`) qubits.
        layers: L.
        reuploads: n_x, how often a feature is written again.
    """

    n_exchange: Positive = 1
    n_memory: Positive = 2
    layers: Positive = 3
    reuploads: Natural = 3

    def _cell(self, name: str, axes: str, last_axes: str, pairs: Pairs) -> Cell:
        """The cell with rotations about `axes`, at the end `last_axes`, and CZ between `pairs`."""
        io = QuantumRegister(self.n_exchange, "io")
        hidden = QuantumRegister(self.n_memory, "hidden")
        readout = ClassicalRegister(self.n_exchange, "readout")
        circuit = QuantumCircuit(io, hidden, readout, name=name)
        features = [Parameter(f"x_{e}") for e in range(self.n_exchange)]
        weights = Weights()
        for qubit, feature in zip(io, features, strict=True):
            circuit.ry(feature, qubit)
            for _ in range(self.reuploads):
                rotate(circuit, qubit, axes, weights)
                circuit.ry(feature, qubit)
        for _ in range(self.layers):
            for qubit in circuit.qubits:
                rotate(circuit, qubit, axes, weights)
            for first, second in pairs(io, hidden):
                circuit.cz(first, second)
        for qubit in io:
            rotate(circuit, qubit, last_axes, weights)
        circuit.measure(io, readout)
        circuit.reset(io)
        return Cell.from_circuit(circuit, weights=weights, features=features)
