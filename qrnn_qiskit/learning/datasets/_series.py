"""Computed series as data sets: the keys they share, and their windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.parts import Scale, cut_series

Array = NDArray[np.float64]
Positive = Annotated[int, Field(gt=0)]
Natural = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0.0)]


@dataclass(frozen=True, slots=True)
class Windows:
    """How a series becomes sequences.

    Attributes:
        window: steps of a sequence (T).
        horizon: steps from a feature to its target.
        stride: steps from one sequence's start to the next.
        split: parts of the series for training, validation and test, in time.
        scale: `minmax` or `none`, fitted on the training part.
        range: what the training part is scaled to.
    """

    window: Positive = 20
    horizon: Natural = 1
    stride: Positive = 1
    split: tuple[float, float, float] = (0.7, 0.15, 0.15)
    scale: Scale = "minmax"
    range: tuple[float, float] = (-1.0, 1.0)

    def _cut(
        self,
        features: dict[str, Array],
        targets: dict[str, Array],
        times: NDArray[Any],
        source: str,
    ) -> Splits:
        """Sequences of named series `[n]`; a target of a feature's name is the same variable."""
        names, wanted = tuple(features), tuple(targets)
        train, validation, test = cut_series(
            np.stack(list(features.values()), axis=1),
            np.stack(list(targets.values()), axis=1),
            np.array([f"{time:.6g}" for time in times]),
            window=self.window,
            horizon=self.horizon,
            stride=self.stride,
            split=self.split,
            scale=self.scale,
            range=self.range,
            source=source,
        )
        present = tuple(names.index(name) if name in names else None for name in wanted)
        return Splits(train, validation, test, names, wanted, present, horizon=self.horizon)
