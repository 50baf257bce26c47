"""Gradients under noise against 8th-order differences of the noisy outputs, to 1e-9."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qrnn_qiskit as qrnn
from qrnn_qiskit import ExactExecutor, ParameterShift, build_cell, unroll
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.execution.isa import TranspileOptions
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.run.measure.gradient import Adjoint
from qrnn_qiskit.spec.noise import NoiseSpec

UNROLLED = unroll(build_cell("viqueira_emcz2", {"layers": 1, "reuploads": 1}), 3)
RANDOM = np.random.default_rng(8)
WEIGHTS = RANDOM.uniform(-3, 3, UNROLLED.cell.num_weights)
FEATURES = RANDOM.uniform(-0.9, 0.9, (2, 3, 1))
TARGETS = RANDOM.uniform(-1, 1, (2, 3, UNROLLED.num_bits))
# Of f(x + k h) - f(x - k h), k = 1 to 4.
EIGHTH = np.array([4 / 5, -1 / 5, 4 / 105, -1 / 280])

SPECS: dict[str, NoiseSpec] = {
    "good": NoiseSpec(preset="good"),
    "typical": NoiseSpec(preset="typical"),
    "bad": NoiseSpec(preset="bad"),
    "turned too far in proportion": NoiseSpec(preset="typical", over_rotation_proportional=0.05),
    "turned too far by an angle": NoiseSpec(preset="typical", over_rotation=0.05),
    "detuned": NoiseSpec(preset="typical", detuning_khz=30.0),
    "disturbed": NoiseSpec(
        device="fake_marrakesh", measurement_disturbance=0.05, measurement_dephasing=0.05
    ),
    "fake_boston": NoiseSpec(device="fake_boston"),
    "fake_torino": NoiseSpec(device="fake_torino", scale=2.0),
}


def loss(executor: ExactExecutor, weights: Array) -> float:
    outputs = qrnn.evaluate(UNROLLED, weights, FEATURES, executor=executor).mean
    return float(np.mean((outputs - TARGETS) ** 2))


def eighth_order(executor: ExactExecutor, h: float = 0.03) -> Array:
    slope = np.zeros(len(WEIGHTS))
    for p, unit in enumerate(np.eye(len(WEIGHTS))):
        for k, coefficient in enumerate(EIGHTH, start=1):
            up, down = (loss(executor, WEIGHTS + sign * k * h * unit) for sign in (1, -1))
            slope[p] += coefficient * (up - down) / h
    return slope


@pytest.mark.parametrize("name", SPECS)
def test_reverse_mode_and_shifts_are_the_slope_of_the_noisy_loss(name: str) -> None:
    """Over-rotation in proportion too: trained angles are virtual, so shifts have no bias."""
    executor = ExactExecutor(make_noise(SPECS[name]), TranspileOptions(layout_trials=1))
    expected = eighth_order(executor)
    rules: tuple[Any, ...] = (Adjoint(), ParameterShift())
    for rule in rules:
        found = qrnn.gradient(
            UNROLLED, WEIGHTS, FEATURES, TARGETS, executor=executor, rule=rule, loss="mse"
        )
        assert found.gradient.mean == pytest.approx(expected, abs=1e-9)
    ideal = qrnn.gradient(
        UNROLLED, WEIGHTS, FEATURES, TARGETS, executor=ExactExecutor(), rule=Adjoint(), loss="mse"
    )
    assert np.max(np.abs(ideal.gradient.mean - expected)) > 1e-4  # power: noise changes it
