"""Validation on a device travels in the gradients' QPU jobs: fewer of them, none paid twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit.emulator import EmulatedService
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.run.jobs import plan_job, run_job
from qrnn_qiskit.run.measure import riding
from qrnn_qiskit.run.record import ledger as ledger_module
from qrnn_qiskit.run.record.ledger import Ledger
from tests.integration.service_harness import DEVICE, ideal_service, result
from tests.integration.test_service_commands import point_at
from tests.unit.run.small import history, write_job

STEPS = 3


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedService]:
    with ideal_service() as running:
        point_at(running, monkeypatch)
        yield running


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with ideal_service() as running, pytest.MonkeyPatch.context() as patch:
        point_at(running, patch)
        run_job(write(folder), run_dir=folder / "run")
    return result(folder / "run")


def write(folder: Path, **tables: Any) -> Path:
    base: dict[str, Any] = {
        "backend": {"name": DEVICE, "shots": 8},
        "gradient": {"method": "parameter_shift"},
        "training": {"steps": STEPS, "validate_every": 2, "batch_size": 1},
        "budget": {"qpu_seconds": 500.0},
    }
    return write_job(folder, **{**base, **tables})


def addresses(run: Path) -> list[str]:
    ledger = Ledger(run, looking=True)
    found = [request.address for request in ledger.requests()]
    ledger.close()
    return found


def test_the_rows_of_a_validation_ride_and_the_plan_says_so(
    service: EmulatedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = write(tmp_path)
    planned = plan_job(job)
    assert (planned["jobs"], planned["jobs_saved_by_riding"]) == (STEPS + 2, 2)
    assert planned["qpu_seconds_saved_by_riding"] == pytest.approx(4.0)
    run_job(job, run_dir=tmp_path / "run")
    assert addresses(tmp_path / "run") == [
        "step-0/gradient+validation",
        "step-1/gradient",
        "step-2/gradient+validation",
        "step-3/validation",
        "test",
    ]
    assert len(service.jobs) == planned["jobs"]
    steps = history(tmp_path / "run")
    assert steps[-1]["shots"] == planned["shots_total"] - 8 * 3  # the test comes after
    assert [one["validation_loss"] is None for one in steps] == [False, True, False]

    # One by one, as an earlier version of the program did, the same rows and shots are paid for.
    monkeypatch.setattr(riding, "saves_jobs", lambda *arguments: False)
    run_job(job, run_dir=tmp_path / "apart")
    assert len(service.jobs) == 2 * planned["jobs"] + 2
    assert history(tmp_path / "apart")[-1]["shots"] == steps[-1]["shots"]


def test_a_run_goes_on_as_it_asked_before(
    service: EmulatedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = write(tmp_path, training={"steps": 1, "batch_size": 1})
    with monkeypatch.context() as patch:
        patch.setattr(riding, "saves_jobs", lambda *arguments: False)
        run_job(job, run_dir=tmp_path / "apart")
    before = len(service.jobs)
    forget(tmp_path / "apart")
    run_job(tmp_path / "apart")
    assert len(service.jobs) == before, "what was asked for one by one is not asked for again"

    run_job(job, run_dir=tmp_path / "joint")
    before = len(service.jobs)
    forget(tmp_path / "joint")
    with monkeypatch.context() as patch:
        patch.setattr(riding, "saves_jobs", lambda *arguments: False)
        run_job(tmp_path / "joint")
    assert len(service.jobs) == before, "nor what was asked for together"


def forget(run: Path) -> None:
    """As if the process had been killed before its first checkpoint."""
    (run / "checkpoint.npz").unlink()
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps({**record, "state": "running"}), encoding="utf-8")


def test_the_loss_of_the_validation_is_that_of_its_own_rows(
    service: EmulatedService, tmp_path: Path
) -> None:
    """From the recorded bits of the joint request, by hand."""
    job = write(tmp_path, training={"steps": 1, "batch_size": 2})
    run_job(job, run_dir=tmp_path / "run")
    (step,) = history(tmp_path / "run")
    with np.load(tmp_path / "data.npz") as data:
        held_out = data["validation_targets"]
    ledger = Ledger(tmp_path / "run", looking=True)
    request = ledger.requests()[0]
    plan = EvaluationPlan.from_bytes(ledger.load_plan(request))
    (row,) = ledger.jobs(request.address)
    bits = PackedBits.from_bytes(ledger.load(row))
    ledger.close()
    mean = bits.unpack(slice(None)).reshape(plan.num_rows, 8, 3, 1).mean(axis=1) * -2.0 + 1.0
    assert plan.num_sequences == 4
    np.testing.assert_array_equal(plan.sequence[:4], np.arange(4))
    # Scale 1 and bias 0 at the start. A product of two outputs' shots is corrected for its bias.
    variance = (1 - mean**2) / 7

    def loss(rows: slice, wanted: Any) -> float:
        return float(np.mean((mean[rows] - wanted) ** 2 - variance[rows]))

    assert step["validation_loss"] == pytest.approx(loss(slice(2, 4), held_out), abs=1e-12)


class Crash(BaseException):
    """Where a process ends; nothing catches it."""


@pytest.mark.parametrize(
    ("point", "nth"),
    [("intent", 1), ("before submitted", 3), ("submitted", 1), ("payload", 3), ("completed", 1)],
)
def test_a_joint_request_survives_a_kill(
    point: str,
    nth: int,
    service: EmulatedService,
    undisturbed: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reached = []

    def at(here: str) -> None:
        reached.append(here)
        if here == point and reached.count(point) == nth:
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(ledger_module, "reached", at)
        with pytest.raises(Crash):
            run_job(write(tmp_path), run_dir=tmp_path / "run")
    run_job(tmp_path / "run")
    assert len(service.jobs) == STEPS + 2
    assert result(tmp_path / "run") == undisturbed
