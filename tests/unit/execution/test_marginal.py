"""Shots of each step by itself, and states in single precision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from qrnn_qiskit import (
    ExactExecutor,
    Noise,
    ParameterShift,
    build_cell,
    evaluate,
    gradient,
    hessian,
    simple_noise,
    unroll,
)
from qrnn_qiskit.engine.marginal import sample_marginal
from qrnn_qiskit.engine.sample import sample
from qrnn_qiskit.errors import BackendError, DataError
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.gradients.plan import forward_plan
from qrnn_qiskit.run.runs import run_job
from qrnn_qiskit.spec.backend import BackendSpec
from tests.unit.engine.dense import random_angles
from tests.unit.engine.test_forward import noisy_program

SHOTS = 4000
UNROLLED = unroll(build_cell("viqueira_emcz2"), 3)
WEIGHTS = np.random.default_rng(2).uniform(-3, 3, UNROLLED.angle_map.num_weights)
FEATURES = np.random.default_rng(3).uniform(-1, 1, (2, 3, 1))


@pytest.mark.statistical
def test_each_step_has_its_own_distribution(seed: int) -> None:
    """Six means, each beyond 5.3 sigma with probability 1.2e-7."""
    executor = ExactExecutor(sampling="marginal")
    expected = evaluate(UNROLLED, WEIGHTS, FEATURES, executor=executor).mean
    found = evaluate(UNROLLED, WEIGHTS, FEATURES, executor=executor, shots=SHOTS, seed=seed)
    error = np.sqrt((1 - expected**2) / SHOTS)
    assert np.all(np.abs(found.mean - expected) < 5.3 * error)
    assert error.min() < 0.02 < np.ptp(expected)


@pytest.mark.statistical
def test_steps_are_independent_but_bits_of_a_step_are_not(seed: int) -> None:
    """The mean products of Z, each beyond 5.2 sigma with probability 2e-7; 4 of them."""
    program = noisy_program(num_bits=2)
    angles = random_angles(program, 1, 5)
    z = 1.0 - 2.0 * sample_marginal(program, angles, np.array([40_000]), seed)
    joint = 1.0 - 2.0 * sample(program, angles, 400_000, seed)[0]
    for step in range(3):
        wanted = (joint[:, step, 0] * joint[:, step, 1]).mean()
        found = (z[:, step, 0] * z[:, step, 1]).mean()
        assert abs(found - wanted) < 5.2 * np.sqrt(1 / 40_000 + 1 / 400_000)
    centred = z[:, :2, 0] - z[:, :2, 0].mean(axis=0)
    product = centred[:, 0] * centred[:, 1]
    assert abs(product.mean()) < 5.2 * product.std() / 200


def test_errors_that_need_the_covariance_of_steps_are_unknown() -> None:
    executor = ExactExecutor(sampling="marginal")
    outputs = evaluate(UNROLLED, WEIGHTS, FEATURES, executor=executor, shots=100, seed=1)
    assert outputs.estimate.standard_error is not None
    assert np.all(np.isfinite(outputs.estimate.standard_error))
    assert np.all(np.isnan(outputs.contracted_variance(np.ones((2, 3, 1)))))
    targets = np.zeros((2, 3, 1))
    result = gradient(
        UNROLLED,
        WEIGHTS,
        FEATURES,
        targets,
        executor=executor,
        rule=ParameterShift(),
        shots=100,
        seed=1,
    )
    assert np.all(np.isfinite(result.gradient.mean))
    assert np.isfinite(result.loss.mean)
    assert result.gradient.standard_error is not None
    assert np.all(np.isnan(result.gradient.standard_error))


@pytest.mark.parametrize("job", ["train_dectriang", "papers/digits_rows"])
def test_a_training_ends_with_a_forecast(job: str, tmp_path: Path) -> None:
    """A prediction of a series reads its own step alone; a label may pool steps."""
    overrides = [
        "gradient.method=parameter_shift",
        "backend.sampling=marginal",
        "backend.shots=8",
        "training.steps=1",
        "training.batch_size=1",
        "training.baselines=[]",
        "training.validate_every=10",
    ]
    done = run_job(job, overrides=overrides, run_dir=tmp_path / "run")
    if job == "train_dectriang":
        with np.load(tmp_path / "run" / "outputs.npz") as outputs:
            mean, error = outputs["outputs"], outputs["outputs_standard_error"]
        with np.load(tmp_path / "run" / "predictions.npz") as predictions:
            of_prediction = predictions["standard_error"]
        assert np.all(np.isfinite(of_prediction))
        mixed = np.abs(mean) < 1.0
        ratio = of_prediction[mixed] / error[mixed]  # one scale and one unit for all
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    assert np.isfinite(next(iter(v for k, v in done.table[0].items() if k != "model")))
    told = json.loads((tmp_path / "run" / "table.json").read_text(encoding="utf-8"))["verdict"]
    assert "no baseline" in told


def test_second_derivatives_need_joint_shots() -> None:
    executor = ExactExecutor(sampling="marginal")
    with pytest.raises(DataError, match="take joint shots"):
        hessian(
            UNROLLED,
            WEIGHTS,
            FEATURES,
            np.zeros((2, 3, 1)),
            executor=executor,
            form="diagonal",
            shots=10,
            seed=1,
        )


def test_the_label_survives_the_ledger() -> None:
    executor = ExactExecutor(sampling="marginal", precision="single")
    assert executor.name == "exact, marginal sampling, single precision"
    request = EvaluationRequest(forward_plan(WEIGHTS, FEATURES), 10, 3)
    bits = executor.fetch(executor.submit(UNROLLED, request))
    assert PackedBits.from_bytes(bits.to_bytes()).marginal


def test_rows_do_not_depend_on_one_another() -> None:
    program = noisy_program()
    angles = random_angles(program, 3, 5)
    counts = np.array([9000, 10, 700])
    whole = sample_marginal(program, angles, counts, 4)
    alone = sample_marginal(program, angles[1:], counts[1:], 4, first_row=1)
    np.testing.assert_array_equal(whole[9000:], alone)


def test_post_selection_needs_joint_shots() -> None:
    program = noisy_program(num_bits=2)
    program = type(program)(
        program.num_qubits, program.num_steps, 2, program.num_angles, program.operations, (0,)
    )
    with pytest.raises(BackendError, match='use sampling = "joint"'):
        sample_marginal(program, random_angles(program, 1, 5), np.array([5]), 1)


@pytest.mark.parametrize("noise", [None, simple_noise(0.001, 0.01, 0.02)])
def test_single_precision_changes_few_shots(noise: Noise | None) -> None:
    """Probabilities off by less than 1e-5 change fewer than one bit in 10,000."""
    request = EvaluationRequest(forward_plan(WEIGHTS, FEATURES), SHOTS, 3)
    bits = []
    for precision in ("double", "single"):
        executor = ExactExecutor(noise, precision=precision)
        bits.append(executor.fetch(executor.submit(UNROLLED, request)).unpack(slice(None)))
    assert (bits[0] != bits[1]).sum() < bits[0].size * 1e-4


def test_only_the_exact_engine_knows_them() -> None:
    with pytest.raises(ValidationError, match='sampling: must be "joint"'):
        BackendSpec(name="aer", sampling="marginal")
    with pytest.raises(ValidationError, match='precision: must be "double"'):
        BackendSpec(name="aer", precision="single")
