"""What the examples share: series, windows, a training loop, tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import jv

WINDOW = 4
HELD_OUT = 1 / 3
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Table:
    """Rows of an example's results."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [self.columns, tuple("---" for _ in self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(_shown(value) for value in line)} |" for line in lines)


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def series(name: str, length: int = 120) -> Any:
    """A series, scaled to [-1, 1]: sine, damped, bessel or narma.

    NARMA of order 5 is driven by three sines as in arXiv:2009.01783.
    """
    t = np.arange(length)
    if name == "sine":
        values = np.sin(0.3 * t)
    elif name == "damped":
        values = np.exp(-0.02 * t) * np.cos(0.4 * t)
    elif name == "bessel":
        values = jv(2, 0.4 * t)
    elif name == "narma":
        waves = [np.sin(2 * np.pi * f * t / 100) for f in (2.11, 3.73, 4.11)]
        u = 0.1 * (waves[0] * waves[1] * waves[2] + 1)
        values = np.zeros(length)
        for i in range(4, length - 1):
            past = values[i - 4 : i + 1].sum()
            values[i + 1] = 0.3 * values[i] + 0.05 * values[i] * past + 1.5 * u[i - 4] * u[i] + 0.1
        values = values[10:]  # the start from zeros is no part of it
    else:
        raise ValueError(name)
    low, high = values.min(), values.max()
    return torch.tensor((2 * values - low - high) / (high - low), dtype=torch.float32)


@dataclass(frozen=True)
class Data:
    """Windows `[N, WINDOW, 1]` and the next values `[N, 1]`; the later part is held out."""

    x: Any
    y: Any
    test_x: Any
    test_y: Any

    def baselines(self) -> dict[str, float]:
        """Held-out mean squared errors of the last value, and of a linear map of the window."""
        x, test = (torch.cat([a[:, :, 0], torch.ones(len(a), 1)], 1) for a in (self.x, self.test_x))
        linear = torch.linalg.lstsq(x.double(), self.y.double()).solution
        return {
            "last value": mse(self.test_x[:, -1], self.test_y),
            "linear": mse(test.double() @ linear, self.test_y),
        }


def windows(values: Any) -> Data:
    """Windows of a series with the value that follows."""
    parts = values.unfold(0, WINDOW + 1, 1)
    cut = round(len(parts) * (1 - HELD_OUT))
    x, y = parts[:, :WINDOW, None], parts[:, WINDOW:]
    return Data(x[:cut], y[:cut], x[cut:], y[cut:])


def mse(found: Any, wanted: Any) -> float:
    """Mean squared error."""
    return float(torch.mean((found.detach() - wanted) ** 2))


def train(
    model: Any,
    x: Any,
    y: Any,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int | None = None,
) -> None:
    """Train with Adam on the mean squared error."""
    chosen = [p for p in model.parameters() if p.requires_grad and p.numel()]
    optimizer = torch.optim.Adam(chosen, lr=learning_rate)
    size = batch_size or len(x)
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for start in range(0, len(x), size):
            places = order[start : start + size]
            optimizer.zero_grad()
            torch.mean((model(x[places]) - y[places]) ** 2).backward()
            torch.nn.utils.clip_grad_norm_(chosen, 1.0)
            optimizer.step()
    model.eval()


def weights_of(model: Any) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def spread(values: Sequence[float]) -> str:
    """Median and range over seeds."""
    return f"{np.median(values):.2g} ({min(values):.2g} ... {max(values):.2g})"


class LastOfLSTM(torch.nn.Module):
    """The last hidden values of an LSTM or a GRU, which take `[B, T, F]`."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        """`[B, H]`."""
        return self.layer(x)[0][:, -1]


def main(run: Callable[[bool], Table]) -> None:
    """Run one example from the command line."""
    parser = argparse.ArgumentParser(description=run.__doc__)
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    torch.set_num_threads(1)
    print(run(parser.parse_args().quick).markdown())
