"""Cotangents pulled back through circuits: against differences of a dense reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Parameter
from scipy import stats

from qrnn_qiskit import (
    Adjoint,
    AerExecutor,
    ExactExecutor,
    FiniteDifference,
    ParameterShift,
    RandomOccurrences,
    build_cell,
    unroll,
)
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import DataError
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.gradient import measure_outputs
from qrnn_qiskit.run.measure.pull_back import PulledBack, measure_pull_back
from tests.integration.test_postselection import CELL as FLAGGED
from tests.integration.test_postselection import outputs_of as flagged_outputs
from tests.reference import reference_outputs, repeat_cell, sixth_order_difference

CELL = build_cell("reupload", {"n_hidden": 1, "layers": 1, "n_features": 2})
POINT = np.random.default_rng(3).uniform(-1, 1, CELL.num_weights)
FEATURES = np.random.default_rng(4).uniform(-0.9, 0.9, (2, 3, 2))
COTANGENT = np.random.default_rng(5).normal(size=(2, 3, 1))
FALSE_ALARM = 1e-6


def pull_back(
    rule: Any, *, cell: Any = CELL, seed: int = 0, executor: Any = None, **changed: Any
) -> PulledBack:
    arguments: dict[str, Any] = {
        "weights": POINT,
        "features": FEATURES,
        "cotangent": COTANGENT,
        "shots": None,
        "by_features": True,
        **changed,
    }
    unrolled = unroll(cell, arguments["features"].shape[1])
    evaluator = Evaluator(unrolled, executor or ExactExecutor(), seed=seed)
    point, shots = arguments["weights"], arguments["shots"]
    raw = measure_outputs(evaluator, point, arguments["features"], shots, Call("outputs", (1,)))
    return measure_pull_back(evaluator, rule, raw=raw, call=Call("back", (2,)), **arguments)


def outputs_of(weights: Array, features: Array) -> Array:
    values: dict[Parameter, float] = dict(zip(CELL.weights, weights, strict=True))
    steps = [dict(zip(CELL.features, step, strict=True)) for step in features]
    return reference_outputs(repeat_cell(CELL.circuit, values, steps), {})


@pytest.fixture(scope="module")
def expected() -> tuple[Array, Array]:
    """dL/d(weights) and dL/d(features) of L = sum of cotangent times outputs."""

    def loss(weights: Array) -> float:
        found = [outputs_of(weights, sequence) for sequence in FEATURES]
        return float(np.sum(COTANGENT * np.array(found)))

    by_features = [
        sixth_order_difference(
            lambda x, w=w: float(np.sum(w * outputs_of(POINT, x.reshape(3, 2)))),  # type: ignore[misc]
            sequence.ravel(),
        ).reshape(3, 2)
        for sequence, w in zip(FEATURES, COTANGENT, strict=True)
    ]
    return sixth_order_difference(loss, POINT), np.array(by_features)


@pytest.mark.parametrize("rule", [Adjoint(), ParameterShift()])
def test_both_derivatives_are_those_of_the_reference(
    rule: Any, expected: tuple[Array, Array]
) -> None:
    found = pull_back(rule)
    assert found.by_features is not None
    np.testing.assert_allclose(found.by_weights.mean, expected[0], atol=1e-9)
    np.testing.assert_allclose(found.by_features.mean, expected[1], atol=1e-9)
    assert found.by_weights.standard_error is None
    assert found.shots == 0


@pytest.mark.parametrize("rule", [Adjoint(), ParameterShift()])
def test_post_selected_outputs_are_differentiated_as_quotients(rule: Any) -> None:
    weights, features = np.array([0.7, 0.5, -0.9]), np.array([[[0.4], [-0.7]]])
    cotangent = np.array([[[0.6], [-1.3]]])
    found = pull_back(rule, cell=FLAGGED, weights=weights, features=features, cotangent=cotangent)

    def loss(weights: Array, sequence: Array) -> float:
        return float(cotangent.ravel() @ flagged_outputs(weights, sequence))

    by_weights = sixth_order_difference(lambda w: loss(w, features[0]), weights)
    by_features = sixth_order_difference(
        lambda x: loss(weights, x[:, None]), features.ravel()
    ).reshape(1, 2, 1)
    assert found.by_features is not None
    np.testing.assert_allclose(found.by_weights.mean, by_weights, atol=1e-9)
    np.testing.assert_allclose(found.by_features.mean, by_features, atol=1e-9)


@pytest.mark.statistical
@pytest.mark.parametrize("backend", [ExactExecutor, AerExecutor])
def test_shots_scatter_around_it(backend: Any, seed: int, expected: tuple[Array, Array]) -> None:
    """All components together leave the bound with probability 1e-6 (normal errors)."""
    found = pull_back(ParameterShift(), shots=400, seed=seed, executor=backend())
    z, power = [], []
    assert found.by_features is not None
    for estimate, truth in zip((found.by_weights, found.by_features), expected, strict=True):
        error = estimate.standard_error
        assert error is not None
        live = error > 0
        assert np.all(truth[~live] == pytest.approx(0.0, abs=1e-9))
        z += list((estimate.mean - truth)[live] / error[live])
        power += list((2 * estimate.mean - truth)[live] / error[live])  # a factor of 2 too much
    bound = stats.norm.ppf(1 - FALSE_ALARM / (2 * len(z)))
    assert np.max(np.abs(z)) < bound
    assert np.max(np.abs(power)) > 2 * bound


@pytest.mark.statistical
def test_a_rule_of_weights_alone_with_random_choices(
    seed: int, expected: tuple[Array, Array]
) -> None:
    """All components together leave the bound with probability 1e-6 (normal errors)."""
    rule = RandomOccurrences(rows=100_000)
    found = pull_back(rule, shots=4, seed=seed, by_features=False)
    assert found.by_features is None
    error = found.by_weights.standard_error
    assert error is not None
    live = error > 0
    z = (found.by_weights.mean - expected[0])[live] / error[live]
    bound = stats.norm.ppf(1 - FALSE_ALARM / (2 * len(z)))
    assert np.max(np.abs(z)) < bound
    assert np.max(np.abs(2 * found.by_weights.mean - expected[0])[live] / error[live]) > 2 * bound


def test_base_rows_are_not_measured_again() -> None:
    exact = pull_back(ParameterShift())
    sampled = pull_back(ParameterShift(), shots=10)
    assert sampled.rows == exact.rows - len(FEATURES)
    assert sampled.shots == 10 * sampled.rows


def test_steps_that_nobody_reads_cost_nothing() -> None:
    first = COTANGENT * np.array([1.0, 0.0, 0.0])[:, None]
    assert pull_back(ParameterShift(), cotangent=first).rows < pull_back(ParameterShift()).rows / 2
    nothing = pull_back(ParameterShift(), cotangent=0 * COTANGENT, shots=10)
    assert (nothing.rows, nothing.shots) == (0, 0)
    assert not nothing.by_weights.mean.any()


def test_rules_without_derivatives_by_features_say_so() -> None:
    with pytest.raises(DataError, match="FiniteDifference has none"):
        pull_back(FiniteDifference())
