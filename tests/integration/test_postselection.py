"""Post-selected circuits end to end: outputs, gradients and jobs against the dense reference."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

import qrnn_qiskit as qrnn
from qrnn_qiskit import Cell, ExactExecutor, unroll
from qrnn_qiskit.circuit import to_qasm
from qrnn_qiskit.learning.plugins import Loss
from qrnn_qiskit.plot import read_record
from qrnn_qiskit.plot.run import panels
from qrnn_qiskit.run.jobs import evaluate_job, gradient_job, run_job
from tests.reference import Array, reference_joint, repeat_cell, sixth_order_difference

EXACT = ExactExecutor()
FEATURES = np.array([[[0.4], [-0.7]], [[0.1], [0.8]]])
WEIGHTS = np.array([0.7, 0.5, -0.9])


def flagged_cell() -> Cell:
    """An output bit and a flag that must be 0; the flag depends on all weights."""
    flag = ClassicalRegister(1, "flag")
    circuit = QuantumCircuit(
        QuantumRegister(2, "io"), QuantumRegister(1, "hidden"), ClassicalRegister(1, "out"), flag
    )
    a, b, c, u = (Parameter(name) for name in "abcu")
    circuit.ry(u, 0)
    circuit.rx(a, 2)
    circuit.cry(b, 0, 2)
    circuit.rxx(c, 0, 2)
    circuit.ry(b, 1)
    circuit.cx(2, 1)
    circuit.measure([0, 1], [0, 1])
    circuit.reset([0, 1])
    return Cell.from_circuit(
        circuit, weights=[a, b, c], features=[u], postselected=["flag"], name="flagged"
    )


CELL = flagged_cell()
UNROLLED = unroll(CELL, 2)


def kept_and_ones(weights: Array, features: Array) -> tuple[Array, Array]:
    """Probabilities `[T]` that a shot is kept, and that it is kept with output bit 1."""
    return _kept_and_ones(tuple(weights), tuple(features[:, 0]))


@cache  # all losses are differentiated at the same points
def _kept_and_ones(weights: tuple[float, ...], features: tuple[float, ...]) -> tuple[Array, Array]:
    values = dict(zip(CELL.weights, weights, strict=True))
    steps = [dict(zip(CELL.features, (step,), strict=True)) for step in features]
    joint = reference_joint(repeat_cell(CELL.circuit, values, steps), {})
    bits = np.array(list(joint)).reshape(-1, len(features), 2)
    chance = np.array(list(joint.values()))
    survives = np.cumprod(1 - bits[:, :, 1], axis=1)
    return chance @ survives, chance @ (survives * bits[:, :, 0])


def outputs_of(weights: Array, features: Array) -> Array:
    kept, ones = kept_and_ones(weights, features)
    return np.asarray(1.0 - 2.0 * ones / kept)


def test_outputs_are_those_of_kept_shots(seed: int) -> None:
    expected = np.array([outputs_of(WEIGHTS, each) for each in FEATURES])[:, :, None]
    exact = qrnn.evaluate(UNROLLED, WEIGHTS, FEATURES, executor=EXACT)
    np.testing.assert_allclose(exact.mean, expected, atol=1e-12)
    sampled = qrnn.evaluate(
        UNROLLED, WEIGHTS, FEATURES, executor=EXACT, shots=20_000, seed=seed
    ).estimate
    assert sampled.standard_error is not None
    # 4 numbers at 6 sigma: 1e-8.
    assert np.all(np.abs(sampled.mean - expected) < 6 * sampled.standard_error)
    kept = np.array([kept_and_ones(WEIGHTS, each)[0] for each in FEATURES])[:, :, None]
    closed = np.sqrt((1 - expected**2) / (20_000 * kept))
    np.testing.assert_allclose(sampled.standard_error, closed, rtol=0.1)


LOSSES: dict[str, tuple[str | Loss, Any]] = {
    "mse": ("mse", "z"),
    "nll": ("nll", "probabilities"),
    "cross_entropy": (qrnn.CrossEntropy(classes=2), "probabilities"),
}


def targets_of(name: str) -> Array:
    if name == "mse":
        return np.array([[0.3, -0.5], [0.9, 0.1]])[:, :, None]
    return np.array([[0.0, 1.0], [1.0, 0.0]])[:, :, None]


def loss_of(name: str, weights: Array, features: Array) -> float:
    """From the reference alone."""
    outputs = np.array([outputs_of(weights, each) for each in features])[:, :, None]
    targets = targets_of(name)
    if name == "mse":
        return float(np.mean((outputs - targets) ** 2))
    probability = np.concatenate([1 + outputs, 1 - outputs], axis=2) / 2
    chosen = np.take_along_axis(probability, targets.astype(int), axis=2)
    if name == "nll":
        return -float(np.mean(np.log(chosen)))
    return float(np.mean(np.log(np.exp(probability).sum(axis=2)) - chosen[:, :, 0]))


@pytest.mark.parametrize("name", LOSSES)
def test_exact_derivatives_by_the_quotient_rule(name: str) -> None:
    loss, output = LOSSES[name]
    common: dict[str, Any] = {"executor": EXACT, "loss": loss, "output": output}
    targets = targets_of(name)
    expected = sixth_order_difference(lambda w: loss_of(name, w, FEATURES), WEIGHTS)
    by_features = sixth_order_difference(
        lambda x: loss_of(name, WEIGHTS, x.reshape(FEATURES.shape)), FEATURES.ravel()
    )
    for rule in (qrnn.Adjoint(), qrnn.ParameterShift()):
        found = qrnn.gradient(UNROLLED, WEIGHTS, FEATURES, targets, rule=rule, **common)
        assert float(found.loss.mean) == pytest.approx(loss_of(name, WEIGHTS, FEATURES), abs=1e-12)
        np.testing.assert_allclose(found.gradient.mean, expected, atol=1e-10)
        found = qrnn.gradient(
            UNROLLED, WEIGHTS, FEATURES, targets, rule=rule, by="features", **common
        )
        np.testing.assert_allclose(found.gradient.mean.ravel(), by_features, atol=1e-10)

    def slope(weights: Array) -> Array:
        return qrnn.gradient(
            UNROLLED, weights, FEATURES, targets, rule=qrnn.Adjoint(), **common
        ).gradient.mean

    bent = sixth_order_difference(slope, WEIGHTS, h=1e-2)
    hessian = qrnn.hessian(UNROLLED, WEIGHTS, FEATURES, targets, **common)
    np.testing.assert_allclose(hessian.hessian.mean, bent, atol=1e-7)


@pytest.mark.statistical
@pytest.mark.parametrize("name", LOSSES)
def test_sampled_gradients_agree_with_exact_ones(name: str, seed: int) -> None:
    """|z| of 3 weights and the loss below 5.2: false alarm 1e-6."""
    loss, output = LOSSES[name]
    common: dict[str, Any] = {"loss": loss, "output": output, "rule": qrnn.ParameterShift()}
    arguments = UNROLLED, WEIGHTS, FEATURES, targets_of(name)
    exact = qrnn.gradient(*arguments, executor=EXACT, **common)
    found = qrnn.gradient(*arguments, executor=EXACT, shots=4000, seed=seed, **common)
    for sampled, truth in ((found.gradient, exact.gradient), (found.loss, exact.loss)):
        assert sampled.standard_error is not None
        assert np.max(np.abs(sampled.mean - truth.mean) / sampled.standard_error) < 5.2


def test_too_few_survivors_are_refused_before_anything_is_measured() -> None:
    """With the figure of the ideal circuit."""
    kept = np.array([kept_and_ones(WEIGHTS, each)[0] for each in FEATURES])
    lowest = kept.min()
    enough = int(np.ceil(10 / lowest))
    with pytest.raises(qrnn.QRNNError, match=f"keeps a fraction of {lowest:.3g} .* {enough} shots"):
        qrnn.evaluate(UNROLLED, WEIGHTS, FEATURES, executor=EXACT, shots=enough - 1, seed=1)
    qrnn.evaluate(UNROLLED, WEIGHTS, FEATURES, executor=EXACT, shots=3 * enough, seed=1)


def write_job(folder: Path) -> Path:
    (folder / "cell.qasm").write_text(to_qasm(CELL), encoding="utf-8")
    np.savez(folder / "data.npz", features=FEATURES, targets=targets_of("nll").astype(np.int64))
    (folder / "weights.json").write_text(json.dumps(WEIGHTS.tolist()), encoding="utf-8")
    path = folder / "job.toml"
    path.write_text(
        'cell.file = "cell.qasm"\ndata.file = "data.npz"\nreadout.output = "probabilities"\n'
        'loss.name = "nll"\nbackend.name = "exact"\n',
        encoding="utf-8",
    )
    return path


def test_jobs_tell_what_is_kept(tmp_path: Path) -> None:
    job, weights = write_job(tmp_path), tmp_path / "weights.json"
    exact = evaluate_job(job, weights=weights)
    kept = [kept_and_ones(WEIGHTS, each)[0] for each in FEATURES]
    np.testing.assert_allclose(exact["survival"], kept, atol=1e-12)
    assert exact["survival_standard_errors"] is None
    np.testing.assert_allclose(np.sum(exact["outputs"], axis=2), 1.0, atol=1e-12)
    sampled = evaluate_job(job, ["backend.shots=500"], weights)
    errors = np.sqrt(np.array(kept) * (1 - np.array(kept)) / 500)
    np.testing.assert_allclose(sampled["survival_standard_errors"], errors, rtol=0.5)
    gradient = gradient_job(job, ["backend.shots=500"], weights)
    assert gradient["loss_correction"] == "unbiased"
    by_features = gradient_job(job, (), weights, by="features")
    assert np.shape(by_features["gradient"]) == FEATURES.shape
    assert by_features["features"] == ["u"]
    with pytest.raises(qrnn.QRNNError, match="post-selection keeps a fraction of"):
        evaluate_job(job, ["backend.shots=12"], weights)


def test_a_run_keeps_what_survives_of_its_test_part(tmp_path: Path) -> None:
    """In `outputs.npz`, and the picture has a panel for it."""
    job = write_job(tmp_path)
    targets = targets_of("nll").astype(np.int64)
    np.savez(
        tmp_path / "data.npz",
        features=FEATURES,
        targets=targets,
        test_features=FEATURES,
        test_targets=targets,
    )
    settings = ["training.steps=1", f"initial.from={tmp_path / 'weights.json'}"]
    run = run_job(job, overrides=settings, run_dir=tmp_path / "run").run_dir
    best = np.array(json.loads((run / "weights.json").read_text(encoding="utf-8"))["best"])
    with np.load(run / "outputs.npz") as found:
        kept = [kept_and_ones(best, each)[0] for each in FEATURES]
        np.testing.assert_allclose(found["survival"], kept, atol=1e-12)
        np.testing.assert_allclose(found["outputs"].sum(axis=2), 1.0, atol=1e-12)
    titles = [panel.about for panel in panels(read_record(run))]
    assert titles[-1].startswith("Fraction of the shots that post-selection keeps")
