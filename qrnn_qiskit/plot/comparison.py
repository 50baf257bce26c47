"""A comparison of gradient methods: error, bias and coverage against total shots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.plot.style import GUIDE, house_style, logarithmic

# Okabe and Ito's palette, with markers so that no line depends on its colour alone.
LINES: Final = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
    ("#000000", "X"),
)
Entries = Sequence[dict[str, Any]]


def plot_comparison(run_dir: Path, out: Path | None = None) -> list[Path]:
    """Draw `comparison.png` from a comparison's `comparison.json`; returns its path.

    Raises:
        RunError: if the directory holds no comparison, or the picture cannot be written.
    """
    try:
        entries = json.loads((run_dir / "comparison.json").read_text(encoding="utf-8"))["entries"]
    except (OSError, ValueError, KeyError):
        raise RunError(f"{run_dir} holds no finished comparison: run qrnn compare first") from None
    with house_style():
        figure = Figure(figsize=(10.0, 3.6), layout="constrained")
        FigureCanvasAgg(figure)
        error, bias, coverage = figure.subplots(1, 3)
        plot_quantity(entries, "rmse", "RMSE / norm of the gradient", ax=error)
        error.set_title("Error")
        plot_quantity(entries, "bias", "bias / norm of the gradient", ax=bias, floor="bias_error")
        bias.set_title("Bias")
        plot_coverage(entries, ax=coverage)
        handles, labels = error.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        path = (out or run_dir) / "comparison.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=144)
        except OSError as problem:
            raise RunError(f"cannot write {path}: {problem.strerror}") from None
    return [path]


def plot_quantity(
    entries: Entries, key: str, label: str, *, ax: Axes, floor: str | None = None
) -> list[Artist]:
    """One quantity of each method against total shots, both axes logarithmic.

    Args:
        entries: of the comparison.
        key: the quantity.
        label: of its axis.
        ax: where to draw.
        floor: quantity that `key` cannot be told from, drawn as a thin dotted line.
    """
    artists: list[Artist] = []
    for (color, marker), method in zip(LINES, _methods(entries), strict=False):
        mine = [entry for entry in entries if entry["method"] == method]
        shots = [entry["shots"] for entry in mine]
        values = [entry[key] for entry in mine]
        artists += ax.plot(shots, values, color=color, marker=marker, markersize=4, label=method)
        if floor is not None:
            limit = [entry[floor] for entry in mine]
            artists += ax.plot(shots, limit, color=color, linestyle=":", linewidth=0.9)
    ax.set_xscale("log")
    ax.set_xlabel("total shots of a gradient")
    ax.set_ylabel(label)
    logarithmic(ax)
    return artists


def plot_coverage(entries: Entries, *, ax: Axes) -> list[Artist]:
    """Fraction of the 95 % intervals that hold the exact component, against total shots."""
    artists: list[Artist] = [ax.axhline(0.95, color=GUIDE, linestyle=":", linewidth=1.0)]
    for (color, marker), method in zip(LINES, _methods(entries), strict=False):
        mine = [entry for entry in entries if entry["method"] == method]
        artists += ax.plot(
            [entry["shots"] for entry in mine],
            [entry["coverage"] for entry in mine],
            color=color,
            marker=marker,
            markersize=4,
        )
    ax.set_xscale("log")
    ax.set_xlabel("total shots of a gradient")
    ax.set_ylabel("coverage of 95 % intervals")
    ax.set_title("Error bars")
    return artists


def _methods(entries: Entries) -> list[str]:
    return list(dict.fromkeys(entry["method"] for entry in entries))
