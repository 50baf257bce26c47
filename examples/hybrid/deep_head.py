"""A quantum layer before and after deep dense layers with dropout.

The next value of NARMA-5 from the last four: quantum layer first, last, and not at all.

    python -m examples.hybrid.deep_head [--quick]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from examples.hybrid.common import (
    SEEDS,
    WINDOW,
    Table,
    main,
    mse,
    series,
    spread,
    train,
    weights_of,
    windows,
)
from qrnn_qiskit.torch import QuantumLayer


def deep(inputs: int, outputs: int) -> list[Any]:
    """Two hidden layers with dropout."""
    nn = torch.nn
    return [
        nn.Linear(inputs, 32),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(32, 32),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(32, outputs),
    ]


NETWORKS: dict[str, Callable[[], list[Any]]] = {
    "quantum first, deep head": lambda: [QuantumLayer(WINDOW, 2), *deep(WINDOW, 1)],
    "deep first, quantum last": lambda: [
        *deep(WINDOW, WINDOW),
        QuantumLayer(WINDOW, 2),
        torch.nn.Linear(WINDOW, 1),
    ],
    "quantum and a linear head": lambda: [QuantumLayer(WINDOW, 2), torch.nn.Linear(WINDOW, 1)],
    "deep alone": lambda: deep(WINDOW, 1),
}


def run(quick: bool) -> Table:
    """Held-out errors with the same training for all."""
    data = windows(series("narma", 40 if quick else 120))
    rows: list[tuple[Any, ...]] = []
    for name, parts in NETWORKS.items():
        errors, count = list[float](), 0
        for seed in SEEDS[: 1 if quick else 3]:
            torch.manual_seed(seed)
            model = torch.nn.Sequential(torch.nn.Flatten(), *parts())
            count = weights_of(model)
            epochs = 3 if quick else 200
            train(model, data.x, data.y, epochs=epochs, learning_rate=0.01)
            errors.append(mse(model(data.test_x), data.test_y))
        rows.append((name, count, spread(errors)))
    rows += [(name, "", f"{error:.2g}") for name, error in data.baselines().items()]
    return Table(("network", "weights", "held-out MSE"), rows)


if __name__ == "__main__":
    main(run)
