"""Monthly sea-surface temperatures of the El Niño region 1+2 (provenance: `elnino.md`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.datasets._shipped import ShippedSeries


@final
@dataclass(frozen=True, slots=True)
class ElNino(ShippedSeries):
    """Temperature of this month at each step, that of `horizon` months later as its target.

    732 months, 1950-2010, in degrees Celsius; the parts follow one another in time and no window
    crosses from one into the next.

    Attributes:
        window: months in a sequence (T).
        horizon: months ahead.
        stride: months from one sequence's start to the next; windows overlap when it is smaller
            than `window`.
        split: parts of the months for training, validation and test.
        scale: `minmax` or `none`, fitted on the training part.
        range: what the training part's coldest and warmest month are scaled to.
    """

    def load(self, seed: int) -> Splits:
        """The three parts; `times` are months such as `1998-03`. The seed is not used."""
        return self._load(Path(__file__).with_suffix(".csv"), "temperature")


PROVIDES = ElNino
