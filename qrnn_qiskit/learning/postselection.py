"""Post-selection: from raw values to outputs given that a shot is kept, and back.

A shot is kept at a step if its post-selected bits of this and all earlier steps were 0. The raw
values of a step are the K outputs, each times 1 (kept) or 0, and that 1 or 0 itself: means m_k and
p, linear in the state. The conditional output is y_k = m_k / p.

Axes: B sequences, T steps, K output values.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.errors import DataError
from qrnn_qiskit.estimate import Estimate, Outputs

Array = NDArray[np.float64]

LEAST_KEPT: Final = 2  # shots: without them a ratio has no scatter
LEAST_FOR_ERRORS: Final = 10  # with fewer, error bars of a ratio mean nothing


def survival(raw: Outputs) -> Estimate:
    """Probability `[B, T]` that a shot is kept, with its standard error."""
    estimate = raw.estimate
    error = estimate.standard_error
    return Estimate(estimate.mean[:, :, -1], None if error is None else error[:, :, -1])


def check_survival(kept: Array, shots: int | None, least: int = LEAST_KEPT) -> None:
    """Refuse outputs that too few shots are left for.

    Args:
        kept: `[B, T]` probability to be kept, measured or expected.
        shots: of each sequence; None for exact values.
        least: kept shots that are enough.

    Raises:
        DataError: with the figures, and the shots that would be enough.
    """
    sequence, step = np.unravel_index(int(np.argmin(kept)), kept.shape)
    lowest = float(kept[sequence, step])
    where = f"step {step} of sequence {sequence}"
    if lowest <= 0.0:
        raise DataError(
            f"post-selection keeps nothing at {where}: no output is left to divide; take other "
            "weights, fewer steps, or more shots"
        )
    if shots is not None and lowest * shots < least * (1 - 1e-9):
        raise DataError(
            f"post-selection keeps a fraction of {lowest:.3g} at {where}, {lowest * shots:.3g} of "
            f"{shots:,} shots, but error bars need {least}: take at least "
            f"{int(np.ceil(least / lowest)):,} shots (backend.shots, or gradient.forward_shots for "
            "a gradient), or fewer steps"
        )


def kept_of(raw: Outputs) -> tuple[Array, int | None]:
    """What `check_survival` needs of measured raw values."""
    return raw.mean[:, :, -1], None if raw.count is None else int(raw.count.min())


def conditional(raw: Outputs) -> Outputs:
    """Conditional outputs `[B, T, K]` from raw ones `[B, T, K+1]`.

    Given the number of kept shots, m_k / p is the mean of those shots: it has no bias. Its
    covariance is that of the raw values through the derivatives of the quotient, with the
    correction for the mean that is taken off each step's kept shots.
    """
    mean = raw.mean[:, :, :-1] / raw.mean[:, :, -1:]
    if raw.count is None or raw.covariance is None:
        return Outputs(mean)
    slope = quotient_jacobian(raw.mean)
    covariance = slope @ raw.covariance @ slope.transpose(0, 2, 1)
    kept = raw.mean[:, :, -1] * raw.count[:, None]
    shots = raw.count[:, None]
    # Sums over `kept` squares, divided by shots - 1: the mean of `kept` numbers was subtracted.
    scale = np.sqrt(kept / np.maximum(kept - 1.0, 1.0) * (shots - 1.0) / shots)
    scale = np.repeat(scale, mean.shape[2], axis=1)
    return Outputs(mean, raw.count, covariance * scale[:, :, None] * scale[:, None, :])


def quotient_jacobian(raw: Array) -> Array:
    """Derivatives `[B, T*K, T*(K+1)]` of conditional by raw values, at raw means `[B, T, K+1]`."""
    batch, steps, width = raw.shape
    values = width - 1
    p = raw[:, :, -1]
    slope = np.zeros((batch, steps, values, steps, width))
    for t in range(steps):
        slope[:, t, :, t, :values] = np.eye(values) / p[:, t, None, None]
        slope[:, t, :, t, -1] = -raw[:, t, :-1] / p[:, t, None] ** 2
    return slope.reshape(batch, steps * values, steps * width)


def pull_back(cotangent: Array, product: Array, inverse: Array) -> Array:
    """Cotangent `[B, T, K+1]` of raw values, by the quotient rule.

    dL/dm_k = w_k / p and dL/dp = -sum_k w_k y_k / p.

    Args:
        cotangent: `[B, T, K]` w = dL/dy.
        product: `[B, T]` sum_k w_k y_k.
        inverse: `[B, T]` 1/p.
    """
    return np.concatenate([cotangent, -product[:, :, None]], axis=2) * inverse[:, :, None]


def inverse_probability(raw: Outputs) -> Array:
    """1/p without bias, `[B, T]`: (N+1)/(k+1) for k of N shots kept; 1/p for exact values.

    E[(N+1)/(k+1)] = [1 - (1-p)^(N+1)] / p.
    """
    p: Array = raw.mean[:, :, -1]
    if raw.count is None:
        return 1.0 / p
    shots = raw.count[:, None].astype(np.float64)
    inverse: Array = (shots + 1.0) / (p * shots + 1.0)
    return inverse


def quotient_curvature(raw: Array, cotangent: Array, curvature: Array) -> Array:
    """Second derivative `[B, T*(K+1), T*(K+1)]` of a loss by raw values.

    Args:
        raw: means `[B, T, K+1]`.
        cotangent: `[B, T, K]` dL/dy.
        curvature: `[B, T*K, T*K]` d²L/dy².
    """
    batch, steps, width = raw.shape
    slope = quotient_jacobian(raw)
    full = slope.transpose(0, 2, 1) @ curvature @ slope
    blocks = full.reshape(batch, steps, width, steps, width)
    p = raw[:, :, -1]
    by_product = cotangent / p[:, :, None] ** 2
    twice = 2.0 * np.sum(cotangent * raw[:, :, :-1], axis=2) / p**3
    for t in range(steps):
        blocks[:, t, :-1, t, -1] -= by_product[:, t]
        blocks[:, t, -1, t, :-1] -= by_product[:, t]
        blocks[:, t, -1, t, -1] += twice[:, t]
    return full
