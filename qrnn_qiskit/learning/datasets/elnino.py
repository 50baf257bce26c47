"""Monthly sea-surface temperatures of the El Niño region 1+2 (provenance: `elnino.md`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, final

from pydantic import Field

from qrnn_qiskit.learning.dataset import SeriesFormat, Splits
from qrnn_qiskit.learning.parts import Scale, split_series
from qrnn_qiskit.learning.table import read_table

_COLUMN: Final = "temperature"


@final
@dataclass(frozen=True, slots=True)
class ElNino:
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

    window: Annotated[int, Field(gt=0)] = 12
    horizon: Annotated[int, Field(gt=0)] = 1
    stride: Annotated[int, Field(gt=0)] = 1
    split: tuple[float, float, float] = (0.7, 0.15, 0.15)
    scale: Scale = "minmax"
    range: tuple[float, float] = (-1.0, 1.0)

    def load(self, seed: int) -> Splits:
        """The three parts; `times` are months such as `1998-03`. The seed is not used."""
        return split_series(
            read_table(Path(__file__).with_suffix(".csv")),
            SeriesFormat((_COLUMN,), _COLUMN, self.window, self.horizon, self.stride),
            split=self.split,
            scale=self.scale,
            range=self.range,
        )


PROVIDES = ElNino
