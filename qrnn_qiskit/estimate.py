"""Numbers with their statistics: what executors return, and what people are shown.

Axes: R rows, T steps, K output values per step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.markup import html_table, with_error

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its standard error (1 sigma), elementwise; exact values have no error (None)."""

    mean: Array
    standard_error: Array | None = None

    def __str__(self) -> str:
        if self.standard_error is None:
            return np.array2string(self.mean, precision=6)
        if self.mean.ndim == 0:
            return f"{float(self.mean):.6g} ± {float(self.standard_error):.2g}"
        mean = np.array2string(self.mean, precision=6)
        return f"{mean} ± {np.array2string(self.standard_error, precision=2)}"

    def _repr_html_(self) -> str:
        """For notebooks: one row for each index of all axes but the last, which lies across."""
        mean = np.atleast_1d(self.mean)
        error = None if self.standard_error is None else np.atleast_1d(self.standard_error)
        if mean.ndim == 1:
            mean, error = mean[:, None], None if error is None else error[:, None]
        rows: list[list[str]] = []
        for index in list(np.ndindex(mean.shape[:-1])):
            errors = [None] * mean.shape[-1] if error is None else error[index].tolist()
            values = mean[index].tolist()
            texts = [with_error(v, e) for v, e in zip(values, errors, strict=True)]
            rows.append([", ".join(map(str, index)), *texts])
        across = ["value"] if mean.shape[-1] == 1 else [str(k) for k in range(mean.shape[-1])]
        kind = "exact" if error is None else "± one standard error"
        return html_table(["index", *across], rows, f"shape {self.mean.shape}, {kind}")


@final
@dataclass(frozen=True, slots=True)
class Outputs:
    """Per-step outputs of R rows, with the covariance of the steps of one shot.

    Attributes:
        mean: `[R, T, K]`.
        count: `[R]` shots of each row; None for exact values.
        covariance: `[R, T*K, T*K]` covariance of a single shot; None for exact values. The
            covariance of `mean` is this divided by `count`.
    """

    mean: Array
    count: NDArray[np.int64] | None = None
    covariance: Array | None = None

    @property
    def covariance_of_mean(self) -> Array | None:
        """`[R, T*K, T*K]` covariance of `mean`; None for exact values."""
        if self.count is None or self.covariance is None:
            return None
        covariance: Array = self.covariance / self.count[:, None, None]
        return covariance

    @property
    def estimate(self) -> Estimate:
        """Mean and standard error of each output; correlations between steps are not in it."""
        if self.count is None or self.covariance is None:
            return Estimate(self.mean)
        variance = np.diagonal(self.covariance, axis1=1, axis2=2) / self.count[:, None]
        return Estimate(self.mean, np.sqrt(np.maximum(variance, 0.0)).reshape(self.mean.shape))

    def _repr_html_(self) -> str:
        """For notebooks: the means with their errors."""
        return self.estimate._repr_html_()

    def rows(self, index: NDArray[np.intp] | slice) -> Outputs:
        """The outputs of some rows."""
        return Outputs(
            self.mean[index],
            None if self.count is None else self.count[index],
            None if self.covariance is None else self.covariance[index],
        )

    def contracted_variance(self, cotangent: Array) -> Array:
        """Variance `[R]` of sum_tk cotangent[r,t,k] * mean[r,t,k], steps' covariance included."""
        if self.count is None or self.covariance is None:
            return np.zeros(self.mean.shape[0])
        flat = cotangent.reshape(self.mean.shape[0], -1)
        quadratic: Array = np.einsum("ri,rij,rj->r", flat, self.covariance, flat, optimize=True)
        variance: Array = np.maximum(quadratic, 0.0) / self.count
        return variance
