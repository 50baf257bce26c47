"""The service as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qrnn_qiskit.emulator import Address
from qrnn_qiskit.emulator.__main__ import main
from tests.emulated import DEVICE, call, executor_body


@contextmanager
def running(*options: str | Path) -> Iterator[tuple[subprocess.Popen[str], Address]]:
    command = [sys.executable, "-m", "qrnn_qiskit.emulator", "--ideal", *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            printed = json.loads(process.stdout.readline())
            yield process, Address(printed["base_url"], printed["instance"])
        finally:
            process.kill()


def test_killed_and_started_again(tmp_path: Path) -> None:
    """It prints its address, obeys its faults, and goes on with the jobs it was killed with."""
    faults = tmp_path / "faults.json"
    faults.write_text('[{"route": "GET /backends", "action": "status", "nth": 2, "status": 418}]')
    state = tmp_path / "state"
    devices = ["--backend", "ibm_fez", "--backend", DEVICE]
    queue = ["--queue-seconds", "1", "--usage-limit", "100"]
    with running(*devices, "--state", state, "--faults", faults, *queue) as (process, service):
        listed = call(service, "GET", "/backends").json()["devices"]
        assert [device["name"] for device in listed] == ["ibm_fez", DEVICE]
        assert call(service, "GET", "/backends").status_code == 418
        assert call(service, "GET", "/instances/usage").json()["usage_limit_seconds"] == 100
        job_id = call(service, "POST", "/jobs", json=executor_body()).json()["id"]
        process.kill()
    port = service.base_url.rpartition(":")[2]
    with running(*devices, "--state", state, "--port", port) as (process, again):
        assert again == service
        deadline = time.monotonic() + 60
        while call(again, "GET", f"/jobs/{job_id}").json()["state"]["status"] != "Completed":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert call(again, "GET", f"/jobs/{job_id}/results").json()["schema_version"] == "v2.0"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_a_wrong_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--backend", "ibm_marakesh"])
    assert exit_.value.code == 2
    assert "fake_marrakesh" in capsys.readouterr().err
