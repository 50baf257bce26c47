"""Minmax scaling of features and targets, fitted on the training part, and its inverse."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A column whose width is below this fraction of its magnitude is rounding, not signal.
_CONSTANT: Final = 1e-12
# Dividing by a width below this could overflow.
_NARROWEST: Final = 1e-290


@final
@dataclass(frozen=True, slots=True)
class Scaling:
    """Maps each column's `[low, high]` linearly onto `range`.

    A column that is constant in the training part has no width to fit: it keeps the data's unit
    (slope 1) and is only shifted, to the middle of `range`.

    Attributes:
        low, high: `[F]` bounds of the features.
        target_low, target_high: `[M]` bounds of the targets.
        range: what the bounds are mapped to.
    """

    low: Array
    high: Array
    target_low: Array
    target_high: Array
    range: tuple[float, float] = (-1.0, 1.0)

    @classmethod
    def fit(
        cls,
        features: Array,
        targets: Array,
        range: tuple[float, float],
        *,
        scale_targets: bool = True,
    ) -> Scaling:
        """Bounds of `features` `[..., F]` and `targets` `[..., M]` over all leading axes.

        Targets that are not to be scaled get the bounds of `range` itself.
        """
        x = features.reshape(-1, features.shape[-1])
        y = targets.reshape(-1, targets.shape[-1])
        if not scale_targets:
            y = np.repeat(np.array(range)[:, None], y.shape[1], axis=1)
        return cls(x.min(0), x.max(0), y.min(0), y.max(0), range)

    def scale_features(self, features: Array) -> Array:
        """Features `[..., F]` from the data's units."""
        return self._scale(features, self.low, self.high)

    def scale_targets(self, targets: Array) -> Array:
        """Targets `[..., M]` from the data's units."""
        return self._scale(targets, self.target_low, self.target_high)

    def unscale_features(self, features: Array) -> Array:
        """Features `[..., F]` back to the data's units."""
        return self._unscale(features, self.low, self.high)

    def unscale_targets(self, targets: Array) -> Array:
        """Targets or predictions `[..., M]` back to the data's units."""
        return self._unscale(targets, self.target_low, self.target_high)

    def unscale_error(self, standard_error: Array) -> Array:
        """Standard errors of predictions `[..., M]` back to the data's units."""
        return standard_error / self._slope(self.target_low, self.target_high)

    def warn_outside(self, features: Array, names: Sequence[str]) -> None:
        """Warn of each feature of `[..., F]` (in the data's units) beyond the fitted bounds."""
        for name, column, low, high in zip(
            names, np.moveaxis(features, -1, 0), self.low, self.high, strict=True
        ):
            if column.size and (column.min() < low or column.max() > high):
                warnings.warn(
                    f"feature {name!r} spans [{column.min():g}, {column.max():g}], outside the "
                    f"range [{low:g}, {high:g}] of the training data: predictions extrapolate",
                    stacklevel=3,
                )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "target_low": self.target_low.tolist(),
            "target_high": self.target_high.tolist(),
            "range": list(self.range),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Scaling:
        """Inverse of `to_dict`."""
        low, high, target_low, target_high = (
            np.asarray(saved[key], dtype=np.float64)
            for key in ("low", "high", "target_low", "target_high")
        )
        first, second = saved["range"]
        return cls(low, high, target_low, target_high, (float(first), float(second)))

    def _slope(self, low: Array, high: Array) -> Array:
        width = high - low
        magnitude = np.maximum(np.abs(low), np.abs(high))
        constant = width <= np.maximum(_CONSTANT * magnitude, _NARROWEST)
        span = self.range[1] - self.range[0]
        slope: Array = np.where(constant, 1.0, span / np.where(constant, 1.0, width))
        return slope

    def _scale(self, values: Array, low: Array, high: Array) -> Array:
        middle = 0.5 * (self.range[0] + self.range[1])
        scaled = middle + self._slope(low, high) * (values - 0.5 * (low + high))
        # Rounding must not carry a value out of the range: arccos of it may follow.
        inside = (low <= values) & (values <= high)
        bounded: Array = np.where(inside, np.clip(scaled, *self.range), scaled)
        return bounded

    def _unscale(self, values: Array, low: Array, high: Array) -> Array:
        middle = 0.5 * (self.range[0] + self.range[1])
        return 0.5 * (low + high) + (values - middle) / self._slope(low, high)
