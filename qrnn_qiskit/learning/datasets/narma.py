"""NARMA: a nonlinear moving average with memory (Atiya and Parlos, IEEE TNN 11, 697, 2000)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, final

import numpy as np
from pydantic import Field

from qrnn_qiskit.errors import DataError
from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.datasets._series import Natural, Positive, Windows

_DISCARDED: Final = 100
_DATA_STREAM: Final = 0


@final
@dataclass(frozen=True, slots=True)
class Narma(Windows):
    """y_t+1 = 0.3 y_t + 0.05 y_t sum_{i<n} y_t-i + 1.5 u_t-n+1 u_t + 0.1; from u_t tell y_t+1.

    The first 100 samples are left out.

    Attributes:
        order: n, 5 or 10 in the literature.
        input: `random`, uniform in [0, 0.5]; or `sines`, 0.1 (sin sin sin + 1) with frequencies
            2.11, 3.73 and 4.11 per 100 samples, as used for quantum reservoirs and networks.
        points: number of samples.
    """

    order: Annotated[int, Field(ge=2, le=10)] = 5
    input: Literal["random", "sines"] = "random"
    points: Positive = 500
    horizon: Natural = 1

    def load(self, seed: int) -> Splits:
        """The three parts; `times` are the t of the targets. `seed` draws a random input.

        Raises:
            DataError: if the recursion diverges, as it does for rare inputs of order 10.
        """
        total = _DISCARDED + self.points
        if self.input == "random":
            random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_DATA_STREAM,)))
            u = random.uniform(0.0, 0.5, total)
        else:
            turns = 2.0 * np.pi * np.arange(total) / 100.0
            u = 0.1 * (np.sin(2.11 * turns) * np.sin(3.73 * turns) * np.sin(4.11 * turns) + 1.0)
        y = np.zeros(total)
        n = self.order
        for t in range(n - 1, total - 1):
            recent = y[t - n + 1 : t + 1].sum()
            y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * recent + 1.5 * u[t - n + 1] * u[t] + 0.1
            if y[t + 1] > 10.0:
                raise DataError(
                    f"NARMA of order {n} diverges with seed = {seed}: choose another seed"
                )
        kept = slice(_DISCARDED, None)
        times = np.arange(total, dtype=np.float64)[kept]
        return self._cut({"u": u[kept]}, {"y": y[kept]}, times, "the NARMA series")


PROVIDES = Narma
