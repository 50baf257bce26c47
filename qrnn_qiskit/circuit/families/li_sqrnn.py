"""The staggered cell (sQRNN) of Li et al., arXiv:2302.03244 (Neural Networks 166, 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.families._parts import Positive
from qrnn_qiskit.circuit.families.li_pqrnn import li_cell


@final
@dataclass(frozen=True, slots=True)
class LiSQRNN:
    """The circuit of `li_pqrnn`, its qubits changing roles from step to step.

    Every qubit is memory for `n_hidden` steps, then takes the input for `n_io` steps and is reset
    after each of these: no qubit stays without a reset for longer, which is the paper's aim. The
    order in which the roles move is given in its figure alone; here each qubit moves up by one
    place along the ring. The last memory qubit becomes the output qubit and brings what it holds
    into the step that first writes to it; the last `io` qubit, just reset, becomes the first
    memory qubit.

    Attributes:
        n_io: qubits that all carry the same feature, in [-1, 1]; only the first is an output.
        n_hidden: memory qubits.
        final_rx: RX on every qubit after the ring, as in `li_pqrnn`.
    """

    n_io: Positive = 3
    n_hidden: Positive = 3
    final_rx: bool = True

    def build(self) -> Cell:
        """The cell: weights as in `li_pqrnn`, by role and not by qubit."""
        size = self.n_io + self.n_hidden
        shift = tuple((i - 1) % size for i in range(size))
        return li_cell("li_sqrnn", self.n_io, self.n_hidden, self.final_rx, shift)


PROVIDES = LiSQRNN
