"""The real client against the emulated service: modes, both programs, tags, cancelling, usage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_ibm_runtime import Batch, QiskitRuntimeService, SamplerV2, Session
from qiskit_ibm_runtime.exceptions import (
    IBMRuntimeError,
    RuntimeInvalidStateError,
    RuntimeJobFailureError,
    RuntimeJobMaxTimeoutError,
    RuntimeJobNotFound,
)
from qiskit_ibm_runtime.executor_sampler import Sampler
from scipy import stats

from qrnn_qiskit.emulator import AerRunner, Device, EmulatedService, RunRequest
from qrnn_qiskit.emulator.program import Bits
from tests.emulated import (
    ANGLES,
    DEVICE,
    POLL,
    bits,
    call,
    coins,
    connect,
    isa_circuit,
    submit,
    two_steps,
)

FALSE_ALARM = 1e-6
SHOTS = 2500  # more than the 2113 that one of Aer's runs may have


@pytest.fixture
def service() -> Iterator[EmulatedService]:
    with EmulatedService(runner=coins) as service, service.environment():
        yield service


@pytest.fixture
def client(service: EmulatedService) -> QiskitRuntimeService:
    return connect(service)


def surprise(data: dict[str, NDArray[np.bool_]], angles: NDArray[np.float64]) -> float:
    """Least two-sided tail of the counts of ones, times their number; see `two_steps`."""
    shots = data["step_0"].shape[1]
    first, second = np.sin(angles[:, 0] / 2) ** 2, np.sin(angles[:, 1] / 2) ** 2
    tails = []
    for expected, seen in (
        (first, data["step_0"][..., 0]),
        (second, data["step_1"][..., 0]),
        (first * second, data["step_0"][..., 0] & data["step_1"][..., 0]),
    ):
        for p, count in zip(expected, seen.sum(axis=1), strict=True):
            ones = stats.binom(shots, p)
            tails.append(2 * min(ones.cdf(count), ones.sf(count - 1)))
    return float(min(tails)) * len(tails)


@pytest.mark.statistical
@pytest.mark.parametrize("proxy", [False, True], ids=["url_resolver", "proxy"])
def test_every_mode(proxy: bool, seed: int) -> None:
    """False alarm 1e-6 for each mode; the power is that an angle off by 0.3 is noticed."""
    runner = AerRunner(noise=False)
    with EmulatedService(runner=runner, seed=seed) as service, service.environment(proxy):
        client = connect(service, proxy)
        backend = client.backend(DEVICE)
        alone = submit(backend, shots=SHOTS)
        with Batch(backend=backend) as batch:
            of_batch = submit(batch, shots=SHOTS, angles=ANGLES + 1)
        with Session(backend=backend) as session:
            of_session = submit(session, shots=SHOTS, angles=ANGLES + 2)
        assert (alone.session_id, of_batch.session_id) == (None, batch.session_id)
        for job, angles in ((alone, ANGLES), (of_batch, ANGLES + 1), (of_session, ANGLES + 2)):
            data = bits(job)
            assert data["step_0"].shape == (3, SHOTS, 1)
            assert np.array_equal(data["step_0"][..., 0], data["step_1"][..., 1])
            assert surprise(data, angles) > FALSE_ALARM
            assert surprise(data, angles + 0.3) < FALSE_ALARM
        again = client.job(alone.job_id())
        assert np.array_equal(bits(again)["step_1"], bits(alone)["step_1"])
        for opened, mode, job in ((batch, "batch", of_batch), (session, "dedicated", of_session)):
            details = opened.details()
            assert (details["mode"], details["state"]) == (mode, "closed")
            assert details["usage_time"] >= job.usage() > 2
        assert len(service.jobs) == service.count("POST /jobs") == 3


@pytest.mark.statistical
def test_legacy_sampler(seed: int) -> None:
    with (
        EmulatedService(runner=AerRunner(noise=False), seed=seed) as service,
        service.environment(),
    ):
        backend = connect(service).backend(DEVICE)
        with pytest.warns(DeprecationWarning, match="Sampler"):
            sampler = SamplerV2(mode=backend)
        job = sampler.run([(isa_circuit(), ANGLES)], shots=SHOTS)
        data = bits(job)
        assert job.primitive_id == "sampler"
        assert surprise(data, ANGLES) > FALSE_ALARM
        assert surprise(data, ANGLES + 0.3) < FALSE_ALARM


def test_same_content_and_seed_give_the_same_bits() -> None:
    """In another service, whatever the circuit's name and its parameters' ids."""
    found = []
    for seed, suffix, angles in (
        (7, "", ANGLES),
        (7, "_b", ANGLES),
        (8, "", ANGLES),
        (7, "", ANGLES + 1),
    ):
        runner = AerRunner(noise=False)
        with EmulatedService(runner=runner, seed=seed) as service, service.environment():
            backend = connect(service).backend(DEVICE)
            job = submit(backend, shots=200, circuit=isa_circuit(suffix), angles=angles)
            found.append(bits(job)["step_1"])
    first, again, other_seed, other_angles = found
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other_seed)
    assert not np.array_equal(first, other_angles)


@pytest.mark.statistical
@pytest.mark.parametrize("measure", [False, True], ids=["gates", "gates and measurements"])
def test_twirling(measure: bool, seed: int) -> None:
    """False alarm 1e-6; its power is that the same test notices an angle off by 0.3.

    Measurements are twirled where they end the circuit: the client refuses others.
    """
    circuit = isa_circuit()
    if measure:
        circuit = QuantumCircuit(156)
        circuit.add_register(ClassicalRegister(1, "step_0"), ClassicalRegister(2, "step_1"))
        for qubit, angle in ((0, Parameter("x")), (1, Parameter("y"))):
            circuit.sx(qubit)
            circuit.rz(angle + np.pi, qubit)
            circuit.sx(qubit)
        circuit.measure([0, 1], [0, 1])
    with (
        EmulatedService(runner=AerRunner(noise=False), seed=seed) as service,
        service.environment(),
    ):
        sampler = Sampler(mode=connect(service).backend(DEVICE))
        sampler.options.twirling.enable_gates = True
        sampler.options.twirling.enable_measure = measure
        sampler.options.twirling.num_randomizations = 25
        sampler.options.twirling.shots_per_randomization = 100
        first, again = (bits(sampler.run([(circuit, ANGLES)], shots=SHOTS)) for _ in range(2))
        assert first["step_0"].shape == (3, SHOTS, 1)
        assert surprise(first, ANGLES) > FALSE_ALARM
        assert surprise(first, ANGLES + 0.3) < FALSE_ALARM
        assert all(np.array_equal(first[name], again[name]) for name in first)


def test_what_is_ignored_is_in_the_log(
    service: EmulatedService, client: QiskitRuntimeService
) -> None:
    sampler = Sampler(mode=client.backend(DEVICE))
    sampler.options.execution.init_qubits = False
    job = sampler.run([(isa_circuit(), ANGLES)], shots=10)
    bits(job)
    assert "ignored: init_qubits = False" in job.logs()


def test_tags(service: EmulatedService, client: QiskitRuntimeService) -> None:
    backend = client.backend(DEVICE)
    one, two = submit(backend, tags=["run", "a"]), submit(backend, tags=["run", "b"])

    def tagged(*tags: str) -> list[str]:
        return [job.job_id() for job in client.jobs(job_tags=list(tags), limit=None)]

    assert tagged("run") == [two.job_id(), one.job_id()]
    assert tagged("run", "a") == [one.job_id()]
    assert tagged("a", "b") == []
    assert set(one.update_tags(["c"])) == {"c"}
    assert tagged("run", "a") == []
    assert tagged("c") == [one.job_id()]


def test_long_listings_come_in_pages(
    service: EmulatedService, client: QiskitRuntimeService
) -> None:
    service.hold()
    submit(client.backend(DEVICE))
    (first,) = service.jobs
    body = first.request.model_dump_json(exclude_none=True)
    ids = [first.id, *(call(service, "POST", "/jobs", data=body).json()["id"] for _ in range(20))]
    assert [job.job_id() for job in client.jobs(limit=None, descending=False)] == ids
    assert [job.job_id() for job in client.jobs(limit=2, skip=1)] == ids[-2:-4:-1]
    assert len(client.jobs(limit=None, pending=False)) == 0
    assert len(client.jobs(limit=None, pending=True, program_id="executor")) == 21
    assert client.jobs(program_id="sampler") == []
    assert client.jobs(session_id="none") == []


def test_cancel_and_delete(service: EmulatedService, client: QiskitRuntimeService) -> None:
    service.hold()
    job = submit(client.backend(DEVICE))
    assert job.status() == "QUEUED"
    with pytest.raises(IBMRuntimeError, match="has not ended"):
        client.delete_job(job.job_id())
    job.cancel()
    assert client.job(job.job_id()).status() == "CANCELLED"
    with pytest.raises(RuntimeInvalidStateError):
        client.job(job.job_id()).cancel()
    with pytest.raises(RuntimeInvalidStateError):
        job.result()
    assert job.usage() == 0
    client.delete_job(job.job_id())
    with pytest.raises(RuntimeJobNotFound):
        client.job(job.job_id())


def test_usage_is_the_published_estimate(
    service: EmulatedService, client: QiskitRuntimeService
) -> None:
    backend = client.backend(DEVICE)
    sampler = Sampler(mode=backend)
    sampler.options.execution.rep_delay = 1e-4
    slow, fast = submit(backend, shots=100), sampler.run([(isa_circuit(), ANGLES)], shots=100)
    circuit = isa_circuit().estimate_duration(backend.target, unit="s")
    assert 1e-6 < circuit < 1e-4
    for job, rep_delay in ((slow, 250e-6), (fast, 1e-4)):
        assert job.usage_estimation["quantum_seconds"] == pytest.approx(
            2 + 300 * (rep_delay + circuit), rel=1e-9
        )
        bits(job)
        assert job.usage() == job.usage_estimation["quantum_seconds"]
        assert job.metrics()["timestamps"]["finished"] is not None
    used = client.usage()["usage_consumed_seconds"]
    assert used == pytest.approx(slow.usage() + fast.usage())
    assert used == service.consumed_seconds()


def test_charged_more_than_estimated() -> None:
    with EmulatedService(runner=coins, charge_factor=2.0) as service, service.environment():
        backend = connect(service).backend(DEVICE)
        job = submit(backend)
        bits(job)
        assert job.usage() == 2 * job.usage_estimation["quantum_seconds"]
        sampler = Sampler(mode=backend)
        sampler.options.max_execution_time = 3  # between the estimate and what is charged
        limited = sampler.run([(isa_circuit(), ANGLES)], shots=10)
        with pytest.raises(RuntimeJobMaxTimeoutError):
            limited.result(poll_interval=POLL)


def test_a_service_that_is_down_for_a_while() -> None:
    service = EmulatedService(runner=coins)
    with service, service.environment():
        client = connect(service)
        job = submit(client.backend(DEVICE))
        bits(job)
        address = service.base_url
        service.stop()
        with pytest.raises(requests.ConnectionError):
            requests.get(address, timeout=5)
        service.start()
        assert service.base_url == address
        bits(submit(client.backend(DEVICE)))
        assert (service.count("POST /jobs"), len(service.jobs)) == (2, 2)


def test_usage_is_known_later() -> None:
    now = [time.time()]
    with (
        EmulatedService(runner=coins, usage_delay=30, clock=lambda: now[0]) as service,
        service.environment(),
    ):
        job = submit(connect(service).backend(DEVICE))
        bits(job)
        assert job.usage() == 0
        now[0] += 31
        assert job.usage() > 2


def test_nothing_runs_beyond_the_usage_limit() -> None:
    with EmulatedService(runner=coins, usage_limit=2.0) as service, service.environment():
        client = connect(service)
        backend = client.backend(DEVICE)
        bits(submit(backend))
        with pytest.warns(UserWarning, match="usage limit"):
            waiting = submit(backend)
        assert waiting.status() == "QUEUED"
        assert client.usage()["usage_remaining_seconds"] == 0


def test_longer_than_max_execution_time(
    service: EmulatedService, client: QiskitRuntimeService
) -> None:
    sampler = Sampler(mode=client.backend(DEVICE))
    sampler.options.max_execution_time = 1
    job = sampler.run([(isa_circuit(), ANGLES)], shots=10)
    with pytest.raises(RuntimeJobMaxTimeoutError, match="1305"):
        job.result(poll_interval=POLL)
    assert job.usage() == 1


def test_devices() -> None:
    devices = (
        Device("ibm_fez", queue_length=5),
        Device("ibm_berlin"),
        Device(DEVICE, queue_length=2),
    )
    with EmulatedService(devices, runner=coins) as several, several.environment():
        client = connect(several)
        assert {b.name for b in client.backends()} == {d.name for d in devices}
        assert client.least_busy().name == "ibm_berlin"
        assert "reset" not in client.backend("ibm_berlin").target.operation_names
        fez = client.backend("ibm_fez")
        assert fez.num_qubits == 156
        assert fez.status().pending_jobs == 5
        assert fez.properties().t1(0) > 1e-6
        several.set_device_state("ibm_fez", "paused")
        assert (fez.status().operational, fez.status().status_msg) == (True, "paused")
        several.set_device_state("ibm_fez", "offline")
        assert not fez.status().operational
        several.set_device_state("ibm_fez", "retired")
        assert "ibm_fez" not in {b.name for b in connect(several).backends()}
        with pytest.raises(QiskitBackendNotFoundError):
            submit(fez)
        body = {"program_id": "sampler", "params": {}, "backend": "ibm_fez"}
        assert call(several, "POST", "/jobs", json=body).status_code == 404


def test_jobs_wait_for_an_offline_device(
    service: EmulatedService, client: QiskitRuntimeService
) -> None:
    backend = client.backend(DEVICE)
    service.set_device_state(DEVICE, "offline")
    job = submit(backend)
    assert job.status() == "QUEUED"
    service.set_device_state(DEVICE, "online")
    assert bits(job)["step_0"].shape == (3, 10, 1)


def test_a_job_that_is_not_isa_fails(
    service: EmulatedService, client: QiskitRuntimeService
) -> None:
    job = submit(client.backend(DEVICE), circuit=two_steps())
    job.wait_for_final_state(poll_interval=POLL)
    assert job.status() == "ERROR"
    assert "instruction ry on qubits (0,) is not supported" in job.error_message()


def test_fractional_gates(service: EmulatedService, client: QiskitRuntimeService) -> None:
    """Listed by the service, hidden by the client unless asked for, checked when a job runs."""
    assert "rzz" not in client.backend(DEVICE).target.operation_names
    backend = client.backend(DEVICE, use_fractional_gates=True)
    assert {"rx", "rzz"} <= set(backend.target.operation_names)
    circuit = QuantumCircuit(2, 1)
    circuit.rzz(Parameter("x"), 0, 1)
    circuit.rx(Parameter("y"), 0)
    circuit.measure(0, 0)
    isa = generate_preset_pass_manager(1, target=backend.target, seed_transpiler=0).run(circuit)
    inside = submit(backend, circuit=isa, angles=np.array([[0.3, 0.4], [1.5, 9.0]]))
    assert bits(inside)["c"].shape == (2, 10, 1)
    outside = submit(backend, circuit=isa, angles=np.array([[0.3, 0.4], [-0.1, 9.0]]))
    with pytest.raises(RuntimeJobFailureError, match="angle"):
        outside.result(poll_interval=POLL)


def test_limits_of_the_device(service: EmulatedService, client: QiskitRuntimeService) -> None:
    with pytest.raises(IBMRuntimeError, match="allows 100000"):
        submit(client.backend(DEVICE), shots=100_001)
    assert service.jobs == []


def test_a_service_started_again_goes_on(tmp_path: Path) -> None:
    kept: dict[str, Any] = {"runner": coins, "state_dir": tmp_path}
    with EmulatedService(**kept) as service, service.environment():
        client = connect(service)
        done = submit(client.backend(DEVICE))
        first = bits(done)
        service.hold()
        with Session(backend=client.backend(DEVICE)) as session:
            queued = submit(session)
        ids = done.job_id(), queued.job_id(), session.session_id
    with EmulatedService(**kept) as service, service.environment():
        client = connect(service)
        assert np.array_equal(bits(client.job(ids[0]))["step_1"], first["step_1"])
        assert np.array_equal(bits(client.job(ids[1]))["step_1"], first["step_1"])
        assert Session.from_id(ids[2], client).details()["accepting_jobs"] is False


def test_a_saved_account(tmp_path: Path) -> None:
    """Nothing of the client is replaced, and nothing is given to it in this process."""
    with EmulatedService(runner=coins) as service, service.environment(proxy=True):
        accounts = str(tmp_path / "accounts.json")
        QiskitRuntimeService.save_account(**service.proxy_kwargs(), filename=accounts, name="own")
        client = QiskitRuntimeService(filename=accounts, name="own")
        assert bits(submit(client.backend(DEVICE)))["step_0"].shape == (3, 10, 1)
        assert client.instances()[0]["name"] == "rehearsal"


def test_who_pays() -> None:
    with (
        EmulatedService(runner=coins, instances=("one", "two")) as service,
        service.environment(proxy=True),
    ):
        first = service.proxy_kwargs()
        clients = [QiskitRuntimeService(**first | {"instance": name}) for name in ("one", "two")]
        jobs = [
            submit(client.backend(DEVICE), shots=shots)
            for client, shots in zip(clients, (5, 50), strict=True)
        ]
        for client, job in zip(clients, jobs, strict=True):
            bits(job)
            assert client.usage()["usage_consumed_seconds"] == job.usage()
            assert [j.job_id() for j in client.jobs()] == [job.job_id()]


def test_a_session_whose_time_is_over() -> None:
    now = [time.time()]
    with EmulatedService(runner=coins, clock=lambda: now[0]) as service, service.environment():
        backend = connect(service).backend(DEVICE)
        with Session(backend=backend, max_time=300) as session:
            bits(submit(session))
            now[0] += 400
            assert session.status() == "Closed"
            assert session.usage() == pytest.approx(300)
            with pytest.raises(IBMRuntimeError, match="closed and accepts no more"):
                submit(session)


def test_closing_a_session_cancels_what_is_queued(
    service: EmulatedService, client: QiskitRuntimeService
) -> None:
    service.hold()
    session = Session(backend=client.backend(DEVICE))
    job = submit(session)
    session.cancel()
    assert job.status() == "CANCELLED"


def test_a_runner_that_breaks_fails_the_job_alone() -> None:
    calls = []

    def runner(request: RunRequest) -> dict[str, Bits]:
        calls.append(request)
        if len(calls) == 1:
            raise MemoryError("too many qubits")
        return coins(request)

    with EmulatedService(runner=runner) as service, service.environment():
        backend = connect(service).backend(DEVICE)
        with pytest.raises(RuntimeJobFailureError, match="too many qubits"):
            submit(backend).result(poll_interval=POLL)
        bits(submit(backend))


def test_a_token_is_written_nowhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    planted = "planted-" + "x" * 20
    with EmulatedService(runner=coins, state_dir=tmp_path) as service, service.environment():
        client = QiskitRuntimeService(**service.client_kwargs(token=planted))
        bits(submit(client.backend(DEVICE)))
        seen = repr(service.requests) + repr(service.jobs)
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    out = capfd.readouterr()
    assert service.count("POST /identity/token") >= 1
    assert planted not in seen + written + out.out + out.err + caplog.text
