"""Magnetization of a chain of quantum spins after a quench, to be forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, final

import numpy as np
from pydantic import Field

from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.datasets._series import Array, Positive, PositiveFloat, Windows
from qrnn_qiskit.learning.parts import Scale

_MOST_SPINS: Final = 8


@final
@dataclass(frozen=True, slots=True)
class SpinDynamics(Windows):
    """⟨Z⟩ of the chain's spins under H = -J sum Z_j Z_j+1 - h sum X_j - g sum Z_j, from |0...0>.

    The third task of Takaki et al. (arXiv:2012.11242) is a dynamics of this kind; their Hamiltonian
    is not known to us, this one is the Ising chain in a tilted field. It is diagonalized once, so
    that samples are exact at any time.

    Attributes:
        spins: of the open chain, at most 8.
        coupling: J.
        field: h, across; the spins turn about it.
        longitudinal: g; with all three the motion is not integrable.
        observed: the first so many spins are both features and targets; 0: their mean is.
        points: number of samples.
        interval: time from one sample to the next, in units of 1/J and 1/h as they are given.
    """

    spins: Annotated[int, Field(ge=1, le=_MOST_SPINS)] = 3
    coupling: float = 1.0
    field: float = 0.6
    longitudinal: float = 0.0
    observed: Annotated[int, Field(ge=0, le=_MOST_SPINS)] = 0
    points: Positive = 300
    interval: PositiveFloat = 0.2
    scale: Scale = "none"

    def load(self, seed: int) -> Splits:
        """The three parts; `times` are those of the targets. The seed is not used."""
        times = np.arange(self.points, dtype=np.float64) * self.interval
        magnetization = self._magnetization(times)
        if self.observed == 0:
            series = {"mean Z": magnetization.mean(axis=1)}
        else:
            kept = min(self.observed, self.spins)
            series = {f"Z_{j}": magnetization[:, j] for j in range(kept)}
        return self._cut(series, series, times, "the spin dynamics")

    def _magnetization(self, times: Array) -> Array:
        """⟨Z_j⟩ `[n, spins]`."""
        states = np.arange(2**self.spins)
        signs = 1.0 - 2.0 * ((states[:, None] >> np.arange(self.spins)) & 1)
        energy = -self.coupling * np.sum(signs[:, 1:] * signs[:, :-1], axis=1)
        energy -= self.longitudinal * signs.sum(axis=1)
        hamiltonian = np.diag(energy)
        for j in range(self.spins):
            hamiltonian[states, states ^ (1 << j)] -= self.field
        levels, vectors = np.linalg.eigh(hamiltonian)
        # The start is the first basis state: its amplitudes are the first row.
        amplitudes = np.exp(-1j * np.outer(times, levels)) * vectors[0]
        found: Array = np.abs(amplitudes @ vectors.T) ** 2 @ signs
        return found


PROVIDES = SpinDynamics
