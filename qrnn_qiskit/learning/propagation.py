"""What noise in an argument does to a function: bias and variance to second order.

For f of an estimate with mean μ and small covariance C, with gradient g and Hessian A at μ,

    E f = f(μ) + tr(A C) / 2,    Var f = g'Cg + tr(A C A C) / 2

(the second is exact for a quadratic form of normal numbers). All derivatives beyond those that are
given are differences along the principal axes of C: exact for quadratic functions.

Axes: B sequences, D arguments of a sequence, N functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STEP: Final = 1e-2  # of the argument's standard deviation: far inside the noise, above rounding


def principal_axes(covariance: Array) -> Array:
    """Axes `[D, B, D]` σ_i with sum_i σ_i σ_i' = C, those of no sequence left out.

    Args:
        covariance: `[B, D, D]` of the arguments.
    """
    values, vectors = np.linalg.eigh(covariance)
    scaled = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    axes = np.moveaxis(scaled, 2, 0)
    largest = np.abs(axes).max(axis=(1, 2), initial=0.0)
    kept: Array = axes[largest > 0.0]
    return kept


def directional(function: Callable[[Array], Array], mean: Array, axis: Array) -> Array:
    """Derivative of a function of `[B, D]` along an axis `[B, D]`, by a central difference."""
    step = _STEP * axis
    derivative: Array = (function(mean + step) - function(mean - step)) / (2.0 * _STEP)
    return derivative


def second_difference(function: Callable[[Array], Array], mean: Array, axis: Array) -> Array:
    """Second derivative of a function of `[B, D]` along an axis `[B, D]`."""
    step = _STEP * axis
    ends = function(mean + step) + function(mean - step)
    derivative: Array = (ends - 2.0 * function(mean)) / _STEP**2
    return derivative


def gradient_bias(curvature_of: Callable[[Array], Array], mean: Array, covariance: Array) -> Array:
    """What E of a function's gradient exceeds the gradient at the mean by, `[B, D]`.

    Args:
        curvature_of: Hessian `[B, D, D]` at a point `[B, D]`.
        mean: `[B, D]`.
        covariance: `[B, D, D]`.
    """
    bias = np.zeros(mean.shape)
    for axis in principal_axes(covariance):
        bias += 0.5 * np.einsum("bij,bj->bi", directional(curvature_of, mean, axis), axis)
    return bias


def second_order(
    jacobian_of: Callable[[Array], Array], mean: Array, covariance: Array
) -> tuple[Array, Array]:
    """tr(A C) / 2 and tr(A C A C) / 2 of N functions, `[N, B]` each.

    Args:
        jacobian_of: gradients `[N, B, D]` at a point `[B, D]`.
        mean: `[B, D]`.
        covariance: `[B, D, D]`.
    """
    axes = principal_axes(covariance)
    bias = np.zeros(jacobian_of(mean).shape[:2])
    second = np.zeros(bias.shape)
    by_sequence = axes.transpose(1, 2, 0)
    for i, axis in enumerate(axes):
        slope = directional(jacobian_of, mean, axis).transpose(1, 0, 2)
        bent = slope @ by_sequence  # [B, N, axes]
        bias += 0.5 * bent[:, :, i].T
        second += 0.5 * np.sum(bent**2, axis=2).T
    return bias, second


def quadratic_form(gradient: Array, covariance: Array) -> Array:
    """Each sequence's g'Cg, `[N, B]`, for gradients `[N, B, D]` and covariances `[B, D, D]`."""
    by_sequence = gradient.transpose(1, 0, 2)
    variance: Array = np.sum((by_sequence @ covariance) * by_sequence, axis=2).T
    return np.maximum(variance, 0.0)
