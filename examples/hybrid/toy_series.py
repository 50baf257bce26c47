"""LSTM, quantum layer, dense head on 10, 20, ..., 90: the stack that did not train, and why.

As asked in forums: raw values, outputs of the circuit between -1 and 1, a dense head with ReLU.
Here beside it: values and targets scaled to [-1, 1] and a linear head, which scales the outputs
back; and both without the quantum layer.

    python -m examples.hybrid.toy_series [--quick]
"""

from __future__ import annotations

from typing import Any

import torch

from examples.hybrid.common import SEEDS, LastOfLSTM, Table, main, mse, spread, train, weights_of
from qrnn_qiskit.torch import QuantumLayer

UNITS = 4


def network(quantum: bool, rescaled: bool) -> Any:
    """LSTM, quantum layer or none, dense head."""
    parts: list[Any] = [LastOfLSTM(torch.nn.LSTM(1, UNITS, batch_first=True))]
    parts += [QuantumLayer(UNITS, 2)] * quantum
    parts += [torch.nn.Linear(UNITS, 1)]
    parts += [torch.nn.ReLU()] * (not rescaled)
    return torch.nn.Sequential(*parts)


def run(quick: bool) -> Table:
    """The four networks on windows of three values."""
    values = torch.arange(10.0, 100.0, 10.0)
    parts = values.unfold(0, 4, 1)
    rows = []
    for quantum in (True, False):
        for rescaled in (False, True):
            errors, nexts, count = list[float](), list[float](), 0
            middle, scale = (50.0, 40.0) if rescaled else (0.0, 1.0)
            x, y = (parts[:, :3, None] - middle) / scale, (parts[:, 3:] - middle) / scale
            for seed in SEEDS[: 1 if quick else 3]:
                torch.manual_seed(seed)
                model = network(quantum, rescaled)
                count = weights_of(model)
                epochs = 3 if quick else 300
                train(model, x, y, epochs=epochs, learning_rate=0.05)
                errors.append(mse(model(x), y) ** 0.5 * scale)
                last = (values[None, -3:, None] - middle) / scale
                nexts.append(float(model(last).detach()) * scale + middle)
            name = "LSTM, quantum, dense" if quantum else "LSTM, dense"
            how = "scaled, linear head" if rescaled else "raw values, ReLU head"
            rows.append((name, how, count, spread(errors), spread(nexts)))
    columns = ("network", "values", "weights", "RMSE on 40 ... 90", "next (100)")
    return Table(columns, rows)


if __name__ == "__main__":
    main(run)
