"""`noise.device` with the name of a real device: the real client and an emulated service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qrnn_qiskit.emulator import EmulatedService
from qrnn_qiskit.errors import QRNNError
from qrnn_qiskit.execution.backends import ibm_client
from qrnn_qiskit.run.jobs import evaluate_job
from qrnn_qiskit.run.runs import run_job
from tests.integration.forking import TOKEN
from tests.integration.service_harness import ideal_service

JOB, STEPS = "train_parity2", "data.steps=3"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedService]:
    with ideal_service() as running:
        for name, value in running.client_environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(ibm_client, "arguments", running.client_kwargs(TOKEN))
        yield running


def outputs(*overrides: str) -> list[list[list[float]]]:
    found: list[list[list[float]]] = evaluate_job(JOB, overrides=(STEPS, *overrides))["outputs"]
    return found


def test_it_is_the_noise_of_its_live_properties(service: EmulatedService) -> None:
    """The emulated ibm_quito has the properties of the snapshot fake_quito."""
    live = outputs("noise.device=ibm_quito", "backend.layout_trials=0")
    snapshot = outputs("noise.device=fake_quito", "backend.layout_trials=0")
    assert np.array(live) == pytest.approx(np.array(snapshot), abs=1e-9)
    assert np.max(np.abs(np.array(live) - np.array(outputs()))) > 0.01


def test_a_run_keeps_to_the_calibration_that_it_was_started_with(
    service: EmulatedService, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run_job(
        JOB,
        run_dir=run,
        overrides=(STEPS, "noise.device=ibm_quito", "training.steps=1"),
    )
    noise = json.loads((run / "run.json").read_text(encoding="utf-8"))["job"]["noise"]
    assert noise["device"] == "ibm_quito"
    assert noise["calibrated"][:2] == "20"


def test_a_device_that_the_account_does_not_have(service: EmulatedService) -> None:
    with pytest.raises(QRNNError, match="has no such device; it has ibm_quito"):
        outputs("noise.device=ibm_nowhere")


def test_no_time(service: EmulatedService) -> None:
    with pytest.raises(QRNNError, match="noise.calibrated = 'soon': give a date and time"):
        outputs("noise.device=ibm_quito", "noise.calibrated=soon")


def test_without_a_service_snapshots_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = {"channel": "ibm_quantum_platform", "token": "x", "url": "http://127.0.0.1:9"}
    monkeypatch.setattr(ibm_client, "arguments", nowhere)
    monkeypatch.setenv("IAM_URL", "http://127.0.0.1:9")
    with pytest.raises(QRNNError, match="noise.device = 'ibm_quito' takes .*'fake_marrakesh'"):
        outputs("noise.device=ibm_quito")


def test_keys_of_real_devices_are_for_them() -> None:
    with pytest.raises(QRNNError, match="noise.account = 'me': is for noise.device = 'ibm_"):
        outputs("noise.device=fake_quito", "noise.account=me")
