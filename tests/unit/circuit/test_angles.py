"""Angles as expressions of weights and features: values, Jacobians, pull-backs and refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from qrnn_qiskit.angle_map import AngleMap, Array, SparseJacobian, Tape
from qrnn_qiskit.circuit import Cell, build_cell, unroll
from qrnn_qiskit.circuit.expression import ENCODINGS, compile_tape
from qrnn_qiskit.errors import CellError, DataError
from tests.reference import sixth_order_difference
from tests.strategies import DrawnCell, cells, features_of, weights_of

W, B, X = Parameter("w"), Parameter("b"), Parameter("x")

# What Qiskit makes of the expression, and what numpy makes of it.
EXPRESSIONS: dict[str, tuple[Any, Callable[[Array, Array, Array], Array]]] = {
    "w": (W + 0, lambda w, b, x: w),
    "-w": (-W, lambda w, b, x: -w),
    "2 w": (2 * W, lambda w, b, x: 2 * w),
    "w x": (W * X, lambda w, b, x: w * x),
    "w x + b": (W * X + B, lambda w, b, x: w * x + b),
    "x": (X + 0, lambda w, b, x: x),
    "arccos x": (X.arccos(), lambda w, b, x: np.arccos(x)),
    "w arcsin x": (W * X.arcsin(), lambda w, b, x: w * np.arcsin(x)),
    "arctan": ((W * X).arctan(), lambda w, b, x: np.arctan(w * x)),
    "sin": ((3 * W + X).sin(), lambda w, b, x: np.sin(3 * w + x)),
    "cos tan": (W.cos() * B.tan(), lambda w, b, x: np.cos(w) * np.tan(b)),
    "exp log": ((W * X).exp() + W.log(), lambda w, b, x: np.exp(w * x) + np.log(w)),
    "w / b": (W / B, lambda w, b, x: w / b),
    "1 / (w + 2)": (1 / (W + 2), lambda w, b, x: 1 / (w + 2)),
    "w^3": (W**3, lambda w, b, x: w**3),
    "w^-1.5": (W**-1.5, lambda w, b, x: w**-1.5),
    "(w b)^2 - w^2": ((W * B) ** 2 - W * W, lambda w, b, x: (w * b) ** 2 - w**2),
    "w - w + b": (W - W + B, lambda w, b, x: b),
    "0 w + b": (0 * W + B, lambda w, b, x: b),
    "w + b - b": (W + B - B, lambda w, b, x: w),
    "0 w + b / 2": (0 * W + B / 2, lambda w, b, x: b / 2),
    "pi x / 2": (np.pi * X / 2, lambda w, b, x: np.pi * x / 2),
}


def tape(*names: str, encodings: dict[str, str] | None = None) -> Tape:
    expressions = [EXPRESSIONS[name][0] for name in names]
    return compile_tape(expressions, ["w", "b"], ["x"], encodings or {})


def dense(jacobian: SparseJacobian, num_occurrences: int, num_columns: int) -> Array:
    """`[B, O, columns]`."""
    full = np.zeros((len(jacobian.values), num_occurrences, num_columns))
    by_entry = np.moveaxis(full, 0, 2)
    np.add.at(by_entry, (jacobian.occurrence, jacobian.column), jacobian.values.T)
    return full


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_value_and_derivatives_of_an_expression(name: str) -> None:
    weights = np.array([[0.4, 0.7], [1.3, -0.6]])
    features = np.array([[0.3], [-0.8]])
    of = EXPRESSIONS[name][1]
    expected = of(weights[:, 0], weights[:, 1], features[:, 0])
    compiled = tape(name)
    assert compiled.values(weights, features)[:, 0] == pytest.approx(expected, abs=1e-14)
    for row in range(2):
        w, x = weights[row], features[row]
        by_weight, by_feature = np.zeros(2), np.zeros(1)
        for into, kind in ((by_weight, "weights"), (by_feature, "features")):
            for _, j, value in compiled.jacobian(w, x, of=kind):
                into[j] += value
        slope = sixth_order_difference(lambda v: of(v[0], v[1], v[2]), np.concatenate([w, x]))
        assert np.concatenate([by_weight, by_feature]) == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encoding_is_part_of_the_jacobian(encoding: str) -> None:
    compiled = tape("w x + b", encodings={"x": encoding})
    function: Callable[[Array], Array] = getattr(np, encoding)
    weights, feature = np.array([0.4, 0.7]), np.array([0.3])
    assert compiled.values(weights, feature) == pytest.approx(0.4 * function(feature) + 0.7)
    ((_, _, slope),) = compiled.jacobian(weights, feature, of="features")
    expected = 0.4 * sixth_order_difference(lambda v: function(v)[0], feature)
    assert slope == pytest.approx(expected[0], abs=1e-10)


def test_operations_are_shared_and_constants_folded() -> None:
    """The same subexpression is evaluated once, whatever the number of angles that use it."""
    once, twice = tape("sin"), tape("sin", "sin", "w", "x")
    assert twice.operations == once.operations
    assert twice.outputs == (*once.outputs, once.outputs[0], 0, 2)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (abs(W), "uses 'Abs', which has no derivative here: write it with"),
        (W.sign(), "uses 'sign'"),
        (W**B, "uses 'Pow'"),
        (W**1j, "uses 'Pow'"),
        (2**W, "cannot be read: write it with"),
        (2**W + X, "cannot be read"),
        (W * 1j, "is not a finite real number"),
    ],
    ids=str,
)
def test_refused_expression(expression: Any, message: str) -> None:
    with pytest.raises(CellError, match="the angle .*") as error:
        compile_tape([expression], ["w", "b"], ["x"], {})
    assert message in str(error.value)


@given(st.data())
def test_jacobians_of_random_cells(data: st.DataObject) -> None:
    drawn: DrawnCell = data.draw(cells(max_steps=3))
    weights, features = data.draw(weights_of(drawn)), data.draw(features_of(drawn, 2))
    cell = Cell.from_circuit(
        drawn.circuit, weights=drawn.weights, features=drawn.features, name="drawn"
    )
    angle_map = unroll(cell, drawn.num_steps).angle_map
    count, num_weights = angle_map.num_occurrences, angle_map.num_weights
    slope = sixth_order_difference(lambda w: angle_map.angles(w, features), weights)
    found = dense(angle_map.weight_jacobian(weights, features), count, num_weights)
    assert found == pytest.approx(slope, abs=1e-9)
    cotangent = np.random.default_rng(0).normal(size=(2, count))
    assert angle_map.pull_back_weights(weights, features, cotangent) == pytest.approx(
        np.einsum("bo,bop->p", cotangent, slope), abs=1e-8
    )

    def contracted(flat: Array) -> float:
        return float(np.sum(cotangent * angle_map.angles(weights, flat.reshape(features.shape))))

    by_features = angle_map.pull_back_features(weights, features, cotangent)
    assert by_features.shape == features.shape
    if features.size:
        slope = sixth_order_difference(contracted, features.ravel())
        assert by_features.ravel() == pytest.approx(slope, abs=1e-8)


def one_gate_map(num_steps: int, **options: Any) -> AngleMap:
    """Angles w x + b of every step, and w of a gate that only the last step has."""
    circuit = QuantumCircuit(QuantumRegister(1, "io"), ClassicalRegister(1, "readout"))
    circuit.rx(W * X + B, 0)
    circuit.measure(0, 0)
    circuit.reset(0)
    last = circuit.copy_empty_like()
    last.ry(W / X, 0)
    cell = Cell.from_circuit(circuit, weights=[W, B], features=[X], last=last, name="c", **options)
    return unroll(cell, num_steps).angle_map


def test_gates_of_the_last_step_read_the_last_features() -> None:
    angle_map = one_gate_map(3)
    weights, features = np.array([0.5, 0.1]), np.array([[[1.0], [2.0], [4.0]]])
    assert angle_map.angles(weights, features) == pytest.approx(np.array([[0.6, 1.1, 2.1, 0.125]]))
    jacobian = dense(angle_map.weight_jacobian(weights, features), 4, 2)
    assert jacobian[0] == pytest.approx(np.array([[1, 1], [2, 1], [4, 1], [0.25, 0]]))
    pulled = angle_map.pull_back_features(weights, features, np.ones((1, 4)))
    assert pulled[0, :, 0] == pytest.approx([0.5, 0.5, 0.5 - 0.5 / 16])


def test_leading_axes_broadcast() -> None:
    angle_map = one_gate_map(2)
    weights = np.random.default_rng(0).normal(size=(5, 1, 2))
    features = np.random.default_rng(1).normal(size=(3, 2, 1))
    angles = angle_map.angles(weights, features)
    assert angles.shape == (5, 3, 3)
    assert angles[4, 2] == pytest.approx(angle_map.angles(weights[4, 0], features[2]))


@pytest.mark.parametrize(
    ("weights", "features", "message"),
    [
        (np.zeros(3), np.zeros((1, 2, 1)), "weights have shape (3,), but the cell has 2"),
        (np.zeros(2), np.zeros((1, 3, 1)), "needs [..., T=2, F=1]"),
        (np.zeros(2), np.zeros((1, 2, 2)), "features have shape (1, 2, 2)"),
        (np.array([np.nan, 0]), np.ones((1, 2, 1)), "weights hold NaN or infinity"),
        (np.zeros(2), np.full((1, 2, 1), np.inf), "features hold NaN or infinity"),
        (np.ones(2), np.array([[[0.5], [1.2]]]), "in step 1 is not a number: an encoding such as"),
    ],
)
def test_refused_arrays(weights: Array, features: Array, message: str) -> None:
    with pytest.raises(DataError) as error:
        one_gate_map(2, encodings={"x": "arccos"}).angles(weights, features)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_many_sums_are_evaluated_as_one_matrix() -> None:
    """A cell of neurons has hundreds of angles; sums with constants, features and repeats."""
    cell = build_cell("bausch", {"n_io": 2, "n_hidden": 3, "stages": 1, "order": 1, "degree": 3})
    angle_map = unroll(cell, 2).angle_map
    assert angle_map.cell.affine is not None
    short = replace(angle_map, cell=replace(angle_map.cell))
    object.__setattr__(short.cell, "affine", None)
    random = np.random.default_rng(0)
    weights = random.normal(size=cell.num_weights)
    features = random.integers(0, 2, (3, 2, 2)).astype(np.float64)
    found = angle_map.angles(weights, features)
    np.testing.assert_allclose(found, short.angles(weights, features), atol=1e-13)
    cotangent = random.normal(size=found.shape)
    np.testing.assert_allclose(
        angle_map.pull_back_weights(weights, features, cotangent),
        short.pull_back_weights(weights, features, cotangent),
        atol=1e-12,
    )
