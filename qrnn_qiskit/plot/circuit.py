"""Pictures of circuits: a cell, and what it is unrolled to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from qrnn_qiskit.circuit import UnrolledCircuit
from qrnn_qiskit.errors import RunError
from qrnn_qiskit.plot.style import house_style

# Black and white, with a frame around the gates: nothing depends on a colour.
_STYLE: Final[dict[str, Any]] = {"name": "bw", "fontsize": 11, "subfontsize": 8}
_FOLD: Final = 24
_SCALE: Final = 0.65
_TITLE_IN: Final = 0.35


def plot_circuit(circuit: Any, *, ax: Axes) -> list[Artist]:
    """Draw a `QuantumCircuit`; its axes are made as wide as it needs by whoever makes them."""
    before = set(ax.get_children())
    circuit.draw(
        "mpl", ax=ax, style=_STYLE, fold=_FOLD, idle_wires=False, scale=_SCALE, plot_barriers=False
    )
    return [artist for artist in ax.get_children() if artist not in before]


def draw_cell(unrolled: UnrolledCircuit) -> Figure:
    """A cell above the circuit that it is unrolled to, its angles named `a_step_gate`."""
    cell = unrolled.cell
    circuits = [(f"{cell.name}: one step", cell.circuit)]
    if cell.last.data:
        circuits.append(("Only in the last step, after it", cell.last))
    steps = unrolled.num_steps
    circuits.append((f"Unrolled over {steps} step{'s' * (steps != 1)}", unrolled.circuit))
    # Axes of the size that each circuit asks for: Qiskit scales its letters with the axes.
    sizes = [_size(circuit) for _, circuit in circuits]
    width = max(w for w, _ in sizes)
    height = sum(h + _TITLE_IN for _, h in sizes)
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    top = height
    for (title, circuit), (w, h) in zip(circuits, sizes, strict=True):
        top -= h + _TITLE_IN
        ax = figure.add_axes((0.0, top / height, w / width, h / height))
        plot_circuit(circuit, ax=ax)
        ax.set_title(title)
    return figure


def plot_cell(unrolled: UnrolledCircuit, path: Path) -> Path:
    """Draw a cell into a file, its kind by the ending (`.png`, `.svg`, `.pdf`).

    Raises:
        RunError: if it cannot be written.
    """
    with house_style():
        figure = draw_cell(unrolled)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=144, bbox_inches="tight")
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from None
        except ValueError as error:  # an ending that matplotlib does not know
            raise RunError(f"cannot write {path}: {error}") from None
    return path


def _size(circuit: Any) -> tuple[float, float]:
    """Inches that Qiskit's drawer takes for a circuit."""
    from matplotlib import pyplot

    figure = circuit.draw(
        "mpl", style=_STYLE, fold=_FOLD, idle_wires=False, scale=_SCALE, plot_barriers=False
    )
    width, height = figure.get_size_inches()
    pyplot.close(figure)  # Qiskit's drawer leaves its figures open
    return float(width), float(height)
