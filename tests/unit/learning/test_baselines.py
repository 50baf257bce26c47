"""Baselines: causality, known answers, honest choice of the penalty."""

from __future__ import annotations

import numpy as np
import pytest

from qrnn_qiskit.learning.baselines.class_frequencies import class_frequencies
from qrnn_qiskit.learning.baselines.linear_ridge import linear_ridge
from qrnn_qiskit.learning.baselines.persistence import persistence
from qrnn_qiskit.learning.baselines.transition_frequencies import transition_frequencies
from qrnn_qiskit.learning.data import load_data
from qrnn_qiskit.learning.dataset import Dataset, SeriesFormat, Splits
from qrnn_qiskit.learning.metrics import rmse
from qrnn_qiskit.learning.ridge import RidgeFit
from qrnn_qiskit.learning.steps import step_mask
from qrnn_qiskit.spec.model import DataSpec

T = 6
ALL = step_mask(T, None)


def random_splits(seed: int = 0, *, noise: float = 0.0) -> Splits:
    """The target is a linear filter of three steps of two features, plus a constant."""
    rng = np.random.default_rng(seed)

    def part(count: int) -> Dataset:
        x = rng.normal(size=(count, T + 2, 2))
        y = 0.5 + x[:, 2:] @ [[1.0], [-2.0]] + x[:, 1:-1] @ [[0.3], [0.0]]
        y += x[:, :-2] @ [[0.0], [0.7]] + noise * rng.normal(size=y.shape)
        return Dataset(x[:, 2:], y)

    return Splits(part(200), part(50), part(50), ("a", "b"), ("y",), (None,))


def elnino(**keys: object) -> Splits:
    return load_data(DataSpec.model_validate({"name": "elnino", **keys}), seed=0)


def test_persistence_repeats_the_present_value() -> None:
    splits = elnino(horizon=2)
    predictions = persistence(splits, splits.test)
    assert splits.scaling is not None
    now = splits.scaling.unscale_features(splits.test.features)
    np.testing.assert_allclose(splits.scaling.unscale_targets(predictions), now)
    np.testing.assert_array_equal(predictions[:, 2:], splits.test.targets[:, :-2])


def test_persistence_without_a_present_value() -> None:
    splits = random_splits()
    predictions = persistence(splits, splits.test)
    np.testing.assert_array_equal(predictions[:, 1:], splits.test.targets[:, :-1])
    np.testing.assert_allclose(predictions[:, 0], splits.train.targets.mean())


def test_persistence_repeats_only_what_is_known_by_then() -> None:
    series = SeriesFormat(("a", "b"), "y", T, horizon=3)
    plain = random_splits()
    splits = Splits(plain.train, plain.validation, plain.test, ("a", "b"), ("y",), (None,), series)
    predictions = persistence(splits, splits.test)
    np.testing.assert_array_equal(predictions[:, 3:], splits.test.targets[:, :-3])
    np.testing.assert_allclose(predictions[:, :3], splits.train.targets.mean())


def test_ridge_recovers_a_linear_filter() -> None:
    splits = random_splits()
    for lags, tolerance in ((3, 1e-6), (None, 1e-6)):
        predictions = linear_ridge(splits, splits.test, step_mask(T, 4), lags)
        assert rmse(predictions, splits.test.targets, step_mask(T, 4)) < tolerance
    # With one step only what is left is the part of the two steps before.
    predictions = linear_ridge(splits, splits.test, ALL, 1)
    assert rmse(predictions, splits.test.targets, ALL) == pytest.approx(np.hypot(0.3, 0.7), rel=0.1)


def test_one_long_sequence_is_enough_for_a_filter() -> None:
    """A cosine is the sum of its last two values, weighted: every later step is told exactly."""
    wave = np.cos(0.3 * np.arange(81))[:, None]
    train = Dataset(wave[None, :40], wave[None, 1:41])
    test = Dataset(wave[None, 40:80], wave[None, 41:])
    empty = train.sequences(slice(0))
    splits = Splits(train, empty, test, ("x",), ("x",), (0,))
    predictions = linear_ridge(splits, test, step_mask(40, None))
    assert np.abs(predictions - test.targets)[:, 1:].max() < 1e-3
    assert np.abs(predictions - test.targets)[:, 0].max() > 0.1


@pytest.mark.parametrize("lags", [1, 3, None])
def test_no_baseline_sees_a_later_feature(lags: int | None) -> None:
    splits = random_splits(noise=0.1)
    present = Splits(splits.train, splits.validation, splits.test, ("a", "b"), ("y",), (1,), None)
    plain = linear_ridge(splits, splits.test, ALL, lags)
    kept = persistence(present, splits.test)
    for t in range(T):
        features = splits.test.features.copy()
        features[:, t] += 100.0
        changed = Dataset(features, splits.test.targets)
        ridge = linear_ridge(splits, changed, ALL, lags)
        np.testing.assert_array_equal(ridge[:, :t], plain[:, :t])
        assert np.all(ridge[:, t] != plain[:, t])
        np.testing.assert_array_equal(persistence(present, changed)[:, :t], kept[:, :t])


def test_ridge_does_not_look_at_the_targets_it_predicts() -> None:
    splits = random_splits(noise=0.1)
    blind = Dataset(splits.test.features, np.full_like(splits.test.targets, np.nan))
    np.testing.assert_array_equal(
        linear_ridge(splits, blind, ALL), linear_ridge(splits, splits.test, ALL)
    )


def test_ridge_against_the_normal_equations() -> None:
    splits = random_splits(noise=0.5)
    empty = splits.train.sequences(slice(0))
    alone = Splits(splits.train, empty, empty, ("a", "b"), ("y",), (None,))
    x = splits.train.features.reshape(len(splits.train.features), -1)
    y = splits.train.targets[:, -1]
    z = (x - x.mean(0)) / x.std(0)
    gram = z.T @ z + 1e-3 * len(x) * np.eye(x.shape[1])
    coefficients = np.linalg.solve(gram, z.T @ (y - y.mean()))
    new = (splits.test.features.reshape(len(splits.test.features), -1) - x.mean(0)) / x.std(0)
    predictions = linear_ridge(alone, splits.test, ALL)
    np.testing.assert_allclose(predictions[:, -1], new @ coefficients + y.mean(), rtol=1e-9)


def test_penalty_is_chosen_on_the_validation_part() -> None:
    # Pure noise and hardly more sequences than features: the best fit is close to the mean.
    rng = np.random.default_rng(5)

    def part(count: int) -> Dataset:
        return Dataset(rng.normal(size=(count, T, 2)), rng.normal(size=(count, T, 1)))

    splits = Splits(part(14), part(200), part(200), ("a", "b"), ("y",), (None,))
    last = step_mask(T, 1)
    chosen = rmse(linear_ridge(splits, splits.test, last), splits.test.targets, last)
    empty = splits.train.sequences(slice(0))
    alone = Splits(splits.train, empty, empty, ("a", "b"), ("y",), (None,))
    crossed = rmse(linear_ridge(alone, splits.test, last), splits.test.targets, last)
    fit = RidgeFit.of(splits.train.features.reshape(14, -1), splits.train.targets[:, -1])
    blunt = fit.predict(splits.test.features.reshape(200, -1), 1e-3)
    fixed = float(np.sqrt(np.mean((blunt - splits.test.targets[:, -1]) ** 2)))
    assert max(chosen, crossed) < 1.2 < fixed


def test_constant_features_do_no_harm() -> None:
    splits = random_splits()
    constant = Dataset(np.ones_like(splits.train.features), splits.train.targets)
    alone = Splits(constant, constant, constant, ("a", "b"), ("y",), (None,))
    predictions = linear_ridge(alone, constant, ALL)
    expected = splits.train.targets.mean(axis=0, keepdims=True)
    np.testing.assert_allclose(predictions, np.broadcast_to(expected, predictions.shape))


def test_figures_on_the_shipped_data() -> None:
    splits = elnino()
    assert splits.scaling is not None
    mask = step_mask(12, 1)
    targets = splits.scaling.unscale_targets(splits.test.targets)
    ridge = splits.scaling.unscale_targets(linear_ridge(splits, splits.test, mask))
    kept = splits.scaling.unscale_targets(persistence(splits, splits.test))
    assert rmse(ridge, targets, mask) < 0.6 < rmse(kept, targets, mask) < 1.3


def test_frequencies_of_labels() -> None:
    labels = np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 1.0]])[:, :, None]
    train = Dataset(np.zeros((2, 3, 1)), labels)
    splits = Splits(train, train, train, ("x",), ("label",), (None,))
    mask = np.ones(3, dtype=bool)
    found = class_frequencies(splits, train, 2, mask)
    assert found.shape == (2, 3, 2)
    np.testing.assert_allclose(found[0, 0], [4 / 8, 4 / 8])
    after = transition_frequencies(splits, train, 2, mask)
    np.testing.assert_allclose(after[0], [[3 / 4, 1 / 4], [1 / 4, 3 / 4], [2 / 4, 2 / 4]])
    unknown = Dataset(np.zeros((1, 3, 1)), np.full((1, 3, 1), np.nan))
    np.testing.assert_allclose(
        transition_frequencies(splits, unknown, 2, mask), [[[3 / 4, 1 / 4]] * 3]
    )
