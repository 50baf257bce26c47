"""Measured series that come with the package: one column of a CSV file, cut into windows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from qrnn_qiskit.learning.dataset import SeriesFormat, Splits
from qrnn_qiskit.learning.datasets._series import Windows
from qrnn_qiskit.learning.parts import split_series
from qrnn_qiskit.learning.table import read_table


@dataclass(frozen=True, slots=True)
class ShippedSeries(Windows):
    """A variable's value at each step, that of `horizon` steps later as its target.

    The parts follow one another in time and no window crosses from one into the next.
    """

    window: Annotated[int, Field(gt=0)] = 12
    horizon: Annotated[int, Field(gt=0)] = 1

    def _load(self, path: Path, column: str) -> Splits:
        """The three parts of a file's column."""
        return split_series(
            read_table(path),
            SeriesFormat((column,), column, self.window, self.horizon, self.stride),
            split=self.split,
            scale=self.scale,
            range=self.range,
        )
