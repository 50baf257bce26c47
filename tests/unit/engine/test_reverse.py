from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_qiskit.engine import plan
from qrnn_qiskit.engine.forward import Kind, outputs
from qrnn_qiskit.engine.program import Measure, Program, Rotation
from qrnn_qiskit.engine.reverse import value_and_vjp
from qrnn_qiskit.errors import BackendError, DataError
from qrnn_qiskit.estimate import Array
from tests.unit.engine.dense import Case, Form, cases, dense_outputs, form, random_angles
from tests.unit.engine.golden import (
    FEATURES,
    GATES,
    GRADIENT,
    SQUARED_ERROR,
    TARGETS,
    WEIGHTS,
    golden_angles,
    golden_program,
)
from tests.unit.engine.test_forward import FORMS, KINDS, noisy_program


def sixth_order(function: Callable[[Array], Array], angles: Array, column: int, uses: int) -> Array:
    """d(function)/d(angles[:, column]) by central differences."""
    # A trigonometric polynomial of degree `uses`: the error is about uses^7 h^6 / 140.
    h = 0.03 / max(uses, 1)
    shift = np.zeros_like(angles)
    shift[:, column] = h
    differences = [
        weight * (function(angles + k * shift) - function(angles - k * shift))
        for k, weight in ((1, 45.0), (2, -9.0), (3, 1.0))
    ]
    return np.asarray(sum(differences) / (60.0 * h))


@given(cases(), st.integers(1, 2), st.integers(0, 99), KINDS, FORMS)
def test_gradients_are_those_of_dense_matrices(
    case: Case, rows: int, seed: int, kind: Kind, name: Form
) -> None:
    angles = random_angles(case.program, rows, seed)
    mean = dense_outputs(case, angles, kind)
    cotangent = np.random.default_rng(seed).normal(size=mean.shape)
    with form(name):
        found, gradient = value_and_vjp(case.program, angles, lambda _: cotangent, kind)
    np.testing.assert_allclose(found, mean, rtol=0, atol=1e-12)

    def contracted(shifted: Array) -> Array:
        return np.asarray((dense_outputs(case, shifted, kind) * cotangent).sum(axis=(1, 2)))

    for column in range(case.program.num_angles):
        uses = sum(
            isinstance(op, Rotation) and op.angle == column for op in case.program.operations
        )
        expected = sixth_order(contracted, angles, column, uses)
        np.testing.assert_allclose(gradient[:, column], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["gates", "layers"])
def test_golden_gradient(name: Form) -> None:
    def cotangent_of(mean: Array) -> Array:
        return np.asarray(2.0 * (mean - TARGETS[:, None]) / 3.0)

    with form(name):
        mean, gradient = value_and_vjp(golden_program(), golden_angles(), cotangent_of)
    assert np.mean((mean[0, :, 0] - TARGETS) ** 2) == pytest.approx(SQUARED_ERROR, abs=1e-10)
    tied = gradient.reshape(3, len(GATES)).sum(axis=0)[1:]
    np.testing.assert_allclose(tied, GRADIENT, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["gates", "layers"])
def test_a_column_may_serve_several_rotations(name: Form) -> None:
    """The weights of all steps as one column each, after the three features."""
    free = golden_program()
    column = [i // 8 if i % 8 == 0 else 2 + i % 8 for i in range(free.num_angles)]
    operations = tuple(
        Rotation(op.generator, op.qubits, column[op.angle]) if isinstance(op, Rotation) else op
        for op in free.operations
    )
    tied = Program(3, 3, 1, 10, operations)
    angles = np.concatenate([np.arccos(FEATURES), WEIGHTS])[None]
    with form(name):
        _, gradient = value_and_vjp(
            tied, angles, lambda mean: np.asarray(2.0 * (mean - TARGETS[:, None]) / 3.0)
        )
    np.testing.assert_allclose(gradient[0, 3:], GRADIENT, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["gates", "layers"])
@pytest.mark.parametrize("rows", [1, 20])
def test_gradients_are_those_of_shifted_circuits(name: Form, rows: int) -> None:
    program = noisy_program(num_steps=6)
    angles = random_angles(program, rows, 8)
    weights = np.random.default_rng(1).normal(size=(rows, 6, 1))
    with form(name):
        _, gradient = value_and_vjp(program, angles, lambda _: weights)
    shift = np.eye(program.num_angles)[:, None] * np.pi / 2
    up, down = (
        outputs(program, (angles + sign * shift).reshape(-1, program.num_angles))
        for sign in (1, -1)
    )
    slopes = ((up - down) / 2).reshape(program.num_angles, rows, 6, 1)
    expected = (slopes * weights).sum(axis=(2, 3)).T
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["gates", "layers"])
def test_both_forms_agree_on_many_steps(name: Form) -> None:
    program = golden_program(num_steps=60)
    angles = random_angles(program, 16, 2)
    with form("gates"):
        expected = value_and_vjp(program, angles, np.sin)
    with form(name):
        found = value_and_vjp(program, angles, np.sin)
    np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=1e-13)
    np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", ["z", "probabilities"])
@pytest.mark.parametrize("memory_limit", [2**24, 2**22, 2**21])
def test_chunks_and_checkpoints_change_no_bit(
    kind: Kind, memory_limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = noisy_program(num_steps=30, num_bits=2)
    angles = random_angles(program, 19, 4)
    with form("gates"):
        whole = value_and_vjp(program, angles, np.sin, kind)
        monkeypatch.setattr(plan, "CACHE", 2**14)
        few = value_and_vjp(program, angles, np.sin, kind, memory_limit=memory_limit)
    np.testing.assert_array_equal(few[0], whole[0])
    np.testing.assert_array_equal(few[1], whole[1])


@pytest.mark.parametrize("name", ["gates", "layers"])
def test_what_an_angle_cannot_reach_has_slope_0(name: Form) -> None:
    program = golden_program()
    only_first = np.zeros((5, 3, 1))
    only_first[:, 0] = 1.0
    with form(name):
        _, gradient = value_and_vjp(program, random_angles(program, 5, 3), lambda _: only_first)
    np.testing.assert_allclose(gradient[:, len(GATES) :], 0.0, rtol=0, atol=1e-16)
    assert np.all(np.any(gradient[:, : len(GATES)] != 0.0, axis=0)[[0, 1, 6]])


def test_without_measurement_there_is_no_slope() -> None:
    program = Program(1, 1, 1, 1, (Rotation("X", (0,), 0),))
    for name in ("gates", "layers"):
        with form(name):
            mean, gradient = value_and_vjp(program, np.ones((3, 1)), np.ones_like)
        np.testing.assert_array_equal(mean, np.ones((3, 1, 1)))
        np.testing.assert_array_equal(gradient, np.zeros((3, 1)))


def test_no_rows_no_gradient() -> None:
    program = golden_program()
    mean, gradient = value_and_vjp(program, np.empty((0, program.num_angles)), np.ones_like)
    assert mean.shape == (0, 3, 1)
    assert gradient.shape == (0, program.num_angles)


def test_a_cotangent_of_another_shape_is_refused() -> None:
    with pytest.raises(DataError, match="cotangent has shape \\(3,\\), but the outputs \\(1, 3, 1"):
        value_and_vjp(golden_program(), golden_angles(), lambda _: np.ones(3))


@pytest.mark.parametrize("limit", [2**22, 3 * 2**18])
def test_rows_that_do_not_fit_together_go_in_parts(limit: int) -> None:
    program = golden_program(num_steps=200)
    angles = random_angles(program, 100, 0)
    with form("gates"):
        mean, expected = value_and_vjp(program, angles, np.sin)
        less, found = value_and_vjp(program, angles, np.sin, memory_limit=limit)
    np.testing.assert_allclose(less, mean, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def test_too_little_memory_is_an_error() -> None:
    program = Program(9, 1, 1, 1, (Rotation("X", (0,), 0), Measure(0, 0, 0, (0.1, 0.0))))
    with pytest.raises(BackendError, match="a density matrix of 9 qubits"):
        value_and_vjp(program, np.ones((8, 1)), np.sin, memory_limit=2**20)
