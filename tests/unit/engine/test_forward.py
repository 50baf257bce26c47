from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_qiskit.engine import plan
from qrnn_qiskit.engine.forward import Kind, outputs
from qrnn_qiskit.engine.pauli import ptm_of_kraus
from qrnn_qiskit.engine.program import Channel, Measure, Operation, Program, Reset, Rotation
from qrnn_qiskit.errors import BackendError
from tests.unit.engine.dense import (
    Case,
    Form,
    cases,
    dense_outputs,
    form,
    random_angles,
    random_kraus,
)
from tests.unit.engine.golden import OUTPUTS, golden_angles, golden_program

KINDS = st.sampled_from(["z", "probabilities"])
FORMS = st.sampled_from(["gates", "layers"])


def noisy_program(num_qubits: int = 3, num_steps: int = 3, num_bits: int = 1) -> Program:
    """Rotations, channels with full PTMs on qubits in any order, readout errors, resets."""
    rng = np.random.default_rng(11)
    noise = [ptm_of_kraus(random_kraus(rng, 2, 2)) for _ in range(2)]
    operations: list[Operation] = []
    angle = 0
    for step in range(num_steps):
        for q in range(num_qubits):
            operations += [Rotation("X", (q,), angle), Rotation("Z", (q,), angle + 1)]
            angle += 2
        operations += [
            Rotation("ZY", (1, 0), angle),
            Channel(noise[0], (num_qubits - 1, 0)),
            Rotation("XXX", (0, 1, 2), angle + 1),
            Channel(noise[1], (1, 2)),
        ]
        angle += 2
        for bit in range(num_bits):
            operations += [Measure(bit, step, bit, (0.02, 0.05)), Reset(bit)]
    return Program(num_qubits, num_steps, num_bits, angle, tuple(operations))


@given(cases(), st.integers(1, 3), st.integers(0, 99), KINDS, FORMS)
def test_outputs_are_those_of_dense_matrices(
    case: Case, rows: int, seed: int, kind: Kind, name: Form
) -> None:
    angles = random_angles(case.program, rows, seed)
    with form(name):
        found = outputs(case.program, angles, kind=kind)
    np.testing.assert_allclose(found, dense_outputs(case, angles, kind), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["gates", "layers"])
def test_golden_outputs(name: Form) -> None:
    with form(name):
        found = outputs(golden_program(), golden_angles())
    np.testing.assert_allclose(found[0, :, 0], OUTPUTS, rtol=0, atol=1e-10)


def test_no_rows_no_outputs() -> None:
    program = golden_program()
    assert outputs(program, np.empty((0, program.num_angles))).shape == (0, 3, 1)
    assert outputs(program, np.empty((0, program.num_angles)), kind="probabilities").shape == (
        (0, 3, 2)
    )


def test_bits_are_little_endian() -> None:
    flipped = Channel(np.diag([1.0, 1.0, -1.0, -1.0]), (1,))
    program = Program(2, 1, 2, 0, (flipped, Measure(0, 0, 0), Measure(1, 0, 1)))
    found = outputs(program, np.empty((1, 0)), kind="probabilities")
    np.testing.assert_array_equal(found, [[[0.0, 0.0, 1.0, 0.0]]])


@pytest.mark.parametrize("name", ["gates", "layers"])
def test_a_bit_never_measured_is_0(name: Form) -> None:
    program = Program(2, 2, 2, 1, (Rotation("X", (1,), 0), Measure(1, 1, 1)))
    angles = np.array([[np.pi / 3]])
    with form(name):
        np.testing.assert_allclose(outputs(program, angles), [[[1.0, 1.0], [1.0, 0.5]]])
        found = outputs(program, angles, kind="probabilities")
    expected = np.array([[[1.0, 0.0, 0.0, 0.0], [0.75, 0.0, 0.25, 0.0]]])
    np.testing.assert_allclose(found, expected, atol=1e-15)


@pytest.mark.parametrize("name", ["gates", "layers"])
def test_the_later_measurement_of_a_bit_counts(name: Form) -> None:
    program = Program(
        1, 1, 1, 1, (Measure(0, 0, 0, (0.5, 0.5)), Rotation("X", (0,), 0), Measure(0, 0, 0))
    )
    with form(name):
        np.testing.assert_allclose(outputs(program, np.array([[np.pi]])), [[[-1.0]]])


def test_steps_may_interleave() -> None:
    """Bits of step 1 are measured before those of step 0 are complete."""
    operations = (
        Rotation("XX", (0, 1), 0),
        Rotation("YX", (1, 2), 1),
        Measure(0, 0, 0, (0.1, 0.0)),
        Measure(1, 1, 1),
        Rotation("YZ", (0, 2), 2),
        Measure(0, 1, 0),
        Reset(0),
        Rotation("XY", (0, 2), 3),
        Measure(2, 0, 1),
    )
    case = Case(Program(3, 2, 2, 4, operations), {})
    angles = random_angles(case.program, 2, 1)
    found = outputs(case.program, angles, kind="probabilities")
    np.testing.assert_allclose(found, dense_outputs(case, angles, "probabilities"), atol=1e-13)


@pytest.mark.parametrize("kind", ["z", "probabilities"])
@pytest.mark.parametrize("rows", [9, 33, 64])
def test_chunks_change_no_bit(kind: Kind, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    program = noisy_program(num_bits=2)
    angles = random_angles(program, rows, 4)
    with form("gates"):
        whole = outputs(program, angles, kind=kind)
        monkeypatch.setattr(plan, "CACHE", 2**12)
        np.testing.assert_array_equal(outputs(program, angles, kind=kind), whole)
        few = outputs(program, angles, kind=kind, memory_limit=2**19)
        np.testing.assert_array_equal(few, whole)


@pytest.mark.parametrize("name", ["gates", "layers"])
def test_a_row_does_not_depend_on_the_others(name: Form) -> None:
    program = noisy_program()
    angles = random_angles(program, 41, 4)
    with form(name):
        whole = outputs(program, angles)
        np.testing.assert_array_equal(outputs(program, angles[16:31]), whole[16:31])


def test_too_little_memory_is_said_before_anything_is_allocated() -> None:
    program = Program(9, 1, 1, 0, (Measure(0, 0, 0, (0.1, 0.0)),))
    with pytest.raises(BackendError, match="a density matrix of 9 qubits takes .* GiB, but"):
        outputs(program, np.empty((8, 0)), memory_limit=2**20)


@given(st.integers(0, 2**32))
def test_probabilities_are_probabilities_after_many_steps(seed: int) -> None:
    program = noisy_program(num_steps=40, num_bits=2)
    angles = random_angles(program, 3, seed)
    found = outputs(program, angles, kind="probabilities")
    np.testing.assert_allclose(found.sum(axis=-1), 1.0, rtol=0, atol=1e-13)
    assert found.min() > -1e-13
    z = outputs(program, angles)
    np.testing.assert_allclose(z[..., 0], found[..., 0::2].sum(-1) * 2 - 1, rtol=0, atol=1e-13)
    np.testing.assert_allclose(z[..., 1], found[..., :2].sum(-1) * 2 - 1, rtol=0, atol=1e-13)
