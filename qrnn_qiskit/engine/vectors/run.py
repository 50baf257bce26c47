"""The run of a state vector through its entries, forward and backward.

A state that post-selection has made small is scaled by a power of two after each step, so that
nothing underflows however unlikely a history is. Axes: R rows, A angles, T steps, 2^K outcomes of a
step, G groups of rotations of one kind, J angles of a group, D sums, N factors of a blend.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.vectors.blend import Blend, blend_backward, products, slopes_of_products
from qrnn_qiskit.engine.vectors.entries import Read, Rotations, State, Sums
from qrnn_qiskit.engine.vectors.lower import Entry
from qrnn_qiskit.engine.vectors.strings import Index
from qrnn_qiskit.estimate import Array


@final
@dataclass(slots=True, eq=False)
class Kind:
    """Groups of a piece that turn by the same sums of their angles.

    Attributes:
        sums: of the angles.
        columns: `[G, J]`, those of blends `[G, N, J]`: the angles.
        slopes: the same shape: where the derivatives go.
        signs: `[G]` of blends; None for rotations.
    """

    sums: Sums
    columns: Index
    slopes: Index
    signs: Array | None


@final
@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Part of the entries.

    Attributes:
        entries: in order of time.
        places: for each entry, its kind and its place among those of the kind; -1 if it does not
            rotate.
        kinds: sums of angles.
        total: components of all states behind entries, with the sums of rotations.
        once: whether no angle that has a derivative is read twice.
    """

    entries: tuple[Entry, ...]
    places: tuple[tuple[int, int], ...]
    kinds: tuple[Kind, ...]
    total: int
    once: bool


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
    if isinstance(entry, Blend):
        return entry.size + (3 * len(entry.columns) + 4) * entry.kernel.sums.num_sums
    return entry.size


def _piece(entries: tuple[Entry, ...], total: int) -> Piece:
    groups: dict[Hashable, list[Rotations | Blend]] = {}
    numbers: dict[Hashable, int] = {}
    places = []
    for entry in entries:
        if not isinstance(entry, Rotations | Blend):
            places.append((-1, -1))
            continue
        factors = len(entry.columns) if isinstance(entry, Blend) else 0
        key = id(entry.kernel.sums), factors
        group = groups.setdefault(key, [])
        places.append((numbers.setdefault(key, len(numbers)), len(group)))
        group.append(entry)
    kinds = tuple(_kind(group) for group in groups.values())
    return Piece(entries, tuple(places), kinds, total, _once(kinds))


def _kind(group: Sequence[Rotations | Blend]) -> Kind:
    signs = [entry.sign for entry in group if isinstance(entry, Blend)]
    return Kind(
        group[0].kernel.sums,
        np.array([entry.columns for entry in group], dtype=np.intp),
        np.array([entry.slopes for entry in group], dtype=np.intp),
        np.array(signs) if signs else None,
    )


def _once(kinds: Iterable[Kind]) -> bool:
    """Whether no angle that has a derivative is read twice."""
    used = np.concatenate(
        [np.zeros(0, dtype=np.intp), *(k.columns[k.columns == k.slopes] for k in kinds)]
    )
    return len(np.unique(used)) == len(used)


@final
class Run:
    """One batch of rows.

    Attributes:
        state: the present one, `[2^m, R]`.
        probabilities: `[T, 2^K, R]` of the outcomes, to be scaled.
        exponents: `[T, R]` the power of two that scales the probabilities of each step.
    """

    def __init__(
        self,
        real: bool,
        entries: tuple[Entry, ...],
        angles: Array,
        outcomes: tuple[int, int] = (0, 1),
        start: Array | None = None,
    ) -> None:
        """Make a run.

        Args:
            real: whether the state is.
            entries: all that it will pass.
            angles: `[R, A]` in rad.
            outcomes: T and 2^K.
            start: components of the state, the same for all rows; all qubits in state 0 if None.
        """
        self.rows = len(angles)
        self.dtype = np.dtype(np.float64 if real else np.complex128)
        self.angles = np.ascontiguousarray(angles.T)
        self.shared = np.all(angles == angles[:1], axis=0)
        self.probabilities = np.zeros((*outcomes, self.rows))
        self.probabilities[:, 0] = 1.0
        self.exponents = np.zeros((outcomes[0], self.rows), dtype=np.int64)
        self._scales: dict[int, NDArray[np.int64]] = {}
        self._exponent = np.zeros(self.rows, dtype=np.int64)
        first = np.ones(1) if start is None else start
        self.state: State = np.repeat(first[:, None], self.rows, axis=1).astype(self.dtype)
        widest = max([first.size, *(entry.size for entry in entries)])
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
        waves = _acting(piece, self._waves(piece))
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
            if isinstance(entry, Rotations | Blend):
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
        """Cosines and sines of half of all sums, `[G, D, R]` or `[G, D, 1]`, for each kind.

        Of blends, `[G, N, D, R]` or `[G, N, D, 1]`.
        """
        waves = []
        for kind in piece.kinds:
            angles = self.angles
            if self.rows > 1 and self.shared[kind.columns].all():
                angles = angles[:, :1]
            half = (kind.sums.signs * 0.5) @ angles[kind.columns]
            cos, sin = np.cos(half), np.sin(half)
            if kind.sums.snapped:
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
        acting = _acting(piece, waves)
        slopes: list[Any] = [
            np.empty((*k.columns.shape[:1], *(() if k.signs is None else (2,)), k.sums.num_sums, n))
            for k, n in ((k, self.rows) for k in piece.kinds)
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
            if isinstance(entry, Rotations | Blend):
                cos, sin = (wave[place] for wave in acting[kind])
                if isinstance(entry, Blend):
                    found = blend_backward(entry.kernel, state, adjoint, before, cos, sin)
                    slopes[kind][place] = found
                else:
                    slopes[kind][place] = entry.kernel.backward(
                        state, states[i + 1], adjoint, before, cos, sin
                    )
            else:
                entry.backward(adjoint, before)
            adjoint = before
        for of, wave, slope in zip(piece.kinds, waves, slopes, strict=True):
            whole = slope if of.signs is None else slopes_of_products(*wave, of.signs, slope)
            parts = (of.sums.signs.T * 0.5) @ whole
            if piece.once:
                gradient[of.slopes] += parts
            else:
                np.add.at(gradient, of.slopes, parts)
        return adjoint


def _acting(piece: Piece, waves: list[tuple[Array, Array]]) -> list[tuple[Array, Array]]:
    """What the state turns by: cosines and sines, of blends their products."""
    return [
        wave if kind.signs is None else products(*wave, kind.signs)
        for kind, wave in zip(piece.kinds, waves, strict=True)
    ]
