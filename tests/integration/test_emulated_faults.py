"""Each fault does what it says, seen by the real client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from qiskit_ibm_runtime import QiskitRuntimeService, Session
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.exceptions import (
    IBMNotAuthorizedError,
    IBMRuntimeError,
    RuntimeInvalidStateError,
    RuntimeJobFailureError,
    RuntimeJobMaxTimeoutError,
)

from qrnn_qiskit.emulator import EmulatedService, Fault
from qrnn_qiskit.emulator.faults import Action
from tests.emulated import DEVICE, POLL, bits, call, coins, connect, submit

POST = "POST /jobs"


@contextmanager
def faulty(
    faults: Sequence[Fault], proxy: bool = False, **options: Any
) -> Iterator[tuple[EmulatedService, QiskitRuntimeService]]:
    with (
        EmulatedService(runner=coins, faults=faults, **options) as service,
        service.environment(proxy),
    ):
        yield service, connect(service, proxy)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_error_then_success(status: int) -> None:
    """The client retries by itself."""
    with faulty([Fault(POST, "status", status=status)]) as (service, client):
        bits(submit(client.backend(DEVICE)))
        assert service.count(POST) == 2
        assert len(service.jobs) == 1
        assert [s.status for s in service.requests if s.route == POST] == [status, 200]


def test_an_error_after_acceptance_makes_two_jobs() -> None:
    with faulty([Fault(POST, "status_after", status=504)]) as (service, client):
        job = submit(client.backend(DEVICE), tags=["once"])
        ids = [job.id for job in service.jobs]
        assert len(ids) == 2
        assert job.job_id() == ids[1]
        assert {j.job_id() for j in client.jobs(job_tags=["once"])} == set(ids)


def test_429_is_not_retried() -> None:
    with faulty([Fault(POST, "status", status=429, retry_after=1)]) as (service, client):
        with pytest.raises(IBMRuntimeError, match="429"):
            submit(client.backend(DEVICE))
        assert (service.count(POST), len(service.jobs)) == (1, 0)


def test_retry_after_is_sent() -> None:
    with faulty([]) as (service, _):
        service.faults.add(Fault("GET /backends", "status", status=503, retry_after=7))
        assert call(service, "GET", "/backends").headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("action", "message", "accepted"),
    [
        ("drop", "without response", 0),
        ("reset", "Connection reset by peer", 0),
        ("lose_answer", "without response", 1),
        ("hang", "without response", 0),
        ("hang_after", "without response", 1),
    ],
)
def test_no_answer(
    action: Action, message: str, accepted: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """Directly the client gives up at once, and cannot know whether there is a job."""
    with faulty([Fault(POST, action, seconds=0.1)]) as (service, client):
        with pytest.raises(IBMRuntimeError, match=message):
            submit(client.backend(DEVICE), tags=["unknown"])
        assert (service.count(POST), len(service.jobs)) == (1, accepted)
        assert [s.status for s in service.requests if s.route == POST] == [None]
        assert len(client.jobs(job_tags=["unknown"])) == accepted
    assert "Traceback" not in capfd.readouterr().err


def test_a_lost_answer_behind_a_proxy_makes_two_jobs() -> None:
    with faulty([Fault(POST, "lose_answer")], proxy=True) as (service, client):
        submit(client.backend(DEVICE))
        assert len(service.jobs) == 2


def test_a_late_answer() -> None:
    with faulty([Fault("GET /instances/usage", "delay", nth=2, seconds=0.3)]) as (_, client):
        client.usage()
        start = time.monotonic()
        client.usage()
        assert time.monotonic() - start > 0.29


def test_a_hanging_request_runs_into_a_timeout() -> None:
    with faulty([Fault("GET /backends", "hang", nth=2, seconds=30)]) as (service, _):
        url = f"{service.base_url}/api/v1/backends"
        with pytest.raises(requests.ReadTimeout):
            requests.get(url, timeout=0.2)


@pytest.mark.parametrize("action", ["truncate", "empty"])
def test_half_an_answer_and_none(action: Action) -> None:
    with faulty([Fault(POST, action)]) as (service, client):
        with pytest.raises(requests.JSONDecodeError):
            submit(client.backend(DEVICE))
        assert (service.count(POST), len(service.jobs)) == (1, 1)


def test_truncated_results() -> None:
    with faulty([Fault("GET /jobs/{id}/results", "truncate")]) as (_, client):
        job = submit(client.backend(DEVICE))
        with pytest.raises(Exception, match="string indices"):
            bits(job)
        assert bits(client.job(job.job_id()))["step_0"].shape == (3, 10, 1)


def test_only_the_second_and_third() -> None:
    route = "GET /jobs/{id}/metrics"
    with faulty([Fault(route, "status", nth=2, times=2, status=400)]) as (_, client):
        job = submit(client.backend(DEVICE))
        bits(job)
        assert job.usage() > 2
        for _ in range(2):
            with pytest.raises(IBMRuntimeError, match="400"):
                job.usage()
        assert job.usage() > 2


def test_an_expired_token() -> None:
    """The client keeps its token until it is out of date by its own clock."""
    with faulty([Fault(POST, "expire_tokens")]) as (service, client):
        backend = client.backend(DEVICE)
        with pytest.raises(IBMNotAuthorizedError):
            submit(backend)
        assert service.jobs == []
        bits(submit(connect(service).backend(DEVICE)))


def test_a_short_lived_token_is_renewed() -> None:
    with faulty([], token_seconds=1) as (service, client):
        backend = client.backend(DEVICE)
        before = service.count("POST /identity/token")
        time.sleep(1.1)
        bits(submit(backend))
        assert service.count("POST /identity/token") > before


def test_a_failed_job() -> None:
    fault = Fault(POST, "fail_job", reason="the control electronics tripped", reason_code=9999)
    with faulty([fault]) as (_, client):
        job = submit(client.backend(DEVICE))
        with pytest.raises(RuntimeJobFailureError, match="9999; the control electronics tripped"):
            job.result(poll_interval=POLL)
        assert job.usage() == 0
        bits(submit(client.backend(DEVICE)))


def test_a_job_that_ran_too_long() -> None:
    with faulty([Fault(POST, "fail_job", reason_code=1305)]) as (_, client):
        job = submit(client.backend(DEVICE))
        with pytest.raises(RuntimeJobMaxTimeoutError):
            job.result(poll_interval=POLL)


def test_a_job_cancelled_outside() -> None:
    with faulty([Fault(POST, "cancel_job")]) as (service, client):
        backend = client.backend(DEVICE)
        with pytest.raises(RuntimeInvalidStateError, match="cancelled"):
            submit(backend).result(poll_interval=POLL)
        service.hold()
        job = submit(backend)
        service.cancel_job(job.job_id())
        assert job.status() == "CANCELLED"


def test_results_that_are_gone() -> None:
    with faulty([Fault(POST, "lose_results")]) as (service, client):
        backend = client.backend(DEVICE)
        job = submit(backend)
        with pytest.raises(RequestsApiError, match="no results"):
            job.result(poll_interval=POLL)
        assert job.status() == "DONE"
        assert job.usage() > 2
        kept = submit(backend)
        bits(kept)
        service.lose_results(kept.job_id())
        with pytest.raises(RequestsApiError, match="no results"):
            client.job(kept.job_id()).result()


def test_empty_results() -> None:
    with faulty([Fault(POST, "empty_results")]) as (_, client):
        assert submit(client.backend(DEVICE)).result(poll_interval=POLL) is None


def test_results_of_another_shape() -> None:
    with faulty([Fault(POST, "wrong_shape")]) as (_, client):
        assert bits(submit(client.backend(DEVICE)))["step_0"].shape == (3, 9, 1)


def test_a_session_closed_outside() -> None:
    with faulty([Fault(POST, "close_sessions", nth=2)]) as (service, client):
        with Session(backend=client.backend(DEVICE)) as session:
            bits(submit(session))
            with pytest.raises(IBMRuntimeError, match="closed and accepts no more"):
                submit(session)
        assert len(service.jobs) == 1


@pytest.mark.parametrize(("action", "message"), [("offline", "offline"), ("pause", "paused")])
def test_a_device_that_stops(action: Action, message: str) -> None:
    fault = Fault(POST, action, backend=DEVICE)
    with faulty([fault]) as (service, client):
        backend = client.backend(DEVICE)
        job = submit(backend)
        assert job.status() == "QUEUED"
        assert backend.status().status_msg == message
        service.set_device_state(DEVICE, "online")
        bits(job)


def test_a_device_that_retires() -> None:
    with faulty([Fault(POST, "retire")]) as (service, client):
        with pytest.raises(IBMRuntimeError, match="does not exist"):
            submit(client.backend(DEVICE))
        assert service.jobs == []


def test_a_listing_that_lags() -> None:
    now = [time.time()]
    fault = Fault(POST, "hide_job", seconds=20)
    with faulty([fault], clock=lambda: now[0]) as (_, client):
        job = submit(client.backend(DEVICE), tags=["late"])
        bits(job)
        assert client.job(job.job_id()).status() == "DONE"
        assert client.jobs(job_tags=["late"]) == []
        now[0] += 21
        assert [j.job_id() for j in client.jobs(job_tags=["late"])] == [job.job_id()]


def test_queue_delay() -> None:
    now = [time.time()]
    with faulty([], clock=lambda: now[0], queue_seconds=60) as (service, client):
        job = submit(client.backend(DEVICE))
        assert job.status() == "QUEUED"
        now[0] += 61
        service.release()  # wakes the queue, which does not see this clock move
        bits(job)
