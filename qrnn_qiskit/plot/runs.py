"""Several runs side by side: their losses, their scores, and a score against what was varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.plot.record import RunRecord, read_record
from qrnn_qiskit.plot.style import GUIDE, LINES, MODEL, house_style, logarithmic, thousands

_UNVARIED: Final = ("name", "seed", "budget")
_SPREAD_FOR_LOG: Final = 20.0  # of a positive key's values
Records = Sequence[RunRecord]


def plot_runs(run_dirs: Sequence[Path], out: Path | None = None) -> list[Path]:
    """Draw `runs.png` for several runs, and return its path.

    Args:
        run_dirs: two runs or more.
        out: directory for the picture; the current one by default.

    Raises:
        RunError: where one is no run directory, or the picture cannot be written.
    """
    records = [read_record(run_dir) for run_dir in run_dirs]
    path = (out or Path()) / "runs.png"
    with house_style():
        figure = draw_runs(records)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=144)
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from None
    return [path]


def draw_runs(records: Records) -> Figure:
    """The figure: losses against steps and shots, scores, and the sweep if one key was varied.

    Raises:
        RunError: if none of the runs holds a step or a score.
    """
    panels: list[Any] = []
    if any(record.history is not None for record in records):
        panels.append(partial(plot_losses, records))
    if any(record.history is not None and record.history.shots.any() for record in records):
        panels.append(partial(plot_losses, records, against="shots"))
    if any(record.scores for record in records):
        panels.append(partial(plot_scores, records))
        if varied_key(records) is not None:
            panels.append(partial(plot_sweep, records))
    if not panels:
        raise RunError("these runs have nothing to draw yet: they hold no step and no prediction")
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.6 * columns, 0.3 + 3.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for draw, ax in zip(panels, axes, strict=False):
        draw(ax=ax)
    for ax in axes[len(panels) :]:
        ax.remove()
    return figure


def plot_losses(records: Records, *, ax: Axes, against: str = "step") -> list[Artist]:
    """Training loss of each run.

    Args:
        records: the runs.
        ax: where to draw.
        against: "step" or "shots".
    """
    artists: list[Artist] = []
    positive = True
    for name, record, (color, marker) in zip(names(records), records, _lines(records), strict=True):
        history = record.history
        if history is None or (against == "shots" and not history.shots.any()):
            continue
        place = history.step if against == "step" else history.shots
        artists += ax.plot(
            place,
            history.loss,
            color=color,
            linewidth=1.2,
            marker=marker,
            markersize=4,
            markevery=[len(place) - 1],
            label=name,
        )
        positive &= bool(np.all(history.loss[np.isfinite(history.loss)] > 0))
    ax.set_title("Training loss")
    ax.set_xlabel("training step" if against == "step" else "shots")
    ax.set_ylabel("loss")
    if positive:
        logarithmic(ax)
    if against == "shots":
        thousands(ax)
    ax.legend()
    return artists


def plot_scores(records: Records, *, ax: Axes) -> list[Artist]:
    """Error of each run on its held-out data as a bar, and its best baseline as a line across."""
    score, spelled = _score(records)
    scored = [i for i, record in enumerate(records) if record.scores]
    colors = [_lines(records)[i][0] for i in scored]
    labels = [names(records)[i] for i in scored]
    records = [records[i] for i in scored]
    own, best = _own(records, score), _best_baseline(records, score)
    place = np.arange(len(records))
    artists: list[Artist] = [*ax.barh(place, own, color=colors, height=0.6)]
    for at, value in zip(place, best, strict=True):
        if np.isfinite(value):
            artists += ax.plot([value, value], [at - 0.4, at + 0.4], color="#000000", linewidth=1.6)
    if np.any(np.isfinite(best)):
        artists[-1].set_label("best baseline")
        ax.legend()
    ax.set_yticks(place, labels)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set_xlim(left=0)
    ax.set_xlabel(spelled)
    ax.set_title("Held-out data")
    return artists


def plot_sweep(records: Records, *, ax: Axes, key: str | None = None) -> list[Artist]:
    """Error on held-out data against the one number that differs between the jobs.

    Args:
        records: the runs.
        ax: where to draw.
        key: of the job, such as "optimizer.learning_rate"; the varied one by default.

    Raises:
        RunError: if no single number was varied.
    """
    found = varied_key(records) if key is None else key
    if found is None:
        raise RunError("the jobs of these runs do not differ in one number alone")
    score, spelled = _score(records)
    value = np.array([_flat(record.job).get(found, np.nan) for record in records], dtype=float)
    own, best = _own(records, score), _best_baseline(records, score)
    order = np.argsort(value, kind="stable")
    artists: list[Artist] = [
        *ax.plot(value[order], own[order], color=MODEL, marker="o", markersize=4, label="QRNN"),
        *ax.plot(value[order], best[order], color=GUIDE, linestyle=":", label="best baseline"),
    ]
    if np.all(value > 0) and value.max() >= _SPREAD_FOR_LOG * value.min():
        logarithmic(ax, "x")
    ax.set_xlabel(found)
    ax.set_ylabel(spelled)
    ax.set_title("Sweep")
    ax.legend()
    return artists


def varied_key(records: Records) -> str | None:
    """The one number in which the jobs differ, such as "training.steps"; None without one."""
    jobs = [_flat(record.job) for record in records]
    keys = dict.fromkeys(key for job in jobs for key in job)
    varied = [key for key in keys if len({str(job.get(key)) for job in jobs}) > 1]
    if len(varied) != 1:
        return None
    values = [job.get(varied[0]) for job in jobs]
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    return varied[0] if numbers else None


def names(records: Records) -> list[str]:
    """A name for each run: the varied number if there is one; else with a number if need be."""
    key = varied_key(records)
    if key is not None:
        return [f"{key.rpartition('.')[2]} = {_flat(record.job)[key]}" for record in records]
    own = [record.name for record in records]
    return [
        name if own.count(name) == 1 else f"{name} ({own[:i].count(name) + 1})"
        for i, name in enumerate(own)
    ]


def _lines(records: Records) -> list[tuple[str, str]]:
    return [LINES[i % len(LINES)] for i in range(len(records))]


def _score(records: Records) -> tuple[str, str]:
    first = next(record.scores[0] for record in records if record.scores)
    return ("rmse", "RMSE") if "rmse" in first else ("perplexity", "perplexity")


def _own(records: Records, score: str) -> Any:
    return np.array([_number(r.scores[0].get(score)) if r.scores else np.nan for r in records])


def _best_baseline(records: Records, score: str) -> Any:
    return np.array(
        [min((_number(e.get(score)) for e in r.scores[1:]), default=np.nan) for r in records]
    )


def _number(value: Any) -> float:
    return np.inf if value is None else float(value)


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        if not prefix and key in _UNVARIED:
            continue
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
