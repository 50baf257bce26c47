"""The Van der Pol oscillator, to be forecast many samples ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.datasets._series import Natural, Positive, PositiveFloat, Windows

_START: Final = (2.0, 0.0)
_TOLERANCE: Final = 1e-10


@final
@dataclass(frozen=True, slots=True)
class VanDerPol(Windows):
    """x'' = mu (1 - x^2) x' - x from x = 2, x' = 0; from x tell x later.

    A task of Viqueira et al. (arXiv:2310.20671): mu = 2, 150 samples ahead. Their start and
    sampling are not stated; these are ours.

    Attributes:
        mu: strength of the nonlinear damping.
        points: number of samples.
        interval: time from one sample to the next.
    """

    mu: PositiveFloat = 2.0
    points: Positive = 1150
    interval: PositiveFloat = 0.1
    horizon: Natural = 150
    stride: Positive = 20
    split: tuple[float, float, float] = (0.56, 0.22, 0.22)

    def load(self, seed: int) -> Splits:
        """The three parts; `times` are those of the targets. The seed is not used."""
        from scipy.integrate import solve_ivp

        def slope(time: float, state: NDArray[np.float64]) -> list[float]:
            x, v = state
            return [v, self.mu * (1.0 - x**2) * v - x]

        times = np.arange(self.points) * self.interval
        found = solve_ivp(
            slope,
            (0.0, times[-1]),
            _START,
            method="DOP853",
            t_eval=times,
            rtol=_TOLERANCE,
            atol=_TOLERANCE,
        )
        values = found.y[0]
        return self._cut({"x": values}, {"x": values}, times, "the Van der Pol series")


PROVIDES = VanDerPol
