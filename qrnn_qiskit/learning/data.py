"""Loading the data that a job names, and new data prepared in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.errors import DataError, SpecError
from qrnn_qiskit.learning.arrays import PREFIXES, features_of, read_arrays, targets_of
from qrnn_qiskit.learning.dataset import DataInfo, Dataset, SeriesFormat, Splits, Times
from qrnn_qiskit.learning.parts import checked_range, part_bounds, split_series
from qrnn_qiskit.learning.plugins import DATASETS
from qrnn_qiskit.learning.scaling import Scaling
from qrnn_qiskit.learning.table import Table, read_table
from qrnn_qiskit.spec.model import DataSpec

Array = NDArray[np.float64]

DEFAULT_SPLIT: Final = (0.7, 0.15, 0.15)
_SERIES_KEYS: Final = ("columns", "target", "window", "horizon", "stride")
_COMMON_KEYS: Final = (*_SERIES_KEYS, "split", "scale", "scale_targets", "range")


def load_data(spec: DataSpec, seed: int) -> Splits:
    """The data of a job: a named set, a `.npz` file of sequences, or a `.csv` series.

    A `.npz` file holds `features` `[N, T, F]` and `targets` `[N, T, M]` (or `[N]`, whole numbers:
    a label for each sequence, which all its steps then have as their target), and perhaps
    `validation_…` and `test_…` arrays of the same kind. Without these all sequences are for
    training, unless `data.split` asks for parts, taken in order. A `.csv` series is cut into
    windows, its parts following one another in time; by default the features are all columns
    (but those that tell the time), the target the first of them.

    Raises:
        SpecError: when the table's keys do not fit one another.
        DataError: when the data cannot be read, or do not fit.
    """
    if spec.name is not None and spec.file is None:
        given = {key: getattr(spec, key) for key in _given(spec, _COMMON_KEYS)}
        splits: Splits = DATASETS.build(spec.name, {**given, **spec.options}).load(seed)
        return splits
    if spec.file is None or spec.name is not None:
        raise SpecError(
            "data: give either data.file (.npz or .csv) or data.name "
            f"({', '.join(DATASETS.names())})"
        )
    if spec.options:
        raise SpecError(f"data.{next(iter(spec.options))} is not a key of data from a file")
    if _is_table(spec.file):
        return _load_table(spec, spec.file)
    return _load_arrays(spec, spec.file)


def load_new(path: Path, info: DataInfo | Mapping[str, Any]) -> Dataset:
    """New data, prepared and scaled as `info` (of a run's `Splits`) says.

    Targets that the file does not hold are NaN. A `.csv` series is cut into windows of the run's
    length so that the last one ends at the last row, whose target lies beyond the file; without a
    stored window it is one sequence of all rows.

    Raises:
        DataError: when the data cannot be read, or do not fit the run's.

    Warns:
        UserWarning: for each feature outside the range that the scaling was fitted on.
    """
    if not isinstance(info, DataInfo):
        info = DataInfo.from_dict(info)
    times = None
    if _is_table(path):
        table = read_table(path)
        features, targets, times = _new_windows(table, info.series or _series(DataSpec(), table))
    else:
        features, targets = _new_sequences(path, len(info.target_names))
    for kind, names, array in (
        ("features", info.feature_names, features),
        ("targets", info.target_names, targets),
    ):
        if names and array.shape[2] != len(names):
            raise DataError(
                f"{path} has {array.shape[2]} {kind} per step, but the model was made for "
                f"{len(names)}: {', '.join(names)}"
            )
    if info.scaling is None:
        return Dataset(features, targets, None, times)
    info.scaling.warn_outside(features, info.feature_names)
    return Dataset(
        info.scaling.scale_features(features),
        info.scaling.scale_targets(targets),
        info.scaling,
        times,
    )


def load_plain(path: Path, spec: DataSpec) -> Dataset:
    """All sequences of a file, in the file's units: for a job that has fitted nothing.

    Targets that the file does not hold are NaN (in a `.npz` without targets: M = 0). Of `spec`
    only the keys of a series are used; without `data.window` a `.csv` is one sequence of all rows.

    Raises:
        DataError: when the data cannot be read.
    """
    if _is_table(path):
        table = read_table(path)
        features, targets, times = _new_windows(table, _series(spec, table))
        return Dataset(features, targets, None, times)
    return Dataset(*_new_sequences(path, 0))


def _given(spec: DataSpec, keys: tuple[str, ...]) -> list[str]:
    return [k for k in keys if k in spec.model_fields_set and getattr(spec, k) is not None]


def _is_table(path: Path) -> bool:
    if path.suffix.lower() not in (".csv", ".npz"):
        raise DataError(f"data file {path}: must end in .npz (sequences) or .csv (a series)")
    return path.suffix.lower() == ".csv"


def _load_table(spec: DataSpec, path: Path) -> Splits:
    table = read_table(path)
    return split_series(
        table,
        _series(spec, table),
        split=spec.split or DEFAULT_SPLIT,
        scale=spec.scale,
        range=(spec.range[0], spec.range[1]),
        scale_targets=spec.scale_targets,
    )


def _series(spec: DataSpec, table: Table) -> SeriesFormat:
    columns = tuple(spec.columns or _default_columns(table))
    return SeriesFormat(
        columns,
        spec.target or columns[0],
        spec.window,
        spec.horizon,
        spec.stride or spec.window or 1,
    )


def _default_columns(table: Table) -> tuple[str, ...]:
    columns = tuple(name for name in table.columns if name not in table.label_columns)
    if not columns:
        raise DataError(
            f"{table.path} has only {', '.join(table.columns)}: no column to learn from"
        )
    return columns


def _load_arrays(spec: DataSpec, path: Path) -> Splits:
    for key in _given(spec, _SERIES_KEYS):
        raise SpecError(f"data.{key} is for a .csv series; the sequences of {path} are ready-made")
    arrays = read_arrays(path)
    parts = {"train": _checked(arrays, "", path)}
    stored = [
        name
        for name, prefix in PREFIXES.items()
        if prefix and any(f"{prefix}{kind}" in arrays for kind in ("features", "targets"))
    ]
    if stored and spec.split is not None:
        raise SpecError(
            f"data.split cannot be given: {path} brings its own {' and '.join(stored)} part"
        )
    features, targets = parts["train"]
    if spec.split is not None:
        for name, (start, stop) in zip(
            PREFIXES, part_bounds(len(features), spec.split), strict=True
        ):
            parts[name] = features[start:stop], targets[start:stop]
        if len(parts["train"][0]) == 0:
            raise DataError(
                f"{path} has {len(features)} sequences; data.split = {list(spec.split)} leaves "
                "none for training"
            )
    for name in stored:
        parts[name] = _checked(arrays, PREFIXES[name], path)
        for new, first, kind in zip(
            parts[name], parts["train"], ("features", "targets"), strict=True
        ):
            if new.shape[1:] != first.shape[1:]:
                raise DataError(
                    f"array '{PREFIXES[name]}{kind}' in {path} has shape {new.shape}, but "
                    f"'{kind}' has {first.shape}: all axes but the first must agree"
                )
    scaling = None
    if spec.scale == "minmax":
        scaling = Scaling.fit(
            *parts["train"],
            checked_range((spec.range[0], spec.range[1])),
            scale_targets=spec.scale_targets,
        )
    empty = features[:0], targets[:0]
    train, validation, test = (_scaled(*parts.get(name, empty), scaling) for name in PREFIXES)
    num_targets = targets.shape[2]
    return Splits(
        train,
        validation,
        test,
        feature_names=tuple(f"feature {i}" for i in range(features.shape[2])),
        target_names=tuple(f"target {i}" for i in range(num_targets)),
        present=(None,) * num_targets,
    )


def _checked(arrays: Mapping[str, NDArray[Any]], prefix: str, path: Path) -> tuple[Array, Array]:
    features = features_of(arrays, prefix, path)
    return features, targets_of(arrays, prefix, path, features)


def _scaled(features: Array, targets: Array, scaling: Scaling | None) -> Dataset:
    if scaling is None:
        return Dataset(features, targets)
    return Dataset(scaling.scale_features(features), scaling.scale_targets(targets), scaling)


def _new_sequences(path: Path, num_targets: int) -> tuple[Array, Array]:
    arrays = read_arrays(path)
    features = features_of(arrays, "", path)
    if "targets" in arrays:
        return features, targets_of(arrays, "", path, features)
    return features, np.full((*features.shape[:2], num_targets), np.nan)


def _new_windows(table: Table, series: SeriesFormat) -> tuple[Array, Array, Times]:
    features = table.values(series.columns)
    targets = np.full((len(features) + series.horizon, 1), np.nan)
    if series.target in table.columns:
        targets[: len(features)] = table.values((series.target,))
    window = series.window or len(features)
    if len(features) < window:
        raise DataError(
            f"{table.path} has {len(features)} rows, but the model reads sequences of {window}"
        )
    last = len(features) - window
    index = np.arange(last % series.stride, last + 1, series.stride)[:, None] + np.arange(window)
    later = index + series.horizon
    return features[index], targets[later], np.array(table.labels(series.horizon))[later]
