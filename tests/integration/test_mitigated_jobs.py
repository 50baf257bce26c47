"""`[mitigation]` in jobs: outputs, gradients by every route, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit.errors import QRNNError
from qrnn_qiskit.run.jobs import evaluate_job, gradient_job, plan_job, run_job

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
            (
                "readout.output=probabilities",
                "readout.head=linear",
                "mitigation.linear_rows=20",
                *READOUT,
            ),
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


@pytest.mark.filterwarnings("ignore:extrapolation of")
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


ALL_OF_IT = (
    *EXTRAPOLATED,
    "noise.readout=0.02",
    "mitigation.readout=measured",
    "mitigation.linear_rows=12",
    "mitigation.shots=500",
    "backend.shots=40",
    "gradient.method=parameter_shift",
    "training.steps=2",
)


@pytest.mark.filterwarnings("ignore:extrapolation of")
@pytest.mark.parametrize("more", [(), ("mitigation.noise_factors=[]",)])
def test_the_plan_knows_the_shots_of_mitigation(more: tuple[str, ...], tmp_path: Path) -> None:
    plan = plan_job(SMALL, overrides=(*ALL_OF_IT, *more))
    assert plan["mitigation_shots"] == (4 + 12) * 500
    result = run_job(SMALL, run_dir=tmp_path / "run", overrides=(*ALL_OF_IT, *more))
    assert result.summary["shots"] == plan["shots_total"]


def test_a_plan_counts_the_qpu_jobs_of_each_noise_factor() -> None:
    shift = "gradient.method=parameter_shift"
    device = (*SMALLER, "backend.name=fake_marrakesh", "backend.shots=100", shift)
    alone, three = (
        plan_job(SMALL, overrides=(*device, *more))
        for more in ((), ("mitigation.noise_factors=[1,3,5]",))
    )
    assert three["jobs"] == 3 * alone["jobs"]
    assert three["shots_total"] == alone["shots_total"]
    # Circuits are longer, and each QPU job costs time of its own.
    assert three["qpu_seconds"] > alone["qpu_seconds"] + 1.9 * (three["jobs"] - alone["jobs"])


def test_warning_where_extrapolation_does_not_pay() -> None:
    needed = plan_job(SMALL, overrides=(*EXTRAPOLATED, "backend.shots=100"))
    least = needed["extrapolation_pays_from_shots"]
    assert 100 < least < 100_000
    with pytest.warns(UserWarning, match=f"does not pay.*it pays from {least:,} shots"):
        small_outputs(*EXTRAPOLATED, "backend.shots=100")
    small_outputs(*EXTRAPOLATED, f"backend.shots={least}")  # warnings are errors here


def test_the_prediction_of_what_pays_holds() -> None:
    """Mean squared errors at a fifth and five times the predicted shots, known exactly."""
    least = plan_job(SMALL, overrides=(*EXTRAPOLATED, "backend.shots=100"))
    shots = int(least["extrapolation_pays_from_shots"])
    ideal, plain, better = (
        np.array(small_outputs(*more)["outputs"])[:4] for more in (SMALLER, NOISY, EXTRAPOLATED)
    )
    noise = np.mean(1 - plain**2)

    def errors(n: float) -> tuple[float, float]:
        return (
            float(np.mean((plain - ideal) ** 2) + noise / n),
            float(np.mean((better - ideal) ** 2) + 4 * noise / n),
        )

    few, many = errors(shots / 5), errors(5 * shots)
    assert few[0] < few[1]
    assert many[0] > many[1]


LONG = ("noise.device=fake_marrakesh", "noise.scale=40")


def test_steps_too_long_for_t1_are_refused_with_the_figures() -> None:
    with pytest.raises(QRNNError, match="on exact, .* of T1 = .* us of qubit .*longest_step = 0.5"):
        small_outputs(*SMALLER, *LONG)
    small_outputs(*SMALLER, *LONG, "backend.longest_step=none")
    plan = plan_job(SMALL, overrides=(*SMALLER, *LONG))
    assert plan["step_over_t1"] > 0.5
    assert plan["step_over_t1"] == pytest.approx(plan["step_us"] / (plan["t1_us"] / 40), rel=0.02)
    # Rates given by hand are the user's own business.
    small_outputs(*SMALLER, "noise.preset=bad", "noise.t1_us=5", "noise.t2_us=5")


def test_a_device_itself_is_refused_too() -> None:
    device = ("backend.name=fake_marrakesh", "backend.shots=10", "backend.longest_step=0.001")
    with pytest.raises(QRNNError, match="of T1 = .* on fake_marrakesh|on fake_marrakesh, "):
        small_outputs(*SMALLER, *device)


@pytest.mark.filterwarnings("ignore:extrapolation of")
def test_all_of_it_on_a_fake_device() -> None:
    """Through IBM's client: pulses, noise factors, measured readout. False alarm 1e-6."""
    device = ("backend.name=fake_marrakesh", "backend.shots=500", "mitigation.shots=500")
    mended = (
        "backend.decoupling=xx",
        "mitigation.readout=measured",
        "mitigation.noise_factors=[1,3]",
    )
    ideal = np.array(small_outputs(*SMALLER)["outputs"])
    found = small_outputs(*SMALLER, *device, *mended)
    # What is left of the bias is far below the error bars of so few shots.
    z = (np.array(found["outputs"]) - ideal) / np.array(found["standard_errors"])
    assert np.max(np.abs(z)) < 5.9


def test_too_many_factors_for_an_optimal_allocation() -> None:
    many = ("mitigation.noise_factors=[1,3,5]", "backend.shots=1000", "gradient.method=auto")
    with pytest.raises(QRNNError, match="too few for 3 factors; set gradient.allocation"):
        small_outputs(*NOISY, *many)
