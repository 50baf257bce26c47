"""`[mitigation]` in jobs: outputs, gradients by every route, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qrnn_qiskit.errors import QRNNError
from qrnn_qiskit.run.jobs import evaluate_job, gradient_job

JOB = "gradient_viqueira"
READOUT = ("noise.readout=[0.03,0.08]",)


def outputs(*overrides: str) -> Any:
    return np.array(evaluate_job(JOB, overrides=overrides)["outputs"])


@pytest.mark.parametrize("how", ["stated", "measured"])
def test_readout_errors_alone_are_undone(how: str) -> None:
    ideal = outputs()
    assert np.max(np.abs(outputs(*READOUT) - ideal)) > 0.02
    mended = outputs(*READOUT, f"mitigation.readout={how}")
    assert mended == pytest.approx(ideal, abs=1e-10)


@pytest.mark.parametrize("method", ["adjoint", "parameter_shift"])
def test_gradients_are_those_of_the_corrected_outputs(method: str) -> None:
    def gradient(*overrides: str) -> Any:
        chosen = f"gradient.method={method}"
        return np.array(gradient_job(JOB, overrides=(chosen, *overrides))["gradient"])

    ideal = gradient()
    assert np.max(np.abs(gradient(*READOUT) - ideal)) > 1e-3
    assert gradient(*READOUT, "mitigation.readout=stated") == pytest.approx(ideal, abs=1e-9)


def test_a_learned_line_brings_outputs_of_a_device_nearer() -> None:
    device = ("noise.device=fake_marrakesh", "noise.scale=3")
    ideal = outputs()
    before, after = (
        float(np.sqrt(np.mean((outputs(*device, *more) - ideal) ** 2)))
        for more in ((), ("mitigation.linear_rows=40",))
    )
    assert after < 0.6 * before


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("readout.output=probabilities", "readout.head=linear", *READOUT),
            "corrects outputs <Z> of cells",
        ),
        ((), "exact without noise states no readout errors"),
    ],
)
def test_refusals(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(QRNNError, match=message):
        outputs(*overrides, "mitigation.readout=stated")


SMALL = "train_parity2"
SMALLER = ("data.steps=3",)
NOISY = (*SMALLER, "noise.preset=typical", "noise.readout=0.0", "noise.reset_error=0.0")
EXTRAPOLATED = (*NOISY, "mitigation.noise_factors=[1,3]")


def small_outputs(*overrides: str) -> Any:
    return evaluate_job(SMALL, overrides=overrides)


def small_gradient(*overrides: str) -> Any:
    return gradient_job(SMALL, overrides=overrides)


def test_extrapolation_takes_most_of_the_error_of_outputs_and_gradients() -> None:
    ideal, plain, better = (
        np.array(small_outputs(*more)["outputs"]) for more in (SMALLER, NOISY, EXTRAPOLATED)
    )
    assert np.max(np.abs(plain - ideal)) > 0.01
    assert np.max(np.abs(better - ideal)) < 0.2 * np.max(np.abs(plain - ideal))
    ideal, plain, better = (
        np.array(small_gradient(*more)["gradient"]) for more in (SMALLER, NOISY, EXTRAPOLATED)
    )
    assert np.linalg.norm(better - ideal) < 0.25 * np.linalg.norm(plain - ideal)


def test_reverse_mode_and_shifts_agree_on_extrapolated_outputs() -> None:
    both = ("mitigation.readout=stated", "noise.readout=0.02")
    one, other = (
        np.array(small_gradient(*EXTRAPOLATED, *both, f"gradient.method={method}")["gradient"])
        for method in ("adjoint", "parameter_shift")
    )
    assert one == pytest.approx(other, abs=1e-12)


def test_sampled_extrapolation_scatters_as_its_error_bars_say() -> None:
    exact = np.array(small_outputs(*EXTRAPOLATED)["outputs"])
    sampled = small_outputs(*EXTRAPOLATED, "backend.shots=4000")
    error = np.array(sampled["standard_errors"])
    z = (np.array(sampled["outputs"]) - exact) / error
    # Gaussian z, false alarm 1e-6 over the outputs of the test.
    assert np.max(np.abs(z)) < 5.9
    assert np.std(z) > 0.4  # the bars are not much too wide
    # Shots in proportion to 1.5 and 0.5: twice the error of plain outputs at as many shots.
    plain = np.array(small_outputs(*NOISY, "backend.shots=4000")["standard_errors"])
    assert np.median(error / plain) == pytest.approx(2.0, rel=0.1)
    assert sampled["shots"] == 4000


def test_sampled_gradient_of_extrapolated_outputs() -> None:
    method = "gradient.method=parameter_shift"
    exact = np.array(small_gradient(*EXTRAPOLATED, method)["gradient"])
    found = small_gradient(*EXTRAPOLATED, method, "backend.shots=500")
    error = np.array(found["standard_errors"])
    off = np.abs(np.array(found["gradient"]) - exact)
    assert np.all(off <= 5.9 * error + 1e-12)  # false alarm below 1e-6 for its weights
    assert np.any(off > 0.2 * error)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["mitigation.noise_factors=[1,2]"], r"mitigation.noise_factors = \[1, 2\]: must be"),
        (["mitigation.noise_factors=[3]"], "with 1 first"),
        (["mitigation.noise_factors=[1]"], "extrapolation_order = 1: needs 2 noise_factors"),
        (
            ["mitigation.noise_factors=[1,3]", "mitigation.extrapolation_order=2"],
            "needs 3 noise_factors, not 2",
        ),
        (
            ["mitigation.noise_factors=[1,3]", "backend.shots=3"],
            "3 shots of a row are too few for 2 mitigation.noise_factors: at least 4",
        ),
    ],
)
def test_refused_extrapolations(overrides: list[str], message: str) -> None:
    with pytest.raises(QRNNError, match=message):
        small_outputs(*NOISY, *overrides)
