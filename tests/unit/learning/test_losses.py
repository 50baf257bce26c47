"""Losses: values against closed forms, derivatives against differences, counts without bias."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.learning.losses.nll import NegativeLogLikelihood
from qrnn_qiskit.learning.plugins import LOSSES, LabelLoss, Loss
from qrnn_qiskit.learning.steps import step_mask

SHAPE = (5, 4, 3)
MASK = step_mask(4, 2)
CASES: dict[str, dict[str, Any]] = {
    "mse": {},
    "nll": {},
    "cross_entropy": {"classes": 3},
    "cross_entropy of the mean": {"classes": 3, "pool": "mean"},
}


def case(name: str) -> tuple[Loss, np.ndarray, np.ndarray]:
    """Loss, predictions and targets; what is not read is NaN among the targets."""
    rng = np.random.default_rng(0)
    loss: Loss = LOSSES.build(name.split(" ")[0], CASES[name])
    predictions = rng.normal(size=SHAPE)
    if name == "nll":
        predictions = rng.dirichlet(np.ones(3), SHAPE[:2])
    targets = rng.normal(size=SHAPE)
    if isinstance(loss, LabelLoss):
        targets = rng.integers(0, 3, (*SHAPE[:2], 1)).astype(float)
        targets[:, ~loss.label_steps(MASK)] = np.nan
    targets[:, ~MASK] = np.nan
    return loss, predictions, targets


def closed_form(name: str, predictions: np.ndarray, targets: np.ndarray) -> float:
    read, wanted = predictions[:, 2:], targets[:, 2:]
    if name == "mse":
        return float(np.mean((read - wanted) ** 2))
    if name == "nll":
        return -float(np.mean([np.log(read[b, t, int(wanted[b, t, 0])]) for b, t in places()]))
    if name == "cross_entropy":
        logs = special.log_softmax(read, axis=2)
        return -float(np.mean([logs[b, t, int(wanted[b, t, 0])] for b, t in places()]))
    logs = special.log_softmax(read.mean(axis=1), axis=1)
    return -float(np.mean([logs[b, int(wanted[b, 1, 0])] for b in range(SHAPE[0])]))


def places() -> list[tuple[int, int]]:
    return list(np.ndindex(SHAPE[0], 2))


@pytest.mark.parametrize("name", CASES)
def test_value_is_the_mean_over_what_is_read(name: str) -> None:
    loss, predictions, targets = case(name)
    value, _ = loss.value_and_cotangent(predictions, targets, MASK)
    assert value.shape == (5,)
    assert value.mean() == pytest.approx(closed_form(name, predictions, targets), abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_derivatives_agree_with_finite_differences(name: str) -> None:
    loss, predictions, targets = case(name)
    _, cotangent = loss.value_and_cotangent(predictions, targets, MASK)
    curvature = loss.curvature(predictions, targets, MASK)
    assert curvature.shape == (5, 12, 12)
    np.testing.assert_array_equal(cotangent[:, :2], 0.0)
    h = 1e-6
    scale = 1.0 + float(np.abs(cotangent).max()) ** 3
    for at in np.ndindex(SHAPE):
        step = np.zeros(SHAPE)
        step[at] = h
        up, up_slope = loss.value_and_cotangent(predictions + step, targets, MASK)
        down, down_slope = loss.value_and_cotangent(predictions - step, targets, MASK)
        assert cotangent[at] == pytest.approx((up - down).mean() / (2 * h), abs=1e-8 * scale)
        bent = ((up_slope - down_slope) / (2 * h))[at[0]].reshape(-1)
        row = curvature[at[0], at[1] * 3 + at[2]]
        assert np.max(np.abs(row - bent)) < 1e-7 * scale


def test_probabilities_of_classes() -> None:
    for name in ("cross_entropy", "cross_entropy of the mean", "nll"):
        loss, predictions, _ = case(name)
        assert isinstance(loss, LabelLoss)
        found = loss.probabilities(predictions, MASK)
        assert found.shape == SHAPE
        np.testing.assert_allclose(found.sum(axis=2), np.ones(SHAPE[:2]))
    loss, predictions, _ = case("cross_entropy of the mean")
    assert isinstance(loss, LabelLoss)
    expected = special.softmax(predictions[:, 2:].mean(axis=1), axis=1)
    np.testing.assert_allclose(loss.probabilities(predictions, MASK)[:, 0], expected)


def test_nll_goes_on_as_its_tangent_below_the_floor() -> None:
    loss = NegativeLogLikelihood(floor=0.01)
    targets, mask = np.zeros((1, 1, 1)), np.ones(1, dtype=bool)

    def at(p: float) -> tuple[float, float]:
        value, slope = loss.value_and_cotangent(np.array([[[p, 1.0 - p]]]), targets, mask)
        return float(value[0]), float(slope[0, 0, 0])

    assert at(0.0) == pytest.approx((-np.log(0.01) + 1.0, -100.0))
    assert at(0.01) == pytest.approx((-np.log(0.01), -100.0))
    assert at(0.5) == pytest.approx((np.log(2.0), -2.0))


@pytest.mark.parametrize(("p", "shots"), [(0.1, 200), (0.4, 30)])
def test_counts_give_nll_and_its_slope_without_bias(p: float, shots: int) -> None:
    """Summed over the binomial distribution itself; the plug-in is off by far more."""
    k = np.arange(shots + 1)
    weight = stats.binom.pmf(k, shots, p)
    counts = np.stack([k, shots - k], axis=1)[:, None, :].astype(float)
    value, by_class, _ = NegativeLogLikelihood().of_counts(
        counts,
        np.full((len(k), 1), float(shots)),
        np.full(len(k), float(shots)),
        np.zeros((len(k), 1, 1)),
        np.ones(1, dtype=bool),
    )
    rest = (1 - p) ** shots
    assert weight @ value == pytest.approx(-np.log(p), abs=1e-12 + rest)
    slope = weight @ by_class[:, 0, 0] * len(k)  # the mean over the batch undone
    assert slope == pytest.approx(-1 / p, abs=1e-10 + 2 * rest / p)
    plugin = weight[1:] @ -np.log(k[1:] / shots)
    assert abs(plugin + np.log(p)) > 0.3 * (1 - p) / (p * shots)


def test_counts_given_that_shots_are_kept() -> None:
    """The likelihood of m/q: kept shots in the place of all, and a slope by q."""
    shots, p, q = 150, 0.2, 0.5
    k, kept = np.meshgrid(np.arange(shots + 1), np.arange(shots + 1), indexing="ij")
    weight = stats.binom.pmf(kept, shots, q) * stats.binom.pmf(k, kept, p / q)
    flat = weight.ravel()
    counts = np.stack([k.ravel(), (kept - k).ravel()], axis=1)[:, None, :].astype(float)
    value, by_class, by_kept = NegativeLogLikelihood().of_counts(
        np.maximum(counts, 0.0),
        kept.ravel()[:, None].astype(float),
        np.full(len(flat), float(shots)),
        np.zeros((len(flat), 1, 1)),
        np.ones(1, dtype=bool),
    )
    assert flat @ value == pytest.approx(-np.log(p / q), abs=1e-9)
    assert flat @ by_class[:, 0, 0] * len(flat) == pytest.approx(-1 / p, abs=1e-9)
    assert flat @ by_kept[:, 0] * len(flat) == pytest.approx(1 / q, abs=1e-9)


def test_classes_must_be_given_and_nll_does_not_pool() -> None:
    with pytest.raises(SpecError, match="classes"):
        LOSSES.build("cross_entropy", {})
    with pytest.raises(SpecError, match="loss.pool is not a key of loss.name = 'nll'"):
        LOSSES.build("nll", {"pool": "mean"})


def test_steps_that_are_read() -> None:
    assert step_mask(7, None, 3).tolist() == [True, False, False, True, False, False, True]
    assert step_mask(7, 4, 3).tolist() == [False, False, False, True, False, False, True]
    assert step_mask(5, 2).tolist() == [False, False, False, True, True]
