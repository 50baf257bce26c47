"""Commands around runs on IBM's service, with the real client and an emulated service."""

from __future__ import annotations

import errno
import json
import math
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ibm_runtime.accounts import management

from qrnn_qiskit.cli import main
from qrnn_qiskit.emulator import Device, EmulatedService, Fault
from qrnn_qiskit.emulator.instances import crn
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.backends import ibm_checks, ibm_client
from qrnn_qiskit.execution.backends.ibm import fake_device
from qrnn_qiskit.execution.backends.ibm_checks import (
    check_angles,
    check_circuit,
    check_options,
    sampler_options,
)
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.service import submission, waiting
from qrnn_qiskit.run.service.spending import LIMIT_EXTRA_S, LIMIT_FACTOR
from tests.integration.forking import TOKEN
from tests.integration.service_harness import DEVICE, ideal_service, write_training

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedService]:
    with ideal_service() as running:
        point_at(running, monkeypatch)
        yield running


def point_at(running: EmulatedService, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in running.client_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(ibm_client, "arguments", running.client_kwargs(TOKEN))
    monkeypatch.setattr(waiting, "FIRST_POLL_S", 0.02)
    monkeypatch.setattr(waiting, "LAST_POLL_S", 0.1)
    monkeypatch.setattr(submission, "GRACE_S", 0.3)
    monkeypatch.setattr("qrnn_qiskit.plot.plot_run", lambda run, out=None: [])


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(exit_.value.code or 0), captured.out, captured.err

    return run


def test_without_a_budget_the_plan_and_the_line_are_shown(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    job = write_training(tmp_path, budget={})
    code, out, err = cli("run", job, "--run-dir", tmp_path / "run")
    assert (code, out) == (4, "")
    assert "ibm_quito is a real device, and the job has no budget: by plan 2 QPU jobs" in err
    assert "[budget] qpu_seconds = 5" in err
    assert service.jobs == []
    assert not (tmp_path / "run").exists()
    code, out, _ = cli("plan", job, "--json")
    plan = json.loads(out)
    assert plan["jobs"] == 2
    assert plan["qpu_seconds_at_least_delay"] <= plan["qpu_seconds"]
    stated = fake_device("fake_quito").target.qubit_properties
    slowest = max(stated[qubit].t1 for qubit in plan["physical_qubits"])
    waited = math.exp(-plan["rep_delay_us"] * 1e-6 / slowest)
    assert plan["excited_after_rep_delay"] == pytest.approx(waited, abs=1e-4)
    assert plan["excited_after_least_delay"] == 1.0  # no time at all
    assert plan["active_reset"] is True


def test_what_a_run_leaves_is_private(service: EmulatedService, cli: Cli, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cli("run", write_training(tmp_path), "--run-dir", run)[0] == 0
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert stat.S_IMODE((run / "ledger.sqlite").stat().st_mode) == 0o600
    assert stat.S_IMODE((run / "payload").stat().st_mode) == 0o700


def test_a_budget_that_is_reached_stops_the_run_and_more_continues_it(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    job = write_training(tmp_path, budget={"qpu_seconds": 4.1}, training={"steps": 1})
    run = tmp_path / "run"
    # Everything is charged twice what is predicted, so the plan was too low.
    service_charges(service, 2.0)
    code, _, err = cli("run", job, "--run-dir", run)
    assert code == 4
    assert "of budget.qpu_seconds = 4.1 (" in err
    assert "continue it with --set budget.qpu_seconds=MORE" in err
    assert len(service.jobs) == 1
    code, out, _ = cli("status", run, "--json")
    assert json.loads(out)["charged_over_predicted"] == pytest.approx(2.0)
    assert cli("run", run, "--set", "budget.qpu_seconds=20")[0] == 0
    assert len(service.jobs) == 2


def service_charges(service: EmulatedService, factor: float) -> None:
    from qrnn_qiskit.emulator.jobs import Job

    honest = Job.metrics

    def metrics(self: Job) -> dict[str, Any]:
        document = honest(self)
        document["usage"]["qpu_charge_time_seconds"] *= factor
        return document

    patch = pytest.MonkeyPatch()
    patch.setattr(Job, "metrics", metrics)
    _PATCHES.append(patch)


_PATCHES: list[pytest.MonkeyPatch] = []


@pytest.fixture(autouse=True)
def _undone() -> Iterator[None]:
    yield
    while _PATCHES:
        _PATCHES.pop().undo()


def test_without_waiting_the_same_command_goes_on(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    job, run = write_training(tmp_path), tmp_path / "run"
    service.hold()
    code, out, err = cli("run", job, "--run-dir", run, "--no-wait")
    assert (code, out) == (3, "")
    assert err.splitlines()[-1].endswith(f"is not done yet: continue later with: qrnn run {run}")
    for _ in range(2):
        assert cli("run", run, "--no-wait")[0] == 3
    assert len(service.jobs) == 1

    code, out, _ = cli("status", run, "--jobs", "--json")
    (shown,) = json.loads(out)["jobs"]
    assert (shown["job"], shown["state"]) == (service.jobs[0].id, "submitted")
    code, out, _ = cli("status", run, "--refresh", "--json")
    (shown,) = json.loads(out)["jobs"]
    assert (shown["state"], shown["jobs_in_queue"]) == ("queued", 1)
    assert shown["age_hours"] >= 0
    assert json.loads(out)["qpu_jobs_open"] == 1

    code, out, _ = cli("fetch", run, "--json")
    assert json.loads(out) == {"fetched": [], "waiting": [service.jobs[0].id]}
    service.release()
    service.wait_until_idle()
    code, out, _ = cli("fetch", run, "--json")
    assert json.loads(out) == {"fetched": [service.jobs[0].id], "waiting": []}
    while (ended := cli("run", run, "--no-wait"))[0] == 3:
        service.wait_until_idle()
    assert ended[0] == 0
    assert len(service.jobs) == 2
    code, out, _ = cli("ledger", "export", run, "--format", "jsonl")
    assert [json.loads(line)["state"] for line in out.splitlines()] == ["completed"] * 2
    assert len(cli("ledger", "export", run)[1].splitlines()) == 3


def test_what_waits_can_be_cancelled_and_the_run_goes_on(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    job, run = write_training(tmp_path), tmp_path / "run"
    service.hold()
    assert cli("run", job, "--run-dir", run, "--no-wait")[0] == 3
    code, out, _ = cli("cancel", run, "--json")
    assert (code, json.loads(out)["cancelled"]) == (0, [service.jobs[0].id])
    assert service.jobs[0].status == "Cancelled"
    service.release()
    assert cli("run", run)[0] == 0
    assert [found.status for found in service.jobs] == ["Cancelled", "Completed", "Completed"]
    assert service.consumed_seconds() == pytest.approx(
        sum(
            row["used_seconds"]
            for row in json.loads(cli("status", run, "--jobs", "--json")[1])["jobs"]
        )
    )


def test_an_interruption_says_how_to_cancel(
    service: EmulatedService, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.hold()
    monkeypatch.setattr("qrnn_qiskit.run.service.waiting.time", _Clock(time.time))
    run = tmp_path / "run"
    code, _, err = cli("run", write_training(tmp_path), "--run-dir", run)
    assert code == 130
    assert f"under way at ibm_quito: {service.jobs[0].id}" in err
    assert f"qrnn cancel {run}" in err
    assert f"continue with: qrnn run {run}" in err


@pytest.mark.parametrize("mode", ["batch", pytest.param("session", marks=pytest.mark.slow)])
def test_a_session_that_was_closed_is_opened_anew(
    service: EmulatedService, cli: Cli, tmp_path: Path, mode: str
) -> None:
    job, run = (
        write_training(tmp_path, backend={"name": DEVICE, "mode": mode, "shots": 8}),
        tmp_path / "run",
    )
    service.hold()
    assert cli("run", job, "--run-dir", run, "--no-wait")[0] == 3
    (first,) = service.jobs
    service.release()
    service.wait_until_idle()
    session = first.request.session_id
    assert session is not None
    service.close_session(session)
    assert cli("run", run)[0] == 0
    assert len(service.jobs) == 2
    assert service.jobs[1].request.session_id not in (None, session)
    assert service.count("POST /sessions") == 2


class Clock:
    """The service's, which a test puts on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def test_a_session_ends_with_the_budget_and_is_opened_anew_within_it(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its wall clock is charged, jobs or not; the service closes it, should nobody else."""
    clock, run = Clock(), tmp_path / "run"
    with ideal_service(clock=clock) as service:
        point_at(service, monkeypatch)
        backend = {"name": DEVICE, "mode": "session", "shots": 8}
        job = write_training(tmp_path, backend=backend, budget={"qpu_seconds": 100.0})
        service.hold()
        assert cli("run", job, "--run-dir", run, "--no-wait")[0] == 3
        (first,) = service._state._sessions.values()
        assert first.max_ttl == 100
        service.release()
        service.wait_until_idle()
        clock.ahead += 60.0  # the laptop slept
        service.close_session(first.id)
        service.hold()
        assert cli("run", run, "--no-wait")[0] == 3
        _, second = service._state._sessions.values()
        assert first.mode == second.mode == "dedicated"
        assert second.max_ttl is not None
        assert 30 <= second.max_ttl <= 100 - 60
        service.release()
        service.wait_until_idle()
        clock.ahead += 3600.0  # nobody is there, and the service closes it
        assert cli("run", run)[0] == 0
        status = json.loads(cli("status", run, "--json")[1])
        assert status["qpu_seconds_charged"] <= 100.0


def test_a_session_ends_where_the_run_stops(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    backend = {"name": DEVICE, "mode": "session", "shots": 8}
    job, run = write_training(tmp_path, backend=backend, budget={"qpu_seconds": 4.5}), tmp_path
    assert "by the wall clock" in json.loads(cli("plan", job, "--json")[1])["charged"]
    service_charges(service, 2.0)
    assert cli("run", job, "--run-dir", run / "run")[0] == 4
    assert service.count("POST /sessions") == 1
    assert service._state.open_sessions() == []


def test_a_device_in_maintenance_is_waited_for(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    service.set_device_state(DEVICE, "offline")
    job, run = write_training(tmp_path), tmp_path / "run"
    code, _, err = cli("run", job, "--run-dir", run, "--no-wait")
    assert code == 3
    assert "ibm_quito is not in operation now" in err
    back = threading.Timer(1.0, service.set_device_state, (DEVICE, "online"))
    back.start()
    assert cli("run", run)[0] == 0
    back.join()
    assert len(service.jobs) == 2


def test_a_retired_device_is_named(service: EmulatedService, cli: Cli, tmp_path: Path) -> None:
    service.set_device_state(DEVICE, "retired")
    code, _, err = cli("run", write_training(tmp_path), "--run-dir", tmp_path / "run")
    assert code == 2
    assert "the account has no such device (any more)" in err


def test_the_least_busy_device_is_kept(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [Device(DEVICE, queue_length=9), Device("ibm_lima", queue_length=2)]
    with EmulatedService(devices) as running:
        point_at(running, monkeypatch)
        job = write_training(tmp_path, backend={"name": "least_busy", "shots": 8})
        run = tmp_path / "run"
        running.hold()
        assert cli("run", job, "--run-dir", run, "--no-wait")[0] == 3
        record = RunDirectory.open(run).record()
        assert record["job"]["backend"]["name"] == "ibm_lima"
        assert record["calibration"]["ibm_lima"].startswith("20")
        _, out, _ = cli("devices", "--json")
        assert [device["name"] for device in json.loads(out)] == ["ibm_lima", DEVICE]
        _, out, _ = cli("devices", job, "--json")
        assert all(device["qpu_seconds"] >= 4 for device in json.loads(out))


def test_a_rehearsal_needs_nothing_and_leaves_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ibm_client, "arguments", {})
    monkeypatch.chdir(tmp_path)
    job = write_training(tmp_path, budget={})
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = cli("rehearse", job, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["qpu_jobs"] == found["plan"]["jobs"] == 2
    assert found["qpu_seconds"] == pytest.approx(found["plan"]["qpu_seconds"], abs=0.1)
    assert found["budget"]["add"] == "[budget] qpu_seconds = 5"
    assert sorted(tmp_path.rglob("*")) == before
    assert ibm_client.arguments == {}
    code, _, err = cli("rehearse", job, "--set", "backend.name=aer")
    assert "a rehearsal is for a device of IBM's service" in err


def test_a_device_without_reset(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a fresh qubit for each step; where that is not wanted, it is refused."""
    monkeypatch.setattr(ibm_client, "arguments", {})
    rehearsal = ("rehearse", write_training(tmp_path), "--set", "backend.name=ibm_berlin")
    assert cli(*rehearsal)[0] == 0
    code, _, err = cli(*rehearsal, "--set", "backend.reset=reset")
    assert code == 2
    assert "the backend has no reset instruction" in err


def test_a_submission_leaves_once_whatever_the_answer(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    service.faults.add(Fault("POST /jobs", "status", status=503, times=None))
    code, _, err = cli("run", write_training(tmp_path), "--run-dir", tmp_path / "run")
    assert code == 3
    assert "qrnn resolve" in err
    assert service.count("POST /jobs") == 1, "the client has retried a submission"


def test_through_a_proxy_nothing_is_sent_twice(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In this way the client itself would send a dropped submission again.
    with ideal_service(faults=[Fault("POST /jobs", "lose_answer")]) as running:
        point_at(running, monkeypatch)
        for name, value in running.proxy_environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("QISKIT_FUNCTIONS_EXPERIMENTAL")
        monkeypatch.setattr(ibm_client, "arguments", running.proxy_kwargs(TOKEN))
        assert cli("run", write_training(tmp_path), "--run-dir", tmp_path / "run")[0] == 0
        assert running.count("POST /jobs") == len(running.jobs) == 2


def test_an_unknown_client_is_refused(service: EmulatedService) -> None:
    client = ibm_client.Client()
    session = client.service._active_api_client._session
    adapter = session.get_adapter(service.base_url + "/jobs")
    assert isinstance(adapter, ibm_client.OnceAdapter)
    assert adapter.max_retries.total == 0
    client.service._active_api_client = object()
    with pytest.raises(BackendError, match="keeps its connections elsewhere"):
        client.guard()


def test_a_lost_account_is_said_without_secrets(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    service.faults.add(Fault("GET /backends", "status", status=401, times=None))
    code, _, err = cli("run", write_training(tmp_path), "--run-dir", tmp_path / "run")
    assert code in (2, 3)
    assert TOKEN not in err
    assert err.count("error: ") == 1


def test_without_an_account_the_remedy_is_said(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ibm_client, "arguments", {})
    monkeypatch.delenv("QISKIT_IBM_TOKEN", raising=False)
    job = write_training(tmp_path, backend={"name": "ibm_quito", "shots": 8, "account": "nobody"})
    code, _, err = cli("run", job, "--run-dir", tmp_path / "run")
    assert code == 2
    assert "there is no saved account of the name 'nobody': save one with" in err


def test_account_and_instance_say_who_pays(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A saved account by its name, nothing of the client replaced."""
    saved = str(tmp_path / "accounts.json")
    monkeypatch.setattr(management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", saved)
    with ideal_service(instances=("mine", "theirs")) as service:
        point_at(service, monkeypatch)
        monkeypatch.delenv("QISKIT_FUNCTIONS_EXPERIMENTAL")
        monkeypatch.setattr(ibm_client, "arguments", {})
        for name, value in service.proxy_environment.items():
            monkeypatch.setenv(name, value)
        QiskitRuntimeService.save_account(**service.proxy_kwargs(TOKEN), filename=saved, name="lab")
        for instance, number in (("mine", 0), ("theirs", 2)):
            backend = {"name": DEVICE, "shots": 8, "account": "lab", "instance": instance}
            job = write_training(tmp_path, backend=backend)
            assert cli("run", job, "--run-dir", tmp_path / instance)[0] == 0
            assert {job.instance for job in service.jobs[number:]} == {crn(instance)}
    for path in (path for path in tmp_path.rglob("*") if path.is_file() and str(path) != saved):
        assert TOKEN.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("command", ["evaluate", "gradient"])
def test_one_evaluation_is_paid_once(
    service: EmulatedService, cli: Cli, tmp_path: Path, command: str
) -> None:
    job, place = write_training(tmp_path), tmp_path / "once"
    code, _, err = cli(command, job)
    assert code == 2
    assert "is a real device: what is paid for must be recorded; give --run-dir DIR" in err
    arguments = (command, job, "--run-dir", place, "--json")
    code, _, err = cli(*arguments, "--set", "budget.qpu_seconds=1")
    assert (code, service.jobs) == (4, [])
    service.hold()
    code, _, err = cli(*arguments, "--no-wait")
    assert code == 3
    assert "continue later with the same command" in err
    service.release()
    code, out, _ = cli(*arguments)
    assert code == 0
    assert cli(*arguments)[1] == out
    assert len(service.jobs) == 1
    assert json.loads(cli("status", place, "--json")[1])["qpu_jobs"] == 1


def test_predictions_of_a_simulated_training_on_a_device(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    job = write_training(tmp_path, backend={"name": "exact"}, gradient={"method": "adjoint"})
    run, place = tmp_path / "run", tmp_path / "predictions"
    assert cli("run", job, "--run-dir", run)[0] == 0
    new = tmp_path / "new.npz"
    np.savez(new, features=np.linspace(-0.5, 0.5, 4).reshape(2, 2, 1))
    arguments = ["predict", run, "--data", new, "--run-dir", place, "--json"]
    for setting in ("backend.name=ibm_quito", "backend.shots=16", "budget.qpu_seconds=9"):
        arguments += ["--set", setting]
    code, out, err = cli(*arguments)
    assert code == 0, err
    assert np.shape(json.loads(out)["predictions"]) == (2, 2, 1)
    assert cli(*arguments)[1] == out
    assert len(service.jobs) == 1


def test_a_read_only_directory_is_said_before_anything_is_paid(
    service: EmulatedService, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, run = write_training(tmp_path), tmp_path / "run"
    service.hold()
    assert cli("run", job, "--run-dir", run, "--no-wait")[0] == 3

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:  # a superuser may write wherever the modes forbid it
        patch.setattr("filelock.FileLock.acquire", refused)
        for command in ("run", "fetch", "cancel"):
            code, _, err = cli(command, run)
            assert code == 2
            assert f"error: cannot write to {run}: Read-only file system" in err
        patch.setattr("os.access", lambda *_: False)
        code, _, err = cli("run", job, "--run-dir", tmp_path / "other")
        assert (code, "is not a writable folder" in err) == (2, True)
    assert len(service.jobs) == 1
    service.release()
    assert cli("run", run)[0] == 0
    assert len(service.jobs) == 2


def test_a_full_disk_loses_nothing(
    service: EmulatedService, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, run = write_training(tmp_path), tmp_path / "run"
    with monkeypatch.context() as patch:

        def full(path: Path, data: bytes) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(Ledger, "completed", lambda self, number, payload: _store(self, payload))
        patch.setattr("qrnn_qiskit.run.record.payload.write_durably", write_all_but(1, full))
        code, _, err = cli("run", job, "--run-dir", run)
    assert code == 2
    assert "No space left on device; all that is recorded is kept: make room and run again" in err
    assert cli("run", run)[0] == 0
    assert len(service.jobs) == 2


def _store(ledger: Ledger, payload: bytes) -> None:
    ledger.payload.store(payload)


def write_all_but(good: int, full: Callable[[Path, bytes], None]) -> Callable[[Path, bytes], None]:
    from qrnn_qiskit.run.record.durable import write_durably

    calls = 0

    def write(path: Path, data: bytes) -> None:
        nonlocal calls
        calls += 1
        (write_durably if calls <= good else full)(path, data)

    return write


def test_a_disk_that_is_full_right_after_the_acceptance(
    service: EmulatedService, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, run = write_training(tmp_path), tmp_path / "run"
    execute = Ledger._execute

    def full(self: Ledger, statement: str, *values: Any) -> Any:
        if "state = 'submitted'" in statement:
            failure = sqlite3.OperationalError("database or disk is full")
            monkeypatch.setattr(Ledger, "_execute", execute)
            from qrnn_qiskit.errors import RunError

            raise RunError(f"the ledger cannot be used: {failure}")
        return execute(self, statement, *values)

    monkeypatch.setattr(Ledger, "_execute", full)
    assert cli("run", job, "--run-dir", run)[0] == 2
    assert cli("run", run)[0] == 0
    assert len(service.jobs) == 2


@pytest.mark.parametrize("jump", [-86400.0, pytest.param(86400.0, marks=pytest.mark.slow)])
def test_a_clock_that_jumps_loses_no_job(
    service: EmulatedService,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jump: float,
) -> None:
    service.faults.add(Fault("POST /jobs", "lose_answer"))
    # The ledger alone is deceived: the client would renew its token.
    monkeypatch.setattr("qrnn_qiskit.run.record.ledger.time", _Clock(lambda: time.time() + jump))
    assert cli("run", write_training(tmp_path), "--run-dir", tmp_path / "run")[0] == 0
    assert len(service.jobs) == 2


class _Clock:
    """Tells another time, and interrupts who waits."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.time = now

    def sleep(self, seconds: float) -> None:
        raise KeyboardInterrupt


def test_angles_of_fractional_gates() -> None:
    angle, other = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.rzz(angle, 0, 1)
    circuit.rzz(0.3, 0, 1)
    circuit.rzz(2 * other, 0, 1)
    check_angles(circuit, np.array([[0.0, 0.1], [np.pi / 2, 0.7]]), "ibm_x")
    for values in ([1.6, 0.1], [-0.1, 0.1], [0.1, 0.8]):
        with pytest.raises(BackendError, match="ibm_x runs rzz only between 0 and π/2"):
            check_angles(circuit, np.array([values]), "ibm_x")


def test_circuits_that_a_device_cannot_run() -> None:
    target = fake_device("fake_quito").target
    circuit = QuantumCircuit(2, 1)
    with pytest.raises(BackendError, match="no gate of the circuit depends"):
        check_circuit(circuit, target, "ibm_quito")
    circuit.rz(Parameter("a"), 0)
    circuit.cx(0, 1)
    check_circuit(circuit, target, "ibm_quito")
    circuit.ry(0.1, 0)
    with pytest.raises(BackendError, match="ibm_quito cannot run 'ry' on qubits .0.: "):
        check_circuit(circuit, target, "ibm_quito")
    apart = QuantumCircuit(5, 1)
    apart.rz(Parameter("a"), 0)
    apart.cx(0, 4)
    with pytest.raises(BackendError, match="cannot run 'cx' on qubits .0, 4.: "):
        check_circuit(apart, target, "ibm_quito")
    with pytest.raises(BackendError, match="measures nothing"):
        check_circuit(QuantumCircuit(2), target, "ibm_quito")
    with pytest.raises(BackendError, match="has 9 qubits, but ibm_quito only 5"):
        check_circuit(QuantumCircuit(9, 1), target, "ibm_quito")


class _Backend:
    name = "ibm_x"
    dynamic_reprate_enabled = True
    rep_delay_range = (0.0, 500e-6)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"twirling": {"enable_measure": True}}, "twirl gates only"),
        ({"dynamical_decoupling": {"enable": True}}, "not together with if"),
        ({"twirling": {"enable_gates": True}}, "not together with if"),
        ({"execution": {"rep_delay": 0.1}}, "ibm_x allows 0 to 0.0005 s"),
    ],
)
def test_options_that_the_circuit_does_not_allow(options: dict[str, Any], reason: str) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    with pytest.raises(BackendError, match=reason):
        check_options(options, circuit, _Backend())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"default_shots": 10}, "shots are backend.shots"),
        ({"environment": {"job_tags": ["x"]}}, "found again by their tags"),
        ({"environment": {"private": True}}, "readable more than once"),
        ({"execution": {"meas_type": "kerneled"}}, "only 'classified' gives bits"),
        ({"execution": {"rep_dela": 1}}, "backend.options.execution.rep_dela: "),
        ({"twirling": {"enable_gates": 3}}, "backend.options.twirling.enable_gates: "),
    ],
)
def test_options_that_the_client_does_not_know(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(BackendError, match=reason):
        sampler_options(options)


def test_options_reach_the_service(service: EmulatedService, cli: Cli, tmp_path: Path) -> None:
    chosen = {"execution": {"init_qubits": False}, "experimental": {"image": "latest"}}
    backend = {"name": DEVICE, "shots": 8, "options": chosen}
    assert (
        cli("run", write_training(tmp_path, backend=backend), "--run-dir", tmp_path / "r")[0] == 0
    )
    request = service.jobs[0].request
    assert request.params["options"]["init_qubits"] is False
    assert request.params["options"]["experimental"] == {"image": "latest"}
    predicted = json.loads(cli("status", tmp_path / "r", "--jobs", "--json")[1])["jobs"][0]
    limit = LIMIT_FACTOR * predicted["predicted_seconds"] + LIMIT_EXTRA_S
    assert request.cost == math.ceil(limit)


def test_twirled_gates_leave_the_outcomes_in_place(
    service: EmulatedService, cli: Cli, tmp_path: Path
) -> None:
    """The client undoes twirling by itself, and rounds the shots up: the rest is cut."""
    outputs = []
    for twirled in (False, True):
        backend = {"name": DEVICE, "shots": 2000, "options": {}}
        if twirled:
            options = {"enable_gates": True, "num_randomizations": 3}
            backend["options"] = {"twirling": options}
        job = write_training(tmp_path, backend=backend)
        place = ("--run-dir", tmp_path / f"run-{twirled}")
        code, out, err = cli("evaluate", job, "--json", *place)
        assert code == 0, err
        outputs.append(np.array(json.loads(out)["outputs"]))
    # Without noise twirling changes nothing; 2 values of 2000 shots, false alarms below 1e-6.
    np.testing.assert_allclose(outputs[1], outputs[0], atol=5.2 * np.sqrt(2 / 2000))
    (row,) = _rows(tmp_path / "run-True")
    assert row.block.shots == 2000
    program = service.jobs[1].request.params["quantum_program"]
    assert program["items"][0]["item_type"] == "samplex"


def test_a_request_too_large_for_one_job_is_cut(
    service: EmulatedService, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = write_training(tmp_path)
    assert cli("run", job, "--run-dir", tmp_path / "whole")[0] == 0
    monkeypatch.setattr(ibm_checks, "MAX_EXECUTIONS", 40)
    assert cli("run", job, "--run-dir", tmp_path / "cut")[0] == 0
    rows = [row.block for row in _rows(tmp_path / "cut") if row.address == "step-0/gradient"]
    assert len(rows) == 3
    assert all(block.executions <= 40 for block in rows)
    plan = json.loads(cli("plan", job, "--json")[1])
    assert plan["jobs"] == len(_rows(tmp_path / "cut"))


@pytest.mark.parametrize(
    ("limit", "value"),
    [("MAX_INSTRUCTIONS", 800), ("MAX_PAYLOAD_BYTES", 900), ("SECONDS_OF_A_JOB", 0.02)],
)
def test_memory_bytes_and_time_of_a_job_cut_it(
    service: EmulatedService,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: float,
) -> None:
    job = write_training(tmp_path)
    whole = json.loads(cli("plan", job, "--json")[1])["jobs"]
    monkeypatch.setattr(ibm_checks, limit, value)
    plan = json.loads(cli("plan", job, "--json")[1])
    assert whole < plan["jobs"] < 40
    assert cli("run", job, "--run-dir", tmp_path / "run")[0] == 0
    assert len(service.jobs) == plan["jobs"]


def test_instructions_and_gates_of_a_circuit(monkeypatch: pytest.MonkeyPatch) -> None:
    """By IBM's table: rz 1, sx 2, cz 5, measure 10, reset 17, and 50 to begin with."""
    target = fake_device("fake_marrakesh").target
    circuit = QuantumCircuit(156, 1)
    circuit.rz(Parameter("a"), 0)
    circuit.sx(0)
    circuit.cz(0, 1)
    circuit.measure(0, 0)
    circuit.reset(0)
    assert ibm_checks.instructions_of_a_qubit(circuit) == 50 + 1 + 2 + 5 + 10 + 17
    limits = ibm_checks.limits_of(circuit, 1000, 1e-3)
    assert limits.shots == 1000
    assert limits.rows == 26_800_000 // 85
    assert limits.executions == 3_600_000
    circuit.cz(0, 1)
    monkeypatch.setattr(ibm_checks, "MAX_TWO_QUBIT_GATES_DYNAMIC", 1)
    check_circuit(circuit, target, "ibm_x")
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    with pytest.raises(BackendError, match="has 2 two-qubit gates, and IBM allows 1 .* with if"):
        check_circuit(circuit, target, "ibm_x")


def _rows(run: Path) -> list[Any]:
    ledger = Ledger(run, looking=True)
    try:
        return ledger.jobs()
    finally:
        ledger.close()
