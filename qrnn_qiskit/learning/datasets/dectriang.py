"""A decaying triangle wave, to be forecast 120 samples ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np

from qrnn_qiskit.learning.dataset import Dataset, Splits

_SAMPLES: Final = 1120
_END: Final = 112.0
_PERIOD: Final = 5.0
_AHEAD: Final = 120
_WINDOW: Final = 20
_WINDOWS: Final = 50
_VALIDATION: Final = (3, 5, 10, 13, 16, 19, 23, 38)
_FIRST_TEST: Final = 40


@final
@dataclass(frozen=True, slots=True)
class DecTriang:
    """The task of J. D. Viqueira et al., https://arxiv.org/abs/2310.20671, at the paper's sizes.

    f(u) = 0.75 exp(-u/50) triangle(u), of period 5, at 1120 points of [0, 112]. Feature k is
    f(u_k), not scaled; target k is f(u_{k+120}). 1000 points make 50 disjoint windows of 20: 32
    to train, 8 to validate, 10 to test. The paper reads the last 5 steps only: `loss.last = 5`.
    """

    def load(self, seed: int) -> Splits:
        """The three parts; `times` are the u of the targets. The seed is not used."""
        u = np.linspace(0.0, _END, _SAMPLES)
        # scipy.signal.sawtooth(2 pi u / 5, width=0.5), without the second that its import takes.
        triangle = 1.0 - 4.0 * np.abs(u / _PERIOD % 1.0 - 0.5)
        signal = 0.75 * np.exp(-u / 50.0) * triangle
        shape = (_WINDOWS, _WINDOW)
        known = slice(_WINDOWS * _WINDOW)
        later = slice(_AHEAD, _AHEAD + _WINDOWS * _WINDOW)
        every = Dataset(
            signal[known].reshape(*shape, 1),
            signal[later].reshape(*shape, 1),
            times=np.array([f"{value:.4f}" for value in u[later]]).reshape(shape),
        )
        window = np.arange(_WINDOWS)
        validation = np.isin(window, _VALIDATION)
        test = window >= _FIRST_TEST
        return Splits(
            every.sequences(window[~validation & ~test]),
            every.sequences(window[validation]),
            every.sequences(window[test]),
            feature_names=("signal",),
            target_names=("signal",),
            present=(0,),
        )


PROVIDES = DecTriang
