"""From windows, which may overlap, to one continuous series in time.

Axes: N windows, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.plot.record import Predictions

Index = NDArray[np.intp]


@final
@dataclass(frozen=True, slots=True)
class Series:
    """Which entries of `[N, T]` arrays make the series, and where they are in time.

    Attributes:
        window: `[n]` first index.
        step: `[n]` second index.
        time: `[n]` dates (`datetime64`) or numbers, rising.
    """

    window: Index
    step: Index
    time: NDArray[Any]

    @property
    def dated(self) -> bool:
        """Whether times are dates."""
        return bool(np.issubdtype(self.time.dtype, np.datetime64))


def make_series(predictions: Predictions) -> Series:
    """The series of each window's last steps, as many as lie between one window and the next.

    With windows that overlap at every step this is the last step of each, the one that has seen
    most; with windows that do not overlap it is everything.
    """
    num_windows, num_steps = predictions.targets.shape[:2]
    times = None if predictions.times is None else _parse_times(predictions.times)
    stride = _stride_by_times(times) if times is not None else _stride_by_targets(predictions)
    position = np.arange(num_windows)[:, None] * stride + np.arange(num_steps)
    keep = predictions.mask & (np.arange(num_steps) >= num_steps - stride)
    window, step = np.nonzero(np.broadcast_to(keep, position.shape))
    values = position if times is None else times
    order = np.argsort(values[window, step], kind="stable")
    return Series(window[order], step[order], values[window, step][order])


def _parse_times(labels: NDArray[Any]) -> NDArray[Any] | None:
    """Labels as dates or numbers; None when they are neither."""
    for dtype in ("datetime64[D]", np.float64):
        try:
            # A bare number such as "12" would be taken as a year.
            if dtype == "datetime64[D]" and not np.all(np.char.find(labels.astype(str), "-") > 0):
                continue
            return labels.astype(dtype)
        except ValueError:
            continue
    return None


def _stride_by_times(times: NDArray[Any]) -> int:
    """Steps from one window to the next, at most T."""
    num_windows, num_steps = map(int, times.shape)
    if num_windows < 2:
        return num_steps
    shared = int(np.searchsorted(times[1], times[0, -1], side="right"))
    return max(1, num_steps - shared)


def _stride_by_targets(predictions: Predictions) -> int:
    """The same without times: windows overlap where all their targets agree when moved."""
    targets = predictions.targets
    num_steps = int(targets.shape[1])
    if len(targets) > 1:
        for stride in range(1, num_steps):
            if np.array_equal(targets[:-1, stride:], targets[1:, :-stride]):
                return stride
    return num_steps
