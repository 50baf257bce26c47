"""Cross prediction of the Lorenz system: from x tell y and z."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.datasets._series import Positive, PositiveFloat, Windows

_SIGMA: Final = 10.0
_RHO: Final = 28.0
_BETA: Final = 8.0 / 3.0
_START: Final = (1.0, 1.0, 1.0)
_DISCARDED: Final = 20.0  # units of time until the attractor is reached
_TOLERANCE: Final = 1e-10


@final
@dataclass(frozen=True, slots=True)
class Lorenz(Windows):
    """x' = 10 (y - x), y' = x (28 - z) - y, z' = x y - 8/3 z; the targets are y and z.

    The task of Connerty and Stewart's Trainable-QRNN and of quantum reservoirs on devices.
    Integrated from (1, 1, 1) by an eighth-order Runge-Kutta method; the first 20 units of time are
    left out. Chaos magnifies rounding: other processors may differ in late samples.

    Attributes:
        points: number of samples.
        interval: time from one sample to the next.
        unit: whether x, y and z each are brought to [0, 1] over all samples, so that errors are in
            the units of the paper; with `scale = "none"` nothing more is scaled.
    """

    points: Positive = 1000
    interval: PositiveFloat = 0.02
    unit: bool = False

    def load(self, seed: int) -> Splits:
        """The three parts; `times` are those of the targets. The seed is not used."""
        from scipy.integrate import solve_ivp

        times = np.arange(self.points) * self.interval
        found = solve_ivp(
            _slope,
            (0.0, _DISCARDED + times[-1]),
            _START,
            method="DOP853",
            t_eval=_DISCARDED + times,
            rtol=_TOLERANCE,
            atol=_TOLERANCE,
        )
        series = found.y
        if self.unit:
            low, high = series.min(axis=1, keepdims=True), series.max(axis=1, keepdims=True)
            series = (series - low) / (high - low)
        x, y, z = series
        return self._cut({"x": x}, {"y": y, "z": z}, times, "the Lorenz series")


def _slope(time: float, state: NDArray[np.float64]) -> list[float]:
    x, y, z = state
    return [_SIGMA * (y - x), x * (_RHO - z) - y, x * y - _BETA * z]


PROVIDES = Lorenz
