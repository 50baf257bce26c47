"""Torch loops in processes of their own, killed where a test says.

`forking` starts the process from which they are forked. A child writes what it ended with to
`result.json`.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from qrnn_qiskit.emulator import EmulatedService
from tests.integration.forking import TOKEN, Forker, die_at, hurry, serve

STEPS = 2
PATIENCE_S = 300  # a child that hangs must not hang the tests


class Loops(Forker):
    """The process that forks a child for each loop."""

    module = "tests.integration.torch_loop"

    def run(
        self,
        run: Path,
        executor: str,
        service: EmulatedService | None = None,
        *,
        kill: str = "",
        nth: int = 1,
        **changes: Any,
    ) -> dict[str, Any]:
        """Train; killed when it reaches a point of the ledger for the nth time.

        Returns:
            What the loop ended with, and its exit `code` (minus the signal).
        """
        command: dict[str, Any] = {
            "run": str(run),
            "executor": executor,
            "kill": kill,
            "nth": nth,
            "changes": changes,
        }
        if service is not None:
            command["environment"] = service.client_environment
            command["address"] = [service.base_url, service.instance]
        (self.folder / "result.json").write_text("{}", encoding="utf-8")
        code = self.ask(command)
        found = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
        return {"code": code, **found}


def train(
    run: str,
    executor: str,
    *,
    steps: int = STEPS,
    learning_rate: float = 0.1,
    qpu_seconds: float | None = 500.0,
    shots: int | None = None,
    checkpoint: str | None = None,
    wait: bool = True,
) -> dict[str, Any]:
    """The script: a layer between a classical layer and a loss, Adam, a few steps.

    With `checkpoint` it saves its state after each step, and begins from what is saved.
    """
    import torch

    from qrnn_qiskit import ScriptRun
    from qrnn_qiskit.torch import QRNN

    torch.set_num_threads(1)
    torch.manual_seed(3)
    x = torch.rand(2, 2, 1)
    record = ScriptRun(run, qpu_seconds=qpu_seconds, shots=shots, wait=wait)
    layer = QRNN("parity2", batch_first=True, executor=executor, shots=8, seed=5, run=record)
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Tanh(), layer)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    done = 0
    if checkpoint is not None and os.path.exists(checkpoint):
        saved = torch.load(checkpoint)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        done = saved["done"]
    for step in range(done, steps):
        optimizer.zero_grad()
        torch.mean((model(x)[:, -1] - 0.3) ** 2).backward()
        optimizer.step()
        if checkpoint is not None:
            parts = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**parts, "done": step + 1}, checkpoint + ".part")
            os.replace(checkpoint + ".part", checkpoint)
    found = {
        "parameters": [p.tolist() for p in model.parameters()],
        "shots": record.shots,
        "shots_used": layer.shots_used,
        "began_at": done,
        "qpu_seconds": record.qpu_seconds,
        "qpu_jobs": record.qpu_jobs,
    }
    record.close()
    return found


def _serve() -> None:
    """Import everything, then fork."""
    # Only imports: a thread pool that the parent has started would be dead in its children.

    import qrnn_qiskit.execution.backends.aer
    import qrnn_qiskit.execution.backends.ibm_service
    import qrnn_qiskit.torch  # noqa: F401

    serve(_child)


def _child(command: dict[str, Any]) -> None:
    from qrnn_qiskit.emulator import Address
    from qrnn_qiskit.errors import QRNNError
    from qrnn_qiskit.execution.backends import ibm_client

    signal.alarm(PATIENCE_S)
    if "address" in command:
        os.environ.update(command["environment"])
        ibm_client.arguments.update(Address(*command["address"]).client_kwargs(TOKEN))
    hurry()
    die_at(command["kill"], command["nth"])
    code = 1
    try:
        found = train(command["run"], command["executor"], **command["changes"])
        code = 0
    except QRNNError as error:
        found, code = {"error": str(error)}, error.exit_code
    except BaseException as error:
        found = {"error": repr(error)}
    finally:
        path = Path(command["folder"]) / "result.json"
        path.write_text(json.dumps(found), encoding="utf-8")
        os._exit(code)


if __name__ == "__main__":
    _serve()
