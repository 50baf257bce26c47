"""Warm start: exact, then noisy with shots, then a device, all from one checkpoint.

The device is the emulated service, which the real client talks to; with an account, leave the
service out and name your device. A run keeps ledger and budget, so that the last stage can be
killed and started again.

    python -m examples.hybrid.warm_start [--quick]
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

import qrnn_qiskit as qrnn
from examples.hybrid.common import Table, main, mse, series, windows
from qrnn_qiskit import ScriptRun
from qrnn_qiskit.emulator import EmulatedService
from qrnn_qiskit.execution.backends import ibm_client
from qrnn_qiskit.torch import QRNN

DEVICE = "ibm_quito"
CELL = ("hardware_efficient", {"n_hidden": 1, "layers": 1})


class Forecast(torch.nn.Module):
    """A recurrent circuit and a linear head on its last output."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.quantum = QRNN(qrnn.build_cell(*CELL), batch_first=True, **options)
        self.head = torch.nn.Linear(1, 1)

    def forward(self, x: Any) -> Any:
        """The next value `[B, 1]` of `[B, T, 1]`."""
        return self.head(self.quantum(x)[:, -1])


def learn(model: Any, data: Any, steps: int, learning_rate: float) -> None:
    """Steps of Adam on four sequences each."""
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for _ in range(steps):
        places = torch.randperm(len(data.x))[:4]
        optimizer.zero_grad()
        torch.mean((model(data.x[places]) - data.y[places]) ** 2).backward()
        optimizer.step()


def run(quick: bool) -> Table:
    """Errors after each stage, all under the device's noise, worked out exactly."""
    data = windows(series("sine", 40))
    noise = qrnn.named_device_noise("fake_quito", idle=False)
    judge = Forecast(executor=qrnn.ExactExecutor(noise))

    def error(model: Any) -> float:
        keep = ("quantum.weights", "head.weight", "head.bias")
        judge.load_state_dict({**judge.state_dict(), **{k: model.state_dict()[k] for k in keep}})
        return mse(judge(data.test_x), data.test_y)

    rows: list[tuple[Any, ...]] = []

    def stage(name: str, model: Any, steps: int, rate: float, before: Path | None) -> None:
        if before is not None:
            model.load_state_dict(torch.load(before))
        start, shots = error(model), model.quantum.shots_used
        learn(model, data, steps, rate)
        torch.save(model.state_dict(), checkpoint)
        record = model.quantum.run
        seconds = "" if record is None else f"{record.qpu_seconds:.1f}"
        jobs = "" if record is None else record.qpu_jobs
        spent = model.quantum.shots_used - shots
        rows.append((name, steps, start, error(model), f"{spent:,}", jobs, seconds))

    with (
        tempfile.TemporaryDirectory() as folder,
        EmulatedService([DEVICE]) as service,
        service.environment(),
    ):
        ibm_client.arguments.update(service.client_kwargs())  # in the place of a saved account
        checkpoint = Path(folder) / "checkpoint.pt"
        torch.manual_seed(2)
        few = 2 if quick else 4
        stage("exact", Forecast(), 5 if quick else 150, 0.05, None)
        noisy = Forecast(executor=qrnn.ExactExecutor(noise), shots=1000, seed=5)
        stage("noise of the device, 1000 shots", noisy, few if quick else 20, 0.02, checkpoint)
        for name, before in (("device, warm", checkpoint), ("device, from scratch", None)):
            with ScriptRun(Path(folder) / name.replace(", ", "-"), qpu_seconds=200.0) as record:
                model = Forecast(executor=DEVICE, shots=200, seed=6, run=record)
                stage(name, model, few, 0.005, before)
        ibm_client.arguments.clear()
    columns = ("stage", "steps", "MSE before", "MSE after", "shots", "QPU jobs", "QPU seconds")
    return Table(columns, rows)


if __name__ == "__main__":
    main(run)
