"""The two-qubit parity cell: memory qubit read out once, after the last step.

The circuit is the one of DuoNeural's report on recurrent parity learning (2026). Its third weight,
an RZ right before the reset, cannot influence anything; it is kept so that vectors are comparable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister

from qrnn_qiskit.circuit.cell import Cell


@final
@dataclass(frozen=True, slots=True)
class Parity2:
    """RX(pi x) on `io`, RY on both qubits, CX, RZ on both; P = 4 weights, F = 1 bit."""

    def build(self) -> Cell:
        """The cell. Its outputs before the last step are those of the input qubit."""
        io, hidden = QuantumRegister(1, "io"), QuantumRegister(1, "hidden")
        circuit = QuantumCircuit(io, hidden, ClassicalRegister(1, "readout"), name="parity2")
        bit = Parameter("input_bit")
        theta = [Parameter(f"theta_{i}") for i in range(4)]
        circuit.rx(math.pi * bit, io)
        circuit.ry(theta[0], io)
        circuit.ry(theta[1], hidden)
        circuit.cx(io, hidden)
        circuit.rz(theta[2], io)
        circuit.rz(theta[3], hidden)
        circuit.measure(io, 0)
        circuit.reset(io)
        last = circuit.copy_empty_like()
        last.measure(hidden, 0)
        return Cell.from_circuit(circuit, weights=theta, features=[bit], last=last)


PROVIDES = Parity2
