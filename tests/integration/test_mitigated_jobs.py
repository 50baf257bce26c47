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
