"""Calibrations that change while a run goes on: stop, transpile again, or go on; recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qiskit import QuantumCircuit

from qrnn_qiskit.emulator import AerRunner, EmulatedService, RunRequest
from qrnn_qiskit.emulator.program import Bits
from qrnn_qiskit.execution.backends import ibm_service
from qrnn_qiskit.run.record.ledger import Ledger
from tests.integration.service_harness import write_training
from tests.integration.test_service_commands import Cli, cli, point_at

__all__ = ["cli"]
DEVICE = "ibm_jakarta"
LATER = "2030-01-02T03:04:05+00:00"


SEEN: list[QuantumCircuit] = []


def runner(request: RunRequest) -> dict[str, Bits]:
    SEEN.append(request.circuit)
    return AerRunner(noise=False)(request)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedService]:
    SEEN.clear()
    with EmulatedService([DEVICE], runner=runner) as running:
        point_at(running, monkeypatch)
        monkeypatch.setattr(ibm_service, "REFRESH_S", -1.0)  # asked before each request
        yield running


def began(cli: Cli, service: EmulatedService, folder: Path, **tables: Any) -> Path:
    """A run whose gradient is submitted, and not measured yet."""
    backend = {"name": DEVICE, "shots": 8, "layout_trials": 1}
    job, run = write_training(folder, backend=backend, **tables), folder / "run"
    service.hold()
    code, _, err = cli("run", job, "--run-dir", run, "--no-wait")
    assert code == 3, err
    service.release()
    service.wait_until_idle()
    return run


def qubits_of(run: Path) -> list[int]:
    ledger = Ledger(run, looking=True)
    fact = ledger._execute("SELECT value FROM fact WHERE name LIKE 'calibration %'")
    ledger.close()
    return sorted(int(qubit) for qubit in json.loads(fact[0][0])["qubits"])


def active(circuit: QuantumCircuit) -> list[int]:
    """Qubits that are measured or that gates act on."""
    return sorted(
        {
            circuit.find_bit(qubit).index
            for item in circuit.data
            if item.operation.name not in ("barrier", "delay")
            for qubit in item.qubits
        }
    )


def dates(run: Path) -> list[str | None]:
    ledger = Ledger(run, looking=True)
    try:
        return [row.calibration for row in ledger.jobs()]
    finally:
        ledger.close()


def test_each_job_says_by_which_calibration_it_ran(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    run = began(cli, service, tmp_path)
    service.recalibrate(DEVICE, LATER, error_scale=1.2)
    assert cli("run", run)[0] == 0
    first, second = dates(run)
    assert second == LATER
    assert first is not None
    assert first < LATER
    exported = json.loads(cli("ledger", "export", run, "--json")[1])
    assert [line["calibration"] for line in exported] == [first, second]
    ledger = Ledger(run, looking=True)
    stated = [json.loads(ledger.fact(f"calibration {DEVICE} {date}") or "") for date in dates(run)]
    ledger.close()
    for name, factor in (("measure", 1.2), ("sx", 1.2)):
        (qubit, values), *_ = stated[0]["instructions"][name].items()
        assert stated[1]["instructions"][name][qubit][0] == pytest.approx(factor * values[0])


def test_many_more_errors_stop_the_run_until_it_is_told_what_to_do(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    run = began(cli, service, tmp_path)
    service.recalibrate(DEVICE, LATER, error_scale=6.0)
    code, _, err = cli("run", run)
    assert code == 2
    assert f"by its calibration of {LATER} {DEVICE} makes" in err
    assert "at most backend.drift_factor = 3 times as many are allowed" in err
    assert "--set backend.drift=retranspile" in err
    assert len(service.jobs) == 1
    assert cli("run", run, "--set", "backend.drift=ignore")[0] == 0
    assert len(service.jobs) == 2


def test_a_qubit_out_of_service_stops_the_run_or_moves_its_circuit(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    run = began(cli, service, tmp_path)
    (gone, *_) = used = qubits_of(run)
    service.recalibrate(DEVICE, LATER, faulty=[gone])
    for _ in range(2):
        code, _, err = cli("run", run)
        assert code == 2
        assert f"on qubits [{gone}" in err
        assert "or the qubits were taken out of service since. Continue the run with" in err
        assert "wait for the next calibration" in err
    assert len(service.jobs) == 1
    code, _, err = cli("run", run, "--set", "backend.drift=retranspile")
    assert code == 0, err
    assert "transpiled again (backend.drift)" in (run / "log.txt").read_text(encoding="utf-8")
    assert (run / "isa-before-1.qpy").exists()
    ledger = Ledger(run, looking=True)
    now = json.loads(ledger.fact(f"calibration {DEVICE} {LATER}") or "")
    ledger.close()
    moved = sorted(int(qubit) for qubit in now["qubits"])
    assert gone not in moved
    assert moved != used


@pytest.mark.filterwarnings("ignore:extrapolation of")
def test_noise_factors_follow_a_circuit_that_has_moved(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    """What a recalibration leaves to be measured is measured on the new qubits, at all factors."""
    run = began(cli, service, tmp_path, mitigation={"noise_factors": [1, 3]})
    (gone, *_) = used = qubits_of(run)
    service.recalibrate(DEVICE, LATER, faulty=[gone])
    code, _, err = cli("run", run, "--set", "backend.drift=retranspile")
    assert code == 0, err
    # Of the gradient, factor 1 had been measured; then the test's two factors.
    assert [circuit.count_ops()["cx"] for circuit in SEEN] == [6, 18, 6, 18]
    first, *moved = map(active, SEEN)
    assert first == used
    assert moved[0] == moved[1] == moved[2]
    assert gone not in moved[0]
