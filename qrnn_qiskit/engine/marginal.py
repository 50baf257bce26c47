"""Shots of each step by itself: every step's bits from their own distribution, steps independent.

Means and errors of single steps are those of joint shots; what relates steps to one another is
lost. Axes: R rows, A angles, S shots, T steps, K bits of a step.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.forward import outputs
from qrnn_qiskit.engine.histories import Bits
from qrnn_qiskit.engine.program import Program
from qrnn_qiskit.engine.streams import uniforms
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Array

# Shots to draw at a time: their numbers should stay in the cache.
_SHOTS: Final = 2**13


def sample_marginal(
    program: Program,
    angles: Array,
    counts: NDArray[np.int64],
    seed: int,
    *,
    first_row: int = 0,
) -> Bits:
    """Bits `[sum(counts), T, K]`, row after row; arguments as those of `sample`.

    Raises:
        BackendError: with post-selection, which relates steps to one another.
        DataError: where angles do not fit.
    """
    if program.postselected:
        raise BackendError(
            "marginal shots cannot serve post-selection, which relates the steps of a shot to one "
            'another: use sampling = "joint"'
        )
    steps, width = program.num_steps, program.num_bits
    probabilities = outputs(program, angles, kind="probabilities")
    ends = np.cumsum(probabilities, axis=2)[..., :-1] / probabilities.sum(axis=2)[..., None]
    starts = np.concatenate([[0], np.cumsum(counts)])
    bits = np.empty((int(starts[-1]), steps, width), dtype=np.uint8)
    # Rows whose shots are drawn together.
    first = 0
    while first < len(counts):
        fitting = int(np.searchsorted(starts, starts[first] + _SHOTS, side="right")) - 1
        part = slice(first, max(first + 1, fitting))
        drawn = uniforms(seed, first_row + first, counts[part], steps)
        border = np.repeat(ends[part], counts[part], axis=0)
        outcome = (drawn[:, :, None] >= border).sum(axis=2, dtype=np.uint32)
        shots = slice(int(starts[part.start]), int(starts[part.stop]))
        bits[shots] = (outcome[:, :, None] >> np.arange(width, dtype=np.uint32)) & 1
        first = part.stop
    return bits
