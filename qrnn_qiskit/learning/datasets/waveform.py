"""Plain waves, to be forecast: the tasks of the first papers on quantum recurrent networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from scipy.special import jv

from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.datasets._series import Array, Positive, PositiveFloat, Windows


@final
@dataclass(frozen=True, slots=True)
class Waveform(Windows):
    """amplitude · f(x_k) at x_k = k · step.

    f is one of: `sine` sin x; `cosine` cos x; `triangle` the triangle wave of period 2 pi with
    maximum at 0; `damped_cosine` exp(-x / decay) cos x; `sine_mixture` (sin x + sin 2x) / 2;
    `bessel_j0`, `bessel_j2` the Bessel functions. Cosine and triangle are tasks of Takaki et al.
    (arXiv:2012.11242); sine, mixture, damped cosine and J0 of Siemaszko et al. (arXiv:2207.00378);
    sine, damped oscillation and J2 of Chen et al. (arXiv:2009.01783).

    Attributes:
        signal: f.
        points: number of samples.
        step: of x; pi/10 gives 20 samples a period.
        amplitude: factor of f.
        decay: of `damped_cosine`, in units of x.
    """

    signal: Literal[
        "sine", "cosine", "triangle", "damped_cosine", "sine_mixture", "bessel_j0", "bessel_j2"
    ] = "cosine"
    points: Positive = 400
    step: PositiveFloat = 0.3141592653589793
    amplitude: PositiveFloat = 1.0
    decay: PositiveFloat = 10.0

    def load(self, seed: int) -> Splits:
        """The three parts; `times` are the x of the targets. The seed is not used."""
        x = np.asarray(np.arange(self.points) * self.step, dtype=np.float64)
        values = self.amplitude * self._wave(x)
        return self._cut({self.signal: values}, {self.signal: values}, x, "the waveform")

    def _wave(self, x: Array) -> Array:
        if self.signal == "sine":
            return np.sin(x)
        if self.signal == "cosine":
            return np.cos(x)
        if self.signal == "triangle":
            triangle: Array = 4.0 * np.abs((x / (2.0 * np.pi)) % 1.0 - 0.5) - 1.0
            return triangle
        if self.signal == "damped_cosine":
            damped: Array = np.exp(-x / self.decay) * np.cos(x)
            return damped
        if self.signal == "sine_mixture":
            mixture: Array = 0.5 * np.sin(x) + 0.5 * np.sin(2.0 * x)
            return mixture
        bessel: Array = jv(0 if self.signal == "bessel_j0" else 2, x)
        return bessel


PROVIDES = Waveform
