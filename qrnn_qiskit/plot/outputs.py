"""What the circuit gives at each step: its outputs, and the shots that post-selection keeps.

Axes: N test sequences, T steps, K output values per step.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.plot.record import HeldOutOutputs
from qrnn_qiskit.plot.style import BAND_ALPHA, BAND_SIGMAS, LINES, MODEL, logarithmic

_MOST: Final = 4  # output values that can be told apart
_SPREAD: Final = (10.0, 90.0)  # percentiles


def plot_outputs(outputs: HeldOutOutputs, *, ax: Axes) -> list[Artist]:
    """Outputs of each step before the readout: median over sequences, and where 80 % of them lie.

    Bars show the typical error of one sequence's output. Of more than four output values the
    first four are drawn.
    """
    num_values = outputs.mean.shape[2]
    step = np.arange(outputs.mean.shape[1])
    artists: list[Artist] = []
    for k in range(min(num_values, _MOST)):
        color, marker = LINES[k]
        values = outputs.mean[:, :, k]
        low, high = np.percentile(values, _SPREAD, axis=0)
        name = "median" if num_values == 1 else f"output {k}, median"
        artists.append(
            ax.fill_between(
                step,
                low,
                high,
                color=color,
                alpha=BAND_ALPHA,
                linewidth=0,
                label="80 % of the sequences" if k == 0 else None,
            )
        )
        error = None
        if outputs.standard_error is not None:
            error = BAND_SIGMAS * np.median(outputs.standard_error[:, :, k], axis=0)
        container = ax.errorbar(
            step,
            np.median(values, axis=0),
            yerr=error,
            color=color,
            marker=marker,
            markersize=3.5,
            linewidth=1.2,
            elinewidth=1.0,
            label=name if error is None else f"{name} ± {BAND_SIGMAS:g}σ of a sequence",
        )
        artists.append(container.lines[0])
    title = "Outputs of each step"
    if num_values > _MOST:
        title += f" (first {_MOST} of {num_values})"
    ax.set_title(title)
    ax.set_xlabel("step of the sequence")
    ax.set_ylabel("output")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend()
    return artists


def plot_survival(outputs: HeldOutOutputs, *, ax: Axes) -> list[Artist]:
    """Fraction of the shots that post-selection has kept up to each step.

    Raises:
        RunError: for a circuit without post-selection.
    """
    survival = outputs.survival
    if survival is None:
        raise RunError("this circuit post-selects nothing: all shots survive")
    step = np.arange(survival.shape[1])
    artists: list[Artist] = [
        ax.fill_between(
            step,
            survival.min(axis=0),
            survival.max(axis=0),
            color=MODEL,
            alpha=BAND_ALPHA,
            linewidth=0,
            label="all sequences",
        ),
        *ax.plot(
            step,
            survival.mean(axis=0),
            color=MODEL,
            marker="o",
            markersize=3.5,
            linewidth=1.2,
            label="mean",
        ),
    ]
    ax.set_title("Shots kept by post-selection")
    ax.set_xlabel("step of the sequence")
    ax.set_ylabel("fraction kept")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if np.all(survival > 0):
        logarithmic(ax)
    ax.legend()
    return artists
