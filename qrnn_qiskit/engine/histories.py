"""Drawing histories of bits: a tree of all of them first, then shot by shot.

A shot carries a position in [0, mass of its history): below the mass of a next bit of 0 the bit is
0, else it is 1 and that mass is subtracted. So one uniform number decides many bits, whether they
are read off a tree or drawn one at a time, and which of the two it is changes no bit.

All rows whose angles agree so far share one tree. It holds all histories while there are fewer of
them than shots; beyond, each shot has a state of its own.

Axes: R rows of a chunk, C trees, N shots, M segments, U distinct sets of angles, d components.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.segments import Index
from qrnn_qiskit.estimate import Array

States = NDArray[Any]
Bits = NDArray[np.uint8]

# Bits decided by one uniform number of 53 bits; each is off by less than 2^-53.
BITS_PER_DRAW: Final = 20
# Bytes of states that are worked on at a time: they should stay in the cache.
CACHED: Final = 2**20


class Model(Protocol):
    """States of histories, unnormalised, and the segments that they pass."""

    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def slots(self) -> list[int]: ...
    @property
    def columns(self) -> list[Index]: ...
    @property
    def sizes(self) -> list[int]: ...

    def mass(self, states: States) -> Array:
        """Probabilities of the histories with states `[..., d]`."""

    def normalised(self, states: States, mass: Array) -> States:
        """The states `[N, d]` of histories with probability `mass`, scaled to probability 1."""

    def start(self) -> States:
        """State 0, `[1, d]`."""

    def matrices(self, place: int, angles: Array) -> States:
        """A segment for angles `[U, A]`: `[U, d, 2 d']`."""

    def advance(self, place: int, states: States, angles: Array) -> States:
        """States `[N, d]` with angles `[N, A]` through a segment: `[N, 2 d']`."""


@final
@dataclass(frozen=True, slots=True)
class Passage:
    """How the rows pass one segment.

    Attributes:
        group: `[R]` distinct set of angles of each row.
        angles: `[U, A]` the sets.
        matrices: `[U, d, 2 d']`, or None: state by state.
    """

    group: Index
    angles: Array
    matrices: States | None

    def rows(self, part: Index) -> Passage:
        """The passage of some rows."""
        return Passage(self.group[part], self.angles, self.matrices)


@final
class Drawing:
    """Draws the bits of a chunk of rows.

    Args:
        model: states and segments.
        passages: of these rows through each segment.
        counts: `[R]` shots of each row.
        uniforms: `[N, ceil(M / BITS_PER_DRAW)]` numbers in [0, 1), row after row.
        bits: `[N, slots]`, filled.
    """

    def __init__(
        self,
        model: Model,
        passages: list[Passage],
        counts: NDArray[np.int64],
        uniforms: Array,
        bits: Bits,
    ) -> None:
        self.model = model
        self.passages = passages
        self.counts = counts
        self.uniforms = uniforms
        self.bits = bits
        self.starts = np.concatenate([[0], np.cumsum(counts)])

    def run(self) -> None:
        """Draw all bits."""
        rows = np.flatnonzero(self.counts > 0)
        self._branch(0, rows, np.zeros(rows.size, dtype=np.intp), self.model.start()[None])

    def _branch(self, depth: int, rows: Index, tree: Index, states: States) -> None:
        """Draw the bits of rows with trees `[C, 2^depth, d]`; `tree` is that of each row."""
        while rows.size:
            if len(states) > 1 and states.nbytes > CACHED:
                half = len(states) // 2
                low = tree < half
                self._branch(depth, rows[low], tree[low], states[:half])
                rows, tree, states = rows[~low], tree[~low] - half, states[half:]
                continue
            if depth == len(self.passages) or depth == BITS_PER_DRAW:
                self._leave(depth, rows, tree, states)
                return
            # One tree for each set of angles; those with few shots are not worth growing.
            passage = self.passages[depth]
            sets = len(passage.angles)
            chosen, number = np.unique(tree * sets + passage.group[rows], return_inverse=True)
            number = number.reshape(-1)
            grows = np.bincount(number, self.counts[rows]) >= 2 << depth
            going = grows[number]
            if not going.all():
                left, kept = np.unique(tree[~going], return_inverse=True)
                leaving = states if left.size == len(states) else states[left]
                self._leave(depth, rows[~going], kept.reshape(-1), leaving)
                rows, number = rows[going], (np.cumsum(grows) - 1)[number[going]]
            if rows.size:
                parent, group = np.divmod(chosen[grows], sets)
                states = self._grow(depth, parent, group, states)
                tree = number
                depth += 1

    def _grow(self, depth: int, parent: Index, group: Index, states: States) -> States:
        """Trees `[C', 2^(depth+1), d']` after one more bit: of which parent, for which angles."""
        passage = self.passages[depth]
        if passage.matrices is not None:
            grown: States = np.matmul(states[parent], passage.matrices[group])
        else:
            flat = states[parent].reshape(-1, states.shape[2])
            angles = passage.angles[np.repeat(group, states.shape[1])]
            grown = self.model.advance(depth, flat, angles)
        return grown.reshape(len(parent), -1, self.model.sizes[depth + 1])

    def _leave(self, depth: int, rows: Index, tree: Index, states: States) -> None:
        """Draw the first `depth` bits of rows from trees `[C, 2^depth, d]`, then the others."""
        leaves = states.shape[1]
        mass = np.ascontiguousarray(self.model.mass(states)).ravel()
        ends = np.cumsum(mass.reshape(-1, leaves), axis=1).ravel()
        states = states.reshape(-1, states.shape[2])
        most = max(1, CACHED // (states.dtype.itemsize * max(self.model.sizes)))
        for part in _parts(self.counts[rows], most):
            counts = self.counts[rows[part]]
            first = np.repeat(tree[part] * leaves, counts)
            shots = _ranges(self.starts[rows[part]], counts)
            position = self.uniforms[shots, 0] * ends[first + (leaves - 1)]
            leaf, step = first.copy(), leaves // 2
            while step:
                leaf += (position >= ends.take(leaf + (step - 1))) * step
                step //= 2
            leaf_bytes = (leaf - first).astype(">u4").view(np.uint8).reshape(-1, 4)
            path = np.unpackbits(leaf_bytes, axis=1)[:, 32 - depth :]
            rest = np.empty((len(self.passages) - depth, shots.size), dtype=np.uint8)
            if depth < len(self.passages):
                position -= np.where(leaf > first, ends[leaf - 1], 0.0)
                self._draw(rows[part], shots, (states[leaf], position, mass[leaf]), rest)
            self._write(shots, path, rest)

    def _write(self, shots: Index, path: Bits, rest: Bits) -> None:
        """Put bits `[N, depth]` and `[M - depth, N]` into their places."""
        slots, depth = np.array(self.model.slots), path.shape[1]
        block = np.zeros((shots.size, self.bits.shape[1]), dtype=np.uint8)
        shown = slots >= 0
        block[:, slots[:depth][shown[:depth]]] = path[:, shown[:depth]]
        block[:, slots[depth:][shown[depth:]]] = rest[shown[depth:]].T
        if shots[-1] - shots[0] == shots.size - 1:
            self.bits[shots[0] : shots[-1] + 1] = block
        else:
            self.bits[shots] = block

    def _draw(
        self, rows: Index, shots: Index, start: tuple[States, Array, Array], drawn: Bits
    ) -> None:
        """Draw the last bits, shot by shot.

        Args:
            rows: of these shots, which are ordered by row.
            shots: their places among all shots.
            start: states `[N, d]`, positions and masses `[N]`.
            drawn: `[bits, N]`, filled.
        """
        model = self.model
        states, position, mass = start
        ends = np.cumsum(self.counts[rows])
        pairs = 2 * np.arange(shots.size)
        for place, row in enumerate(drawn, len(self.passages) - len(drawn)):
            if place % BITS_PER_DRAW == 0:
                states = model.normalised(states, mass)
                position = self.uniforms[shots, place // BITS_PER_DRAW]
                mass = np.ones(position.size)
            size = model.sizes[place + 1]
            after = self._pass(place, states, rows, ends)
            zero = model.mass(after[:, :size])
            bit = position >= zero
            row[...] = bit
            states = after.reshape(-1, size).take(pairs + bit, axis=0)
            position -= bit * zero
            mass = np.where(bit, mass - zero, zero)

    def _pass(self, place: int, states: States, rows: Index, ends: NDArray[np.int64]) -> States:
        """States `[N, d]` of shots of some rows through a segment, `[N, 2 d']`."""
        passage = self.passages[place]
        group = passage.group[rows]
        if passage.matrices is None:
            counts = np.diff(ends, prepend=0)
            return self.model.advance(place, states, passage.angles[np.repeat(group, counts)])
        after = np.empty((len(states), passage.matrices.shape[2]), dtype=states.dtype)
        first = 0
        # Neighbouring rows with the same angles are one product.
        for last in [*(np.flatnonzero(group[1:] != group[:-1]) + 1).tolist(), len(group)]:
            run = slice(int(ends[first - 1]) if first else 0, int(ends[last - 1]))
            np.matmul(states[run], passage.matrices[group[first]], out=after[run])
            first = last
        return after


def _parts(counts: NDArray[np.int64], most: int) -> Iterator[slice]:
    """Slices of rows with about `most` shots together."""
    ends = np.cumsum(counts)
    first = 0
    while first < len(counts):
        before = ends[first - 1] if first else 0
        stop = max(first + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield slice(first, stop)
        first = stop


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> Index:
    """The numbers starts[i] ... starts[i] + counts[i] - 1, one range after the other."""
    offsets = np.cumsum(counts) - counts
    ranges: Index = np.arange(int(counts.sum())) + np.repeat(starts - offsets, counts)
    return ranges
