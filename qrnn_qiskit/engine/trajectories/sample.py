"""Shots of a program by trajectories; see `engine.sample`, which chooses between the ways.

Axes: R rows, A angles, S shots, G groups of W trajectories.
"""

from __future__ import annotations

from typing import Any, Final, final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.histories import Bits
from qrnn_qiskit.engine.program import Program
from qrnn_qiskit.engine.streams import stream_of
from qrnn_qiskit.engine.trajectories.blocks import Plan, plan_of
from qrnn_qiskit.engine.trajectories.run import STATES, Run
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Array

# Components of all states of a run: matrix products gain nothing from more.
_COMPONENTS: Final = 2**18
# Random numbers of a trajectory at a time, and the room that they have in the stream.
_DRAWS: Final = 64
_ROOM: Final = 2**48

_PLANS: WeakKeyDictionary[Program, Plan] = WeakKeyDictionary()


def draw_trajectories(
    program: Program,
    angles: Array,
    counts: NDArray[np.int64],
    seed: int,
    first_row: int,
    bits: Bits,
    *,
    single: bool,
    memory_limit: int,
) -> None:
    """Fill `bits` `[sum(counts), T * K]`; arguments as those of `engine.sample.sample`.

    Raises:
        BackendError: where the memory limit is too small for one trajectory.
        CellError: where a channel is not completely positive.
    """
    if program not in _PLANS:
        _PLANS[program] = plan_of(program)
    plan = _PLANS[program]
    dtype = np.dtype(np.complex64 if single else np.complex128)
    state = dtype.itemsize * 2**program.num_qubits
    per_lane = STATES * state + 8 * _DRAWS + bits.shape[1]
    if per_lane > memory_limit:
        raise BackendError(
            f"one trajectory of {program.num_qubits} qubits takes {per_lane / 2**30:.3g} GiB, but "
            f"the memory limit is {memory_limit / 2**30:.3g} GiB: use fewer qubits"
        )
    most = max(1, min(_COMPONENTS >> program.num_qubits, memory_limit // per_lane))
    width = max(1, min(most, int(counts.max(initial=0))))
    starts = np.cumsum(counts) - counts
    groups = [
        (row, shot, min(width, count - shot))
        for row, count in enumerate(counts.tolist())
        for shot in range(0, count, width)
    ]
    together = max(1, most // width)
    for first in range(0, len(groups), together):
        part = groups[first : first + together]
        rows = [row for row, _, _ in part]
        drawn = np.zeros((len(part), width, bits.shape[1]), dtype=np.uint8)
        places = [(first_row + row, shot, count) for row, shot, count in part]
        numbers = _Numbers(seed, places, width, plan.draws)
        Run(plan, angles[rows], width, dtype, numbers, drawn).run()
        for (row, shot, count), own in zip(part, drawn, strict=True):
            start = int(starts[row]) + shot
            bits[start : start + count] = own[:count]


@final
class _Numbers:
    """Random numbers, asked for in order; those of a shot depend on its row and number alone."""

    def __init__(
        self, seed: int, places: list[tuple[int, int, int]], width: int, draws: int
    ) -> None:
        self._seed, self._places, self._width, self._draws = seed, places, width, draws
        self._block: NDArray[Any] = np.empty(0)

    def __call__(self, draw: int) -> Array:
        """`[G, W]` of the given draw."""
        part, place = divmod(draw, _DRAWS)
        if place == 0:
            used = min(_DRAWS, self._draws - draw)
            self._block = np.zeros((used, len(self._places), self._width))
            for g, (row, shot, count) in enumerate(self._places):
                stream = stream_of(self._seed, row, part * _ROOM + shot * _DRAWS)
                own = np.random.Generator(stream).random((count, _DRAWS))
                self._block[:, g, :count] = own[:, :used].T
        numbers: Array = self._block[place]
        return numbers
