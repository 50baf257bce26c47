"""`evaluate` and `gradient` on circuits and arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qrnn_qiskit import (
    Adjoint,
    AerExecutor,
    ExactExecutor,
    ParameterShift,
    QRNNError,
    build_cell,
    evaluate,
    gradient,
    unroll,
)
from qrnn_qiskit.angle_map import Array

UNROLLED = unroll(build_cell("parity2"), 3)
WEIGHTS = np.array([0.3, 1.1, 0.2, 0.7])
FEATURES = np.array([[[0.0], [1.0], [1.0]], [[1.0], [0.0], [1.0]]])
TARGETS = np.array([[[1.0], [-1.0], [1.0]], [[-1.0], [-1.0], [1.0]]])


def test_outputs_and_their_errors() -> None:
    exact = evaluate(UNROLLED, WEIGHTS, FEATURES, executor=ExactExecutor())
    assert exact.mean.shape == (2, 3, 1)
    assert exact.estimate.standard_error is None
    sampled = evaluate(UNROLLED, WEIGHTS, FEATURES, executor=ExactExecutor(), shots=900, seed=1)
    error = sampled.estimate.standard_error
    assert error is not None
    # 6 values at 5 sigma; the seed is fixed.
    assert np.all(np.abs(sampled.mean - exact.mean) < 5 * np.sqrt((1 - exact.mean**2) / 900))
    again = evaluate(UNROLLED, WEIGHTS, FEATURES, executor=ExactExecutor(), shots=900, seed=1)
    np.testing.assert_array_equal(again.mean, sampled.mean)
    other = evaluate(UNROLLED, WEIGHTS, FEATURES, executor=ExactExecutor(), shots=900, seed=2)
    assert not np.array_equal(other.mean, sampled.mean)


def test_lists_serve_as_arrays() -> None:
    arrays = evaluate(UNROLLED, WEIGHTS, FEATURES, executor=ExactExecutor())
    lists = evaluate(UNROLLED, WEIGHTS.tolist(), FEATURES.tolist(), executor=ExactExecutor())
    np.testing.assert_array_equal(arrays.mean, lists.mean)


def loss_of(outputs: Array, last: int | None = None) -> float:
    start = 0 if last is None else 3 - last
    return float(np.mean((outputs - TARGETS)[:, start:] ** 2))


@pytest.mark.parametrize("last", [None, 1, 2])
def test_the_gradient_is_the_derivative_of_the_loss(last: int | None) -> None:
    found = {
        type(rule).__name__: gradient(
            UNROLLED, WEIGHTS, FEATURES, TARGETS, executor=ExactExecutor(), rule=rule, last=last
        )
        for rule in (Adjoint(), ParameterShift())
    }
    step = 1e-4
    for p in range(4):
        losses = []
        for sign in (1, -1):
            moved = WEIGHTS.copy()
            moved[p] += sign * step
            losses.append(
                loss_of(evaluate(UNROLLED, moved, FEATURES, executor=ExactExecutor()).mean, last)
            )
        for result in found.values():
            slope = (losses[0] - losses[1]) / (2 * step)
            assert result.gradient.mean[p] == pytest.approx(slope, abs=1e-7)
    outputs = evaluate(UNROLLED, WEIGHTS, FEATURES, executor=ExactExecutor()).mean
    assert float(found["Adjoint"].loss.mean) == pytest.approx(loss_of(outputs, last), abs=1e-12)
    assert found["Adjoint"].rows == 0
    assert found["ParameterShift"].rows > 2


def test_shots_of_each_row_or_of_all_together() -> None:
    common: dict[str, Any] = {"executor": ExactExecutor(), "rule": ParameterShift(), "seed": 3}
    each = gradient(UNROLLED, WEIGHTS, FEATURES, TARGETS, shots=50, **common)
    assert each.shots_total == 50 * each.rows
    together = gradient(UNROLLED, WEIGHTS, FEATURES, TARGETS, shots_total=50 * each.rows, **common)
    np.testing.assert_array_equal(together.gradient.mean, each.gradient.mean)


def refused(call: Any, message: str, **changed: Any) -> None:
    arguments: dict[str, Any] = {
        "unrolled": UNROLLED,
        "weights": WEIGHTS,
        "features": FEATURES,
        "executor": ExactExecutor(),
        **changed,
    }
    with pytest.raises(QRNNError, match=message):
        call(**arguments)


@pytest.mark.parametrize(
    ("message", "changed"),
    [
        ("shots need an explicit seed", {"shots": 100}),
        ("shots = 1: must be at least 2", {"shots": 1, "seed": 1}),
        (r"shape \(3,\), but the cell needs one vector of 4: theta_0", {"weights": WEIGHTS[:3]}),
        (r"weights have shape \(2, 4\), but", {"weights": np.ones((2, 4))}),
        (r"features have shape \(3, 1\): \[B, T, F\]", {"features": FEATURES[0]}),
        (r"needs \[..., T=3, F=1\]", {"features": FEATURES[:, :2]}),
        ("features hold NaN", {"features": np.full((1, 3, 1), np.nan)}),
        ("weights hold NaN", {"weights": WEIGHTS * np.inf}),
        ("backend 'aer' only samples", {"executor": AerExecutor()}),
    ],
)
def test_wrong_arguments_of_evaluate(message: str, changed: dict[str, Any]) -> None:
    refused(evaluate, message, **changed)


@pytest.mark.parametrize(
    ("message", "changed"),
    [
        ("not both", {"shots": 10, "shots_total": 100, "seed": 1}),
        ("shots need an explicit seed", {"shots_total": 1000}),
        ("shots_total = 20 is too few", {"shots_total": 20, "seed": 1}),
        (r"targets have shape \(2, 3\), but .* \(2, 3, 1\)", {"targets": TARGETS[..., 0]}),
        (r"need \(2, 3, 2\)", {"output": "probabilities"}),
        ("loss.name = 'mae' is unknown", {"loss": "mae"}),
        ("loss.last = 4: must be from 1 to 3", {"last": 4}),
        ("'adjoint' needs backend.name = 'exact'", {"executor": AerExecutor(), "rule": Adjoint()}),
        ("backend 'aer' only samples", {"executor": AerExecutor()}),
        (r"use ParameterShift\(\), which shifts one", {"rule": "global_shift"}),
        (r"Adjoint\(\) is exact", {"rule": Adjoint(), "shots": 10, "seed": 1}),
    ],
)
def test_wrong_arguments_of_gradient(message: str, changed: dict[str, Any]) -> None:
    refused(gradient, message, **{"targets": TARGETS, "rule": ParameterShift(), **changed})
