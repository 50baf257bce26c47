"""CPU time of one training step: circuits in recurrent cells, in one batch and one by one.

python -m examples.hybrid.timing [--quick]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from examples.hybrid.common import Table, main
from qrnn_qiskit.torch import QGRU, QLSTM, QRNN, QuantumLayer

BATCH, STEPS, QUBITS, LAYERS = 32, 4, 4, 2


class OneByOne(torch.nn.Module):
    """A bank of circuits, each of them run by itself."""

    def __init__(self, circuits: int) -> None:
        super().__init__()
        self.parts = torch.nn.ModuleList(
            QuantumLayer(QUBITS, LAYERS, form="chen") for _ in range(circuits)
        )

    def forward(self, x: Any) -> Any:
        """`[..., G, K]` from `[..., K]`."""
        return torch.stack([part(x) for part in self.parts], dim=-2)


def one_by_one() -> Any:
    """A QLSTM whose circuits are not batched."""
    model = QLSTM(1, 3, batch_first=True)
    model.gates, model.last = OneByOne(4), OneByOne(2)
    return model


MODELS: dict[str, Callable[[], Any]] = {
    "QLSTM, 6 circuits": lambda: QLSTM(1, 3, batch_first=True),
    "QLSTM, 6 circuits one by one": one_by_one,
    "QGRU": lambda: QGRU(1, 3, qubits=4, batch_first=True),
    "QRNN (reupload)": lambda: QRNN("reupload", batch_first=True),
    "LSTM": lambda: torch.nn.LSTM(1, 5, batch_first=True),
}


def run(quick: bool) -> Table:
    """Forward and backward on 32 sequences of four steps: least CPU time of some."""
    x = torch.rand(BATCH, STEPS, 1)
    rows: list[tuple[Any, ...]] = []
    for name, make in MODELS.items():
        torch.manual_seed(1)
        model, times = make(), list[float]()
        for _ in range(2 if quick else 12):
            began = time.process_time()
            found = model(x)
            (found[0] if isinstance(found, tuple) else found).sum().backward()
            times.append(time.process_time() - began)
        rows.append((name, f"{1000 * np.min(times):.3g}"))
    return Table(("model", "CPU time, ms"), rows)


if __name__ == "__main__":
    main(run)
