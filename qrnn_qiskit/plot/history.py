"""Training against steps: loss, gradient and its signal-to-noise, what was spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import MaxNLocator

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.plot.record import History
from qrnn_qiskit.plot.style import (
    BAND_ALPHA,
    BAND_SIGMAS,
    GUIDE,
    MODEL,
    VALIDATION,
    logarithmic,
    thousands,
)

_SNR_RANGE: Final = (0.1, 100.0)
_MAX_NAMES: Final = 12


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
    """Norm of the loss gradient at each step, and the size of its error."""
    finite = np.isfinite(history.gradient_norm)
    norm = history.gradient_norm[finite]
    step = history.step[finite]
    artists: list[Artist] = [
        *ax.plot(step, norm, color=MODEL, linewidth=1.2, label="norm of the gradient")
    ]
    error = history.gradient_error[finite]
    if np.any(error > 0):
        artists += ax.plot(
            step, error, color=VALIDATION, linestyle=":", linewidth=1.2, label="its error"
        )
        ax.legend()
    ax.set_title("Gradient")
    _finish(ax, "gradient norm", positive=bool(np.all(norm > 0) and not np.any(error <= 0)))
    return artists


def plot_signal_to_noise(
    history: History, *, ax: Axes, weights: Sequence[str] = ()
) -> list[Artist]:
    """Each weight's gradient over its error at each step, as a map of weights and steps.

    Brighter is clearer; below one the shots do not tell the gradient from none. A weight that
    nothing depends on stays dark.

    Raises:
        RunError: for a history without shots.
    """
    ratios = history.signal_to_noise
    if ratios is None:
        raise RunError("this training has no shots, so its gradients have no noise to compare with")
    low, high = _SNR_RANGE
    image = ax.imshow(
        np.clip(ratios, low, high).T,
        aspect="auto",
        interpolation="nearest",
        origin="lower",
        cmap="cividis",  # the same order of lightness for every kind of colour vision
        norm=LogNorm(low, high),
        extent=(history.step[0] - 0.5, history.step[-1] + 0.5, -0.5, ratios.shape[1] - 0.5),
    )
    bar = ax.figure.colorbar(image, ax=ax, ticks=[0.1, 1, 10, 100])
    bar.ax.set_yticklabels(["≤ 0.1", "1", "10", "≥ 100"])
    ax.grid(visible=False)
    if 0 < len(weights) <= _MAX_NAMES:
        ax.set_yticks(range(len(weights)), list(weights))
    else:
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_ylabel("weight")
    ax.set_xlabel("training step")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.set_title("Signal-to-noise of each weight's gradient")
    return [image]


def plot_spending(history: History, *, ax: Axes, limit: float | None = None) -> list[Artist]:
    """Shots used since the start, and QPU seconds on an axis of their own.

    Args:
        history: of a run.
        ax: where to draw.
        limit: shots of the budget.
    """
    artists: list[Artist] = [*ax.plot(history.step, history.shots, color=MODEL, label="shots")]
    if limit is not None:
        artists.append(
            ax.axhline(limit, color=GUIDE, linestyle=":", linewidth=1.0, label="budget (shots)")
        )
    ax.set_title("Spent")
    _finish(ax, "shots", positive=False)
    thousands(ax, "y")
    ax.set_ylim(bottom=0)
    if np.any(history.qpu_seconds > 0):
        right = ax.twinx()
        artists += right.plot(
            history.step,
            history.qpu_seconds,
            color=VALIDATION,
            linestyle="--",
            label="QPU seconds (predicted)",
        )
        right.set_ylabel("QPU seconds")
        right.set_ylim(bottom=0)
        right.grid(visible=False)
        right.spines["right"].set_visible(True)
    ax.legend(handles=artists, loc="upper left")
    return artists


def _finish(ax: Axes, label: str, *, positive: bool) -> None:
    ax.set_xlabel("training step")
    ax.set_ylabel(label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.margins(x=0.02)
    if positive:
        logarithmic(ax)
