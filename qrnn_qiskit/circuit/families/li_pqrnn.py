"""The plain cell (pQRNN) of Li et al., arXiv:2302.03244 (Neural Networks 166, 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.families._parts import Positive, Weights, rotate


@final
@dataclass(frozen=True, slots=True)
class LiPQRNN:
    """Copies of RY(arccos x), RX RZ RX on every qubit, a ring of exp(i theta ZZ); one output bit.

    Attributes:
        n_io: qubits that all carry the same feature, in [-1, 1]; only the first is an output.
        n_hidden: memory qubits.
        final_rx: RX on every qubit after the ring. The paper's text counts 30 weights for 3 + 3
            qubits, its figure shows 24 and no such column. Without it the ring commutes with the
            readout: the output is that of the first qubit alone, and nothing is remembered.
    """

    n_io: Positive = 3
    n_hidden: Positive = 3
    final_rx: bool = True

    def build(self) -> Cell:
        """The cell: P = 5 n weights on n > 2 qubits (9 on 2), n fewer without the final column.

        Order of the weights: qubit by qubit the angles of RX, RZ, RX; the n ring angles, from
        qubit 0 on; the final column. The ring of two qubits is a single pair. The final RX of
        `io` qubits that are no outputs act on nothing, nor do ring angles between two of them.

        The paper's output is p(1) = (1 - <Z>) / 2, which `readout.head = "scale"` can express.
        """
        io, hidden = QuantumRegister(self.n_io, "io"), QuantumRegister(self.n_hidden, "hidden")
        circuit = QuantumCircuit(io, hidden, ClassicalRegister(1, "readout"), name="li_pqrnn")
        feature, weights = Parameter("signal"), Weights()
        circuit.ry(feature, io)
        qubits = circuit.qubits
        for qubit in qubits:
            rotate(circuit, qubit, "xzx", weights)
        for i in range(len(qubits) if len(qubits) > 2 else 1):
            circuit.rzz(-2 * weights.new(), qubits[i], qubits[(i + 1) % len(qubits)])
        if self.final_rx:
            for qubit in qubits:
                rotate(circuit, qubit, "x", weights)
        circuit.measure(io[0], 0)
        circuit.reset(io)
        return Cell.from_circuit(
            circuit, weights=weights, features=[feature], encodings={"signal": "arccos"}
        )


PROVIDES = LiPQRNN
