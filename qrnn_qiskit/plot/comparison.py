"""A comparison of gradient methods: error, bias, error bars, steps, lengths and trainings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.plot.style import GUIDE, LINES, house_style, logarithmic, thousands

SWEEP: Final = "central difference, h = "
Entries = Sequence[dict[str, Any]]
Lines = dict[str, tuple[str, str]]


def plot_comparison(run_dir: Path, out: Path | None = None) -> list[Path]:
    """Draw `comparison.png` from a comparison's `comparison.json`; returns its path.

    Raises:
        RunError: if the directory holds no comparison, or the picture cannot be written.
    """
    try:
        found = json.loads((run_dir / "comparison.json").read_text(encoding="utf-8"))
        panels, lines = _panels(found)
    except (OSError, ValueError, KeyError):
        raise RunError(f"{run_dir} holds no finished comparison: run qrnn compare first") from None
    with house_style():
        columns = min(3, len(panels))
        rows = -(-len(panels) // columns)
        figure = Figure(figsize=(10.0, 0.5 + 3.1 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for draw, ax in zip(panels, axes, strict=False):
            draw(ax=ax)
        for ax in axes[len(panels) :]:
            ax.remove()
        figure.legend(
            [Line2D([], [], color=c, marker=m, markersize=4) for c, m in lines.values()],
            list(lines),
            loc="outside lower center",
            ncols=4,
        )
        path = (out or run_dir) / "comparison.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=144)
        except OSError as problem:
            raise RunError(f"cannot write {path}: {problem.strerror}") from None
    return [path]


def _panels(found: dict[str, Any]) -> tuple[list[Callable[..., list[Artist]]], Lines]:
    """The panels that a comparison has something for, and the line of each method."""
    entries, curves = found["entries"], found["training"]
    swept = [entry for entry in entries if entry["method"].startswith(SWEEP)]
    methods = [entry for entry in entries if entry not in swept]
    names = [entry["method"] for entry in methods] + [curve["method"] for curve in curves]
    lines = dict(zip(dict.fromkeys(names), LINES, strict=False))
    longest = max(entry["num_steps"] for entry in methods)
    most = max(entry["shots"] for entry in methods)
    at_longest = [entry for entry in methods if entry["num_steps"] == longest]
    panels: list[Callable[..., list[Artist]]] = []
    if len({entry["shots"] for entry in methods}) > 1:
        panels += [
            partial(plot_against_shots, at_longest, lines, "rmse", f"Error, T = {longest}"),
            partial(plot_against_shots, at_longest, lines, "bias", f"Bias, T = {longest}"),
        ]
    panels.append(partial(plot_coverage, at_longest, lines))
    if swept:
        chosen = [entry for entry in methods if entry["step"] is not None]
        panels.append(partial(plot_steps, swept, chosen, longest))
    if longest > min(entry["num_steps"] for entry in methods):
        at_most = [entry for entry in methods if entry["shots"] == most]
        panels.append(partial(plot_against_length, at_most, lines, most))
    if curves:
        panels.append(partial(plot_training, curves, lines))
    return panels, lines


def plot_against_shots(
    entries: Entries, lines: Lines, key: str, title: str, *, ax: Axes
) -> list[Artist]:
    """One quantity of each method against total shots, both axes logarithmic.

    The bias gets a dotted line where repetitions are too few to tell it from none.
    """
    artists: list[Artist] = []
    for (color, marker), mine in _by_method(entries, lines):
        shots = [entry["shots"] for entry in mine]
        values = [entry[key] for entry in mine]
        artists += ax.plot(shots, values, color=color, marker=marker, markersize=4)
        if key == "bias":
            limit = [entry["bias_error"] for entry in mine]
            artists += ax.plot(shots, limit, color=color, linestyle=":", linewidth=0.9)
    logarithmic(ax, "x")
    ax.set_xlabel("total shots of a gradient")
    label = {"rmse": "RMSE", "bias": "bias"}[key]
    ax.set_ylabel(f"{label} / norm of the gradient")
    ax.set_title(title)
    logarithmic(ax)
    return artists


def plot_coverage(entries: Entries, lines: Lines, *, ax: Axes) -> list[Artist]:
    """Fraction of the 95 % intervals that hold the reference, against total shots."""
    artists: list[Artist] = [ax.axhline(0.95, color=GUIDE, linestyle=":", linewidth=1.0)]
    for (color, marker), mine in _by_method(entries, lines):
        artists += ax.plot(
            [entry["shots"] for entry in mine],
            [entry["coverage"] for entry in mine],
            color=color,
            marker=marker,
            markersize=4,
        )
    logarithmic(ax, "x")
    ax.set_xlabel("total shots of a gradient")
    ax.set_ylabel("coverage of 95 % intervals")
    ax.set_title("Error bars")
    return artists


def plot_steps(swept: Entries, chosen: Entries, longest: int, *, ax: Axes) -> list[Artist]:
    """Error of central differences against their step, and the steps chosen for the shots."""
    artists: list[Artist] = []
    shots = list(dict.fromkeys(entry["shots"] for entry in swept))
    for i, number in enumerate(shots):
        mine = sorted(
            (e for e in swept if e["shots"] == number and e["num_steps"] == longest),
            key=lambda entry: entry["step"],
        )
        artists += ax.plot(
            [entry["step"] for entry in mine],
            [entry["rmse"] for entry in mine],
            color=GUIDE,
            alpha=0.35 + 0.65 * (i + 1) / len(shots),
            linewidth=1.2,
        )
        ax.annotate(
            f"{number:,} shots",
            (mine[0]["step"], mine[0]["rmse"]),
            textcoords="offset points",
            xytext=(4, 3),
            fontsize=7.5,
        )
    stars = [e for e in chosen if e["num_steps"] == longest]
    artists += ax.plot(
        [entry["step"] for entry in stars],
        [entry["rmse"] for entry in stars],
        linestyle="",
        marker="*",
        markersize=9,
        color="#D55E00",
        label="chosen for the shots",
    )
    logarithmic(ax, "x")
    ax.set_xlabel("step h of the difference (rad)")
    ax.set_ylabel("RMSE / norm of the gradient")
    ax.set_title(f"Finite-difference step, T = {longest}")
    ax.legend(loc="best")
    logarithmic(ax)
    return artists


def plot_against_length(entries: Entries, lines: Lines, shots: int, *, ax: Axes) -> list[Artist]:
    """Error of each method against the length of the sequences."""
    artists: list[Artist] = []
    for (color, marker), mine in _by_method(entries, lines):
        artists += ax.plot(
            [entry["num_steps"] for entry in mine],
            [entry["rmse"] for entry in mine],
            color=color,
            marker=marker,
            markersize=4,
        )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("steps T of a sequence")
    ax.set_ylabel("RMSE / norm of the gradient")
    ax.set_title(f"Length, {shots:,} shots")
    logarithmic(ax)
    return artists


def plot_training(curves: Entries, lines: Lines, *, ax: Axes) -> list[Artist]:
    """Exact loss along each training against the shots used."""
    artists: list[Artist] = []
    for curve in curves:
        color, marker = lines[curve["method"]]
        artists += ax.plot(curve["shots"], curve["loss"], color=color)
        artists += ax.plot(
            curve["shots"][-1:], curve["loss"][-1:], color=color, marker=marker, markersize=4
        )
    ax.set_xlabel("total shots of the training")
    ax.set_ylabel("exact loss")
    ax.set_title("Training")
    logarithmic(ax)
    thousands(ax)
    return artists


def _by_method(entries: Entries, lines: Lines) -> list[tuple[tuple[str, str], Entries]]:
    mine = [(line, [e for e in entries if e["method"] == name]) for name, line in lines.items()]
    return [(line, found) for line, found in mine if found]
