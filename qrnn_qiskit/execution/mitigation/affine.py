"""Corrections that are a line for each output: y -> slope * y + offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from qrnn_qiskit.estimate import Array, Outputs


@final
@dataclass(frozen=True, slots=True)
class AffineCorrection:
    """A line for each output <Z>.

    A slope above 1 undoes damping and widens error bars by as much; gradients follow by the chain
    rule, their bias from the damping undone too.

    Attributes:
        slope: `[T, K]`.
        offset: `[T, K]`.
        slope_variance: `[T, K]` of the slope, from the shots it was made from; 0 if exact.
        offset_variance: `[T, K]` of the corrected output at y = 0, likewise.
    """

    slope: Array
    offset: Array
    slope_variance: Array
    offset_variance: Array

    def values(self, outputs: Array) -> Array:
        """Corrected outputs, `[..., T, K]`."""
        corrected: Array = self.slope * outputs + self.offset
        return corrected

    def apply(self, outputs: Outputs) -> Outputs:
        """Corrected outputs with corrected errors.

        The correction's own error is added to each row as if rows had corrections of their own.
        They share one, so differences of rows, and gradients, are a little better than they say.
        """
        mean = self.values(outputs.mean)
        if outputs.covariance is None or outputs.count is None:
            return Outputs(mean)
        slope = self.slope.ravel()
        covariance = outputs.covariance * np.outer(slope, slope)
        own = self.slope_variance * outputs.mean**2 + self.offset_variance
        added = own.reshape(len(mean), -1) * outputs.count[:, None]
        index = np.arange(slope.size)
        covariance[:, index, index] += added
        return Outputs(mean, outputs.count, covariance)

    def after(self, first: AffineCorrection) -> AffineCorrection:
        """This correction of what `first` has corrected."""
        return AffineCorrection(
            self.slope * first.slope,
            self.slope * first.offset + self.offset,
            self.slope**2 * first.slope_variance + self.slope_variance * first.slope**2,
            self.slope**2 * first.offset_variance + self.offset_variance,
        )


def no_correction(num_steps: int, num_bits: int) -> AffineCorrection:
    """The correction that changes nothing."""
    zero = np.zeros((num_steps, num_bits))
    return AffineCorrection(zero + 1.0, zero, zero, zero)
