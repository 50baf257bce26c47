"""A cell for a first try on a device: few gates, along a line that every chip has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import final

from qiskit.circuit import (
    ClassicalRegister,
    Parameter,
    ParameterExpression,
    QuantumCircuit,
    QuantumRegister,
)

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.families._parts import Positive, Weights, interleaved, rotate


@final
@dataclass(frozen=True, slots=True)
class HardwareEfficient:
    """L times: RY(b + w x) and RZ on `io`, RY and RZ on the memory, CZ along a line.

    Memory and `io` qubits take turns along the line, so that each output has memory beside it. The
    CZ of a layer act in two columns (even pairs, then odd ones). A line is part of a heavy-hex and
    of a square lattice: transpilation adds no swaps.

    Attributes:
        n_io: measured qubits.
        n_hidden: memory qubits.
        layers: L.
        n_features: F. Feature f is written to `io` qubit f modulo n_io; where there are fewer
            features than qubits, qubit q reads feature q modulo F.
    """

    n_io: Positive = 1
    n_hidden: Positive = 2
    layers: Positive = 3
    n_features: Positive = 1

    def build(self) -> Cell:
        """The cell: P = L (2 n + max(F, n_io)) + n_io weights on n qubits.

        Order of the weights: layer by layer; for each `io` qubit b, its w and the angle of RZ; for
        each memory qubit the angles of RY and RZ. Last the final RY of the `io` qubits.
        """
        io, hidden = QuantumRegister(self.n_io, "io"), QuantumRegister(self.n_hidden, "hidden")
        readout = ClassicalRegister(self.n_io, "readout")
        circuit = QuantumCircuit(io, hidden, readout, name="hardware_efficient")
        features, weights = [Parameter(f"x_{f}") for f in range(self.n_features)], Weights()
        pairs = list(pairwise(interleaved(list(io), list(hidden))))
        for _ in range(self.layers):
            for q, qubit in enumerate(io):
                angle: ParameterExpression = weights.new()
                for feature in features[q :: self.n_io] or [features[q % self.n_features]]:
                    angle = angle + weights.new() * feature
                circuit.ry(angle, qubit)
                rotate(circuit, qubit, "z", weights)
            for qubit in hidden:
                rotate(circuit, qubit, "yz", weights)
            for one, other in [*pairs[0::2], *pairs[1::2]]:
                circuit.cz(one, other)
        for qubit in io:
            rotate(circuit, qubit, "y", weights)
        circuit.measure(io, readout)
        circuit.reset(io)
        return Cell.from_circuit(circuit, weights=weights, features=features)


PROVIDES = HardwareEfficient
