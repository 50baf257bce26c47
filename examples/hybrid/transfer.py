"""Transfer learning: a classical part trained, saved, frozen by name; a quantum part attached.

The classical part learns the sine, the new task is the damped oscillation, with few sequences.

    python -m examples.hybrid.transfer [--quick]
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from examples.hybrid.common import (
    SEEDS,
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
from qrnn_qiskit.torch import QuantumLayer

UNITS = 4
FEW = 12


def network(middle: Any | None) -> Any:
    """Parts by name: `lstm`, then `middle` where there is one, then `head`."""
    model = torch.nn.Sequential()
    model.add_module("lstm", LastOfLSTM(torch.nn.LSTM(1, UNITS, batch_first=True)))
    if middle is not None:
        model.add_module("middle", middle)
    model.add_module("head", torch.nn.Linear(UNITS, 1))
    return model


def load_part(model: Any, path: Path, prefix: str) -> None:
    """Load what begins with a name, and nothing else."""
    part = {k: v for k, v in torch.load(path).items() if k.startswith(prefix)}
    found = model.load_state_dict(part, strict=False)
    if found.unexpected_keys or any(name.startswith(prefix) for name in found.missing_keys):
        raise ValueError(f"{path} does not fit: {found}")


def freeze(model: Any, prefix: str) -> None:
    """Train no more what begins with a name."""
    for name, parameter in model.named_parameters():
        if name.startswith(prefix):
            parameter.requires_grad_(False)


def run(quick: bool) -> Table:
    """The new task from few sequences, with and without what was learned before."""
    old, new = windows(series("sine")), windows(series("damped"))
    epochs = 3 if quick else 150
    makers: dict[str, Any] = {
        "frozen LSTM, quantum layer": lambda: QuantumLayer(UNITS, 2),
        "frozen LSTM, dense layer": lambda: torch.nn.Linear(UNITS, UNITS),
        "frozen LSTM, head alone": lambda: None,
        "all from scratch, quantum layer": lambda: QuantumLayer(UNITS, 2),
    }
    errors: dict[str, list[float]] = {name: [] for name in makers}
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classical.pt"
        for seed in SEEDS[: 1 if quick else 3]:
            torch.manual_seed(seed)
            classical = network(None)
            train(classical, old.x, old.y, epochs=epochs, learning_rate=0.02)
            torch.save(classical.state_dict(), path)
            for name, make in makers.items():
                torch.manual_seed(seed + 100)
                model = network(make())
                if name.startswith("frozen"):
                    load_part(model, path, "lstm.")
                    freeze(model, "lstm.")
                counts[name] = weights_of(model)
                before = model.lstm.layer.weight_hh_l0.clone()
                train(model, new.x[:FEW], new.y[:FEW], epochs=epochs, learning_rate=0.02)
                if name.startswith("frozen") != torch.equal(before, model.lstm.layer.weight_hh_l0):
                    raise RuntimeError(f"{name}: the wrong weights were trained")
                errors[name].append(mse(model(new.test_x), new.test_y))
    rows: list[tuple[Any, ...]] = [(n, counts[n], spread(e)) for n, e in errors.items()]
    return Table(("network", "trained weights", "held-out MSE of the new task"), rows)


if __name__ == "__main__":
    main(run)
