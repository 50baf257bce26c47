"""The cell of Connerty and Stewart's Trainable-QRNN (CSCE 585, 2025): angles linear in the input.

Their report sends every angle of the circuit through one classical linear layer, whose weights
and biases are what is trained.
"""

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
from qrnn_qiskit.circuit.families._parts import Positive, interleaved
from qrnn_qiskit.spec.messages import key_problem


@final
@dataclass(frozen=True, slots=True)
class Connerty:
    """R times RZ RX RZ on all qubits, a CRX chain, RZ RX RZ on all; each angle is W x + b.

    Memory and measured qubits take turns along the chain, memory first.

    Attributes:
        n_io: measured qubits.
        n_hidden: memory qubits, as many as measured ones or one more.
        n_features: F.
        repeats: R, each with weights of its own.
    """

    n_io: Positive = 4
    n_hidden: Positive = 4
    n_features: Positive = 1
    repeats: Positive = 1

    def __post_init__(self) -> None:
        if self.n_hidden - self.n_io not in (0, 1):
            raise key_problem(
                "n_hidden",
                self.n_hidden,
                f"must be n_io = {self.n_io} or one more, since memory and measured qubits take "
                "turns along the chain",
            )

    def build(self) -> Cell:
        """The cell: G = R (7 n - 1) angles on n qubits, P = G (F + 1) weights.

        Order of the weights: W row by row `[G, F]` as `w_g_f`, then the biases `[G]` as `b_g`.
        Eight angles at the published size act on nothing: RZ on measured qubits, first after
        their reset and last before their measurement. They are kept so that vectors are comparable.
        """
        io, hidden = QuantumRegister(self.n_io, "io"), QuantumRegister(self.n_hidden, "hidden")
        readout = ClassicalRegister(self.n_io, "readout")
        circuit = QuantumCircuit(io, hidden, readout, name="connerty")
        features = [Parameter(f"x_{f}") for f in range(self.n_features)]
        matrix: list[Parameter] = []
        biases: list[Parameter] = []

        def angle() -> ParameterExpression:
            g = len(biases)
            row = [Parameter(f"w_{g}_{f}") for f in range(self.n_features)]
            matrix.extend(row)
            biases.append(Parameter(f"b_{g}"))
            total: ParameterExpression = biases[-1]
            for weight, feature in zip(row, features, strict=True):
                total = total + weight * feature
            return total

        chain = interleaved(list(io), list(hidden))
        for _ in range(self.repeats):
            for half in range(2):
                for qubit in chain:
                    circuit.rz(angle(), qubit)
                    circuit.rx(angle(), qubit)
                    circuit.rz(angle(), qubit)
                if half == 0:
                    for control, target in pairwise(chain):
                        circuit.crx(angle(), control, target)
        circuit.measure(io, readout)
        circuit.reset(io)
        return Cell.from_circuit(circuit, weights=[*matrix, *biases], features=features)


PROVIDES = Connerty
