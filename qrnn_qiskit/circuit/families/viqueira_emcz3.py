"""The EMCZ3 cell of Viqueira et al., arXiv:2310.20671 (Mach. Learn.: Sci. Technol. 6, 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import final

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.families._exchange import ExchangeMemory


@final
@dataclass(frozen=True, slots=True)
class ViqueiraEMCZ3(ExchangeMemory):
    """Like `viqueira_emcz2`, with RX RZ RX rotations and CZ between every exchange-memory pair.

    Attributes:
        n_exchange: exchange (`io`) qubits, one for each feature.
        n_memory: memory (`hidden`) qubits.
        layers: L.
        reuploads: n_x, how often a feature is written again.
    """

    def build(self) -> Cell:
        """The cell: P = 3 n_E n_x + 3 (n_E + n_M) L + 3 n_E weights.

        Order of the weights: for each exchange qubit its n_x triples (RX, RZ, RX); then layer by
        layer and qubit by qubit the triples; last those of the exchange qubits. Features are raw
        angles in rad.
        """
        return self._cell("viqueira_emcz3", "xzx", "xzx", product)


PROVIDES = ViqueiraEMCZ3
