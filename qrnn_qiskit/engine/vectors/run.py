"""The run of a state vector through its entries, forward and backward.

A state that post-selection has made small is scaled by a power of two after each step, so that
nothing underflows however unlikely a history is. Axes: R rows, A angles, T steps, 2^K outcomes of a
step, G groups of rotations of one kind, J angles of a group, D sums.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.vectors.entries import Read, Rotations, State, Sums
from qrnn_qiskit.engine.vectors.lower import Entry, Lowered
from qrnn_qiskit.engine.vectors.strings import Index
from qrnn_qiskit.estimate import Array


@final
@dataclass(slots=True, eq=False)
class _Kind:
    """Groups of a piece that turn by the same sums of their angles."""

    sums: Sums
    columns: list[tuple[int, ...]] = field(default_factory=list)
    slopes: list[tuple[int, ...]] = field(default_factory=list)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Part of the entries.

    Attributes:
        entries: in order of time.
        places: for each entry, its kind and its place among those of the kind; -1 if it does not
            rotate.
        kinds: sums of angles, with the columns `[G, J]` of the angles and those that the
            derivatives go to.
        total: components of all states behind entries, with the sums of rotations.
    """

    entries: tuple[Entry, ...]
    places: tuple[tuple[int, int], ...]
    kinds: tuple[tuple[Sums, Index, Index], ...]
    total: int


def pieces_of(entries: tuple[Entry, ...], most: int) -> list[Piece]:
    """Cut entries into pieces of about `most` components."""
    pieces, first, total = list[Piece](), 0, 0
    for i, entry in enumerate(entries):
        own = size_of(entry)
        if total and total + own > most:
            pieces.append(_piece(entries[first:i], total))
            first, total = i, 0
        total += own
    return [*pieces, _piece(entries[first:], total)]


def size_of(entry: Entry) -> int:
    """Components to keep for an entry."""
    if isinstance(entry, Rotations):
        return entry.kernel.size + 3 * entry.kernel.sums.num_sums
    return entry.size


def _piece(entries: tuple[Entry, ...], total: int) -> Piece:
    kinds: dict[int, _Kind] = {}
    numbers: dict[int, int] = {}
    places = []
    for entry in entries:
        if not isinstance(entry, Rotations):
            places.append((-1, -1))
            continue
        key = id(entry.kernel.sums)
        kind = kinds.setdefault(key, _Kind(entry.kernel.sums))
        places.append((numbers.setdefault(key, len(numbers)), len(kind.columns)))
        kind.columns.append(entry.columns)
        kind.slopes.append(entry.slopes)
    return Piece(
        entries,
        tuple(places),
        tuple(
            (kind.sums, np.array(kind.columns, dtype=np.intp), np.array(kind.slopes, dtype=np.intp))
            for kind in kinds.values()
        ),
        total,
    )


@final
class Run:
    """One batch of rows.

    Attributes:
        state: the present one, `[2^m, R]`.
        probabilities: `[T, 2^K, R]` of the outcomes, to be scaled.
        exponents: `[T, R]` the power of two that scales the probabilities of each step.
    """

    def __init__(self, lowered: Lowered, angles: Array, num_steps: int, num_outcomes: int) -> None:
        """Make a run.

        Args:
            lowered: the program.
            angles: `[R, A]` in rad.
            num_steps: T.
            num_outcomes: 2^K.
        """
        self.rows = len(angles)
        self.dtype = np.dtype(np.float64 if lowered.real else np.complex128)
        self.angles = np.ascontiguousarray(angles.T)
        self.shared = np.all(angles == angles[:1], axis=0)
        self.probabilities = np.zeros((num_steps, num_outcomes, self.rows))
        self.probabilities[:, 0] = 1.0
        self.exponents = np.zeros((num_steps, self.rows), dtype=np.int64)
        self._scales: dict[int, NDArray[np.int64]] = {}
        self._exponent = np.zeros(self.rows, dtype=np.int64)
        self.state: State = np.ones((1, self.rows), dtype=self.dtype)
        widest = max((entry.size for entry in lowered.entries), default=1)
        self._buffers = [np.empty(widest * self.rows, dtype=self.dtype) for _ in range(2)]

    def forward(self, piece: Piece) -> None:
        """Pass the next piece."""
        self._pass(piece, None)

    def kept(self, piece: Piece, state: State | None = None) -> list[State]:
        """Pass a piece and keep the states before and behind all entries.

        Args:
            piece: the next one.
            state: the state before it, where it is passed for a second time.
        """
        if state is not None:
            self.state = state
        return self._pass(piece, np.empty(piece.total * self.rows, dtype=self.dtype))

    def _pass(self, piece: Piece, arena: State | None) -> list[State]:
        waves = self._waves(piece)
        states, used = [self.state], 0
        for entry, (kind, place) in zip(piece.entries, piece.places, strict=True):
            if isinstance(entry, Read) and not self._read(entry):
                if arena is not None:
                    states.append(self.state)
                continue
            size = entry.size * self.rows
            if arena is None:
                after = self._other(self.state)[:size].reshape(entry.size, -1)
            else:
                after = arena[used : used + size].reshape(entry.size, -1)
                used += size
            if isinstance(entry, Rotations):
                cos, sin = waves[kind]
                entry.kernel.forward(self.state, after, cos[place], sin[place])
            elif isinstance(entry, Read):
                np.multiply(self.state, np.ldexp(1.0, -self._scales[entry.step]), out=after)
            else:
                entry.forward(self.state, after)
            self.state = after
            if arena is not None:
                states.append(after)
        return states

    def _other(self, state: State) -> State:
        """The buffer that a state does not lie in."""
        return self._buffers[state.base is self._buffers[0]]

    def _read(self, entry: Read) -> bool:
        """Note probabilities; whether the state has to be scaled."""
        found = entry.probabilities(self.state)
        noted = self.probabilities[entry.step]
        noted[0] = 0.0
        noted[entry.outcomes] = found
        if entry.step not in self._scales:
            self.exponents[entry.step] = self._exponent
            norms = found.reshape(-1, self.rows).sum(axis=0)
            self._scales[entry.step] = np.frexp(norms)[1] // 2 * entry.scale
            self._exponent = self._exponent + 2 * self._scales[entry.step]
        return bool(self._scales[entry.step].any())

    def _waves(self, piece: Piece) -> list[tuple[Array, Array]]:
        """Cosines and sines of half of all sums, `[G, D, R]` or `[G, D, 1]`, for each kind."""
        waves = []
        for sums, columns, _ in piece.kinds:
            angles = self.angles
            if self.rows > 1 and self.shared[columns].all():
                angles = angles[:, :1]
            half = (sums.signs * 0.5) @ angles[columns]
            cos, sin = np.cos(half), np.sin(half)
            if sums.snapped:
                cos, sin = np.rint(cos), np.rint(sin)
            waves.append((cos, sin))
        return waves

    def backward(
        self, piece: Piece, states: list[State], adjoint: State, seeds: Array, gradient: Array
    ) -> State:
        """Go back through a piece.

        Args:
            piece: the last one that has not been gone through.
            states: before and behind all of its entries.
            adjoint: of the last state.
            seeds: dL/d(probabilities as noted) `[T, 2^K, R]`.
            gradient: dL/d(angles) `[A + 1, R]`, added to.

        Returns:
            The adjoint of the state before the piece.
        """
        waves = self._waves(piece)
        slopes: list[Any] = [
            np.empty((len(columns), sums.num_sums, self.rows)) for sums, columns, _ in piece.kinds
        ]
        for i in range(len(piece.entries) - 1, -1, -1):
            entry, (kind, place) = piece.entries[i], piece.places[i]
            state = states[i]
            if isinstance(entry, Read):
                scales = self._scales[entry.step]
                if scales.any():
                    adjoint *= np.ldexp(1.0, -scales)
                entry.backward(state, seeds[entry.step], adjoint)
                continue
            before = self._other(adjoint)[: state.size].reshape(state.shape)
            if isinstance(entry, Rotations):
                cos, sin = waves[kind]
                slopes[kind][place] = entry.kernel.backward(
                    state, states[i + 1], adjoint, before, cos[place], sin[place]
                )
            else:
                entry.backward(adjoint, before)
            adjoint = before
        for (sums, _, columns), slope in zip(piece.kinds, slopes, strict=True):
            np.add.at(gradient, columns, (sums.signs.T * 0.5) @ slope)
        return adjoint
