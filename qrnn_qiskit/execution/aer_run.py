"""Shots from Aer's SamplerV2 with random numbers that no two rows share.

On circuits with mid-circuit measurement, row k and shot j of an Aer run draw from
seed + 2113 k + j. So a row must not have more than 2113 shots in one run, and two runs need seeds
far apart; a run cut into chunks of rows gives the same bits when a chunk's seed is
seed + 2113 * (its first row).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest

SEED_STRIDE: Final = 2113
CHUNK_SHOTS: Final = 1 << 18  # of one Aer run; bounds its memory
Sampler = Callable[[NDArray[np.float64], int, int], NDArray[np.uint8]]
"""(angles [r, O], shots, seed) to bits [r, shots, T, bits of a step]."""


def sample_rows(
    request: EvaluationRequest, unrolled: UnrolledCircuit, sampler: Sampler
) -> PackedBits:
    """Measure all rows of a request through `sampler`, in chunks of fixed size.

    Args:
        request: rows, shots, seed.
        unrolled: the circuit.
        sampler: one Aer run.
    """
    plan, angle_map = request.plan, unrolled.angle_map
    shape = (unrolled.num_steps, unrolled.num_clbits)
    count = plan.repeats * request.shots
    first_shot = np.concatenate([[0], np.cumsum(count)])
    bits = np.empty((first_shot[-1], *shape), dtype=np.uint8)
    filled = first_shot[:-1].copy()
    for group, (rows, shots) in enumerate(_pieces(plan.repeats, request.shots)):
        seed = request.seed + (group << 40)
        step = max(1, CHUNK_SHOTS // shots)
        for start in range(0, len(rows), step):
            chunk = rows[start : start + step]
            low, high = int(chunk[0]), int(chunk[-1]) + 1
            angles = plan.angles(angle_map, slice(low, high))[chunk - low]
            measured = sampler(angles, shots, seed + SEED_STRIDE * start)
            for row, outcome in zip(chunk, measured, strict=True):
                bits[filled[row] : filled[row] + shots] = outcome
                filled[row] += shots
    return PackedBits.from_bits(bits, count, unrolled.cell.postselected)


def _pieces(repeats: NDArray[np.int64], shots: int) -> list[tuple[NDArray[np.intp], int]]:
    """Rows repeated so that none has more than 2113 shots: (rows ascending, shots of each)."""
    splits = -(-shots // SEED_STRIDE)
    small, more = divmod(shots, splits)
    rows = np.arange(len(repeats))
    groups = [(np.repeat(rows, repeats * (splits - more)), small)]
    if more:
        groups.append((np.repeat(rows, repeats * more), small + 1))
    return groups
