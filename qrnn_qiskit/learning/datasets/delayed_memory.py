"""Random inputs to be repeated later: what a network's memory capacity is measured with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np

from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.datasets._series import Natural, Positive, Windows

_DATA_STREAM: Final = 0


@final
@dataclass(frozen=True, slots=True)
class DelayedMemory(Windows):
    """u_t uniform in [-1, 1]; the targets are u_t, u_t-1, …, u_t-delays.

    The sum of the squared correlations of predictions and targets with delay >= 1 is the linear
    memory capacity (Jaeger, GMD report 152, 2001); it is at most the number of read values.

    Attributes:
        delays: the longest delay.
        points: number of samples.
    """

    delays: Positive = 8
    points: Positive = 600
    horizon: Natural = 0
    window: Positive = 40
    stride: Positive = 20

    def load(self, seed: int) -> Splits:
        """The three parts; `seed` draws the inputs."""
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_DATA_STREAM,)))
        u = random.uniform(-1.0, 1.0, self.delays + self.points)
        kept = np.arange(self.delays, len(u))
        targets = {f"u(t-{k})": u[kept - k] for k in range(1, self.delays + 1)}
        return self._cut({"u": u[kept]}, {"u": u[kept], **targets}, kept, "the random series")


PROVIDES = DelayedMemory
