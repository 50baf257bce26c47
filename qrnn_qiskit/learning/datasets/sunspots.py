"""Yearly numbers of sunspots (provenance: `sunspots.md`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.datasets._shipped import ShippedSeries


@final
@dataclass(frozen=True, slots=True)
class Sunspots(ShippedSeries):
    """Number of this year at each step, that of `horizon` years later as its target.

    309 years, 1700-2008; the parts follow one another in time and no window crosses from one into
    the next.

    Attributes:
        window: years in a sequence (T).
        horizon: years ahead.
        stride: years from one sequence's start to the next.
        split: parts of the years for training, validation and test.
        scale: `minmax` or `none`, fitted on the training part.
        range: what the training part's quietest and busiest year are scaled to.
    """

    range: tuple[float, float] = (-0.8, 0.8)

    def load(self, seed: int) -> Splits:
        """The three parts; `times` are years. The seed is not used."""
        return self._load(Path(__file__).with_suffix(".csv"), "sunspots")


PROVIDES = Sunspots
