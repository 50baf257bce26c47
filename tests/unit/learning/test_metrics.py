"""Metrics: definitions, masks, unknown targets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrnn_qiskit.learning import metrics
from qrnn_qiskit.learning.metrics import mae, r2, rmse
from qrnn_qiskit.learning.steps import step_mask

TARGETS = np.array([[[1.0], [2.0]], [[3.0], [6.0]]])
PREDICTIONS = np.array([[[9.0], [3.0]], [[9.0], [4.0]]])
LAST = step_mask(2, 1)


def test_definitions() -> None:
    assert rmse(PREDICTIONS, TARGETS, LAST) == pytest.approx(math.sqrt((1 + 4) / 2))
    assert mae(PREDICTIONS, TARGETS, LAST) == pytest.approx(1.5)
    assert r2(PREDICTIONS, TARGETS, LAST) == pytest.approx(1 - 5 / 8)


def test_unknown_targets_are_left_out() -> None:
    targets = TARGETS.copy()
    targets[1, 1, 0] = np.nan
    assert rmse(PREDICTIONS, targets, LAST) == 1.0
    assert mae(PREDICTIONS, targets, LAST) == 1.0
    assert math.isnan(r2(PREDICTIONS, targets, LAST))


def test_r2_is_the_mean_over_targets() -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(30, 2, 2)) * [1.0, 100.0]
    predictions = targets.copy()
    predictions[:, :, 0] = targets[:, 1, 0].mean()
    assert r2(targets, targets, LAST) == 1.0
    assert r2(predictions, targets, LAST) == pytest.approx(0.5)


def test_nothing_known() -> None:
    unknown = np.full((2, 2, 1), np.nan)
    for metric in (rmse, mae, r2):
        assert math.isnan(metric(PREDICTIONS, unknown, LAST))
        assert math.isnan(metric(PREDICTIONS[:0], TARGETS[:0], LAST))


def test_scores_of_labels() -> None:
    probabilities = np.array([[[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]])
    targets = np.array([[[0.0], [1.0], [np.nan]]])
    mask = np.array([False, True, True])
    assert metrics.accuracy(probabilities, targets, mask) == 0.0
    assert metrics.perplexity(probabilities, targets, mask) == pytest.approx(10.0)
    targets[0, 2] = 1.0
    assert metrics.accuracy(probabilities, targets, mask) == 0.5
    assert metrics.perplexity(probabilities, targets, mask) == pytest.approx((10 / 0.8) ** 0.5)
    assert np.isnan(metrics.accuracy(probabilities, np.full((1, 3, 1), np.nan), mask))
    assert np.isinf(metrics.perplexity(np.array([[[1.0, 0.0]]]), np.ones((1, 1, 1)), mask[1:2]))
