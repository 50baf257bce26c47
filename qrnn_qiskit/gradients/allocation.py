"""How the shots of a gradient are shared out among its rows.

The shots part of the summed variance of a gradient is sum_r v_r² / n_r, v_r = |c_r| s_r, where c_r²
is the sum of a row's squared coefficients and s_r the standard deviation of one shot of its
contribution. At a given total it is least where n_r ∝ v_r. s_r is predicted before anything is
measured, from cotangent w and outputs y that are known already:

    s_r² = sum over the steps t that the row's mask lets through of w_t² (1 - y_t²),

the variance of the steps' outcomes without their correlations. Axes: B sequences, T steps, K output
values per step, R rows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.gradients.plan import EvaluationPlan

FORWARD_SHARE: Final = 0.1  # of all shots, for the base rows, as long as nothing better is known
MIN_SHOTS: Final = 5  # of a row: with fewer, its variance is too uncertain for honest error bars
TOP_LEVEL: Final = 3  # repeats are 1, 2, 4, 8: within a few percent of any shares
_BINS_PER_OCTAVE: Final = 16
_OFFSETS: Final = np.linspace(0.0, TOP_LEVEL + 0.5, 29)

Repeats = NDArray[np.int64]


def row_spread(plan: EvaluationPlan, spread: Array | None) -> Array:
    """Predicted v_r `[R]` of every row: what n_r should be proportional to.

    Args:
        plan: the rows.
        spread: w² (1 - y²) of each output, broadcastable to `[B, T, K]`; None if nothing is known
            yet: then every step counts alike.
    """
    squares = np.bincount(plan.term_row, plan.term_coefficient**2, plan.num_rows)
    shape = (plan.num_sequences, plan.features.shape[1])
    known = np.ones((*shape, 1)) if spread is None else spread
    by_step = np.broadcast_to(known, (*shape, known.shape[-1])).sum(axis=2)
    through = by_step @ plan.masks.T.astype(np.float64)  # [B, M]
    result: Array = np.sqrt(squares * through[plan.sequence, plan.mask])
    return result


def shots_variance(plan: EvaluationPlan, shots: int, spread: Array | None) -> float:
    """Predicted sum over the weights of the gradient's variance from the shifted rows' shots."""
    base = plan.num_sequences
    count = plan.repeats[base:] * shots
    return float(np.sum(row_spread(plan, spread)[base:] ** 2 / count))


def allocate(
    plan: EvaluationPlan,
    total: int,
    *,
    forward: int,
    spread: Array | None = None,
    drawn: bool = False,
) -> tuple[EvaluationPlan, int] | None:
    """The plan with repeats that make its predicted variance small, and the shots of one repeat.

    Shifted rows get one of at most four numbers of repeats and are ordered by it; a rule's own
    repeats are kept. What rounding leaves over goes to the base rows.

    Args:
        plan: of a rule.
        total: shots of all rows together, at most.
        forward: shots of each base row, about.
        spread: as for `row_spread`.
        drawn: the repeats say how often the rule has drawn a row, so they stay.

    Returns:
        None if `total` does not give every row `MIN_SHOTS`.
    """
    base = plan.num_sequences
    shifted = plan.num_rows - base
    if shifted == 0:
        return None
    available = total - base * forward
    free = not drawn and bool(np.all(plan.repeats[base:] == 1))
    if free:
        repeats, shots = _levels(row_spread(plan, spread)[base:], available)
    else:
        repeats, shots = plan.repeats[base:], available // int(plan.repeats[base:].sum())
    shots = min(shots, total // (int(repeats.sum()) + base))  # a base row has one repeat at least
    if shots < MIN_SHOTS:
        return None
    left = total // shots - int(repeats.sum())
    every = np.concatenate([np.full(base, left // base), repeats])
    ordered = np.argsort(repeats, kind="stable") if free else np.arange(shifted)
    order = np.concatenate([np.arange(base), base + ordered])
    return plan.with_repeats(every).reordered(order), shots


def _levels(spread: Array, available: int) -> tuple[Repeats, int]:
    """Repeats of each row and shots of one repeat; below MIN_SHOTS if that is impossible.

    Over several roundings of v_r to powers of two, the one of least predicted variance. Rows are
    binned by v_r, so that this costs the same for ten rows and for a million.
    """
    size = spread.max()
    if size <= 0:
        return np.ones(len(spread), dtype=np.int64), available // len(spread)
    depth = _BINS_PER_OCTAVE * (TOP_LEVEL + 1)
    octaves = np.log2(np.maximum(spread / size, 2.0 ** -(TOP_LEVEL + 1)))
    bins = np.rint(-octaves * _BINS_PER_OCTAVE).astype(np.intp)
    rows = np.bincount(bins, minlength=depth + 1)
    squares = np.bincount(bins, spread**2, depth + 1)
    octave = -np.arange(depth + 1) / _BINS_PER_OCTAVE
    level = np.clip(np.rint(octave + _OFFSETS[:, None]), 0, TOP_LEVEL)
    repeats = (2**level).astype(np.int64)
    shots = available // (repeats @ rows)
    variance = (squares / repeats).sum(axis=1) / np.maximum(shots, 1)
    variance[shots < MIN_SHOTS] = np.inf
    best = int(np.argmin(variance))  # the first offset, all rows alike, if none is possible
    return repeats[best, bins], int(shots[best])
