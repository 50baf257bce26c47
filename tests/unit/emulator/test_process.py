"""The service as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from qrnn_qiskit.emulator import Address
from tests.emulated import call


def test_it_prints_its_address_and_obeys_its_faults(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('[{"route": "GET /backends", "action": "status", "nth": 2, "status": 418}]')
    options = ["--backend", "ibm_fez", "--backend", "ibm_torino", "--ideal"]
    options += ["--state", str(tmp_path / "state"), "--faults", str(faults), "--usage-limit", "5"]
    command = [sys.executable, "-m", "qrnn_qiskit.emulator", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            printed = json.loads(process.stdout.readline())
            service = Address(printed["base_url"], printed["instance"])
            devices = call(service, "GET", "/backends").json()["devices"]
            assert [device["name"] for device in devices] == ["ibm_fez", "ibm_torino"]
            assert call(service, "GET", "/backends").status_code == 418
            assert call(service, "GET", "/instances/usage").json()["usage_limit_seconds"] == 5
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    assert (tmp_path / "state" / "jobs").is_dir()


def test_a_wrong_option_is_one_line() -> None:
    command = [sys.executable, "-m", "qrnn_qiskit.emulator", "--backend", "ibm_marakesh"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "fake_marrakesh" in done.stderr
    assert "Traceback" not in done.stderr
