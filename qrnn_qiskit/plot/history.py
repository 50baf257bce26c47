"""Training: loss and gradient norm against steps."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from qrnn_qiskit.plot.record import History
from qrnn_qiskit.plot.style import (
    BAND_ALPHA,
    BAND_SIGMAS,
    GUIDE,
    MODEL,
    VALIDATION,
    logarithmic,
)


def plot_loss(history: History, *, ax: Axes, best_step: int | None = None) -> list[Artist]:
    """Training loss with its error band, validation loss, and the step of the best weights.

    The axis is logarithmic when all losses are positive.
    """
    artists: list[Artist] = []
    finite = np.isfinite(history.loss)
    step, loss = history.step[finite], history.loss[finite]
    artists += ax.plot(step, loss, color=MODEL, label="training")
    error = history.loss_standard_error[finite]
    positive = bool(np.all(loss > 0)) and not np.any(history.validation_loss <= 0)
    if np.any(error > 0):
        low = loss - BAND_SIGMAS * error
        if positive:
            low = np.maximum(low, 0.5 * float(np.min(loss, initial=np.inf)))
        artists.append(
            ax.fill_between(
                step,
                low,
                loss + BAND_SIGMAS * error,
                color=MODEL,
                alpha=BAND_ALPHA,
                linewidth=0,
                label=f"± {BAND_SIGMAS:g}σ",
            )
        )
    validated = np.isfinite(history.validation_loss)
    if np.any(validated):
        artists += ax.plot(
            history.step[validated],
            history.validation_loss[validated],
            color=VALIDATION,
            marker="o",
            markersize=3.5,
            linewidth=1.2,
            label="validation",
        )
    if best_step is not None:
        artists.append(
            ax.axvline(best_step, color=GUIDE, linestyle=":", linewidth=1.0, label="best weights")
        )
    ax.set_title("Loss")
    _finish(ax, "loss", positive=positive)
    ax.legend()
    return artists


def plot_gradient_norm(history: History, *, ax: Axes) -> list[Artist]:
    """Norm of the loss gradient at each step."""
    finite = np.isfinite(history.gradient_norm)
    norm = history.gradient_norm[finite]
    artists: list[Artist] = [*ax.plot(history.step[finite], norm, color=MODEL, linewidth=1.2)]
    ax.set_title("Gradient")
    _finish(ax, "gradient norm", positive=bool(np.all(norm > 0)))
    return artists


def _finish(ax: Axes, label: str, *, positive: bool) -> None:
    ax.set_xlabel("training step")
    ax.set_ylabel(label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.margins(x=0.02)
    if positive:
        logarithmic(ax)
