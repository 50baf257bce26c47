"""Mitigation: exact where it can be, propagated errors, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qrnn_qiskit import ExactExecutor, build_cell, simple_noise, unroll
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.isa import TranspileOptions
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.execution.mitigation.affine import AffineCorrection
from qrnn_qiskit.execution.mitigation.linear import learned_correction
from qrnn_qiskit.execution.mitigation.readout import (
    calibration_circuit,
    calibration_plans,
    flips_of_calibration,
    measured_places,
    readout_correction,
)
from qrnn_qiskit.execution.mitigation.zero_noise import extrapolate, fold, weights
from qrnn_qiskit.spec.noise import NoiseSpec

UNROLLED = unroll(build_cell("viqueira_emcz2", {"layers": 1, "reuploads": 1}), 3)


def angles(rows: int = 4) -> Array:
    return np.random.default_rng(0).uniform(-3, 3, (rows, len(UNROLLED.occurrences)))


def test_stated_readout_errors_are_undone_exactly() -> None:
    executor = ExactExecutor(make_noise(NoiseSpec(readout=(0.02, 0.07))))
    places = measured_places(executor.isa(UNROLLED), 3, UNROLLED.num_bits)
    flips = {place: (0.02, 0.07) for step in places for place in step}
    correction = readout_correction(places, flips, None)
    noisy, ideal = (
        executor.forward(UNROLLED, angles(), "z"),
        ExactExecutor().forward(UNROLLED, angles(), "z"),
    )
    assert np.max(np.abs(noisy - ideal)) > 0.02
    assert correction.values(noisy) == pytest.approx(ideal, abs=1e-12)


def test_measured_readout_errors_are_those_of_each_qubit() -> None:
    readout = ((0.01, 0.02), (0.03, 0.04), (0.05, 0.06))
    executor = ExactExecutor(make_noise(NoiseSpec(readout=readout)))
    circuit = calibration_circuit(3)
    zeros, ones = (executor.exact_outputs(circuit, plan, "z") for plan in calibration_plans())
    (places,) = measured_places(executor.isa(circuit), 1, 3)
    flips = flips_of_calibration(places, zeros, ones)
    for qubit, pair in enumerate(readout):
        assert flips[qubit, True] == pytest.approx(pair, abs=1e-12)


def test_a_hopeless_bit_is_refused() -> None:
    with pytest.raises(BackendError, match="bit 0 of step 1 is read on qubit 7 with errors 0.6"):
        readout_correction([[(3, False)], [(7, True)]], {(7, True): (0.6, 0.5)}, None)


def test_errors_grow_by_the_slope_and_the_calibration_adds_its_own() -> None:
    raw = Outputs(np.full((1, 2, 1), 0.5), np.array([100]), np.full((1, 2, 2), 0.2))
    line = AffineCorrection(
        np.array([[2.0], [3.0]]), np.zeros((2, 1)), np.array([[0.04], [0.0]]), np.full((2, 1), 0.01)
    )
    corrected = line.apply(raw)
    assert corrected.mean.ravel().tolist() == [1.0, 1.5]
    assert corrected.covariance is not None
    added = 100 * np.array([0.04 * 0.25 + 0.01, 0.01])
    expected = 0.2 * np.outer([2, 3], [2, 3]) + np.diag(added)
    assert corrected.covariance[0] == pytest.approx(expected)


def test_one_correction_after_another() -> None:
    shape = (1, 1)
    first = AffineCorrection(*(np.full(shape, v) for v in (2.0, 0.1, 0.0, 0.0)))
    second = AffineCorrection(*(np.full(shape, v) for v in (3.0, -0.2, 0.0, 0.0)))
    y = np.array([[[0.3]]])
    both = second.after(first)
    assert both.values(y) == pytest.approx(second.values(first.values(y)))


def test_depolarized_outputs_are_learned_away() -> None:
    """Global damping is a line; what gates do is nearly one."""
    random = np.random.default_rng(1)
    ideal = random.uniform(-1, 1, (50, 2, 1))
    learned = learned_correction(Outputs(0.8 * ideal + 0.05), ideal)
    assert learned.slope == pytest.approx(np.full((2, 1), 1.25))
    assert learned.offset == pytest.approx(np.full((2, 1), -0.0625))


@pytest.mark.statistical
def test_shot_noise_does_not_flatten_the_line(seed: int) -> None:
    """A fit that ignores it is off by 25 standard errors. False alarm 1e-6 on two slopes."""
    random = np.random.default_rng(seed)
    rows, shots = 4000, 40
    ideal = random.uniform(-0.6, 0.6, (rows, 2, 1))
    mean = 2 * random.binomial(shots, (1 + 0.8 * ideal) / 2) / shots - 1
    variance = (1 - mean**2) * shots / (shots - 1)
    covariance = np.zeros((rows, 2, 2))
    covariance[:, [0, 1], [0, 1]] = variance[..., 0]
    noisy = Outputs(mean, np.full(rows, shots), covariance)
    learned = learned_correction(noisy, ideal)
    error = np.sqrt(learned.slope_variance)
    assert np.all(np.abs(learned.slope - 1.25) < 5.1 * 1.5 * error)
    naive = learned_correction(Outputs(mean), ideal)
    assert np.all(np.abs(naive.slope - 1.25) > 10 * error)


def test_too_few_rows_to_learn_from() -> None:
    with pytest.raises(BackendError, match="2 rows are too few"):
        learned_correction(Outputs(np.zeros((2, 1, 1))), np.zeros((2, 1, 1)))


def test_folded_circuit_is_the_same_without_noise_and_noisier_with() -> None:
    ideal = ExactExecutor().forward(UNROLLED, angles(), "z")

    def distance(noise: float, folds: int) -> float:
        executor = ExactExecutor(simple_noise(0, noise, 0), TranspileOptions(folds=folds))
        return float(np.linalg.norm(executor.forward(UNROLLED, angles(), "z") - ideal))

    assert distance(0.0, 5) < 1e-12
    assert distance(0.002, 3) / distance(0.002, 1) == pytest.approx(3, rel=0.1)


def test_extrapolation_takes_most_of_the_error_of_two_qubit_gates() -> None:
    ideal = ExactExecutor().forward(UNROLLED, angles(), "z")
    measured = [
        Outputs(
            ExactExecutor(simple_noise(0, 0.01, 0), TranspileOptions(folds=f)).forward(
                UNROLLED, angles(), "z"
            )
        )
        for f in (1, 3)
    ]
    before, after = (
        float(np.linalg.norm(o.mean - ideal)) for o in (measured[0], extrapolate(measured, (1, 3)))
    )
    assert after < 0.2 * before


def test_weights_of_extrapolation_and_their_errors() -> None:
    assert weights((1, 3)) == pytest.approx([1.5, -0.5])
    assert weights((1, 2, 3), 2) == pytest.approx([3, -3, 1])
    one = Outputs(np.ones((1, 1, 1)), np.array([10]), np.full((1, 1, 1), 0.4))
    two = Outputs(np.zeros((1, 1, 1)), np.array([20]), np.full((1, 1, 1), 0.8))
    zero = extrapolate((one, two), (1, 3))
    assert zero.mean.item() == pytest.approx(1.5)
    assert zero.estimate.standard_error == pytest.approx(
        np.sqrt(1.5**2 * 0.4 / 10 + 0.5**2 * 0.8 / 20)
    )


def test_refused_folds() -> None:
    with pytest.raises(BackendError, match="folded 2 times is another gate"):
        fold(QuantumCircuit(1), 2)
    circuit = QuantumCircuit(2)
    circuit.rzz(0.3, 0, 1)
    with pytest.raises(BackendError, match="rzz is not its own inverse"):
        fold(circuit, 3)
    with pytest.raises(BackendError, match="needs 2 different factors"):
        weights((3, 3))
