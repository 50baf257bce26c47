"""Second derivatives and feature gradients against dense finite differences and closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

import qrnn_qiskit as qrnn
from qrnn_qiskit import Cell, ExactExecutor, UnrolledCircuit, unroll
from qrnn_qiskit.gradients import GradientProblem
from qrnn_qiskit.gradients.hessian import hessian_plan
from qrnn_qiskit.learning.losses.mse import MeanSquaredError
from qrnn_qiskit.learning.plugins import Loss
from qrnn_qiskit.learning.readout import Readout
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.hessian import contracted_twice
from qrnn_qiskit.run.measure.objective import Objective
from tests.reference import Array, reference_outputs, repeat_cell, sixth_order_difference
from tests.strategies import DrawnCell, cells, features_of, weights_of
from tests.unit.gradients.problems import WEIGHTS, small_cell

EXACT = ExactExecutor()
FEWER = settings(max_examples=max(5, settings().max_examples // 8))


def dense_outputs(cell: Cell, weights: Array, features: Array) -> Array:
    """`[T, K]` of one sequence by dense density matrices."""
    values = dict(zip(cell.weights, weights, strict=True))
    steps = [dict(zip(cell.features, step, strict=True)) for step in features]
    return reference_outputs(repeat_cell(cell.circuit, values, steps), {})


@st.composite
def problems(draw: st.DrawFn) -> tuple[DrawnCell, Array, Array]:
    cell = draw(cells(max_steps=3, max_operations=5))
    return cell, draw(weights_of(cell)), draw(features_of(cell, 1))


@FEWER
@given(problems())
def test_hessian_of_random_cells(problem: tuple[DrawnCell, Array, Array]) -> None:
    """Outputs and loss, against differences of the dense reference."""
    drawn, weights, features = problem
    cell = Cell.from_circuit(drawn.circuit, weights=drawn.weights, features=drawn.features)
    unrolled = unroll(cell, drawn.num_steps)

    def outputs(point: Array) -> Array:
        return dense_outputs(cell, point, features[0])

    def slopes(point: Array) -> Array:
        return sixth_order_difference(outputs, point, h=2e-2)

    targets = 0.4 * np.ones((1, *outputs(weights).shape))
    found = qrnn.hessian(unrolled, weights, features, targets, executor=EXACT)
    bent = sixth_order_difference(slopes, weights, h=2e-2)
    expected = np.moveaxis(bent, (2, 3), (0, 1))[:, :, None]
    np.testing.assert_allclose(found.outputs.mean, expected, atol=1e-7)
    error, slope = outputs(weights) - targets[0], slopes(weights)
    of_loss = np.einsum("tk,tkpq->pq", error, bent) + np.einsum("tkp,tkq->pq", slope, slope)
    np.testing.assert_allclose(found.hessian.mean, 2 * of_loss / error.size, atol=1e-7)


def curved_cell() -> Cell:
    """Angles that are not linear in the weights, nor in the feature."""
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"), QuantumRegister(1, "hidden"), ClassicalRegister(1, "readout")
    )
    w, b, x = (Parameter(name) for name in ("w", "b", "x"))
    circuit.ry((w * x).sin() + b * b, 0)
    circuit.rx(w * b, 1)
    circuit.rxx(b.exp() / 3, 0, 1)
    circuit.ry((0.5 * x).arccos(), 0)
    circuit.measure(0, 0)
    circuit.reset(0)
    return Cell.from_circuit(circuit, weights=[w, b], features=[x], name="curved")


CASES: dict[str, tuple[UnrolledCircuit, Array, str | Loss, Any]] = {
    "linear angles": (unroll(small_cell(), 3), WEIGHTS, "mse", "z"),
    "curved angles": (unroll(curved_cell(), 3), np.array([0.6, -0.8]), "mse", "z"),
    "likelihood": (unroll(curved_cell(), 2), np.array([0.6, -0.8]), "nll", "probabilities"),
    "cross-entropy": (
        unroll(curved_cell(), 2),
        np.array([0.6, -0.8]),
        qrnn.CrossEntropy(classes=2, pool="mean"),
        "probabilities",
    ),
}


def data(name: str) -> tuple[Array, Array]:
    unrolled, _, _, output = CASES[name]
    random = np.random.default_rng(4)
    features = random.uniform(0.1, 0.9, (2, unrolled.num_steps, 1))
    if output == "z":
        return features, random.uniform(-1, 1, features.shape)
    return features, random.integers(0, 2, features.shape).astype(float)


@pytest.mark.parametrize("name", CASES)
def test_every_form_is_the_derivative_of_the_gradient(name: str) -> None:
    unrolled, weights, loss, output = CASES[name]
    features, targets = data(name)
    common: dict[str, Any] = {"executor": EXACT, "loss": loss, "output": output}

    def slope(point: Array) -> Array:
        return qrnn.gradient(
            unrolled, point, features, targets, rule=qrnn.Adjoint(), **common
        ).gradient.mean

    expected = sixth_order_difference(slope, weights, h=1e-2)
    full = qrnn.hessian(unrolled, weights, features, targets, **common)
    np.testing.assert_allclose(full.hessian.mean, expected, atol=1e-7)
    assert full.hessian.standard_error is None
    diagonal = qrnn.hessian(unrolled, weights, features, targets, form="diagonal", **common)
    np.testing.assert_allclose(diagonal.hessian.mean, np.diag(expected), atol=1e-7)
    direction = np.linspace(-1.0, 2.0, len(weights))
    product = qrnn.hessian(
        unrolled, weights, features, targets, form="product", direction=direction, **common
    )
    np.testing.assert_allclose(product.hessian.mean, expected @ direction, atol=1e-7)
    assert diagonal.rows <= full.rows


def test_closed_form() -> None:
    """RX(w) at each of two steps on one qubit that is not reset: y = cos w, cos 2w."""
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"), QuantumRegister(1, "hidden"), ClassicalRegister(1, "readout")
    )
    w = Parameter("w")
    circuit.rx(w, 1)
    circuit.ry(w * w, 0)
    circuit.measure(0, 0)
    circuit.reset(0)
    cell = Cell.from_circuit(circuit, weights=[w], features=[])
    point = 0.7
    found = qrnn.hessian(
        unroll(cell, 2), [point], np.zeros((1, 2, 0)), np.zeros((1, 2, 1)), executor=EXACT
    )
    # y = cos w²: y'' = -2 sin w² - 4 w² cos w²; the RX does not matter, and has no rows.
    square = point**2
    bent = -2 * np.sin(square) - 4 * square * np.cos(square)
    np.testing.assert_allclose(found.outputs.mean.ravel(), [bent, bent], atol=1e-12)
    slope = -2 * point * np.sin(square)
    expected = 2 * (slope**2 + np.cos(square) * bent)
    np.testing.assert_allclose(found.hessian.mean, [[expected]], atol=1e-12)
    assert found.rows == 1 + 2 * (2 + 1)


def test_rows_are_told_before_they_are_evaluated() -> None:
    unrolled, weights, *_ = CASES["linear angles"]
    features, targets = data("linear angles")
    with pytest.raises(qrnn.QRNNError, match=r"needs 506 rows: 2 sequences of 4 for each of 54"):
        qrnn.hessian(unrolled, weights, features, targets, executor=EXACT, max_rows=505)
    with pytest.raises(qrnn.QRNNError, match="needs a direction with a number for each of the 4"):
        qrnn.hessian(unrolled, weights, features, targets, executor=EXACT, form="product")


@pytest.mark.parametrize("name", CASES)
def test_gradient_by_features(name: str) -> None:
    unrolled, weights, loss, output = CASES[name]
    features, targets = data(name)
    common: dict[str, Any] = {"executor": EXACT, "loss": loss, "output": output}

    def value(flat: Array) -> float:
        moved = flat.reshape(features.shape)
        result = qrnn.gradient(unrolled, weights, moved, targets, rule=qrnn.Adjoint(), **common)
        return float(result.loss.mean)

    expected = sixth_order_difference(value, features.ravel()).reshape(features.shape)
    for rule in (qrnn.Adjoint(), qrnn.ParameterShift()):
        found = qrnn.gradient(
            unrolled, weights, features, targets, rule=rule, by="features", **common
        )
        np.testing.assert_allclose(found.gradient.mean, expected, atol=1e-9)


def test_where_features_have_no_slope() -> None:
    unrolled, weights, *_ = CASES["linear angles"]
    features, targets = data("linear angles")
    with pytest.raises(qrnn.QRNNError, match="FiniteDifference has none"):
        qrnn.gradient(
            unrolled,
            weights,
            features,
            targets,
            executor=EXACT,
            rule=qrnn.FiniteDifference(),
            by="features",
        )
    unrolled, weights, *_ = CASES["curved angles"]
    for rule in (qrnn.Adjoint(), qrnn.ParameterShift()):
        with pytest.raises(qrnn.QRNNError, match="no slope at a feature, such as arccos at 1"):
            qrnn.gradient(
                unrolled,
                weights,
                np.full((1, 3, 1), 2.0),
                np.zeros((1, 3, 1)),
                executor=EXACT,
                rule=rule,
                by="features",
            )


REPETITIONS = 400


def judge(mean: Array, error: Array, truth: Array) -> None:
    """Repetitions along the first axis: 6 sigma for their mean, and for their scatter."""
    scatter = mean.std(axis=0, ddof=1)
    stated = np.sqrt(np.mean(error**2, axis=0))
    live = stated > 0
    off = (mean.mean(axis=0) - truth)[live] / (scatter[live] / np.sqrt(len(mean)))
    assert np.max(np.abs(off)) < 6
    # The scatter is known to 1/sqrt(2 N); errors of first order in the shots get 4 % more.
    assert np.max(np.abs(scatter[live] / stated[live] - 1.0)) < 6 / np.sqrt(2 * len(mean)) + 0.04


@pytest.mark.statistical
def test_sampled_second_derivatives_scatter_as_their_errors_say(seed: int) -> None:
    """Each repetition is a sequence of its own."""
    unrolled, weights, *_ = CASES["curved angles"]
    features, targets = (np.repeat(a[:1], REPETITIONS, axis=0) for a in data("curved angles"))
    steps = np.ones(3, dtype=bool)
    objective = Objective(Readout("identity", 1, 1), MeanSquaredError(), steps)
    made = hessian_plan(
        GradientProblem(unrolled.angle_map, unrolled.occurrences, weights, features, steps)
    )
    outputs = Evaluator(unrolled, EXACT, seed=seed).outputs(made.plan, 200, Call("", (0,)))
    spread = contracted_twice(made, outputs, objective, readout=np.empty(0), targets=targets)
    exact = qrnn.hessian(unrolled, weights, features[:1], targets[:1], executor=EXACT)
    upper = np.triu_indices(2)
    assert spread.first is not None
    mean, error = REPETITIONS * spread.value.T, REPETITIONS * np.sqrt(spread.first.T)
    judge(mean, error, exact.hessian.mean[upper])
    with pytest.raises(AssertionError):  # power: one number wrong by a tenth of itself
        judge(mean * np.array([1.1, 1.0, 1.0]), error, exact.hessian.mean[upper])
    with pytest.raises(AssertionError):  # power: an error that is a third too small
        judge(mean, error / 1.5, exact.hessian.mean[upper])

    of_outputs = made.second.jacobian(made.plan, outputs)
    variance = made.second.jacobian_variance(made.plan, outputs)
    assert variance is not None
    truth = exact.outputs.mean[upper].reshape(3, -1)
    judge(of_outputs.swapaxes(0, 1), np.sqrt(variance).swapaxes(0, 1), truth)


@pytest.mark.statistical
def test_sampled_gradients_by_features_scatter_as_their_errors_say(seed: int) -> None:
    unrolled, weights, *_ = CASES["curved angles"]
    features, targets = (np.repeat(a[:1], REPETITIONS, axis=0) for a in data("curved angles"))
    common: dict[str, Any] = {"executor": EXACT, "by": "features"}
    sampled = qrnn.gradient(
        unrolled,
        weights,
        features,
        targets,
        rule=qrnn.ParameterShift(),
        shots=200,
        seed=seed,
        **common,
    ).gradient
    exact = qrnn.gradient(
        unrolled, weights, features[:1], targets[:1], rule=qrnn.Adjoint(), **common
    )
    assert sampled.standard_error is not None
    judge(REPETITIONS * sampled.mean, REPETITIONS * sampled.standard_error, exact.gradient.mean[0])
