"""Outputs that a training has measured before, as the baseline of rules with random rows.

Axes: N sequences of the training, O occurrences, T steps, K output values per step.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from qrnn_qiskit.angle_map import Array, Index

LARGEST: Final = 2_000_000  # numbers that a checkpoint is to carry; larger problems do without
NEWEST: Final = 0.5  # weight of a new measurement beside all before


def remembered(
    known: Array | None, found: Array, sequences: Index | None, num_sequences: int | None
) -> Array | None:
    """What is known after another measurement, `[N, O, T, K]`, NaN for what was never measured.

    Args:
        known: before it; None at the start.
        found: `[B, O, T, K]`, NaN where nothing was measured.
        sequences: `[B]` which ones of the training; None for all, in order.
        num_sequences: N, where `sequences` is given.
    """
    size = len(found) if num_sequences is None else num_sequences
    if size * found[0].size > LARGEST:
        return None
    known = np.full((size, *found.shape[1:]), np.nan) if known is None else known.copy()
    which = np.arange(len(found)) if sequences is None else sequences
    old = known[which]
    mixed = np.where(np.isnan(old), found, old + NEWEST * (found - old))
    known[which] = np.where(np.isnan(found), old, mixed)
    return known


def baseline_of(known: Array, sequences: Index | None) -> Array:
    """For some sequences, `[B, O, T, K]`: 0 for what was never measured."""
    return np.nan_to_num(known if sequences is None else known[sequences])
