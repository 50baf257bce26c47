"""A torch script killed and started again pays nothing twice and ends with the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit.emulator import AerRunner, EmulatedService, Fault, RunRequest
from qrnn_qiskit.emulator.program import Bits
from qrnn_qiskit.execution.backends.ibm_options import ServiceOptions
from qrnn_qiskit.execution.backends.ibm_service import ServiceExecutor
from qrnn_qiskit.run.record.ledger import Ledger
from tests.integration.service_harness import DEVICE, ideal_service
from tests.integration.torch_loop import STEPS, Loops

pytest.importorskip("torch")

KILLED = -9
REQUESTS = 2 * STEPS  # a forward and a backward pass each step


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loops]:
    with Loops(tmp_path_factory.mktemp("loops")) as process:
        yield process


@pytest.fixture(scope="module")
def on_aer(loops: Loops, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found = loops.run(tmp_path_factory.mktemp("aer") / "run", "aer")
    assert found["code"] == 0, found
    return found


@pytest.fixture(scope="module")
def on_device(loops: Loops, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    simulate, ran = AerRunner(noise=False), list[RunRequest]()

    def runner(request: RunRequest) -> dict[str, Bits]:
        ran.append(request)
        return simulate(request)

    with EmulatedService([DEVICE], runner=runner) as service:
        found = loops.run(tmp_path_factory.mktemp("device") / "run", DEVICE, service)
        assert found["code"] == 0, found
        assert len(service.jobs) == REQUESTS
    # One job of one PUB for each pass: the two sequences, then all shifted rows.
    rows = [len(request.angles) for request in ran]
    assert rows == STEPS * [2, rows[1]]
    assert sum(rows) * 8 == found["shots"]
    return found


def results(run: Path) -> list[tuple[str, str | None]]:
    """Address and outcomes of each completed job."""
    ledger = Ledger(run, looking=True)
    try:
        return [(row.address, row.result) for row in ledger.jobs() if row.state == "completed"]
    finally:
        ledger.close()


@pytest.mark.parametrize(
    ("point", "nth"),
    [("intent", 2), pytest.param("completed", 3, marks=pytest.mark.slow)],
)
def test_killed_on_aer(
    loops: Loops, on_aer: dict[str, Any], tmp_path: Path, point: str, nth: int
) -> None:
    run = tmp_path / "run"
    assert loops.run(run, "aer", kill=point, nth=nth)["code"] == KILLED
    before = results(run)
    assert len(before) == (nth if point == "completed" else nth - 1)
    assert loops.run(run, "aer") == on_aer
    assert results(run)[: len(before)] == before  # what was there is not measured again
    assert len(results(run)) == REQUESTS
    assert on_aer["shots"] == on_aer["shots_used"]


def test_going_on_from_a_checkpoint(loops: Loops, on_aer: dict[str, Any], tmp_path: Path) -> None:
    """A script that saves its own state need not replay from its start."""
    run, checkpoint = tmp_path / "run", str(tmp_path / "state.pt")
    killed = loops.run(run, "aer", kill="intent", nth=4, checkpoint=checkpoint)
    assert killed["code"] == KILLED
    found = loops.run(run, "aer", checkpoint=checkpoint)
    assert found["began_at"] == 1
    assert {**found, "began_at": 0} == on_aer


@pytest.mark.parametrize(
    ("point", "nth"),
    [
        ("sending", 1),
        ("before submitted", 2),
        pytest.param("submitted", 3, marks=pytest.mark.slow),
        pytest.param("payload", 4, marks=pytest.mark.slow),
    ],
)
def test_killed_on_the_service(
    loops: Loops, on_device: dict[str, Any], tmp_path: Path, point: str, nth: int
) -> None:
    run = tmp_path / "run"
    with ideal_service() as service:
        killed = loops.run(run, DEVICE, service, kill=point, nth=nth)
        assert killed["code"] == KILLED, killed
        found = loops.run(run, DEVICE, service)
        if point == "sending":  # nothing had left, which only a person can know
            assert found["code"] == 3, found
            assert "qrnn resolve" in found["error"]
            from qrnn_qiskit.run.service.remote import resolve_run

            resolve_run(run, not_submitted=True)
            found = loops.run(run, DEVICE, service)
        assert found == on_device
        assert len(service.jobs) == REQUESTS  # none was paid for twice
        assert found["qpu_seconds"] == pytest.approx(service.consumed_seconds())


def test_an_answer_lost_on_the_way(loops: Loops, on_device: dict[str, Any], tmp_path: Path) -> None:
    with ideal_service() as service:
        service.faults.add(Fault("POST /jobs", "lose_answer"))
        assert loops.run(tmp_path / "run", DEVICE, service) == on_device
        assert len(service.jobs) == REQUESTS


@pytest.mark.slow
def test_without_waiting(loops: Loops, on_device: dict[str, Any], tmp_path: Path) -> None:
    """As from cron: the script ends while a job is under way, and is started again."""
    run, codes = tmp_path / "run", list[int]()
    with ideal_service() as service:
        while 0 not in codes:
            found = loops.run(run, DEVICE, service, wait=False)
            codes.append(found["code"])
            assert found["code"] in (0, 3), found
            service.wait_until_idle()
        assert found == on_device
        assert len(service.jobs) == REQUESTS
    assert 1 < len(codes) <= REQUESTS + 1


def test_budgets_hold(loops: Loops, on_device: dict[str, Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ideal_service() as service:
        refused = loops.run(run, DEVICE, service, qpu_seconds=None)
        assert refused["code"] == 4
        assert "no budget" in refused["error"]
        assert not service.jobs
        # The service charges about two seconds for a job.
        stopped = loops.run(run, DEVICE, service, qpu_seconds=5.0)
        assert stopped["code"] == 4
        assert "budget.qpu_seconds" in stopped["error"]
        assert 0 < len(service.jobs) < REQUESTS
        assert service.consumed_seconds() <= 5.0
        few = loops.run(run, DEVICE, service, shots=on_device["shots"] - 1)
        assert few["code"] == 4
        assert f"budget.shots = {on_device['shots'] - 1:,}" in few["error"]
        assert loops.run(run, DEVICE, service) == on_device
        assert len(service.jobs) == REQUESTS


def test_another_script_is_noticed(loops: Loops, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert loops.run(run, "aer", kill="intent", nth=4)["code"] == KILLED
    changed = loops.run(run, "aer", learning_rate=0.2)
    assert changed["code"] == 2
    assert "other work at layer-1/2" in changed["error"]
    moved = loops.run(run, "exact")
    assert moved["code"] == 2
    assert "layer-1 has another backend" in moved["error"]


def test_priced_as_charged(on_device: dict[str, Any]) -> None:
    """`plan` before the start against what the emulated service charged."""
    import torch

    from qrnn_qiskit.execution.backends import ibm_client
    from qrnn_qiskit.torch import QRNN

    with ideal_service() as service, service.environment(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ibm_client, "arguments", service.client_kwargs())
        executor: Any = ServiceExecutor(ServiceOptions(DEVICE))
        layer = QRNN("parity2", batch_first=True)
        batch = torch.linspace(-0.5, 0.5, 4).reshape(2, 2, 1)
        cost = layer.plan(batch, STEPS, backend=executor, shots=8, by_features=True, last=1)
        assert not service.jobs
    assert cost.jobs == on_device["qpu_jobs"] == REQUESTS
    assert cost.shots == on_device["shots"]
    np.testing.assert_allclose(cost.qpu_seconds, on_device["qpu_seconds"], rtol=0.2)
