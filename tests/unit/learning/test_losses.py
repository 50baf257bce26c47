"""Losses: values, derivatives, the correction for noise."""

from __future__ import annotations

import numpy as np
import pytest

from qrnn_qiskit.learning.plugins import LOSSES, Loss
from qrnn_qiskit.learning.steps import step_mask

SHAPE = (5, 4, 2)
MASK = step_mask(4, 2)


def case() -> tuple[Loss, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    loss: Loss = LOSSES.build("mse", {})
    return loss, rng.normal(size=SHAPE), rng.normal(size=SHAPE)


def test_value_is_the_mean_over_what_is_read() -> None:
    loss, predictions, targets = case()
    value, _ = loss.value_and_cotangent(predictions, targets, MASK)
    assert value.shape == (5,)
    assert value.mean() == pytest.approx(np.mean((predictions - targets)[:, 2:] ** 2))


def test_derivatives_agree_with_finite_differences() -> None:
    loss, predictions, targets = case()
    _, cotangent = loss.value_and_cotangent(predictions, targets, MASK)
    curvature = loss.curvature(predictions, MASK)
    h = 1e-4
    for at in np.ndindex(SHAPE):
        step = np.zeros(SHAPE)
        step[at] = h
        up, up_slope = loss.value_and_cotangent(predictions + step, targets, MASK)
        down, down_slope = loss.value_and_cotangent(predictions - step, targets, MASK)
        assert cotangent[at] == pytest.approx((up - down).mean() / (2 * h), abs=1e-10)
        assert curvature[at] == pytest.approx((up_slope - down_slope)[at] / (2 * h), abs=1e-10)


def test_correction_is_the_mean_excess_of_noisy_predictions() -> None:
    loss, predictions, targets = case()
    deviation = np.random.default_rng(1).uniform(0.1, 1.0, SHAPE)
    # Noise of +deviation and -deviation with equal probability, independent: all its second
    # moments are those of the two sign patterns below.
    exact = loss.value_and_cotangent(predictions, targets, MASK)[0].mean()
    noisy = [
        loss.value_and_cotangent(predictions + sign * deviation, targets, MASK)[0].mean()
        for sign in (-1.0, 1.0)
    ]
    assert np.mean(noisy) - exact == pytest.approx(loss.correction(deviation**2, MASK))


def test_steps_outside_the_mask_are_never_read() -> None:
    loss, predictions, targets = case()
    targets[:, :2] = np.nan
    value, cotangent = loss.value_and_cotangent(predictions, targets, MASK)
    assert np.isfinite(value).all()
    np.testing.assert_array_equal(cotangent[:, :2], 0.0)
