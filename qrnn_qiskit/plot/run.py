"""The summary picture of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.plot.forecast import plot_forecast
from qrnn_qiskit.plot.history import plot_gradient_norm, plot_loss
from qrnn_qiskit.plot.record import RunRecord, read_record
from qrnn_qiskit.plot.style import house_style

_WIDTH_IN: Final = 9.0
_ROW_IN: Final = 3.1
_TITLE_IN: Final = 0.3
_DPI: Final = 160


def plot_run(run_dir: Path, out: Path | None = None) -> list[Path]:
    """Draw a run's `summary.png`: forecast against truth, loss and gradient norm against steps.

    Args:
        run_dir: the run.
        out: directory for the picture, made where it is missing; the run's own by default.

    Returns:
        Paths of the pictures written.

    Raises:
        RunError: when it is no run directory, holds nothing to draw, or `out` cannot be written.
    """
    record = read_record(run_dir)
    if record.history is None and record.predictions is None:
        raise RunError(f"{run_dir} has nothing to draw yet: it holds no step and no prediction")
    path = (run_dir if out is None else out) / "summary.png"
    with house_style():
        figure = draw_summary(record)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=_DPI)
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from None
    return [path]


def draw_summary(record: RunRecord) -> Figure:
    """The figure: a row for each target's forecast, and a row for the training."""
    num_targets = 0 if record.predictions is None else record.predictions.targets.shape[2]
    num_rows = num_targets + (record.history is not None)
    figure = Figure(
        figsize=(_WIDTH_IN, _ROW_IN * num_rows + _TITLE_IN),
        layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06),
    )
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(num_rows, 2)
    figure.suptitle(record.name)
    if record.predictions is not None:
        for m in range(num_targets):
            name = record.target_names[m] if m < len(record.target_names) else None
            plot_forecast(
                record.predictions, ax=figure.add_subplot(grid[m, :]), target=m, name=name
            )
    if record.history is not None:
        plot_loss(record.history, ax=figure.add_subplot(grid[-1, 0]), best_step=record.best_step)
        plot_gradient_norm(record.history, ax=figure.add_subplot(grid[-1, 1]))
    return figure
