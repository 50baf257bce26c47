"""Runs of the command line against the emulated service, killed where a test says.

`forking` starts the process from which the runs are forked.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qrnn_qiskit.emulator import AerRunner, EmulatedService
from qrnn_qiskit.run.record.ledger import Ledger
from tests.integration.forking import TOKEN, Forker, die_at, hurry, serve
from tests.unit.run.small import write_job

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


class Zygote(Forker):
    """The process that forks a child for each run of a command."""

    module = "tests.integration.service_harness"

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
        }
        return Ended(
            self.ask(command),
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
    """Import everything, then fork."""
    import qrnn_qiskit.cli.app
    import qrnn_qiskit.execution.backends.ibm_service
    import qrnn_qiskit.plot.run
    import qrnn_qiskit.run.jobs  # noqa: F401

    serve(_child)


def _child(command: dict[str, Any]) -> None:
    import qrnn_qiskit.plot
    from qrnn_qiskit.cli import main
    from qrnn_qiskit.emulator import Address
    from qrnn_qiskit.execution.backends import ibm_client

    for descriptor, name in ((1, "out.txt"), (2, "err.txt")):
        path = os.path.join(command["folder"], name)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
    os.environ.update(command["environment"])
    address = Address(command["base_url"], command["instance"])
    ibm_client.arguments.update(command["kwargs"] or address.client_kwargs(TOKEN))
    hurry(POST_TIMEOUT_S=2.0, READ_TIMEOUT_S=2.0, **command["constants"])
    qrnn_qiskit.plot.plot_run = (
        lambda run_dir, out=None: []
    )  # half a second that is not asked about
    die_at(command["kill"], command["nth"])
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
