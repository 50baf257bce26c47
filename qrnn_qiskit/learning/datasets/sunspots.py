"""Yearly numbers of sunspots (provenance: `sunspots.md`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, final

from pydantic import Field

from qrnn_qiskit.learning.dataset import SeriesFormat, Splits
from qrnn_qiskit.learning.parts import Scale, split_series
from qrnn_qiskit.learning.table import read_table

_COLUMN: Final = "sunspots"


@final
@dataclass(frozen=True, slots=True)
class Sunspots:
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

    window: Annotated[int, Field(gt=0)] = 12
    horizon: Annotated[int, Field(gt=0)] = 1
    stride: Annotated[int, Field(gt=0)] = 1
    split: tuple[float, float, float] = (0.7, 0.15, 0.15)
    scale: Scale = "minmax"
    range: tuple[float, float] = (-0.8, 0.8)

    def load(self, seed: int) -> Splits:
        """The three parts; `times` are years. The seed is not used."""
        return split_series(
            read_table(Path(__file__).with_suffix(".csv")),
            SeriesFormat((_COLUMN,), _COLUMN, self.window, self.horizon, self.stride),
            split=self.split,
            scale=self.scale,
            range=self.range,
        )


PROVIDES = Sunspots
