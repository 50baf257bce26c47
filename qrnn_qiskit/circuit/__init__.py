"""The circuit builder: cells, OpenQASM 3, families, unrolling, inspection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qiskit.circuit import QuantumCircuit

from qrnn_qiskit.circuit.cell import Cell as Cell
from qrnn_qiskit.circuit.export import to_qasm as to_qasm
from qrnn_qiskit.circuit.qasm import load_qasm
from qrnn_qiskit.circuit.unroll import UnrolledCircuit as UnrolledCircuit
from qrnn_qiskit.circuit.unroll import unroll as unroll
from qrnn_qiskit.errors import CellError
from qrnn_qiskit.registry import Registry

FAMILIES = Registry("qrnn_qiskit.circuit.families", table="cell")


def load_cell(source: str | Path | QuantumCircuit, **roles: Any) -> Cell:
    """A cell from an OpenQASM 3 file or from a `QuantumCircuit`.

    Args:
        source: path of a file, or one time step as a circuit on registers `io` and `hidden`.
        **roles: for a circuit, `weights`, `features` and the other arguments of
            `Cell.from_circuit`.

    Raises:
        CellError: saying what is wrong, where, and how to mend it.
    """
    if isinstance(source, QuantumCircuit):
        return Cell.from_circuit(source, **roles)
    if roles:
        raise CellError("roles are written in the file as @qrnn.weight and @qrnn.feature")
    return load_qasm(Path(source))


def build_cell(family: str, options: Mapping[str, Any] | None = None) -> Cell:
    """A cell of a family, such as `build_cell("viqueira_emcz2", {"layers": 2})`."""
    cell: Cell = FAMILIES.build(family, dict(options or {})).build()
    return cell
