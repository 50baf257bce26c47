"""The summary picture of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.plot.forecast import plot_forecast
from qrnn_qiskit.plot.history import (
    plot_gradient_norm,
    plot_loss,
    plot_signal_to_noise,
    plot_spending,
)
from qrnn_qiskit.plot.outputs import plot_outputs, plot_survival
from qrnn_qiskit.plot.record import RunRecord, read_record
from qrnn_qiskit.plot.style import house_style

_WIDTH_IN: Final = 9.0
_ROW_IN: Final = 3.1
_TITLE_IN: Final = 0.3
_DPI: Final = 160


def plot_run(run_dir: Path, out: Path | None = None) -> list[Path]:
    """Draw a run's `summary.png`: forecast against truth, training, spending, outputs.

    Args:
        run_dir: the run.
        out: directory for the picture, made where it is missing; the run's own by default.

    Returns:
        Paths of the pictures written.

    Raises:
        RunError: when it is no run directory, holds nothing to draw, or `out` cannot be written.
    """
    record = read_record(run_dir)
    if record.history is None and record.predictions is None and record.outputs is None:
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
    """The figure: a row for each target's forecast, then the training and the circuit's outputs."""
    found = panels(record)
    wide = [panel for panel in found if panel.wide]
    narrow = [panel for panel in found if not panel.wide]
    num_rows = len(wide) + -(-len(narrow) // 2)
    figure = Figure(
        figsize=(_WIDTH_IN, _ROW_IN * num_rows + _TITLE_IN),
        layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06),
    )
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(num_rows, 2)
    figure.suptitle(record.name)
    for row, panel in enumerate(wide):
        panel.draw(ax=figure.add_subplot(grid[row, :]))
    for i, panel in enumerate(narrow):
        row, column = divmod(i, 2)
        panel.draw(ax=figure.add_subplot(grid[len(wide) + row, column]))
    return figure


@final
@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of a run.

    Attributes:
        about: what it shows, for people who cannot see it.
        draw: draws on `ax`.
        wide: it needs the whole width.
    """

    about: str
    draw: Callable[..., list[Artist]]
    wide: bool = False


def panels(record: RunRecord) -> list[Panel]:
    """The pictures that a run has something for."""
    found: list[Panel] = []
    predictions, history, outputs = record.predictions, record.history, record.outputs
    if predictions is not None:
        for m in range(predictions.targets.shape[2]):
            name = record.target_names[m] if m < len(record.target_names) else None
            draw = partial(plot_forecast, predictions, target=m, name=name)
            about = f"Forecast of {name or f'target {m + 1}'} on held-out data, truth and baselines"
            found.append(Panel(about, draw, wide=True))
    if history is not None:
        found += [
            Panel(
                f"Training loss, {history.loss[0]:.3g} at first and {history.loss[-1]:.3g} at last",
                partial(plot_loss, history, best_step=record.best_step),
            ),
            Panel("Norm of the gradient at each step", partial(plot_gradient_norm, history)),
        ]
        if np.any(history.shots > 0):
            limit = (record.job.get("budget") or {}).get("shots")
            about = f"Shots spent, {history.shots[-1]:,.0f} in all"
            found.append(Panel(about, partial(plot_spending, history, limit=limit)))
        if history.signal_to_noise is not None:
            found.append(
                Panel(
                    "Signal-to-noise ratio of each weight's gradient at each step",
                    partial(plot_signal_to_noise, history, weights=record.weight_names),
                )
            )
    if outputs is not None:
        found.append(Panel("Outputs of the circuit at each step", partial(plot_outputs, outputs)))
        if outputs.survival is not None:
            found.append(
                Panel(
                    "Fraction of the shots that post-selection keeps, at each step",
                    partial(plot_survival, outputs),
                )
            )
    return found
