"""Ridge regression on products of the last steps' features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import combinations_with_replacement
from math import comb
from typing import ClassVar, Final, final

import numpy as np

from qrnn_qiskit.learning.baselines._lagged import Array, LaggedRidge
from qrnn_qiskit.learning.plugins import BaselineTask, Kind

_DEGREES: Final = (2, 3)
_MOST_INPUTS: Final = 120


@final
@dataclass(frozen=True, slots=True)
class PolynomialRidge:
    """A Volterra filter: all products of up to two or three features of the last steps.

    For each degree it takes as many steps as keep the products few (at most 120, and at most half
    as many as there are training samples), and also one step alone; the best of these on the
    validation part, or by cross-validation, is used.
    """

    title: ClassVar[str] = "polynomial ridge"
    key: ClassVar[str] = "polynomial"
    kind: ClassVar[Kind] = "values"

    def predict(self, task: BaselineTask) -> Array:
        """Predictions `[N, T, M]`."""
        train = task.splits.train
        width = train.features.shape[2]
        most = min(_MOST_INPUTS, max(width, train.num_sequences * train.num_steps // 2))
        candidates = []
        for degree in _DEGREES:
            fitting = [
                lags
                for lags in range(1, train.num_steps + 1)
                if comb(lags * width + degree, degree) - 1 <= most
            ]
            candidates += [(degree, lags) for lags in sorted({1, *fitting[-1:]})]
        fits = [
            LaggedRidge(task.splits, task.mask, lags, partial(monomials, degree=degree))
            for degree, lags in candidates
        ]
        return min(fits, key=lambda fit: fit.error).predict(task.data)


def monomials(inputs: Array, degree: int) -> Array:
    """All products `[n, …]` of 1 … `degree` of the columns of `[n, K]`."""
    columns = [
        np.prod(inputs[:, chosen], axis=1)
        for size in range(1, degree + 1)
        for chosen in combinations_with_replacement(range(inputs.shape[1]), size)
    ]
    return np.stack(columns, axis=1)


PROVIDES = PolynomialRidge
