"""Shift rules for functions of one angle with known frequencies.

f(x) = c + sum_l [a_l cos(Ω_l x) + b_l sin(Ω_l x)] has f'(0) = sum_l Ω_l b_l, and a difference
f(s) - f(-s) = 2 sum_l b_l sin(Ω_l s) sees the b_l alone. So R pairs of shifts give the derivative
exactly for R frequencies (Wierichs, Izaac, Wang, Lin, Quantum 6, 677 (2022), arXiv 2107.12390;
equidistant frequencies: their section 3.2; arbitrary ones: section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import SpecError

_TOLERANCE: Final = 1e-9
_CANDIDATES: Final = 64
_WORST_CONDITION: Final = 1e8


def shift_rule(frequencies: Sequence[float]) -> tuple[Array, Array]:
    """Coefficients and shifts with f'(x) = sum_i coefficients_i f(x + shifts_i).

    For frequencies u, 2u, …, R u the shifts are ±x_m / u with x_m = (2m - 1) π / 2R and the
    coefficients ±u (-1)^(m-1) / (4R sin²(x_m / 2)); their absolute values sum to u R. Other
    frequencies get the solution of R linear equations, at equidistant shifts whose spacing makes
    that sum small.

    Args:
        frequencies: `[R]` positive and distinct, in 1/rad.

    Returns:
        `[2R]` coefficients and `[2R]` shifts in rad, in pairs (+, -).

    Raises:
        SpecError: if a frequency is not positive, or two of them coincide.
    """
    omega = np.sort(np.asarray(frequencies, dtype=np.float64).reshape(-1))
    if not len(omega) or not np.all(np.isfinite(omega)) or omega[0] <= 0:
        raise SpecError(
            f"frequencies = {list(frequencies)}: at least one is needed, all finite and above 0"
        )
    if np.any(np.diff(omega) <= _TOLERANCE * omega[-1]):
        raise SpecError(f"frequencies = {list(frequencies)}: each may be given once")
    count = len(omega)
    odd = (2 * np.arange(1, count + 1) - 1) * np.pi / (2 * count)
    unit = omega[-1] / count
    if np.allclose(omega, unit * np.arange(1, count + 1), rtol=_TOLERANCE, atol=0):
        sign = (-1.0) ** np.arange(count)
        half, shifts = unit * sign / (4 * count * np.sin(odd / 2) ** 2), odd / unit
    else:
        half, shifts = _solved(omega, odd)
    pair = np.array([1.0, -1.0])
    return np.outer(half, pair).reshape(-1), np.outer(shifts, pair).reshape(-1)


def _solved(omega: Array, odd: Array) -> tuple[Array, Array]:
    """Coefficients and shifts `[R]` of the differences, over several spacings the best one."""
    units = np.linspace(omega[0], omega[-1], _CANDIDATES)
    shifts = odd / units[:, None]
    equations = 2 * np.sin(omega[None, :, None] * shifts[:, None, :])
    usable = np.linalg.cond(equations) < _WORST_CONDITION
    if not usable.any():
        raise SpecError(f"frequencies = {omega.tolist()}: too close together for a shift rule")
    wanted = np.broadcast_to(omega[:, None], (int(usable.sum()), len(omega), 1))
    solutions = np.linalg.solve(equations[usable], wanted)[:, :, 0]
    best = int(np.argmin(np.abs(solutions).sum(axis=1)))
    half: Array = solutions[best]
    chosen: Array = shifts[usable][best]
    return half, chosen
