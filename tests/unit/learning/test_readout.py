"""The readout: every derivative against finite differences, variance against samples' algebra."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.learning.losses.mse import MeanSquaredError
from qrnn_qiskit.learning.readout import Readout
from qrnn_qiskit.learning.steps import step_mask
from qrnn_qiskit.spec.model import ReadoutSpec

B, T = 3, 4
READOUTS = [
    Readout("identity", 2, 2),
    Readout("scale", 1, 1),
    Readout("scale", 3, 3, scale=-2.0, max_scale=5.0),
    Readout("scale", 2, 2, max_scale=None, train_bias=False),
    Readout("scale", 2, 2, scale=3.0, max_scale=2.0, train_scale=False),
    Readout("scale", 3, 1, scale=2.0),
    Readout("scale", 4, 2, train_bias=False),
    Readout("linear", 3, 2),
    Readout("linear", 2, 3, max_scale=1.5, train_bias=False),
    Readout("linear", 2, 1, train_scale=False),
]


def make(seed: int, readout: Readout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    parameters = readout.initial() + 0.3 * rng.normal(size=readout.num_parameters)
    outputs = rng.uniform(-1, 1, (B, T, readout.num_values))
    return parameters, outputs, rng.normal(size=(B, T, readout.num_targets))


@pytest.mark.parametrize("readout", READOUTS)
def test_gradients_agree_with_finite_differences(readout: Readout) -> None:
    parameters, outputs, targets = make(1, readout)
    loss, mask = MeanSquaredError(), step_mask(T, 3)

    def gradients(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        _, cotangent = loss.value_and_cotangent(readout.predict(p, y), targets, mask)
        return readout.pull_back(p, y, cotangent)

    def value(p: np.ndarray, y: np.ndarray) -> float:
        return float(loss.value_and_cotangent(readout.predict(p, y), targets, mask)[0].mean())

    by_parameters, by_outputs = gradients(parameters, outputs)
    h = 1e-5
    for i, unit in enumerate(np.eye(readout.num_parameters)):
        slope = value(parameters + h * unit, outputs) - value(parameters - h * unit, outputs)
        assert by_parameters[i] == pytest.approx(slope / (2 * h), abs=1e-8)
    _, cotangent = loss.value_and_cotangent(readout.predict(parameters, outputs), targets, mask)
    curvature = loss.curvature(readout.predict(parameters, outputs), targets, mask)
    sensitivity = readout.gradient_sensitivity(parameters, outputs, cotangent, curvature)
    assert sensitivity.shape == (readout.num_parameters, *outputs.shape)
    for at in np.ndindex(outputs.shape):
        step = np.zeros_like(outputs)
        step[at] = h
        slope = value(parameters, outputs + step) - value(parameters, outputs - step)
        assert by_outputs[at] == pytest.approx(slope / (2 * h), abs=1e-8)
        change = gradients(parameters, outputs + step)[0] - gradients(parameters, outputs - step)[0]
        np.testing.assert_allclose(sensitivity[(slice(None), *at)], change / (2 * h), atol=1e-8)


@pytest.mark.parametrize("readout", READOUTS)
def test_jacobian_agrees_with_finite_differences(readout: Readout) -> None:
    parameters, outputs, _ = make(2, readout)
    jacobian = readout.parameter_jacobian(parameters, outputs)
    assert jacobian.shape == (B, T, readout.num_targets, readout.num_parameters)
    for i, unit in enumerate(1e-5 * np.eye(readout.num_parameters)):
        change = readout.predict(parameters + unit, outputs) - readout.predict(
            parameters - unit, outputs
        )
        np.testing.assert_allclose(jacobian[..., i], change / 2e-5, atol=1e-8)


@pytest.mark.parametrize("readout", READOUTS)
def test_variance_is_that_of_the_linear_map(readout: Readout) -> None:
    parameters, outputs, _ = make(3, readout)
    rng = np.random.default_rng(3)
    size = T * readout.num_values
    root = rng.normal(size=(B, size, size))
    covariance = root @ root.transpose(0, 2, 1)
    matrix, bias = readout.linear_map(parameters)
    np.testing.assert_allclose(
        readout.predict(parameters, outputs),
        np.einsum("mk,btk->btm", matrix, outputs) + bias,
    )
    full = np.kron(np.eye(T), matrix)
    expected = np.diagonal(full @ covariance @ full.T, axis1=1, axis2=2)
    variance = readout.prediction_variance(parameters, covariance)
    np.testing.assert_allclose(variance, expected.reshape(B, T, readout.num_targets))


@pytest.mark.parametrize("readout", READOUTS)
def test_names_and_round_trip(readout: Readout) -> None:
    names = readout.names()
    assert len(set(names)) == len(names) == readout.num_parameters == len(readout.initial())
    assert Readout.from_dict(json.loads(json.dumps(readout.to_dict()))) == readout


def test_names() -> None:
    assert Readout("identity", 2, 2).names() == []
    assert Readout("scale", 1, 1).names() == ["scale", "bias"]
    assert Readout("scale", 2, 2).names() == ["scale[0]", "scale[1]", "bias[0]", "bias[1]"]
    assert Readout("linear", 2, 1).names() == ["matrix[0,0]", "matrix[0,1]", "bias"]


@pytest.mark.parametrize(
    ("readout", "matrix"),
    [
        (Readout("identity", 2, 2, scale=3.0), [[1, 0], [0, 1]]),
        (Readout("scale", 2, 2, scale=2.5), [[2.5, 0], [0, 2.5]]),
        (Readout("scale", 1, 1, scale=20.0, train_scale=False), [[20.0]]),
        (Readout("linear", 2, 2), [[1, 0], [0, 1]]),
        (Readout("linear", 4, 2, scale=3.0), [[1.5, 0, 1.5, 0], [0, 1.5, 0, 1.5]]),
        (Readout("linear", 3, 1, scale=3.0), [[1, 1, 1]]),
        (Readout("linear", 2, 3, scale=3.0), [[3, 0], [0, 3], [3, 0]]),
    ],
)
def test_starting_point(readout: Readout, matrix: list[list[float]]) -> None:
    start, bias = readout.linear_map(readout.initial())
    np.testing.assert_allclose(start, matrix, rtol=1e-14)
    np.testing.assert_array_equal(bias, np.zeros(readout.num_targets))


def test_trained_scale_stays_bounded() -> None:
    readout = Readout("scale", 1, 1, max_scale=4.0)
    for parameter in (-1e9, -50.0, 50.0, 1e9):
        matrix, _ = readout.linear_map(np.array([parameter, 0.0]))
        assert abs(matrix[0, 0]) <= 4.0


def spec(**keys: Any) -> ReadoutSpec:
    return ReadoutSpec.model_validate(keys)


def test_from_spec() -> None:
    readout = Readout.from_spec(
        spec(head="scale", scale=2.0, train_bias=False), num_values=2, num_targets=2
    )
    assert readout.names() == ["scale[0]", "scale[1]"]
    assert readout.max_scale == 10.0
    assert Readout.from_spec(spec(), num_values=1, num_targets=1).num_parameters == 0
    linear = Readout.from_spec(spec(head="linear"), num_values=2, num_targets=1)
    assert linear.num_parameters == 3
    with pytest.raises(SpecError, match="gives 2 output values per step, but 1"):
        Readout.from_spec(spec(), num_values=2, num_targets=1)
    with pytest.raises(SpecError, match=r"scale = 10\.0: must be smaller"):
        Readout.from_spec(spec(head="scale", scale=10.0), num_values=1, num_targets=1)


def test_step_mask() -> None:
    assert step_mask(4, None).tolist() == [True] * 4
    assert step_mask(4, 1).tolist() == [False, False, False, True]
    assert step_mask(4, 4).tolist() == [True] * 4
    for last in (0, 5):
        with pytest.raises(SpecError, match=rf"loss\.last = {last}: must be from 1 to 4"):
            step_mask(4, last)
