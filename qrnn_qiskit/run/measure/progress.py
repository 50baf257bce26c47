"""Whether a training still gets anywhere, from the losses that its gradients brought along."""

from __future__ import annotations

from typing import Final

import numpy as np

from qrnn_qiskit.angle_map import Array

MEMORY: Final = 16  # steps that are looked at
PATIENCE: Final = 8  # fewest of them
CLEARLY: Final = 0.3  # standard errors by which the loss must have risen


def line(losses: Array) -> tuple[float, float]:
    """Slope per step of a straight line through the losses, and its standard error.

    The error is that of the shots; where the losses scatter more (another minibatch at each step),
    their own scatter counts.

    Args:
        losses: `[n, 2]` loss and its variance at each step.
    """
    count = len(losses)
    place = np.arange(count) - (count - 1) / 2
    values, variances = losses.T
    weights = place / (place @ place)
    slope = float(weights @ values)
    left = values - values.mean() - slope * place
    scatter = float(left @ left) / (count - 2) * float(weights @ weights)
    # Of marginal shots the variance is unknown.
    return slope, float(np.sqrt(np.fmax(weights**2 @ variances, scatter)))


def progress(losses: Array) -> tuple[bool, str]:
    """Whether the losses have stopped falling, and how sure that is.

    Args:
        losses: `[n, 2]` loss and its variance at each of the last steps.
    """
    count = len(losses)
    if count < PATIENCE:
        return False, f"{count} of {PATIENCE} steps seen with these"
    slope, error = line(losses)
    text = f"loss {slope * (count - 1):+.2g} ± {error * (count - 1):.1g} in {count} steps"
    return slope > CLEARLY * error, text
