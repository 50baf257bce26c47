"""The EMCZ3 cell of Viqueira et al., arXiv:2310.20671 (Mach. Learn.: Sci. Technol. 6, 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import final

from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.families._parts import Natural, Positive, Weights, rotate


@final
@dataclass(frozen=True, slots=True)
class ViqueiraEMCZ3:
    """Like `viqueira_emcz2`, with RX RZ RX rotations and CZ between every exchange-memory pair.

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

    def build(self) -> Cell:
        """The cell: P = 3 n_E n_x + 3 (n_E + n_M) L + 3 n_E weights.

        Order of the weights: for each exchange qubit its n_x triples (RX, RZ, RX); then layer by
        layer and qubit by qubit the triples; last those of the exchange qubits. Features are raw
        angles in rad.
        """
        io = QuantumRegister(self.n_exchange, "io")
        hidden = QuantumRegister(self.n_memory, "hidden")
        readout = ClassicalRegister(self.n_exchange, "readout")
        circuit = QuantumCircuit(io, hidden, readout, name="viqueira_emcz3")
        features = [Parameter(f"x_{e}") for e in range(self.n_exchange)]
        weights = Weights()
        for qubit, feature in zip(io, features, strict=True):
            circuit.ry(feature, qubit)
            for _ in range(self.reuploads):
                rotate(circuit, qubit, "xzx", weights)
                circuit.ry(feature, qubit)
        for _ in range(self.layers):
            for qubit in circuit.qubits:
                rotate(circuit, qubit, "xzx", weights)
            for exchange, memory in product(io, hidden):
                circuit.cz(exchange, memory)
        for qubit in io:
            rotate(circuit, qubit, "xzx", weights)
        circuit.measure(io, readout)
        circuit.reset(io)
        return Cell.from_circuit(circuit, weights=weights, features=features)


PROVIDES = ViqueiraEMCZ3
