"""The Mackey-Glass equation, a chaotic delay equation (Science 197, 287, 1977)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np

from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.datasets._series import Array, Positive, Windows

_PER_UNIT: Final = 10  # integration steps per unit of time
_START: Final = 1.2
_DISCARDED: Final = 300  # units of time until the start is forgotten


@final
@dataclass(frozen=True, slots=True)
class MackeyGlass(Windows):
    """dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x(t), x = 1.2 for t <= 0.

    Integrated by the classical Runge-Kutta method with steps of 0.1, the delayed value halfway
    between two steps being their mean; the first 300 units of time are left out.

    Attributes:
        delay: 17 is mildly chaotic, 30 strongly.
        points: number of samples.
        interval: units of time from one sample to the next.
    """

    delay: Positive = 17
    points: Positive = 600
    interval: Positive = 1

    def load(self, seed: int) -> Splits:
        """The three parts; `times` are the t of the targets. The seed is not used."""
        times = _DISCARDED + np.arange(self.points) * float(self.interval)
        values = _integrate(self.delay, int(times[-1]))[(times * _PER_UNIT).astype(np.intp)]
        return self._cut({"x": values}, {"x": values}, times, "the Mackey-Glass series")


def _integrate(delay: int, end: int) -> Array:
    """Values at all multiples of the integration step from 0 to `end`."""
    step, back = 1.0 / _PER_UNIT, delay * _PER_UNIT
    x = np.full(back + end * _PER_UNIT + 1, _START)

    def slope(now: float, then: float) -> float:
        return 0.2 * then / (1.0 + then**10) - 0.1 * now

    for i in range(back, len(x) - 1):
        old, new = x[i - back], x[i - back + 1]
        middle = 0.5 * (old + new)
        k1 = slope(x[i], old)
        k2 = slope(x[i] + 0.5 * step * k1, middle)
        k3 = slope(x[i] + 0.5 * step * k2, middle)
        k4 = slope(x[i] + step * k3, new)
        x[i + 1] = x[i] + step / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return x[back:]


PROVIDES = MackeyGlass
