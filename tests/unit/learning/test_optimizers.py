"""Optimizers: pure updates, known first steps, convergence; SciPy loaded only when used."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.learning.plugins import OPTIMIZERS, Minimizer, StepwiseOptimizer


def rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
    value = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    slope = [-2 * (1 - x[0]) - 400 * x[0] * (x[1] - x[0] ** 2), 200 * (x[1] - x[0] ** 2)]
    return float(value), np.array(slope)


def stepwise(name: str, **options: Any) -> StepwiseOptimizer:
    optimizer: StepwiseOptimizer = OPTIMIZERS.build(name, options)
    assert optimizer.stepwise
    return optimizer


def minimizer(name: str, **options: Any) -> Minimizer:
    optimizer: Minimizer = OPTIMIZERS.build(name, options)
    assert not optimizer.stepwise
    return optimizer


def test_names() -> None:
    assert set(OPTIMIZERS.names()) >= {"adam", "sgd", "bfgs", "l_bfgs_b"}


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_updates_are_pure_and_descend(name: str) -> None:
    optimizer = stepwise(name, learning_rate=0.05)
    weights, state = np.array([1.0, -2.0]), optimizer.init(2)
    for _ in range(500):
        before = {key: value.copy() for key, value in state.items()}
        delta, new = optimizer.update(2 * weights, state)
        again, _ = optimizer.update(2 * weights, state)
        np.testing.assert_array_equal(delta, again)
        for key, value in before.items():
            np.testing.assert_array_equal(state[key], value)
        weights, state = weights + delta, new
    np.testing.assert_allclose(weights, 0.0, atol=1e-3)


def test_adam_by_hand() -> None:
    optimizer = stepwise("adam", learning_rate=0.1)
    delta, state = optimizer.update(np.array([3.0, -1e-3]), optimizer.init(2))
    np.testing.assert_allclose(delta, [-0.1, 0.1], rtol=1e-4)
    delta, _ = optimizer.update(np.array([0.0, 0.0]), state)
    mean = 0.9 * 0.1 * 3.0 / (1 - 0.9**2)
    square = 0.999 * 0.001 * 9.0 / (1 - 0.999**2)
    assert delta[0] == pytest.approx(-0.1 * mean / (np.sqrt(square) + 1e-8))


def test_momentum_keeps_part_of_the_last_step() -> None:
    optimizer = stepwise("sgd", learning_rate=0.1, momentum=0.5)
    first, state = optimizer.update(np.array([1.0]), optimizer.init(1))
    second, _ = optimizer.update(np.array([1.0]), state)
    np.testing.assert_allclose([first[0], second[0]], [-0.1, -0.15])


@pytest.mark.parametrize("name", ["bfgs", "l_bfgs_b"])
def test_minimizers_find_the_minimum(name: str) -> None:
    start = np.array([-1.2, 1.0])
    seen: list[np.ndarray] = []
    found = minimizer(name).minimize(rosenbrock, start, 200, seen.append)
    np.testing.assert_allclose(found.weights, [1.0, 1.0], atol=1e-6)
    assert found.value < 1e-12
    assert len(seen) == found.steps
    assert len({id(weights) for weights in seen}) == len(seen)
    np.testing.assert_array_equal(start, [-1.2, 1.0])


@pytest.mark.parametrize("name", ["bfgs", "l_bfgs_b"])
def test_minimizers_stop_when_told(name: str) -> None:
    start = np.array([-1.2, 1.0])
    found = minimizer(name).minimize(rosenbrock, start, 3)
    assert found.steps == 3
    assert not found.converged
    assert found.message
    calls: list[np.ndarray] = []

    def stop(weights: np.ndarray) -> None:
        calls.append(weights)
        if len(calls) == 2:
            raise StopIteration

    found = minimizer(name).minimize(rosenbrock, start, 200, stop)
    assert len(calls) == 2
    np.testing.assert_array_equal(found.weights, calls[-1])


@pytest.mark.parametrize("name", ["bfgs", "l_bfgs_b"])
def test_minimizers_call_in_the_same_order_every_time(name: str) -> None:
    def calls() -> list[list[float]]:
        asked: list[list[float]] = []

        def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
            asked.append(x.tolist())
            return rosenbrock(x)

        minimizer(name).minimize(objective, np.array([-1.2, 1.0]), 20)
        return asked

    assert calls() == calls()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adam", {"learning_rate": 0.0}, r"optimizer\.learning_rate = 0\.0"),
        ("adam", {"beta1": 1.0}, r"optimizer\.beta1 = 1\.0"),
        ("adam", {"learning_rate": float("nan")}, r"optimizer\.learning_rate"),
        ("sgd", {"lr": 0.1}, r"optimizer\.lr is not a key"),
        ("bfgs", {"tolerance": -1.0}, r"optimizer\.tolerance = -1\.0"),
        ("adamm", {}, r"adam"),
    ],
)
def test_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        OPTIMIZERS.build(name, options)


def test_scipy_is_loaded_only_when_used() -> None:
    code = (
        "import sys, qrnn_qiskit.learning.data as d, "
        "qrnn_qiskit.learning.readout, qrnn_qiskit.learning.metrics\n"
        "from qrnn_qiskit.learning.plugins import BASELINES, DATASETS, LOSSES, OPTIMIZERS\n"
        "every = (BASELINES, DATASETS, LOSSES, OPTIMIZERS)\n"
        "[r.type_of(n) for r in every for n in r.names()]\n"
        "print([m for m in ('scipy.optimize', 'scipy.signal', 'qiskit') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
