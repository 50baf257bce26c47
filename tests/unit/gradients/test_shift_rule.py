"""Shift rules against the derivatives of trigonometric polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.gradients.shift_rule import shift_rule

Array = NDArray[np.float64]


def polynomial(frequencies: NDArray[Any], seed: int) -> tuple[Array, Array]:
    """Random cosine and sine amplitudes of each frequency, together of size about one."""
    amplitudes = np.random.default_rng(seed).normal(size=(2, len(frequencies)))
    return amplitudes[0] / len(frequencies), amplitudes[1] / len(frequencies)


def error(frequencies: NDArray[Any], seed: int) -> float:
    """Of the rule for the derivative of a random polynomial with a constant, at a random place."""
    cosine, sine = polynomial(frequencies, seed)
    x = np.random.default_rng(seed + 1).uniform(-np.pi, np.pi)
    coefficients, shifts = shift_rule(list(frequencies))
    phases = np.multiply.outer(x + shifts, frequencies)
    values = 0.3 + np.cos(phases) @ cosine + np.sin(phases) @ sine
    slope = (frequencies * sine) @ np.cos(x * frequencies)
    slope -= (frequencies * cosine) @ np.sin(x * frequencies)
    return abs(float(coefficients @ values - slope))


def test_two_terms() -> None:
    coefficients, shifts = shift_rule([1.0])
    assert coefficients == pytest.approx([0.5, -0.5], abs=1e-15)
    assert shifts == pytest.approx([np.pi / 2, -np.pi / 2], abs=1e-15)


def test_four_terms_of_controlled_rotations() -> None:
    coefficients, shifts = shift_rule([0.5, 1.0])
    assert shifts == pytest.approx(np.array([1, -1, 3, -3]) * np.pi / 2)
    golden = [0.4267766953, -0.4267766953, -0.0732233047, 0.0732233047]
    assert coefficients == pytest.approx(golden, abs=5e-11)


@given(
    count=st.integers(1, 40),
    unit=st.sampled_from([0.25, 0.5, 1.0, 2.0, 0.37]),
    seed=st.integers(0, 2**32 - 1),
)
def test_equidistant_frequencies(count: int, unit: float, seed: int) -> None:
    frequencies = unit * np.arange(1, count + 1)
    assert error(frequencies, seed) < 1e-11 * max(1.0, unit * count)
    coefficients, _ = shift_rule(list(frequencies))
    assert np.abs(coefficients).sum() == pytest.approx(unit * count)
    assert (coefficients**2).sum() == pytest.approx(unit**2 * (2 * count**2 + 1) / 6)


@given(count=st.integers(1, 8), unit=st.sampled_from([0.5, 1.0, 3.0]))
def test_closed_form_solves_the_linear_equations(count: int, unit: float) -> None:
    frequencies = unit * np.arange(1, count + 1)
    coefficients, shifts = shift_rule(list(frequencies))
    assert np.sin(np.outer(frequencies, shifts)) @ coefficients == pytest.approx(frequencies)
    assert np.cos(np.outer(frequencies, shifts)) @ coefficients == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    "frequencies",
    [[3.0], [1.0, 3.0], [1.0, 2**0.5], [0.5, 1.0, 3.0], [1.0, 10.0], [1, 2, 4, 8], [0.1, 7.0]],
)
def test_other_frequencies(frequencies: list[float]) -> None:
    for seed in range(20):
        assert error(np.array(frequencies, dtype=np.float64), seed) < 1e-9


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True), st.integers(0, 2**32 - 1))
def test_any_few_integers_in_any_order(frequencies: list[int], seed: int) -> None:
    assert error(np.array(frequencies, dtype=np.float64), seed) < 1e-8
    rule = np.array(shift_rule([float(f) for f in frequencies]))
    assert np.array_equal(rule, shift_rule([float(f) for f in reversed(frequencies)]))


@given(count=st.integers(1, 6), frequency=st.integers(1, 60))
def test_higher_frequencies_enter_as_a_triangle_wave(count: int, frequency: int) -> None:
    coefficients, shifts = shift_rule([float(r) for r in range(1, count + 1)])
    place = (frequency + count) % (4 * count)
    wave = count - abs(place - 2 * count)
    assert coefficients @ np.sin(frequency * shifts) == pytest.approx(wave, abs=1e-10)


@pytest.mark.parametrize("frequencies", [[], [0.0], [-1.0], [1.0, float("nan")], [1.0, 1.0]])
def test_impossible_frequencies_are_refused(frequencies: list[float]) -> None:
    with pytest.raises(SpecError, match="^frequencies = "):
        shift_rule(frequencies)
