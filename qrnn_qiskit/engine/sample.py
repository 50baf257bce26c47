"""Shots from the exact joint distribution of all recorded bits.

Row r of a request draws from a place of its own in one stream of random numbers, so that its bits
depend on its angles, the seed and r, not on chunks, on the order of work or (but for rounding of
the probabilities, one part in 10^16) on the other rows.

Axes: R rows, A angles, S shots, T steps, K bits of a step, M segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.branches import MixedStates
from qrnn_qiskit.engine.histories import BITS_PER_DRAW, Bits, Drawing, Model, Passage
from qrnn_qiskit.engine.plan import MEMORY_LIMIT
from qrnn_qiskit.engine.program import Channel, Program, Rotation
from qrnn_qiskit.engine.pure import noise_free, pure_states
from qrnn_qiskit.engine.segments import Index
from qrnn_qiskit.engine.simplify import simplify
from qrnn_qiskit.engine.streams import uniforms
from qrnn_qiskit.engine.trajectories.sample import draw_trajectories
from qrnn_qiskit.errors import BackendError, DataError
from qrnn_qiskit.estimate import Array

# Shots to draw at a time: rows that share their first angles share work within a chunk.
CHUNK_SHOTS: Final = 2**17
# Qubits up to which shots share trees of histories: with noise, without, and without where a shot
# has so few bits that a tree holds all histories. Others are drawn trajectory by trajectory.
MIXED_QUBITS: Final = 4
PURE_QUBITS: Final = 9
PURE_QUBITS_FEW_BITS: Final = 14
FEW_BITS: Final = 10
# Qubits up to which shots are best drawn here at all.
WIDEST: Final = 16
Way = Literal["histories", "trajectories"]

_WAYS: WeakKeyDictionary[Program, Way] = WeakKeyDictionary()
_MODELS: WeakKeyDictionary[Program, dict[bool, Model]] = WeakKeyDictionary()


def sample(
    program: Program,
    angles: Array,
    shots: int | Sequence[int] | NDArray[np.int64],
    seed: int,
    *,
    first_row: int = 0,
    single: bool = False,
    memory_limit: int = MEMORY_LIMIT,
    way: Way | None = None,
) -> Bits:
    """Sampled bits, readout errors included.

    Args:
        program: the circuit.
        angles: `[R, A]` in rad.
        shots: S for every row, or a count for each row.
        seed: a non-negative integer.
        first_row: number of the first of these rows among all rows that share the seed; row
            `first_row` + r gets the same bits whichever rows are sampled with it.
        single: keep states in single precision: faster, probabilities off by about 1e-6.
        memory_limit: bytes to stay within, the result apart; does not change it.
        way: "histories", which shots share, or "trajectories", one for each shot; None for
            the one that `way_of` says.

    Returns:
        0 or 1, `[R, S, T, K]`; with a count for each row `[sum(counts), T, K]`, row after row. A
        bit that is never measured is 0.

    Raises:
        DataError: where angles, shots or seed do not fit.
        BackendError: where the memory limit is too small for one row.
        CellError: where a channel is not completely positive, so that it has no trajectories.
    """
    angles = program.checked(angles)
    rows = angles.shape[0]
    counts = np.asarray(shots, dtype=np.int64)
    if counts.shape not in ((), (rows,)) or np.any(counts < 0):
        raise DataError(f"shots = {shots}: one number for all {rows} rows or one for each, >= 0")
    if seed < 0:
        raise DataError(f"seed = {seed}: must not be negative")
    counts = np.broadcast_to(counts, (rows,))
    bits = np.zeros((int(counts.sum()), program.num_steps * program.num_bits), dtype=np.uint8)
    if (way or way_of(program)) == "histories":
        _draw_histories(program, angles, counts, seed, first_row, bits, single, memory_limit)
    elif bits.size:
        draw_trajectories(
            program, angles, counts, seed, first_row, bits, single=single, memory_limit=memory_limit
        )
    shape = (program.num_steps, program.num_bits)
    if isinstance(shots, int | np.integer):
        return bits.reshape(rows, int(shots), *shape)
    return bits.reshape(-1, *shape)


def _draw_histories(
    program: Program,
    angles: Array,
    counts: NDArray[np.int64],
    seed: int,
    first_row: int,
    bits: Bits,
    single: bool,
    memory_limit: int,
) -> None:
    starts = np.concatenate([[0], np.cumsum(counts)])
    model = model_of(program, single=single)
    if model.slots and bits.size:
        passages = [
            _passage(model, i, angles, counts, memory_limit // 4) for i in range(len(model.slots))
        ]
        draws = -(-len(model.slots) // BITS_PER_DRAW)
        for first, last in _row_chunks(model, counts, memory_limit // 2):
            part = np.arange(first, last)
            drawn = uniforms(seed, first_row + first, counts[part], draws)
            filled = bits[starts[first] : starts[last]]
            local = [passage.rows(part) for passage in passages]
            Drawing(model, local, counts[part], drawn, filled).run()


def way_of(program: Program) -> Way:
    """How shots of a program are drawn faster; it depends on the program alone.

    Noise needs density matrices of 4^n components for histories; a trajectory has 2^n. The limits
    are where the two were measured to overtake each other (see the benchmarks).
    """
    if program not in _WAYS:
        most = MIXED_QUBITS
        if noise_free(program):
            bits = sum(not isinstance(op, Rotation | Channel) for op in simplify(program))
            most = PURE_QUBITS if bits > FEW_BITS else PURE_QUBITS_FEW_BITS
        _WAYS[program] = "histories" if program.num_qubits <= most else "trajectories"
    return _WAYS[program]


def suits_sampling(program: Program) -> bool:
    """Whether shots are best drawn here: not for registers beyond `WIDEST`."""
    return program.num_qubits <= WIDEST


def model_of(program: Program, *, single: bool = False) -> Model:
    """State vectors where there is no noise, else density matrices; made once."""
    models = _MODELS.setdefault(program, {})
    if single not in models:
        pure = pure_states(program, single=single)
        models[single] = pure or MixedStates(program, single=single)
    return models[single]


def distinct(values: Array) -> tuple[Index, Index]:
    """First place and number of each distinct row of `[R, ...]`: `[U]` and `[R]`."""
    words = np.ascontiguousarray(values).view(np.uint64)
    # Sorting numbers is far faster than sorting rows; equal hashes of unequal rows are found out.
    factors = np.random.Generator(np.random.PCG64(1)).integers(
        2**64, size=words.shape[1], dtype=np.uint64
    )
    with np.errstate(over="ignore"):
        hashes = ((words ^ (words >> np.uint64(29))) * (factors | np.uint64(1))).sum(
            axis=1, dtype=np.uint64
        )
    _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    if not np.array_equal(words[first][group], words):
        _, first, group = np.unique(values, axis=0, return_index=True, return_inverse=True)
    return first, group.reshape(-1)


def _passage(
    model: Model, place: int, angles: Array, counts: NDArray[np.int64], limit: int
) -> Passage:
    first, group = distinct(angles[:, model.columns[place]])
    sets = angles[first]
    size, left = model.sizes[place], model.sizes[place + 1]
    states = float(np.minimum(counts, 2.0**place).sum())
    bytes_needed = model.dtype.itemsize * first.size * size * 2 * left
    matrices = None
    if states > first.size * size and bytes_needed <= limit // len(model.slots):
        matrices = model.matrices(place, sets)
    return Passage(group, sets, matrices)


def _row_chunks(
    model: Model, counts: NDArray[np.int64], memory_limit: int
) -> list[tuple[int, int]]:
    """First and last row of each chunk."""
    per_shot = model.dtype.itemsize * 6 * max(model.sizes) + 8 * len(model.slots) + 64
    most = int(counts.max())
    if most * per_shot > memory_limit:
        raise BackendError(
            f"sampling {most} shots takes {most * per_shot / 2**30:.3g} GiB, but the memory limit "
            f"is {memory_limit / 2**30:.3g} GiB: use fewer shots at a time"
        )
    target = min(memory_limit // per_shot, max(CHUNK_SHOTS, most))
    chunks, first, used = [], 0, 0
    for row, count in enumerate(counts.tolist()):
        if used + count > target and row > first:
            chunks.append((first, row))
            first, used = row, 0
        used += count
    return [*chunks, (first, len(counts))]
