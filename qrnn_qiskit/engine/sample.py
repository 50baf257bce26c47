"""Shots from the exact joint distribution of all recorded bits.

A row's shots that agree on all bits so far share one conditional state, a branch. Every shot
compares a uniform number of its own with its branch's probability of a 1, so that a row's bits
depend on its angles and its seed, not on chunks, on the order of work or (but for rounding of the
probabilities, one part in 10^16) on the other rows.

Axes: R rows, A angles, S shots, T steps, K bits of a step, M recorded bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.branches import ByMatrix, Direct, Passage, Runner, matrices_of
from qrnn_qiskit.engine.plan import CACHE, MEMORY_LIMIT
from qrnn_qiskit.engine.program import Program
from qrnn_qiskit.engine.segments import Index, Segment, Segments, segments_of
from qrnn_qiskit.errors import BackendError, DataError
from qrnn_qiskit.estimate import Array

Bits = NDArray[np.uint8]

# Bytes of uniform numbers to draw at a time.
UNIFORMS: Final = 2**26


def sample(
    program: Program,
    angles: Array,
    shots: int | Sequence[int] | NDArray[np.int64],
    seeds: Sequence[int],
    *,
    memory_limit: int = MEMORY_LIMIT,
) -> Bits:
    """Sampled bits, readout errors included.

    Args:
        program: the circuit.
        angles: `[R, A]` in rad.
        shots: S for every row, or a count for each row.
        seeds: a non-negative integer for each row; rows with equal seeds are not independent.
        memory_limit: bytes to stay within, the result apart; does not change it.

    Returns:
        0 or 1, `[R, S, T, K]`; with a count for each row `[sum(counts), T, K]`, row after row. A
        bit that is never measured is 0.

    Raises:
        DataError: where angles, shots or seeds do not fit.
        BackendError: where the memory limit is too small for one row.
    """
    angles = program.checked(angles)
    rows = angles.shape[0]
    counts = np.asarray(shots, dtype=np.int64)
    if counts.shape not in ((), (rows,)) or np.any(counts < 0):
        raise DataError(f"shots = {shots}: one number for all {rows} rows or one for each, >= 0")
    counts = np.broadcast_to(counts, (rows,))
    if len(seeds) != rows:
        raise DataError(f"{len(seeds)} seeds for {rows} rows: one for each is needed")
    segments = segments_of(program)
    starts = np.concatenate([[0], np.cumsum(counts)])
    bits = np.zeros((int(starts[-1]), program.num_steps * program.num_bits), dtype=np.uint8)
    if segments.segments and bits.size:
        chunks = _row_chunks(segments, counts, memory_limit // 2)
        runner = Runner(segments)
        routes = _routes(runner, angles, int(counts.max()), memory_limit // 2)
        for first, last in chunks:
            part = slice(first, last)
            uniforms = _uniforms(seeds[part], counts[part], len(segments.segments))
            filled = bits[starts[first] : starts[last]]
            _sample_rows(runner, routes, angles, part, counts[part], uniforms, filled)
    shape = (program.num_steps, program.num_bits)
    if isinstance(shots, int | np.integer):
        return bits.reshape(rows, int(shots), *shape)
    return bits.reshape(-1, *shape)


@final
@dataclass(frozen=True, slots=True)
class _Route:
    """How a segment is passed: by a matrix for each distinct set of angles, or branch by branch.

    Attributes:
        segment: the segment.
        by_matrix: which of the two.
        group: `[R]` distinct set of each row.
        matrices: those of all sets; None if branch by branch, or made chunk by chunk.
    """

    segment: Segment
    by_matrix: bool
    group: Index
    matrices: Array | None


def _routes(runner: Runner, angles: Array, shots: int, memory_limit: int) -> list[_Route]:
    """Decided for all rows at once: were it for each chunk, last digits would depend on chunks."""
    routes, left = list[_Route](), memory_limit
    for depth, segment in enumerate(runner.segments.segments):
        _, first, group = np.unique(
            angles[:, segment.columns], axis=0, return_index=True, return_inverse=True
        )
        branches = angles.shape[0] * min(2**depth, shots)
        by_matrix = branches > first.size * segment.num_carried
        size = 16 * first.size * segment.num_carried * segment.num_left
        matrices = None
        if by_matrix and size <= left:
            matrices = matrices_of(runner, segment, angles[first])
            left -= size
        routes.append(_Route(segment, by_matrix, group.reshape(-1), matrices))
    return routes


def _row_chunks(
    segments: Segments, counts: NDArray[np.int64], memory_limit: int
) -> list[tuple[int, int]]:
    """First and last row of each chunk."""
    num_bits = len(segments.segments)
    most = max(s.num_carried for s in segments.segments)
    widest = max(s.num_carried * s.num_left for s in segments.segments)
    per_shot = 8 * (2 * num_bits + 6)
    per_row = 8 * 2 * widest
    branches = np.minimum(counts, 2.0**num_bits)
    per_branch = 8 * 6 * most
    fixed = 4 * max(CACHE, 8 * 8 * most * 4**segments.num_qubits)
    need = per_row + per_shot * counts + per_branch * branches
    room = memory_limit - fixed
    if need.max() > room:
        raise BackendError(
            f"sampling {int(counts.max())} shots of {segments.num_qubits} qubits takes "
            f"{(need.max() + fixed) / 2**30:.3g} GiB, but the memory limit is "
            f"{memory_limit / 2**30:.3g} GiB: use fewer shots at a time"
        )
    target = min(room, max(UNIFORMS, int(need.max())))
    chunks, first, used = [], 0, 0.0
    for row, bytes_needed in enumerate(need):
        if used + bytes_needed > target and row > first:
            chunks.append((first, row))
            first, used = row, 0.0
        used += bytes_needed
    return [*chunks, (first, len(counts))]


def _uniforms(seeds: Sequence[int], counts: NDArray[np.int64], num_bits: int) -> Array:
    """`[M, shots of all rows]`: each row's numbers come from its own seed, shot by shot."""
    drawn = np.empty((int(counts.sum()), num_bits))
    start = 0
    for seed, count in zip(seeds, counts, strict=True):
        stop = start + int(count)
        np.random.Generator(np.random.PCG64(int(seed))).random(out=drawn[start:stop])
        start = stop
    return np.ascontiguousarray(drawn.T)


def _sample_rows(
    runner: Runner,
    routes: list[_Route],
    angles: Array,
    part: slice,
    counts: NDArray[np.int64],
    uniforms: Array,
    bits: Bits,
) -> None:
    """Fill `bits` `[shots of these rows, T * K]`."""
    rows = angles[part]
    row: Index = np.arange(rows.shape[0])
    branch: Index = np.repeat(row, counts)
    states = np.ones((rows.shape[0], 1))
    for route, uniform in zip(routes, uniforms, strict=True):
        passage: Passage
        if route.matrices is not None:
            passage = ByMatrix(route.matrices, states, route.group[part][row])
        elif route.by_matrix:
            _, first, group = np.unique(route.group[part], return_index=True, return_inverse=True)
            matrices = matrices_of(runner, route.segment, rows[first])
            passage = ByMatrix(matrices, states, group[row])
        else:
            passage = Direct(runner, route.segment, states, rows, row)
        ones = passage.ones()
        bit = uniform < ones[branch]
        bits[:, route.segment.slot] = bit
        key = 2 * branch + bit
        alive = np.bincount(key, minlength=2 * row.size) > 0
        child = np.flatnonzero(alive)
        branch = (np.cumsum(alive) - 1)[key]
        parent, outcome = child // 2, child % 2
        probability = np.where(outcome == 1, ones[parent], 1.0 - ones[parent])
        states = passage.after(parent, outcome, probability)
        row = row[parent]
