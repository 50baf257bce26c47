"""Whether a training still gets anywhere, from the losses that its gradients brought along."""

from __future__ import annotations

from typing import Final

import numpy as np

from qrnn_qiskit.angle_map import Array

MEMORY: Final = 16  # steps that are looked at
PATIENCE: Final = 8  # fewest of them
CLEARLY: Final = 0.7  # standard errors by which the loss must have risen


def progress(losses: Array) -> tuple[bool, str]:
    """Whether the losses have stopped falling, and how sure that is.

    A straight line is fitted to them. Its slope has an error from the shots; where the losses
    scatter more than that (another minibatch at each step), their own scatter counts.

    Args:
        losses: `[n, 2]` loss and its variance at each of the last steps.
    """
    count = len(losses)
    if count < PATIENCE:
        return False, f"{count} of {PATIENCE} steps seen with these"
    place = np.arange(count) - (count - 1) / 2
    values, variances = losses.T
    weights = place / (place @ place)
    slope = float(weights @ values)
    left = values - values.mean() - slope * place
    scatter = float(left @ left) / (count - 2) * float(weights @ weights)
    # Of marginal shots the variance is unknown.
    error = float(np.sqrt(np.fmax(weights**2 @ variances, scatter)))
    change = slope * (count - 1)
    text = f"loss {change:+.2g} ± {error * (count - 1):.1g} in {count} steps"
    return slope > CLEARLY * error, text
