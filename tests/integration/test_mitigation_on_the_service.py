"""Mitigation on a device of the service: its QPU jobs are planned, recorded, and not paid twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qrnn_qiskit.emulator import AerRunner, EmulatedService, RunRequest
from qrnn_qiskit.emulator.program import Bits
from qrnn_qiskit.execution.backends import ibm_client
from qrnn_qiskit.run.jobs import evaluate_job, plan_job
from qrnn_qiskit.run.service import waiting
from tests.integration.forking import TOKEN
from tests.integration.service_harness import DEVICE

DEVICE_JOB = (
    "data.steps=3",
    f"backend.name={DEVICE}",
    "backend.shots=40",
    "budget.qpu_seconds=600",
    "gradient.method=parameter_shift",
    "kind=evaluate",
)


SEEN: list[QuantumCircuit] = []


def runner(request: RunRequest) -> dict[str, Bits]:
    SEEN.append(request.circuit)
    return AerRunner(noise=False)(request)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedService]:
    SEEN.clear()
    with EmulatedService([DEVICE], runner=runner) as running:
        for name, value in running.client_environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(ibm_client, "arguments", running.client_kwargs(TOKEN))
        monkeypatch.setattr(waiting, "FIRST_POLL_S", 0.02)
        monkeypatch.setattr(waiting, "LAST_POLL_S", 0.1)
        yield running


@pytest.mark.filterwarnings("ignore:extrapolation of")
def test_each_noise_factor_is_a_job_and_none_is_paid_twice(
    service: EmulatedService, tmp_path: Path
) -> None:
    more = ("mitigation.noise_factors=[1,3]", "mitigation.readout=measured", "mitigation.shots=50")
    planned = plan_job("train_parity2", overrides=(*DEVICE_JOB, *more))

    def measured() -> Any:
        answer = evaluate_job(
            "train_parity2", overrides=(*DEVICE_JOB, *more), run_dir=tmp_path / "run"
        )
        return np.array(answer["outputs"])

    first = measured()
    assert len(service.jobs) == planned["jobs"] == 6
    gates = sorted(circuit.count_ops().get("cx", 0) for circuit in SEEN)
    assert gates[:4] == [0, 0, 0, 0]
    assert gates[5] == 3 * gates[4] > 0
    assert sum(circuit.count_ops().get("delay", 0) > 0 for circuit in SEEN) == 1
    assert measured() == pytest.approx(first, abs=0)
    assert len(service.jobs) == 6


def test_pulses_go_to_the_device(service: EmulatedService, tmp_path: Path) -> None:
    more = ("backend.decoupling=xy4",)
    evaluate_job("train_parity2", overrides=(*DEVICE_JOB, *more), run_dir=tmp_path / "run")
    (circuit,) = SEEN
    assert circuit.count_ops()["delay"] >= 3
    assert circuit.count_ops()["x"] >= 4
