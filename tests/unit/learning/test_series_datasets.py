"""Computed series: against their equations, and their windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.special import jv

from qrnn_qiskit.errors import DataError, SpecError
from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.plugins import DATASETS

Array = NDArray[np.float64]


def load(name: str, seed: int = 0, **options: Any) -> Splits:
    splits: Splits = DATASETS.build(name, options).load(seed)
    return splits


def whole(name: str, seed: int = 0, **options: Any) -> tuple[Array, Array]:
    """Features `[T, F]` and targets `[T, M]` of one long sequence in the series' own units."""
    points = options.get("points", 300)
    horizon = options.get("horizon", 1)
    keys: dict[str, Any] = {"split": [1.0, 0.0, 0.0], "scale": "none"}
    splits = load(name, seed, **{**options, **keys, "points": points, "window": points - horizon})
    assert splits.train.num_sequences == 1
    return splits.train.features[0], splits.train.targets[0]


@pytest.mark.parametrize(
    ("signal", "formula"),
    [
        ("sine", np.sin),
        ("cosine", np.cos),
        ("triangle", lambda x: 2.0 / np.pi * np.arcsin(np.cos(x))),
        ("damped_cosine", lambda x: np.exp(-x / 7.0) * np.cos(x)),
        ("sine_mixture", lambda x: (np.sin(x) + np.sin(2.0 * x)) / 2.0),
        ("bessel_j0", lambda x: jv(0, x)),
        ("bessel_j2", lambda x: jv(2, x)),
    ],
)
def test_waveform(signal: str, formula: Any) -> None:
    keys: dict[str, Any] = {"signal": signal, "step": 0.2, "amplitude": 0.8, "decay": 7.0}
    features, targets = whole("waveform", points=50, **keys)
    expected = 0.8 * formula(0.2 * np.arange(50))
    np.testing.assert_allclose(features[:, 0], expected[:-1], atol=1e-12)
    np.testing.assert_allclose(targets[:, 0], expected[1:], atol=1e-12)


def test_windows_of_a_series() -> None:
    splits = load("waveform", points=100, window=10, horizon=3, stride=4, split=[0.5, 0.2, 0.3])
    parts = (splits.train, splits.validation, splits.test)
    # A part of n rows holds windows of 13 rows that start every 4 rows.
    assert [p.num_sequences for p in parts] == [(n - 13) // 4 + 1 for n in (50, 20, 30)]
    np.testing.assert_array_equal(
        splits.train.features[0, 4:], splits.train.features[1, :-4], strict=True
    )
    np.testing.assert_allclose(splits.test.features[:, 3:], splits.test.targets[:, :-3], atol=1e-12)
    assert splits.present == (0,)
    assert splits.train.times is not None
    assert splits.train.times[0, 0] == f"{0.3 * np.pi:.6g}"
    with pytest.raises(DataError, match=r"the waveform has 100 rows, 15 of them in the validation"):
        load("waveform", points=100, window=20)
    with pytest.raises(SpecError, match=r"data\.signal = 'sinus': must be"):
        load("waveform", signal="sinus")


def test_mackey_glass_solves_its_equation() -> None:
    """The integral form, by Simpson's rule on samples one unit apart."""
    features, _ = whole("mackey_glass", points=400)
    x = features[:, 0]
    assert 0.2 < x.min() < 0.6 < 1.2 < x.max() < 1.5
    slope = 0.2 * x[:-17] / (1.0 + x[:-17] ** 10) - 0.1 * x[17:]
    integral = (slope[:-2] + 4.0 * slope[1:-1] + slope[2:]) / 3.0
    np.testing.assert_allclose(x[19:] - x[17:-2], integral, atol=4e-3)
    every, _ = whole("mackey_glass", points=60, interval=6)
    np.testing.assert_array_equal(every[:, 0], x[0:354:6])


@pytest.mark.parametrize("order", [5, 10])
def test_narma_follows_its_recursion(order: int) -> None:
    features, targets = whole("narma", seed=3, order=order)
    u, y = features[:, 0], targets[:, 0]  # y[t] is y_t+1
    assert 0.0 <= u.min() < u.max() <= 0.5
    for t in range(order, len(u)):
        recent = y[t - order : t].sum()
        expected = 0.3 * y[t - 1] + 0.05 * y[t - 1] * recent + 1.5 * u[t - order + 1] * u[t] + 0.1
        assert y[t] == pytest.approx(expected, abs=1e-13)
    again, _ = whole("narma", seed=3, order=order)
    other, _ = whole("narma", seed=4, order=order)
    np.testing.assert_array_equal(again, features)
    assert np.abs(other - features).max() > 0.1


def test_narma_with_sines_and_what_persistence_may_use() -> None:
    features, _ = whole("narma", input="sines", points=200)
    t = np.arange(100, 299) * 2.0 * np.pi / 100.0
    expected = 0.1 * (np.sin(2.11 * t) * np.sin(3.73 * t) * np.sin(4.11 * t) + 1.0)
    np.testing.assert_allclose(features[:, 0], expected, atol=1e-13)
    assert load("narma").present == (None,)


def test_lorenz_in_units_of_its_extent() -> None:
    plain, unit = (np.hstack(whole("lorenz", unit=unit)) for unit in (False, True))
    # A feature and its target a step later are the ends of the series that windows leave out.
    low, high = plain.min(axis=0), plain.max(axis=0)
    found = (plain - low) / (high - low)
    assert np.abs(found - unit).max() < 0.02
    assert unit.min() >= 0.0
    assert unit.max() <= 1.0


def test_lorenz_solves_its_equations() -> None:
    """Central differences of fourth order; y and z are the targets of the next sample."""
    features, targets = whole("lorenz", points=400, interval=0.005)
    x, y, z = features[1:, 0], targets[:-1, 0], targets[:-1, 1]

    def slope(values: Array) -> Array:
        middle: Array = (values[:-4] - 8 * values[1:-3] + 8 * values[3:-1] - values[4:]) / 0.06
        return middle

    inner = slice(2, -2)
    np.testing.assert_allclose(slope(x), 10.0 * (y - x)[inner], atol=5e-3)
    np.testing.assert_allclose(slope(y), (x * (28.0 - z) - y)[inner], atol=5e-2)
    np.testing.assert_allclose(slope(z), (x * y - 8.0 / 3.0 * z)[inner], atol=5e-2)
    assert np.abs(slope(x)).max() > 50.0


def test_van_der_pol_solves_its_equation() -> None:
    features, _ = whole("van_der_pol", points=1000, interval=0.02, horizon=1)
    x = features[:, 0]
    h = 0.02
    first = (x[2:] - x[:-2]) / (2.0 * h)
    second = (x[2:] - 2.0 * x[1:-1] + x[:-2]) / h**2
    expected = 2.0 * (1.0 - x[1:-1] ** 2) * first - x[1:-1]
    np.testing.assert_allclose(second, expected, atol=0.05)
    assert np.abs(second).max() > 5.0
    splits = load("van_der_pol")
    assert (splits.train.num_steps, splits.test.num_sequences > 2) == (20, True)


def test_delayed_memory() -> None:
    splits = load("delayed_memory", seed=5, delays=3, scale="none")
    features, targets = splits.train.features[:, :, 0], splits.train.targets
    assert targets.shape[2] == 4
    for delay in range(4):
        np.testing.assert_array_equal(
            targets[:, delay:, delay], features[:, : features.shape[1] - delay]
        )
    assert np.abs(features).max() <= 1.0
    assert np.abs(features.mean()) < 0.2


def test_spin_dynamics_solves_the_schroedinger_equation() -> None:
    """Against an evolution by matrix exponentials of Kronecker products."""
    options: dict[str, Any] = {"spins": 3, "coupling": 0.8, "field": 0.6, "longitudinal": 0.3}
    features, targets = whole("spin_dynamics", points=40, interval=0.25, observed=3, **options)
    x, z, one = np.array([[0, 1], [1, 0]]), np.diag([1, -1]), np.eye(2)

    def on(gates: dict[int, Array]) -> Array:
        return np.asarray(np.kron(np.kron(*(gates.get(j, one) for j in (0, 1))), gates.get(2, one)))

    hamiltonian = -0.8 * (on({0: z, 1: z}) + on({1: z, 2: z}))
    hamiltonian -= sum(0.6 * on({j: x}) + 0.3 * on({j: z}) for j in range(3))
    step, state = expm(-0.25j * hamiltonian), np.eye(8)[0].astype(complex)
    expected = []
    for _ in range(40):
        expected.append([np.vdot(state, on({j: z}) @ state).real for j in range(3)])
        state = step @ state
    np.testing.assert_allclose(features, expected[:-1], atol=1e-12)
    np.testing.assert_allclose(targets, expected[1:], atol=1e-12)
    mean, _ = whole("spin_dynamics", points=40, interval=0.25, **options)
    np.testing.assert_allclose(mean[:, 0], np.mean(expected[:-1], axis=1), atol=1e-12)
    assert load("spin_dynamics").present == (0,)
