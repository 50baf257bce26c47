"""A line from noisy to ideal outputs, learned where the exact engine knows the ideal ones.

After Czarnik et al., Quantum 5, 592 (2021), who learn from near-Clifford circuits; a recurrent
cell's hidden register is small enough for the exact engine at any weights.
"""

from __future__ import annotations

import numpy as np

from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Array, Outputs
from qrnn_qiskit.execution.mitigation.affine import AffineCorrection


def learned_correction(noisy: Outputs, ideal: Array) -> AffineCorrection:
    """Least squares for each output, the shot noise of the noisy ones allowed for.

    Shot noise in what a line is fitted over flattens it; its known variance is subtracted.

    Args:
        noisy: `[R, T, K]`, of rows that differ.
        ideal: `[R, T, K]` of the same rows.

    Raises:
        BackendError: if the rows' outputs are too much alike for a fit.
    """
    rows = len(ideal)
    x, y = noisy.mean, ideal
    centre, level = x.mean(axis=0), y.mean(axis=0)
    spread = np.mean((x - centre) ** 2, axis=0)
    shot = np.zeros_like(spread)
    error = noisy.estimate.standard_error
    if error is not None:
        shot = np.mean(error**2, axis=0) * (1 - 1 / rows)
    if rows < 3 or np.any(spread <= 2 * shot):
        raise BackendError(
            f"{rows} rows are too few, or their outputs too much alike, to learn a correction: "
            "raise mitigation.linear_rows or mitigation.shots"
        )
    slope = np.mean((x - centre) * (y - level), axis=0) / (spread - shot)
    offset = level - slope * centre
    residual = np.sum((y - slope * x - offset) ** 2, axis=0) / (rows - 2)
    slope_variance = residual / (rows * (spread - shot))
    return AffineCorrection(
        slope, offset, slope_variance, residual / rows + slope_variance * centre**2
    )
