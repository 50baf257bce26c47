"""Gradients with shots agree with exact ones on every backend; a wrong rule would be noticed.

A test draws fresh seeds. It compares P components, each with a normal error; the bound on |z| is
the normal quantile that P components together exceed with probability 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit.transpiler import generate_preset_pass_manager
from scipy import stats

import qrnn_qiskit as qrnn
from qrnn_qiskit.execution.executor import Executor

FALSE_ALARM = 1e-6
SHOTS = 600
Backends = dict[str, Callable[[], tuple[Executor, qrnn.ExactExecutor]]]


def _simple() -> qrnn.Noise:
    return qrnn.simple_noise(0.002, 0.02, 0.03)


def _device() -> qrnn.Noise:
    return qrnn.named_device_noise("fake_marrakesh", idle=False)


BACKENDS: Backends = {
    "exact": lambda: (qrnn.ExactExecutor(), qrnn.ExactExecutor()),
    "exact, noise": lambda: (qrnn.ExactExecutor(_simple()), qrnn.ExactExecutor(_simple())),
    "aer": lambda: (qrnn.AerExecutor(), qrnn.ExactExecutor()),
    "aer, noise": lambda: (qrnn.AerExecutor(_simple()), qrnn.ExactExecutor(_simple())),
    "aer, device": lambda: (qrnn.AerExecutor(_device()), qrnn.ExactExecutor(_device())),
    "fake_marrakesh": lambda: (qrnn.IBMExecutor("fake_marrakesh"), qrnn.ExactExecutor(_device())),
}


def problem() -> tuple[qrnn.UnrolledCircuit, NDArray[np.float64], NDArray[np.float64]]:
    """The parity cell over three steps, weights with a large gradient, two sequences."""
    unrolled = qrnn.unroll(qrnn.build_cell("parity2"), 3)
    features = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]])[:, :, None]
    return unrolled, np.array([0.7, 1.9, 0.4, 2.3]), features


TARGETS = np.array([[0.3, -0.8, 0.6], [-0.5, 0.9, -0.7]])[:, :, None]


def bound(components: int) -> float:
    """Largest |z| that noise alone explains."""
    return float(stats.norm.ppf(1 - FALSE_ALARM / (2 * components)))


@pytest.mark.statistical
@pytest.mark.parametrize("name", BACKENDS)
def test_sampled_gradient_is_the_exact_one(name: str, seed: int) -> None:
    """Parameter shift through measurement, reset and noise, within its own error bars."""
    executor, reference = BACKENDS[name]()
    unrolled, weights, features = problem()
    exact = qrnn.gradient(
        unrolled, weights, features, TARGETS, executor=reference, rule=qrnn.Adjoint()
    )
    sampled = qrnn.gradient(
        unrolled,
        weights,
        features,
        TARGETS,
        executor=executor,
        rule=qrnn.ParameterShift(),
        shots=SHOTS,
        seed=seed,
    )
    assert sampled.gradient.standard_error is not None
    error = sampled.gradient.standard_error
    live = error > 0
    # The third weight is an RZ right before a reset: zero, and known to be.
    assert live.tolist() == [True, True, False, True]
    z = (sampled.gradient.mean - exact.gradient.mean)[live] / error[live]
    assert np.max(np.abs(z)) < bound(3)
    assert sampled.loss.standard_error is not None
    assert abs(sampled.loss.mean - exact.loss.mean) / sampled.loss.standard_error < bound(1)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["exact", "aer"])
def test_shifting_everywhere_at_once_is_noticed(name: str, seed: int) -> None:
    """Power of the test above: with the same shots the global shift is far outside the bound."""
    executor, reference = BACKENDS[name]()
    unrolled, weights, features = problem()
    exact = qrnn.gradient(
        unrolled, weights, features, TARGETS, executor=reference, rule=qrnn.Adjoint()
    )
    base = qrnn.evaluate(unrolled, weights, features, executor=reference)
    slope = 2 * (base.mean - TARGETS) / TARGETS.size
    z = []
    for p in range(4):
        shift = np.pi / 2 * np.eye(4)[p]
        # As many shots as the occurrences of the weight had together.
        plus, minus = (
            qrnn.evaluate(
                unrolled,
                weights + sign * shift,
                features,
                executor=executor,
                shots=3 * SHOTS,
                seed=seed + 10 * p + sign,
            )
            for sign in (1, -1)
        )
        wrong = float(np.sum(slope * (plus.mean - minus.mean))) / 2
        variance = sum(o.contracted_variance(slope / 2).sum() for o in (plus, minus))
        z.append((wrong - exact.gradient.mean[p]) / np.sqrt(max(variance, 1e-12)))
    assert np.max(np.abs(z)) > 2 * bound(3)


def test_one_transpilation_for_a_whole_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training, validation and forecast are rows of one ISA circuit."""
    made: list[int] = []

    def counted(**options: object) -> object:
        made.append(1)
        return generate_preset_pass_manager(**options)

    monkeypatch.setattr("qrnn_qiskit.execution.isa.generate_preset_pass_manager", counted)
    random = np.random.default_rng(0)
    parts = {
        f"{prefix}{name}": random.uniform(-1, 1, (3, 3, 1))
        for prefix in ("", "validation_", "test_")
        for name in ("features", "targets")
    }
    np.savez(tmp_path / "data.npz", allow_pickle=False, **parts)
    (tmp_path / "job.toml").write_text(
        'defaults = ["cell/parity2"]\n'
        '[data]\nfile = "data.npz"\n[backend]\nname = "aer"\nshots = 20\n'
        "[training]\nsteps = 4\nbatch_size = 2\nvalidate_every = 2\n",
        encoding="utf-8",
    )
    result = qrnn.train(tmp_path / "job.toml", run_dir=tmp_path / "run")
    assert result.summary["steps"] == 4
    assert len(made) == 1
