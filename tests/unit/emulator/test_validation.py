"""Requests that do not fit are refused with status 400 and a message that names the field."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import requests
from qiskit_ibm_runtime.json import RuntimeEncoder

from qrnn_qiskit.emulator import EmulatedService
from tests.emulated import ANGLES, DEVICE, call, coins, executor_body, isa_circuit


@pytest.fixture(scope="module")
def service() -> Iterator[EmulatedService]:
    with EmulatedService(runner=coins) as service:
        yield service


@pytest.fixture(scope="module", name="executor_body")
def make_executor_body() -> dict[str, Any]:
    return executor_body()


@pytest.fixture(scope="module")
def sampler_body() -> dict[str, Any]:
    params = {
        "pubs": [[isa_circuit(), ANGLES, 10]],
        "options": {"default_shots": 4096},
        "version": 2,
        "support_qiskit": True,
    }
    return {
        "program_id": "sampler",
        "backend": DEVICE,
        "params": json.loads(json.dumps(params, cls=RuntimeEncoder)),
    }


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The body with one field set."""
    new = copy.deepcopy(body)
    place: Any = new
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in parents:
        place = place[key]
    place[last] = value
    return new


def refused(service: EmulatedService, body: Any, *, message: str) -> None:
    before = len(service.jobs)
    answer = call(service, "POST", "/jobs", json=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]
    assert len(service.jobs) == before


def test_whole_bodies_are_accepted(
    service: EmulatedService, executor_body: dict[str, Any], sampler_body: dict[str, Any]
) -> None:
    for body in (executor_body, sampler_body):
        answer = call(service, "POST", "/jobs", json=body)
        assert answer.status_code == 200
        assert answer.json()["backend"] == DEVICE
        assert answer.json()["id"] == service.jobs[-1].id


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("often", 1, "often: Extra inputs"),
        ("program_id", "estimator", "program_id: Input should be 'executor' or 'sampler'"),
        ("tags", "one", "tags: Input should be a valid array"),
        ("tags", [1], "tags.0: Input should be a valid string"),
        ("cost", 0, "cost"),
        ("private", "yes", "private"),
        ("params.schema_version", "v1.1", "only 'v2.0' is emulated"),
        ("params.more", 1, "params.more: unknown to schema v2.0"),
        ("params.options.repdelay", 1e-4, "params.options.repdelay: unknown"),
        ("params.options.rep_delay", 1.0, "rep_delay = 1 s"),
        ("params.options.scheduler_timing", True, "scheduler_timing is not emulated"),
        ("params.quantum_program.items.0.more", 1, "params.quantum_program.items.0.more: unknown"),
        ("params.quantum_program.shots", 0, "quantum_program.shots"),
        ("params.quantum_program.shots", 100_001, "allows 100000"),
        ("params.quantum_program.meas_level", "kerneled", "only 'classified'"),
        ("params.quantum_program.items.0.circuit_arguments.shape", [3, 1], "inconsistent"),
        ("params.quantum_program.circuits.b64_data", "", "cannot be decoded"),
    ],
)
def test_executor(
    service: EmulatedService, executor_body: dict[str, Any], path: str, value: Any, message: str
) -> None:
    refused(service, changed(executor_body, path, value), message=message)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("params.more", 1, "more: Extra inputs"),
        ("params.version", 1, "version"),
        ("params.options.more", 1, "options.more: Extra inputs"),
        ("params.options.execution", {"meas_type": "kerneled"}, "only 'classified'"),
        ("params.pubs.0.2", 0, "pubs.0.2"),
        ("params.pubs.0.2", None, "pubs.0.2"),
        ("params.pubs.0.0", "OPENQASM 3.0;", "not emulated"),
    ],
)
def test_sampler(
    service: EmulatedService, sampler_body: dict[str, Any], path: str, value: Any, message: str
) -> None:
    refused(service, changed(sampler_body, path, value), message=message)


def test_columns_that_do_not_fit_the_circuit(
    service: EmulatedService, sampler_body: dict[str, Any]
) -> None:
    array = json.loads(json.dumps(np.ones((3, 5)), cls=RuntimeEncoder))
    message = "(3, 5) do not fit 2 circuit parameters"
    refused(service, changed(sampler_body, "params.pubs.0.1", array), message=message)


def test_a_body_that_is_no_json(service: EmulatedService) -> None:
    answer = call(service, "POST", "/jobs", data="{")
    assert answer.status_code == 400
    assert "JSON" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/sessions", {"json": {"mode": "fast", "backend": DEVICE}}, 400),
        ("POST", "/sessions", {"json": {"mode": "batch", "backend": "ibm_none"}}, 404),
        ("POST", "/sessions", {"json": {"mode": "batch", "backend": DEVICE, "x": 1}}, 400),
        ("PATCH", "/sessions/none", {"json": {"accepting_jobs": False}}, 404),
        ("GET", "/sessions/none", {}, 404),
        ("PUT", "/jobs/none/tags", {"json": {"tags": ["a"], "more": 1}}, 400),
        ("PUT", "/jobs/none/tags", {"json": {"tags": ["a"]}}, 404),
        ("GET", "/jobs?limit=0", {}, 400),
        ("GET", "/jobs?colour=red", {}, 400),
        ("GET", "/jobs?created_after=yesterday", {}, 400),
        ("GET", "/jobs?created_after=2020-01-01T00:00:00%2B00:00", {}, 200),
        ("GET", "/jobs/none", {}, 404),
        ("GET", "/backends/ibm_none/status", {}, 404),
        ("GET", "/workloads", {}, 404),
    ],
)
def test_other_requests(
    service: EmulatedService, method: str, path: str, content: dict[str, Any], status: int
) -> None:
    answer = call(service, method, path, **content)
    assert answer.status_code == status
    assert status == 200 or answer.json()["error"]["message"]


def test_who_asks(service: EmulatedService) -> None:
    url = service.base_url + "/api/v1/backends"
    token = requests.post(service.base_url + "/identity/token", timeout=10).json()["access_token"]
    good = {"Authorization": f"Bearer {token}", "Service-CRN": service.instance}
    assert requests.get(url, headers=good, timeout=10).status_code == 200
    for change, status in (
        ({"Service-CRN": "crn:v1:other"}, 403),
        ({"Authorization": "apikey secret"}, 401),
        ({"Authorization": "Bearer nonsense"}, 401),
    ):
        answer = requests.get(url, headers=good | change, timeout=10)
        assert answer.status_code == status
        assert "secret" not in answer.text
