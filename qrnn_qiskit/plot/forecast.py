"""Forecast against truth on held-out data, with error bands and baselines."""

from __future__ import annotations

from itertools import cycle
from typing import Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from qrnn_qiskit.learning.metrics import rmse
from qrnn_qiskit.plot.record import Array, Predictions
from qrnn_qiskit.plot.series import make_series
from qrnn_qiskit.plot.style import (
    BAND_ALPHA,
    BAND_SIGMAS,
    BASELINES,
    MODEL,
    TRUTH,
)

_MAX_DOTS: Final = 400
_LEGEND_COLUMNS: Final = 5


def plot_forecast(
    predictions: Predictions, *, ax: Axes, target: int = 0, name: str | None = None
) -> list[Artist]:
    """One target's test series: truth, forecast with its error band, baselines.

    The legend gives root mean squared errors over all test windows, as the run's table does,
    whether or not windows overlap.

    Args:
        predictions: of the test part.
        ax: where to draw.
        target: which of the M target values.
        name: of the target, with its unit where it has one.
    """
    series = make_series(predictions)
    at = (series.window, series.step, target)
    truth = ax.plot(
        series.time,
        predictions.targets[at],
        color=TRUTH,
        linewidth=1.0,
        # Dots tell where the data are, when steps that the loss leaves out make gaps.
        marker="." if series.time.size <= _MAX_DOTS else "",
        markersize=4,
        label="truth",
    )
    baselines: list[Artist] = []
    for (baseline, values), (color, dashes) in zip(
        predictions.baselines.items(), cycle(BASELINES), strict=False
    ):
        baselines += ax.plot(
            series.time,
            values[at],
            color=color,
            linestyle=dashes,
            linewidth=0.9,
            label=_label(baseline, predictions, values, target),
        )
    mean = predictions.mean[at]
    model: list[Artist] = [
        *ax.plot(
            series.time,
            mean,
            color=MODEL,
            label=_label("QRNN", predictions, predictions.mean, target),
        )
    ]
    if predictions.standard_error is not None:
        margin = BAND_SIGMAS * predictions.standard_error[at]
        model.append(
            ax.fill_between(
                series.time,
                mean - margin,
                mean + margin,
                color=MODEL,
                alpha=BAND_ALPHA,
                linewidth=0,
                label=f"± {BAND_SIGMAS:g}σ",
            )
        )
    ax.set_title("Forecast on held-out data")
    ax.set_ylabel(name or f"target {target + 1}")
    ax.margins(x=0.01)
    if not series.dated:
        ax.set_xlabel("time step")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    artists = [*truth, *model, *baselines]
    ax.legend(
        handles=artists,
        ncols=min(len(artists), _LEGEND_COLUMNS),
        loc="upper left",
        bbox_to_anchor=(0.0, -0.11 if series.dated else -0.2),
        borderaxespad=0.0,
        columnspacing=1.6,
    )
    return artists


def _label(name: str, predictions: Predictions, values: Array, target: int) -> str:
    only = slice(target, target + 1)
    error = rmse(values[:, :, only], predictions.targets[:, :, only], predictions.mask)
    return f"{name.replace('_', ' ')}, RMSE {error:.3g}"
