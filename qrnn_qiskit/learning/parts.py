"""Cutting data into training, validation and test parts, and a series into windows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.errors import DataError, SpecError
from qrnn_qiskit.learning.dataset import Dataset, SeriesFormat, Splits, Times
from qrnn_qiskit.learning.scaling import Scaling
from qrnn_qiskit.learning.table import Table

Array = NDArray[np.float64]
Scale = Literal["none", "minmax"]

PART_NAMES: Final = ("train", "validation", "test")
_SUM_TOLERANCE: Final = 1e-6


def part_bounds(length: int, split: Sequence[float]) -> list[tuple[int, int]]:
    """Start and stop of the three parts of `length` items in order.

    Raises:
        SpecError: unless `split` is three fractions >= 0, the first > 0, summing to 1.
    """
    good = len(split) == len(PART_NAMES) and all(0.0 <= part <= 1.0 for part in split)
    if not good or split[0] == 0.0 or abs(sum(split) - 1.0) > _SUM_TOLERANCE:
        raise SpecError(
            f"data.split = {list(split)}: must be three fractions [train, validation, test] from "
            "0 to 1 that sum to 1, the first greater than 0"
        )
    cuts = [0, *(round(length * float(total)) for total in np.cumsum(split))]
    return list(itertools.pairwise(cuts))


def split_series(
    table: Table,
    series: SeriesFormat,
    *,
    split: Sequence[float],
    scale: Scale,
    range: tuple[float, float],
    scale_targets: bool = True,
) -> Splits:
    """Windows of a table, split in time: no window, targets included, crosses a part's boundary.

    The scaling is fitted on all rows of the training part.

    Raises:
        DataError: when a part is too short for one window, or a cell is not a number.
        SpecError: for a wrong split or range.
    """
    if series.window is None:
        raise SpecError(
            f"data.window is missing: {table.path} is a series, to be cut into windows of so many "
            "rows"
        )
    features, targets = table.values(series.columns), table.values((series.target,))
    train, validation, test = cut_series(
        features,
        targets,
        np.array(table.labels(0)),
        window=series.window,
        horizon=series.horizon,
        stride=series.stride,
        split=split,
        scale=scale,
        range=range,
        scale_targets=scale_targets,
        source=str(table.path),
    )
    present = series.columns.index(series.target) if series.target in series.columns else None
    return Splits(train, validation, test, series.columns, (series.target,), (present,), series)


def cut_series(
    features: Array,
    targets: Array,
    labels: Times,
    *,
    window: int,
    horizon: int,
    stride: int,
    split: Sequence[float],
    scale: Scale,
    range: tuple[float, float],
    source: str,
    scale_targets: bool = True,
) -> tuple[Dataset, Dataset, Dataset]:
    """Windows of a series in three parts; no window, targets included, crosses a boundary.

    Args:
        features: `[n, F]` of each row.
        targets: `[n, M]` of each row; the target of step t is that of row t + `horizon`.
        labels: `[n]` time of each row.
        window: rows of a sequence.
        horizon: rows from a step to its target.
        stride: rows from one sequence's start to the next.
        split: fractions of the rows for training, validation and test.
        scale: `minmax` is fitted on all rows of the training part.
        range: what `minmax` scales to.
        source: what messages call the series.
        scale_targets: whether targets are scaled too.

    Raises:
        DataError: when a part is too short for one window.
        SpecError: for a wrong split or range.
    """
    bounds = part_bounds(len(features), split)
    span = window + horizon
    for name, (start, stop), fraction in zip(PART_NAMES, bounds, split, strict=True):
        if fraction > 0.0 and stop - start < span:
            raise DataError(
                f"{source} has {len(features)} rows, {stop - start} of them in the {name} "
                f"part, but data.window = {window} with data.horizon = {horizon} "
                f"needs at least {span} rows in each part"
            )
    scaling = None
    if scale == "minmax":
        rows = slice(*bounds[0])
        scaling = Scaling.fit(
            features[rows], targets[rows], checked_range(range), scale_targets=scale_targets
        )
        features, targets = scaling.scale_features(features), scaling.scale_targets(targets)

    def windows(start: int, stop: int) -> Dataset:
        first = np.arange(start, stop - span + 1, stride)
        index = first[:, None] + np.arange(window)
        later = index + horizon
        return Dataset(features[index], targets[later], scaling, labels[later])

    train, validation, test = (windows(*part) for part in bounds)
    return train, validation, test


def checked_range(range: tuple[float, float]) -> tuple[float, float]:
    """`range`, or SpecError unless its second number is the greater one."""
    low, high = float(range[0]), float(range[1])
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise SpecError(
            f"data.range = {[low, high]}: must be two finite numbers [low, high] with low < high"
        )
    return low, high
