"""Circuits inside the recurrent cell: QLSTM and QGRU beside LSTM and GRU of as many weights.

Tasks of arXiv:2009.01783: the next value of a sine, a damped oscillation, a Bessel function J2 and
NARMA-5 from the last four; the later third is held out.

    python -m examples.hybrid.gated [--quick]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from examples.hybrid.common import (
    SEEDS,
    Data,
    LastOfLSTM,
    Table,
    main,
    mse,
    series,
    spread,
    train,
    weights_of,
    windows,
)
from qrnn_qiskit.torch import QGRU, QLSTM

TASKS = ("sine", "damped", "bessel", "narma")
MODELS: dict[str, Callable[[], tuple[Any, int]]] = {
    "QLSTM, 6 circuits": lambda: (QLSTM(1, 3, batch_first=True), 4),
    "QLSTM, 4 circuits": lambda: (QLSTM(1, 2, circuits=4, qubits=3, batch_first=True), 2),
    "QGRU": lambda: (QGRU(1, 3, qubits=4, batch_first=True), 3),
    "LSTM": lambda: (torch.nn.LSTM(1, 5, batch_first=True), 5),
    "GRU": lambda: (torch.nn.GRU(1, 6, batch_first=True), 6),
}


def network(name: str) -> Any:
    """A recurrent layer and a linear head on its last output."""
    layer, size = MODELS[name]()
    return torch.nn.Sequential(LastOfLSTM(layer), torch.nn.Linear(size, 1))


# The shortest training for all, and four times that for the slowest and the quickest to compare.
TRAININGS = [*((name, 40) for name in MODELS), ("QLSTM, 6 circuits", 160), ("LSTM", 160)]


def row(name: str, epochs: int, tasks: dict[str, Data], quick: bool) -> tuple[Any, ...]:
    """One model: its weights and its held-out errors on all tasks."""
    cells, count = list[str](), 0
    for data in tasks.values():
        errors = []
        for seed in SEEDS[: 1 if quick else 2]:
            torch.manual_seed(seed)
            model = network(name)
            count = weights_of(model)
            steps = 1 if quick else epochs
            train(model, data.x, data.y, epochs=steps, learning_rate=0.03, batch_size=39)
            errors.append(mse(model(data.test_x), data.test_y))
        cells.append(spread(errors))
    return name, count, epochs, *cells


def run(quick: bool) -> Table:
    """Held-out errors of all models on all tasks."""
    columns = ("model", "weights", "epochs", *(f"{task}: held-out MSE" for task in TASKS))
    tasks = {task: windows(series(task, 30 if quick else 120)) for task in TASKS}
    rows = [row(name, epochs, tasks, quick) for name, epochs in TRAININGS]
    found = [data.baselines() for data in tasks.values()]
    for name in found[0]:
        count = 0 if name == "last value" else 5
        rows.append((name, count, 0, *(f"{each[name]:.2g}" for each in found)))
    return Table(columns, rows)


if __name__ == "__main__":
    main(run)
