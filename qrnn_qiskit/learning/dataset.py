"""Sequences ready for training: features and targets of each step, in three parts.

Axes: N sequences, T steps, F features, M target values per step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.scaling import Scaling

Array = NDArray[np.float64]
Times = NDArray[np.str_]


@final
@dataclass(frozen=True, slots=True)
class Dataset:
    """Sequences, scaled when `scaling` is there.

    Attributes:
        features: `[N, T, F]`.
        targets: `[N, T, M]`; NaN where new data hold no target.
        scaling: how features and targets were scaled; None: they are in the data's units.
        times: `[N, T]` label of each target's time (`"1998-03"`, a row number, …), if known.
    """

    features: Array
    targets: Array
    scaling: Scaling | None = None
    times: Times | None = None

    @property
    def num_sequences(self) -> int:
        """N."""
        return int(self.features.shape[0])

    @property
    def num_steps(self) -> int:
        """T."""
        return int(self.features.shape[1])

    def sequences(self, index: NDArray[np.intp] | slice) -> Dataset:
        """Some of the sequences, such as a minibatch."""
        times = None if self.times is None else self.times[index]
        return Dataset(self.features[index], self.targets[index], self.scaling, times)


@final
@dataclass(frozen=True, slots=True)
class SeriesFormat:
    """How a table of rows in time becomes sequences.

    Attributes:
        columns: the features.
        target: the column to forecast.
        window: rows per sequence (T); None: one sequence of all rows.
        horizon: rows from a step to its target.
        stride: rows from one sequence's start to the next.
    """

    columns: tuple[str, ...]
    target: str
    window: int | None
    horizon: int = 1
    stride: int = 1


@final
@dataclass(frozen=True, slots=True)
class Splits:
    """Training, validation and test parts (the last two may be empty) of one data set.

    Attributes:
        feature_names: F names.
        target_names: M names.
        present: for each target, the feature that holds its variable's value at the same step
            (what persistence repeats); None where there is none.
        series: how new tables become sequences; None for data that were sequences already.
        horizon: steps from a feature to its target in a series; None where steps are no times.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    present: tuple[int | None, ...]
    series: SeriesFormat | None = None
    horizon: int | None = None

    @property
    def scaling(self) -> Scaling | None:
        """The scaling of all parts, fitted on the training part."""
        return self.train.scaling

    @property
    def info(self) -> DataInfo:
        """What must be stored to prepare new data in the same way."""
        horizon = self.horizon if self.series is None else self.series.horizon
        return DataInfo(self.feature_names, self.target_names, self.scaling, self.series, horizon)


@final
@dataclass(frozen=True, slots=True)
class DataInfo:
    """How data were prepared, without the data; empty names mean: whatever the file holds."""

    feature_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    scaling: Scaling | None = None
    series: SeriesFormat | None = None
    horizon: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        series = None
        if self.series is not None:
            series = {
                "columns": list(self.series.columns),
                "target": self.series.target,
                "window": self.series.window,
                "horizon": self.series.horizon,
                "stride": self.series.stride,
            }
        return {
            "feature_names": list(self.feature_names),
            "target_names": list(self.target_names),
            "scaling": None if self.scaling is None else self.scaling.to_dict(),
            "series": series,
            "horizon": self.horizon,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> DataInfo:
        """Inverse of `to_dict`."""
        scaling, series = saved["scaling"], saved["series"]
        if series is not None:
            series = SeriesFormat(**{**series, "columns": tuple(series["columns"])})
        return cls(
            tuple(saved["feature_names"]),
            tuple(saved["target_names"]),
            None if scaling is None else Scaling.from_dict(scaling),
            series,
            saved.get("horizon"),
        )
