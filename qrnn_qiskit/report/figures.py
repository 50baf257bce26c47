"""Pictures as text that a page can hold."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from qrnn_qiskit.circuit import Cell, unroll
from qrnn_qiskit.plot.circuit import draw_cell
from qrnn_qiskit.plot.record import RunRecord
from qrnn_qiskit.plot.run import panels
from qrnn_qiskit.plot.runs import draw_runs
from qrnn_qiskit.plot.style import house_style

_DPI: Final = 130
_MOST_QUBITS: Final = 12  # of a circuit that can be looked at
_MOST_GATES: Final = 200


@final
@dataclass(frozen=True, slots=True)
class Picture:
    """A picture.

    Attributes:
        source: a `data:` address that holds it.
        about: what it shows.
        wide: it takes the whole width.
    """

    source: str
    about: str
    wide: bool = False


def run_pictures(record: RunRecord) -> list[Picture]:
    """One picture for each panel of a run."""
    found = []
    with house_style():
        for panel in panels(record):
            size = (9.0, 3.0) if panel.wide else (4.6, 3.0)
            figure = Figure(figsize=size, layout="constrained")
            FigureCanvasAgg(figure)
            panel.draw(ax=figure.add_subplot())
            found.append(Picture(_source(figure), panel.about, panel.wide))
    return found


def side_by_side(records: Sequence[RunRecord]) -> Picture:
    """Several runs in one picture.

    Raises:
        RunError: if none of them holds anything to draw.
    """
    with house_style():
        figure = draw_runs(records)
        about = f"Losses and scores of {len(records)} runs side by side"
        return Picture(_source(figure), about, wide=True)


def circuit_picture(cell: Cell) -> Picture | None:
    """The cell and its first steps; None for a circuit that nobody could read."""
    if cell.circuit.num_qubits > _MOST_QUBITS or len(cell.circuit.data) > _MOST_GATES:
        return None
    with house_style():
        figure = draw_cell(unroll(cell, 2))
        about = (
            f"Circuit of cell {cell.name}: one step, and unrolled over two steps with a "
            "measurement and a reset between them"
        )
        return Picture(_source(figure, tight=True), about, wide=True)


def _source(figure: Figure, *, tight: bool = False) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, bbox_inches="tight" if tight else None)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
