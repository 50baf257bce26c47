"""The EMCZ2 cell of Viqueira et al., arXiv:2310.20671 (Mach. Learn.: Sci. Technol. 6, 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import final

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.families._exchange import ExchangeMemory


@final
@dataclass(frozen=True, slots=True)
class ViqueiraEMCZ2(ExchangeMemory):
    """Exchange qubits with data re-uploading, then layers of RX, RZ and a CZ ladder.

    Attributes:
        n_exchange: exchange (`io`) qubits, one for each feature.
        n_memory: memory (`hidden`) qubits.
        layers: L.
        reuploads: n_x, how often a feature is written again.
    """

    def build(self) -> Cell:
        """The cell: P = 2 n_E n_x + 2 (n_E + n_M) L + n_E weights.

        Order of the weights: for each exchange qubit its n_x pairs (RX, RZ); then layer by layer
        and qubit by qubit the pairs (RX, RZ); last the final RX of the exchange qubits. Features
        are raw angles in rad.
        """
        return self._cell("viqueira_emcz2", "xz", "x", lambda io, hidden: pairwise([*io, *hidden]))


PROVIDES = ViqueiraEMCZ2
