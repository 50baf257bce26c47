"""Runs of the command line against the emulated service, killed where a test says.

A process that has imported everything forks a child for each run, so that a real SIGKILL costs no
second start of the interpreter.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from qrnn_qiskit.emulator import AerRunner, EmulatedService
from qrnn_qiskit.run.record.ledger import Ledger
from tests.unit.run.small import write_job

ROOT = Path(__file__).parents[2]
TOKEN = "planted-token-that-nobody-must-ever-see"
GRACE_S = 0.6
DEVICE = "ibm_quito"  # of five qubits: its snapshot is read in no time
POINTS = (
    "before intent",
    "intent",
    "before sending",
    "sending",
    "before submitted",
    "submitted",
    "before result",
    "payload",
    "completed",
)


def write_training(folder: Path, **tables: Any) -> Path:
    """A training of one step on a small device: the gradient and the test, two requests."""
    random = np.random.default_rng(3)
    data: dict[str, Any] = {}
    for prefix, count in (("", 1), ("test_", 1)):
        data[f"{prefix}features"] = random.uniform(-0.9, 0.9, (count, 2, 1))
        data[f"{prefix}targets"] = random.uniform(-0.5, 0.5, (count, 2, 1))
    np.savez(folder / "data.npz", **data)
    base: dict[str, Any] = {
        "backend": {"name": DEVICE, "shots": 8},
        "gradient": {"method": "parameter_shift"},
        "training": {"steps": 1},
        "budget": {"qpu_seconds": 500.0},
    }
    return write_job(folder, **{**base, **tables})


@dataclass
class Ended:
    """How a command ended: its exit code, or minus the signal."""

    code: int
    out: str
    err: str


@dataclass
class Zygote:
    """The process that forks; a context manager."""

    folder: Path
    _process: subprocess.Popen[str] | None = field(default=None)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.service_harness"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(self.folder)},
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def qrnn(
        self,
        service: EmulatedService,
        *arguments: str,
        kill: str = "",
        nth: int = 1,
        proxy: bool = False,
        **constants: float,
    ) -> Ended:
        """Run a command; killed when it reaches a point of the ledger for the nth time."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        kwargs = service.proxy_kwargs(TOKEN) if proxy else {"url": service.base_url}
        environment = service.proxy_environment if proxy else service.client_environment
        command = {
            "arguments": arguments,
            "kill": kill,
            "nth": nth,
            "base_url": service.base_url,
            "instance": service.instance,
            "kwargs": kwargs if proxy else None,
            "environment": environment,
            "constants": constants,
            "folder": str(self.folder),
        }
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return Ended(
            code,
            (self.folder / "out.txt").read_text(encoding="utf-8"),
            (self.folder / "err.txt").read_text(encoding="utf-8"),
        )


def ideal_service(**options: Any) -> EmulatedService:
    """A service without noise: a job takes milliseconds."""
    return EmulatedService([DEVICE], runner=AerRunner(noise=False), **options)


def result(run: Path) -> dict[str, Any]:
    """All of a finished run that must not depend on interruptions."""
    with np.load(run / "predictions.npz", allow_pickle=False) as stored:
        predictions = {name: stored[name].tolist() for name in stored.files}
    ledger = Ledger(run, looking=True)
    results = {
        (row.address, row.block): row.result for row in ledger.jobs() if row.state == "completed"
    }
    ledger.close()
    return {
        "weights": (run / "weights.json").read_text(encoding="utf-8"),
        "predictions": predictions,
        "results": results,
    }


def _serve() -> None:
    """Read commands, fork for each, say how it ended."""
    import qrnn_qiskit.cli.app
    import qrnn_qiskit.execution.backends.ibm_service
    import qrnn_qiskit.plot.run
    import qrnn_qiskit.run.jobs  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _child(json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _child(command: dict[str, Any]) -> None:
    import qrnn_qiskit.plot
    from qrnn_qiskit.cli import main
    from qrnn_qiskit.emulator import Address
    from qrnn_qiskit.execution.backends import ibm_client
    from qrnn_qiskit.run.record import ledger
    from qrnn_qiskit.run.service import submission, waiting

    for descriptor, name in ((1, "out.txt"), (2, "err.txt")):
        path = os.path.join(command["folder"], name)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
    os.environ.update(command["environment"])
    address = Address(command["base_url"], command["instance"])
    ibm_client.arguments.update(command["kwargs"] or address.client_kwargs(TOKEN))
    constants: dict[str, float] = {
        "FIRST_POLL_S": 0.02,
        "LAST_POLL_S": 0.2,
        "GRACE_S": GRACE_S,
        "POST_TIMEOUT_S": 2.0,
        "READ_TIMEOUT_S": 2.0,
        **command["constants"],
    }
    for name, value in constants.items():
        for module in (submission, waiting, ibm_client):
            if hasattr(module, name):
                setattr(module, name, value)
    qrnn_qiskit.plot.plot_run = (
        lambda run_dir, out=None: []
    )  # half a second that is not asked about
    left = command["nth"]

    def reached(point: str) -> None:
        nonlocal left
        if point == command["kill"]:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    ledger.reached = reached
    code = 1
    try:
        main(command["arguments"])
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
