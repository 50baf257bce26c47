"""Baselines with more freedom: what each can learn and a simpler one cannot, and causality."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.learning.baselines.polynomial_ridge import monomials
from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.learning.metrics import accuracy, perplexity, rmse
from qrnn_qiskit.learning.plugins import BASELINES, Baseline, BaselineTask
from qrnn_qiskit.run.baselines import check_baselines, chosen_baselines

Array = NDArray[np.float64]
T = 8
MASK = np.arange(T) >= 4


def made(name: str) -> Baseline:
    baseline: Baseline = BASELINES.build(name, {})
    return baseline


def splits_of(draw: Any, counts: tuple[int, int, int] = (120, 60, 60)) -> Splits:
    random = np.random.default_rng(3)
    train, validation, test = (Dataset(*draw(random, count)) for count in counts)
    return Splits(train, validation, test, ("x",), ("y",), (None,))


def products(random: np.random.Generator, count: int) -> tuple[Array, Array]:
    """The target is the product of the last two features: no linear filter sees any of it."""
    x = random.normal(size=(count, T, 1))
    before = np.concatenate([np.zeros((count, 1, 1)), x[:, :-1]], axis=1)
    return x, x * before


def memories(random: np.random.Generator, count: int) -> tuple[Array, Array]:
    """A saturating leaky sum of the features."""
    x = random.uniform(-1.0, 1.0, (count, T, 1))
    y = np.zeros_like(x)
    for t in range(T):
        y[:, t] = np.tanh(0.7 * (y[:, t - 1] if t else 0.0) + 0.8 * x[:, t])
    return x, y


def labelled(random: np.random.Generator, count: int) -> tuple[Array, Array]:
    """The label of a sequence is drawn with a chance that a linear form of it decides."""
    x = random.normal(size=(count, T, 1))
    chance = expit(3.0 * (x[:, -1, 0] - x[:, -3, 0]))
    label = (random.uniform(size=count) < chance).astype(float)
    return x, np.broadcast_to(label[:, None, None], x.shape).copy()


def task_of(splits: Splits, classes: int = 0, parameters: int = 25) -> BaselineTask:
    mask = MASK if not classes else np.arange(T) == T - 1
    return BaselineTask(splits, splits.test, mask, classes, parameters, seed=4)


def error_of(name: str, splits: Splits) -> float:
    return rmse(made(name).predict(task_of(splits)), splits.test.targets, MASK)


def test_monomials() -> None:
    found = monomials(np.array([[2.0, 3.0]]), 3)
    assert found[0].tolist() == [2.0, 3.0, 4.0, 6.0, 9.0, 8.0, 12.0, 18.0, 27.0]


def test_polynomial_ridge_learns_a_product() -> None:
    splits = splits_of(products)
    assert error_of("linear_ridge", splits) > 0.9
    assert error_of("polynomial_ridge", splits) < 1e-3


def test_echo_state_network_learns_a_saturating_memory() -> None:
    splits = splits_of(memories)
    spread = splits.test.targets[:, MASK].std()
    assert error_of("echo_state", splits) < 0.7 * error_of("linear_ridge", splits) < 0.3 * spread


@pytest.mark.parametrize("name", ["polynomial_ridge", "echo_state"])
@pytest.mark.parametrize("held_out", [True, False])
def test_no_baseline_sees_later_features_or_targets(name: str, held_out: bool) -> None:
    splits = splits_of(memories, (30, 30 if held_out else 0, 5))
    task = task_of(splits)
    plain = made(name).predict(task)
    for t in (0, 3, T - 1):
        features = splits.test.features.copy()
        features[:, t] += 1.0
        changed = Dataset(features, np.full_like(splits.test.targets, np.nan))
        found = made(name).predict(replace(task, data=changed))
        np.testing.assert_allclose(found[:, :t], plain[:, :t], rtol=1e-12)
        assert np.all(found[:, t] != plain[:, t])


@pytest.mark.parametrize("name", ["logistic_regression", "echo_state"])
def test_labels(name: str) -> None:
    """The best that can be known of the label is the chance it was drawn with."""
    splits = splits_of(labelled, (400, 200, 400))
    task = task_of(splits, classes=2)
    found = made(name).predict(task)
    assert found.shape == (400, T, 2)
    np.testing.assert_allclose(found.sum(axis=2), 1.0)
    x = splits.test.features[:, :, 0]
    chance = expit(3.0 * (x[:, -1] - x[:, -3]))
    best = np.broadcast_to(np.stack([1 - chance, chance], axis=1)[:, None], found.shape)
    mask, targets = task.mask, splits.test.targets
    if name == "logistic_regression":
        assert perplexity(found, targets, mask) < 1.03 * perplexity(best, targets, mask)
    assert accuracy(found, targets, mask) > accuracy(best, targets, mask) - 0.08


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_networks_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    from qrnn_qiskit.torch.baselines._recurrent import num_parameters, predict_by

    layer = getattr(torch.nn, name)
    splits = splits_of(memories)
    before = torch.get_rng_state()
    task = task_of(splits, parameters=60)
    found = predict_by(layer, task)
    assert torch.equal(torch.get_rng_state(), before)
    assert rmse(found, splits.test.targets, MASK) < 0.05
    modules = [layer(2, 3), torch.nn.Linear(3, 4)]
    counted = sum(p.numel() for module in modules for p in module.parameters())
    assert num_parameters(layer, 2, 3, 4) == counted
    features = splits.test.features.copy()
    features[:, 5] += 1.0
    changed = Dataset(features, splits.test.targets)
    np.testing.assert_allclose(
        predict_by(layer, replace(task, data=changed))[:, :5], found[:, :5], rtol=1e-12
    )


def test_network_of_torch_for_labels() -> None:
    pytest.importorskip("torch")
    chosen = chosen_baselines(["gru"], labels=True, many_steps=False)
    splits = splits_of(labelled, (100, 50, 100))
    task = task_of(splits, classes=2, parameters=40)
    found = chosen[0].predict(task)
    np.testing.assert_allclose(found.sum(axis=2), 1.0)
    assert accuracy(found, splits.test.targets, task.mask) > 0.75


def test_which_baselines_a_report_has() -> None:
    def titles(labels: bool, many: bool) -> list[str]:
        return [b.title for b in chosen_baselines(None, labels=labels, many_steps=many)]

    values = ["persistence", "linear ridge", "echo-state network", "polynomial ridge"]
    assert titles(False, True) == values
    of_labels = ["class frequencies", "echo-state network", "logistic regression"]
    assert titles(True, False) == of_labels
    assert titles(True, True) == [of_labels[0], "transition frequencies", *of_labels[1:]]
    named = chosen_baselines(["echo_state", "persistence"], labels=False, many_steps=True)
    assert [b.title for b in named] == ["echo-state network", "persistence"]
    assert chosen_baselines([], labels=False, many_steps=True) == []


def test_wrong_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match=r"baselines: 'ridge' is unknown.*known: class_freq"):
        check_baselines(["ridge"])
    monkeypatch.setattr("qrnn_qiskit.run.baselines.find_spec", lambda name: None)
    with pytest.raises(SpecError, match=r"'gru' needs PyTorch: pip install 'qrnn-qiskit\[torch\]'"):
        check_baselines(["gru"])
