"""Times of one call, and their ratios with errors."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """Median of repeats in seconds of CPU time, and its standard error (from quartiles)."""

    seconds: float
    error: float

    def __str__(self) -> str:
        for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
            if self.seconds * factor >= 1.0:
                return f"{self.seconds * factor:.3g} ± {self.error * factor:.1g} {unit}"
        return f"{self.seconds * 1e9:.3g} ns"

    def scaled(self, factor: float) -> Timing:
        """The time of `factor` times the work."""
        return Timing(self.seconds * factor, self.error * factor)

    def over(self, other: Timing) -> str:
        """This divided by another time, with its error."""
        ratio = self.seconds / other.seconds
        relative = np.hypot(self.error / self.seconds, other.error / other.seconds)
        return f"{ratio:.3g} ± {ratio * relative:.1g}"


def timed(call: Callable[[], object], repeats: int = 7, limit: float = 5.0) -> Timing:
    """CPU time of a call after a first one; stops early once `limit` seconds have gone by."""
    call()
    seconds = list[float]()
    start = time.process_time()
    while len(seconds) < repeats and (len(seconds) < 2 or time.process_time() - start < limit):
        before = time.process_time()
        call()
        seconds.append(time.process_time() - before)
    low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    return Timing(float(middle), float((high - low) / 1.35 * 1.25 / np.sqrt(len(seconds))))
