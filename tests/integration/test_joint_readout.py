"""Readout errors of joint bits undone: post-selected outputs and probabilities, by jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qrnn_qiskit.circuit import to_qasm
from qrnn_qiskit.errors import QRNNError
from qrnn_qiskit.estimate import Array
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.mitigation.joint import JointReadout
from qrnn_qiskit.execution.mitigation.readout import Place
from qrnn_qiskit.run.jobs import evaluate_job, gradient_job, plan_job
from tests.integration.test_postselection import FEATURES, WEIGHTS, flagged_cell, outputs_of

FLIPS = ("noise.readout=[0.04,0.09]",)
FALSE_ALARM_Z = 5.9  # two-sided 1e-6 over hundreds of Gaussian numbers


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """Post-selected, with fixed weights."""
    (tmp_path / "cell.qasm").write_text(to_qasm(flagged_cell()), encoding="utf-8")
    np.savez(tmp_path / "data.npz", features=FEATURES, targets=np.full((2, 2, 1), 0.3))
    (tmp_path / "weights.json").write_text(json.dumps(WEIGHTS.tolist()), encoding="utf-8")
    path = tmp_path / "job.toml"
    path.write_text(
        'kind = "evaluate"\n[cell]\nfile = "cell.qasm"\n[data]\nfile = "data.npz"\n'
        '[initial]\nfrom = "weights.json"\n',
        encoding="utf-8",
    )
    return path


def answer(job: Path, *overrides: str) -> Any:
    return evaluate_job(job, overrides=overrides)


@pytest.mark.parametrize("how", ["stated", "measured"])
def test_exact_postselected_outputs_lose_their_readout_errors(job: Path, how: str) -> None:
    ideal = np.array([outputs_of(WEIGHTS, each) for each in FEATURES])[:, :, None]
    noisy = np.array(answer(job, *FLIPS)["outputs"])
    assert np.max(np.abs(noisy - ideal)) > 0.03
    mended = answer(job, *FLIPS, f"mitigation.readout={how}")
    assert np.array(mended["outputs"]) == pytest.approx(ideal, abs=1e-10)
    assert np.array(mended["survival"]) == pytest.approx(
        np.array(answer(job)["survival"]), abs=1e-10
    )


@pytest.mark.parametrize("method", ["adjoint", "parameter_shift"])
def test_exact_gradients_lose_them_too(job: Path, method: str) -> None:
    def gradient(*overrides: str) -> Array:
        return np.array(
            gradient_job(job, overrides=(f"gradient.method={method}", *overrides))["gradient"]
        )

    ideal = gradient()
    assert np.max(np.abs(gradient(*FLIPS) - ideal)) > 1e-3
    assert gradient(*FLIPS, "mitigation.readout=stated") == pytest.approx(ideal, abs=1e-10)


@pytest.mark.parametrize("how", ["stated", "measured"])
def test_sampled_outputs_scatter_around_the_ideal_ones(job: Path, how: str) -> None:
    """Planted confusion. False alarm 1e-6; power: the same shots are refused unmended."""
    ideal = np.array([outputs_of(WEIGHTS, each) for each in FEATURES])[:, :, None]
    shots = ("backend.shots=40000", "mitigation.shots=40000")

    def scores(*overrides: str) -> Array:
        found = answer(job, *FLIPS, *shots, *overrides)
        error = np.array(found["standard_errors"])
        return np.asarray((np.array(found["outputs"]) - ideal) / error)

    assert np.max(np.abs(scores(f"mitigation.readout={how}"))) < FALSE_ALARM_Z
    assert np.max(np.abs(scores())) > FALSE_ALARM_Z


def test_sampled_gradient_scatters_around_the_ideal_one(job: Path) -> None:
    method = "gradient.method=parameter_shift"
    ideal = np.array(gradient_job(job, overrides=(method,))["gradient"])
    mended = (*FLIPS, "mitigation.readout=stated", "backend.shots=4000", method)
    found = gradient_job(job, overrides=mended)
    z = (np.array(found["gradient"]) - ideal) / np.array(found["standard_errors"])
    assert np.max(np.abs(z)) < FALSE_ALARM_Z


def test_extrapolated_postselected_outputs(job: Path) -> None:
    """With joint readout beside it: nearer to the ideal ones; both routes to a gradient agree."""
    noise = ("noise.depolarizing_2q=0.02", *FLIPS, "mitigation.readout=stated")
    factors = "mitigation.noise_factors=[1,3]"
    ideal = np.array([outputs_of(WEIGHTS, each) for each in FEATURES])[:, :, None]
    plain, better = (
        float(np.max(np.abs(np.array(answer(job, *noise, *more)["outputs"]) - ideal)))
        for more in ((), (factors,))
    )
    assert better < 0.4 * plain
    one, other = (
        np.array(
            gradient_job(job, overrides=(*noise, factors, f"gradient.method={method}"))["gradient"]
        )
        for method in ("adjoint", "parameter_shift")
    )
    assert one == pytest.approx(other, abs=1e-10)


def test_probabilities_of_a_step(tmp_path: Path, job: Path) -> None:
    kind = ("readout.output=probabilities", "readout.head=linear")
    ideal = np.array(answer(job, *kind)["outputs"])
    mended = answer(job, *kind, *FLIPS, "mitigation.readout=measured")["outputs"]
    assert np.array(mended) == pytest.approx(ideal, abs=1e-10)


def test_calibration_is_planned_for_both_kinds_of_measurement(job: Path) -> None:
    plan = plan_job(job, overrides=(*FLIPS, "mitigation.readout=measured", "backend.shots=100"))
    assert (plan["mitigation_rows"], plan["mitigation_shots"]) == (4, 4 * 4096)


PLACES: list[list[Place]] = [[(3, False), (5, False)], [(3, True), (5, True)]]
PAIRS: dict[Place, tuple[float, float]] = {
    (3, False): (0.02, 0.06),
    (5, False): (0.05, 0.11),
    (3, True): (0.005, 0.01),
    (5, True): (0.01, 0.02),
}


def planted(shots: int, seed: int) -> tuple[NDArray[np.uint8], PackedBits]:
    """True bits `[N, T, 2]` of a correlated distribution, and what is read."""
    random = np.random.default_rng(seed)
    true = (random.random((shots, 2, 2)) < 0.3).astype(np.uint8)
    true[:, 1, 1] |= true[:, 0, 0] & true[:, 1, 0]
    pairs = np.array([[PAIRS[place] for place in step] for step in PLACES])
    chance = np.where(true == 0, pairs[..., 0], pairs[..., 1])
    read = true ^ (random.random(true.shape) < chance)
    return true, PackedBits.from_bits(read.astype(np.uint8), np.array([shots]), (1,))


@pytest.mark.parametrize("kind", ["z", "probabilities"])
def test_it_is_the_inverse_of_the_joint_matrix(kind: Any) -> None:
    """Against the dense inverse of 16 x 16, applied to the histogram of whole shots."""
    _, bits = planted(500, 1)
    flat = bits.unpack(slice(None)).reshape(500, 4)
    counts = np.bincount(flat @ [1, 2, 4, 8], minlength=16) / 500
    joint = np.eye(1)
    for step in PLACES:
        for place in step:
            up, down = PAIRS[place]
            joint = np.kron(np.array([[1 - up, down], [up, 1 - down]]), joint)
    quasi = np.linalg.solve(joint, counts)
    outcome = np.array([[(i >> b) & 1 for b in range(4)] for i in range(16)])  # t0k0 t0k1 t1k0 ...
    kept = np.cumprod(1 - outcome[:, 1::2], axis=1)
    z = 1 - 2 * outcome[:, ::2]
    values = [z] if kind == "z" else [(1 + z) // 2, (1 - z) // 2]
    expected = np.stack([*(quasi @ (kept * v) for v in values), quasi @ kept], axis=-1)
    found = JointReadout(PLACES, PAIRS, None).outputs(bits, kind)
    assert found.mean[0] == pytest.approx(expected, abs=1e-12)


def test_kinds_of_measurement_have_matrices_of_their_own() -> None:
    """Planted confusion that differs in the middle and at the end: one matrix for both is wrong."""
    shots = 400_000
    true, bits = planted(shots, 2)
    of_true = PackedBits.from_bits(true, np.array([shots]), (1,)).outputs("z").mean[0]

    def worst(pairs: dict[Place, tuple[float, float]]) -> float:
        found = JointReadout(PLACES, pairs, None).outputs(bits, "z")
        error = found.estimate.standard_error
        assert error is not None
        return float(np.max(np.abs(found.mean[0] - of_true) / error[0]))

    assert worst(PAIRS) < FALSE_ALARM_Z
    assert worst({(q, final): PAIRS[q, False] for q, final in PAIRS}) > FALSE_ALARM_Z


def test_the_error_of_the_calibration_is_in_the_error_bars() -> None:
    """One set of shots, 400 calibrations: their scatter is the part that is added.

    Its variance over 400 has a relative spread of 7 %: 5.5 sigma are 39 %.
    """
    _, bits = planted(2000, 3)
    random = np.random.default_rng(4)
    shots = 1000
    exact = JointReadout(PLACES, PAIRS, None).outputs(bits, "z")
    with_error = JointReadout(PLACES, PAIRS, shots).outputs(bits, "z")
    means = []
    for _ in range(400):
        drawn = {
            place: (random.binomial(shots, up) / shots, random.binomial(shots, down) / shots)
            for place, (up, down) in PAIRS.items()
        }
        means.append(JointReadout(PLACES, drawn, None).outputs(bits, "z").mean.ravel())
    assert exact.covariance_of_mean is not None
    assert with_error.covariance_of_mean is not None
    added = np.diagonal((with_error.covariance_of_mean - exact.covariance_of_mean)[0])
    assert np.var(means, axis=0) == pytest.approx(added, rel=0.39)
    assert np.all(added > 0)


def test_refusals(job: Path) -> None:
    mended = (*FLIPS, "mitigation.readout=stated")
    with pytest.raises(QRNNError, match="the circuit has conditions"):
        evaluate_job(
            job,
            overrides=(
                "noise.device=fake_marrakesh",
                "backend.reset=conditional_x",
                "mitigation.readout=stated",
            ),
        )
    with pytest.raises(QRNNError, match="linear_rows corrects outputs <Z>"):
        answer(job, *FLIPS, "mitigation.linear_rows=20")
    with pytest.raises(QRNNError, match='needs backend.sampling = "joint"'):
        answer(job, *mended, "backend.shots=100", "backend.sampling=marginal")
