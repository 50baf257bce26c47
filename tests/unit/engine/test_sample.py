from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qrnn_qiskit.engine import branches as branches_module
from qrnn_qiskit.engine import histories as histories_module
from qrnn_qiskit.engine import sample as sample_module
from qrnn_qiskit.engine.forward import outputs
from qrnn_qiskit.engine.histories import Bits
from qrnn_qiskit.engine.program import Measure, Program, Rotation
from qrnn_qiskit.engine.sample import sample
from qrnn_qiskit.errors import BackendError, DataError
from tests.unit.engine.dense import Case, cases, joint_distribution, random_angles
from tests.unit.engine.golden import COVARIANCES, OUTPUTS, golden_angles, golden_program
from tests.unit.engine.test_forward import noisy_program


def records(bits: Bits) -> np.ndarray:
    """Shots `[S, T, K]` as flat indices into a joint distribution."""
    flat = bits.reshape(bits.shape[0], -1).astype(np.intp)
    return flat @ (2 ** np.arange(flat.shape[1])[::-1])


@pytest.mark.statistical
@given(cases(), st.integers(0, 2**32))
def test_every_record_comes_as_often_as_it_should(case: Case, seed: int) -> None:
    """Exact binomial tails of each record. False alarms: 1e-8 an example, 1e-6 in 100 of them."""
    shots, alarm = 4000, 1e-8
    angles = random_angles(case.program, 2, seed)
    bits = sample(case.program, angles, shots, seed)
    for row in range(2):
        joint = np.clip(joint_distribution(case, angles[row]).ravel(), 0.0, 1.0)
        joint[joint < 1e-13] = 0.0
        counts = np.bincount(records(bits[row]), minlength=joint.size)
        tail = np.minimum(
            stats.binom.cdf(counts, shots, joint), stats.binom.sf(counts - 1, shots, joint)
        )
        assert tail.min() > alarm / (4 * joint.size)


@pytest.mark.statistical
def test_joint_distribution_of_a_noisy_program(seed: int) -> None:
    """Chi-square over all 64 records, cells below 20 expected pooled. False alarms: 1e-6."""
    program = noisy_program(num_qubits=3, num_steps=3, num_bits=2)
    angles = random_angles(program, 1, 6)
    shots = 100_000
    bits = sample(program, angles, shots, seed)[0]
    # Its outputs are held to dense matrices elsewhere; here all correlations are at stake, so the
    # distribution itself comes from the engine's outputs of a program with all bits in one step.
    one_step = Program(
        3,
        1,
        6,
        program.num_angles,
        tuple(
            Measure(op.qubit, 0, 2 * op.step + op.bit, op.flip) if isinstance(op, Measure) else op
            for op in program.operations
        ),
    )
    expected = shots * outputs(one_step, angles, kind="probabilities")[0, 0]
    little_endian = bits.reshape(shots, -1).astype(np.intp) @ (2 ** np.arange(6))
    counts = np.bincount(little_endian, minlength=64)
    rare = expected < 20
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], max(expected[rare].sum(), 1e-9))
    assert stats.chisquare(counts, expected * shots / expected.sum()).pvalue > 1e-6


@pytest.mark.statistical
def test_golden_means_and_covariances_of_steps(seed: int) -> None:
    """Six normal deviates beyond 5.2 sigma: false alarms 1.2e-6."""
    shots = 400_000
    z = 1.0 - 2.0 * sample(golden_program(), golden_angles(), shots, seed)[0, :, :, 0]
    error = np.sqrt((1 - OUTPUTS**2) / shots)
    assert np.all(np.abs(z.mean(axis=0) - OUTPUTS) < 5.2 * error)
    for (s, t), covariance in COVARIANCES.items():
        product = (z[:, s] - OUTPUTS[s]) * (z[:, t] - OUTPUTS[t])
        assert abs(product.mean() - covariance) < 5.2 * product.std() / np.sqrt(shots)


@pytest.mark.statistical
def test_rows_are_independent(seed: int) -> None:
    """Correlation of the bits of two equal rows: one deviate beyond 4.9 sigma, 1e-6."""
    program = Program(1, 1, 1, 1, (Rotation("X", (0,), 0), Measure(0, 0, 0)))
    shots = 100_000
    bits = sample(program, np.full((2, 1), np.pi / 2), shots, seed)
    z = 1.0 - 2.0 * bits.reshape(2, shots)
    assert abs((z[0] * z[1]).mean()) < 4.9 / np.sqrt(shots)


def test_impossible_records_never_come() -> None:
    """The second measurement repeats the first."""
    program = Program(1, 2, 1, 1, (Rotation("X", (0,), 0), Measure(0, 0, 0), Measure(0, 1, 0)))
    bits = sample(program, np.array([[0.4], [2.0]]), 5000, 1)
    np.testing.assert_array_equal(bits[:, :, 0], bits[:, :, 1])


def test_a_qubit_keeps_its_state_after_an_overwritten_measurement() -> None:
    operations = (
        Rotation("X", (0,), 0),
        Measure(0, 0, 0),
        Measure(1, 1, 0),
        Measure(0, 0, 0),
    )
    bits = sample(Program(2, 2, 1, 1, operations), np.array([[np.pi]]), 50, 1)
    assert bits[0, :, 0, 0].all()


def test_bits_do_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    program = noisy_program(num_steps=5)
    angles = random_angles(program, 12, 3)
    angles[5:] = angles[0]
    angles[7:, 11] += 0.3
    whole = sample(program, angles, 300, 7)
    monkeypatch.setattr(sample_module, "CHUNK_SHOTS", 2**9)
    monkeypatch.setattr(branches_module, "CACHE", 2**12)
    monkeypatch.setattr(histories_module, "CACHED", 2**12)
    np.testing.assert_array_equal(sample(program, angles, 300, 7), whole)
    few = sample(program, angles, 300, 7, memory_limit=2**20)
    np.testing.assert_array_equal(few, whole)


@pytest.mark.parametrize("num_steps", [5, 23])
def test_a_row_can_be_sampled_alone(num_steps: int) -> None:
    """Drawn in another tree and, beyond 20 bits, with more than one number for each shot."""
    program = noisy_program(num_steps=num_steps)
    angles = np.repeat(random_angles(program, 1, 3), 30, axis=0)
    angles[20:, 9] += 0.2
    whole = sample(program, angles, 200, 7)
    np.testing.assert_array_equal(sample(program, angles[17:], 200, 7, first_row=17), whole[17:])
    np.testing.assert_array_equal(sample(program, angles[3:4], 200, 7, first_row=3)[0], whole[3])
    assert np.any(whole[0] != whole[1])


def test_a_count_for_each_row() -> None:
    program = noisy_program()
    angles = random_angles(program, 4, 3)
    bits = sample(program, angles, [5, 0, 40, 7], 1)
    assert bits.shape == (52, 3, 1)
    same = sample(program, angles, 40, 1)
    np.testing.assert_array_equal(bits[5:45], same[2])
    np.testing.assert_array_equal(bits[45:], same[3, :7])


@pytest.mark.parametrize("shots", [0, 3])
def test_bits_that_nobody_measures_are_0(shots: int) -> None:
    program = Program(1, 2, 2, 0, (Measure(0, 0, 1, (1.0, 0.0)),))
    bits = sample(program, np.empty((2, 0)), shots, 1)
    assert bits.shape == (2, shots, 2, 2)
    assert bits.dtype == np.uint8
    assert bits.sum() == 2 * shots
    assert bits[..., 0, 1].all()


def test_no_rows_no_shots() -> None:
    program = golden_program()
    assert sample(program, np.empty((0, program.num_angles)), 5, 1).shape == (0, 5, 3, 1)


def test_what_does_not_fit_is_refused() -> None:
    program, angles = golden_program(), golden_angles()
    with pytest.raises(DataError, match="seed = -2"):
        sample(program, angles, 5, -2)
    with pytest.raises(DataError, match="shots = -1"):
        sample(program, angles, -1, 1)
    with pytest.raises(DataError, match="shots = \\[1, 2\\]: one number for all 1 rows"):
        sample(program, angles, [1, 2], 1)
    with pytest.raises(BackendError, match="use fewer shots at a time"):
        sample(program, angles, 10**6, 1, memory_limit=2**24)
