"""Probabilities of all histories, without drawing any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_qiskit.engine.branches import MixedStates
from qrnn_qiskit.engine.histories import Model
from qrnn_qiskit.engine.pauli import ptm_of_unitary
from qrnn_qiskit.engine.program import Channel, Measure, Program, Reset, Rotation
from qrnn_qiskit.engine.pure import PureStates, pure_states
from qrnn_qiskit.engine.sample import distinct, model_of
from qrnn_qiskit.estimate import Array
from tests.unit.engine.dense import Case, cases, joint_distribution, random_angles
from tests.unit.engine.test_forward import noisy_program


def joint_of(model: Model, program: Program, angles: Array, *, by_matrix: bool) -> Array:
    """Probability of every record, `[2] * (T * K)`, for one row `[A]`."""
    states = model.start()
    records = np.zeros((1, program.num_steps * program.num_bits), dtype=np.intp)
    for place, slot in enumerate(model.slots):
        if by_matrix:
            states = states @ model.matrices(place, angles[None])[0]
        else:
            states = model.advance(place, states, np.tile(angles, (len(states), 1)))
        states = states.reshape(2 * len(states), -1)
        records = np.repeat(records, 2, axis=0)
        if slot >= 0:
            records[1::2, slot] = 1
    joint = np.zeros((2,) * records.shape[1])
    np.add.at(joint, tuple(records.T), model.mass(states))
    return joint


@given(cases(), st.integers(0, 99), st.booleans())
def test_density_matrices_give_the_joint_distribution(
    case: Case, seed: int, by_matrix: bool
) -> None:
    angles = random_angles(case.program, 1, seed)[0]
    if not MixedStates(case.program).slots:
        return
    found = joint_of(MixedStates(case.program), case.program, angles, by_matrix=by_matrix)
    np.testing.assert_allclose(found, joint_distribution(case, angles), rtol=0, atol=1e-12)


@given(cases(noise=False), st.integers(0, 99), st.booleans())
def test_state_vectors_give_the_joint_distribution(case: Case, seed: int, by_matrix: bool) -> None:
    """Overwritten bits and resets of entangled qubits included."""
    angles = random_angles(case.program, 1, seed)[0]
    model = pure_states(case.program)
    if model is None:
        assert not any(isinstance(operation, Measure) for operation in case.program.operations)
        return
    found = joint_of(model, case.program, angles, by_matrix=by_matrix)
    np.testing.assert_allclose(found, joint_distribution(case, angles), rtol=0, atol=1e-11)


def test_real_circuits_have_real_states() -> None:
    cz = Channel(ptm_of_unitary(np.diag([1.0, 1.0, 1.0, -1.0])), (0, 1))
    operations = (
        cz,
        Rotation("Y", (0,), 0),
        Rotation("XY", (0, 1), 1),
        Measure(0, 0, 0),
        Reset(0),
        Rotation("Y", (0,), 1),
        Measure(0, 1, 0),
    )
    real = pure_states(Program(2, 2, 1, 2, operations))
    assert isinstance(real, PureStates)
    assert real.dtype == np.float64
    turned = pure_states(Program(2, 2, 1, 2, (Rotation("X", (1,), 0), *operations)))
    assert isinstance(turned, PureStates)
    assert turned.dtype == np.complex128


def test_noise_needs_density_matrices() -> None:
    assert isinstance(model_of(noisy_program()), MixedStates)
    flips = Program(1, 1, 1, 1, (Rotation("X", (0,), 0), Measure(0, 0, 0, (0.1, 0.0))))
    assert isinstance(model_of(flips), MixedStates)
    dephasing = Channel(np.diag([1.0, 0.9, 0.9, 1.0]), (0,))
    noisy = Program(1, 1, 1, 1, (Rotation("X", (0,), 0), dephasing, Measure(0, 0, 0)))
    assert isinstance(model_of(noisy), MixedStates)


@pytest.mark.parametrize("columns", [0, 1, 5])
def test_distinct_rows(columns: int) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 3, (200, columns)).astype(np.float64)
    first, group = distinct(values)
    np.testing.assert_array_equal(values[first][group], values)
    assert len(first) == len({tuple(row) for row in values})
