"""What a state vector passes, one entry after the other, forward and backward.

Qubits that are in state 0 for certain take no part: the state is an array `[2^m, R]` over the m
live qubits, the lowest one most significant. Each entry reads one array and writes another.

With adjoint l, a derivative is dL = Re(conj(l) . d(state)).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.pauli import Complex
from qrnn_qiskit.engine.vectors.strings import Index
from qrnn_qiskit.estimate import Array

State = NDArray[Any]


class Fixed(Protocol):
    """A constant map from one state to the next."""

    @property
    def size(self) -> int:
        """Components of the state behind it."""

    def forward(self, state: State, after: State) -> None:
        """Fill `after`."""

    def backward(self, adjoint: State, before: State) -> None:
        """Fill `before` with the adjoint of the state before."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Monomial:
    """Component j behind it is factor[j] times component source[j] before it.

    `back` is the same for the way back, where no component is the source of two.
    """

    source: Index
    factor: Complex | Array | None
    back: Index
    back_factor: Complex | Array | None

    @property
    def size(self) -> int:
        return int(self.source.size)

    def forward(self, state: State, after: State) -> None:
        """See `Fixed`."""
        np.take(state, self.source, axis=0, out=after, mode="clip")
        if self.factor is not None:
            after *= self.factor

    def backward(self, adjoint: State, before: State) -> None:
        """See `Fixed`."""
        np.take(adjoint, self.back, axis=0, out=before, mode="clip")
        if self.back_factor is not None:
            before *= self.back_factor


@final
@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A matrix `[2^k, 2^j]` from components `source` `[2^j, ...]` to `target` `[2^k, ...]`."""

    matrix: Complex | Array
    source: Index
    target: Index

    @property
    def size(self) -> int:
        return int(self.target.size)

    def forward(self, state: State, after: State) -> None:
        """See `Fixed`."""
        _mixed(self.matrix, state, self.source, after, self.target)

    def backward(self, adjoint: State, before: State) -> None:
        """See `Fixed`."""
        _mixed(self.matrix.conj().T, adjoint, self.target, before, self.source)


def _mixed(matrix: State, state: State, source: Index, after: State, target: Index) -> None:
    taken = state[source]
    after[target] = (matrix @ taken.reshape(len(source), -1)).reshape(*target.shape, -1)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Project:
    """The part in state 0 of one qubit: the middle axis of `[before, 2, after]` components."""

    before: int
    after: int

    @property
    def size(self) -> int:
        return self.before * self.after

    def forward(self, state: State, after: State) -> None:
        """See `Fixed`."""
        after.reshape(self.before, -1)[...] = state.reshape(self.before, 2, -1)[:, 0]

    def backward(self, adjoint: State, before: State) -> None:
        """See `Fixed`."""
        parts = before.reshape(self.before, 2, -1)
        parts[:, 0] = adjoint.reshape(self.before, -1)
        parts[:, 1] = 0.0


@final
@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums of angles that one kind of group turns by.

    Attributes:
        signs: `[D, J]` entries -1 and 1: sum d is sum_j signs[d, j] * angle_j.
        snapped: whether all angles are multiples of pi, known to the last digit.
    """

    signs: Array
    snapped: bool

    @property
    def num_sums(self) -> int:
        return len(self.signs)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """Commuting rotations that flip the same qubits: pairs of components turn by sums of angles.

    One qubit of those that flip splits the components into halves: (a, b), the second with the
    other flipping qubits reversed, becomes (c a + e s b, c b - conj(e) s a), where c and s are cos
    and sin of half the pair's sum, and e is 1, or i where the program is complex.

    Attributes:
        sums: what they turn by.
        real: whether e is 1.
        fresh: whether the splitting qubit is in state 0 before, so that there is no b.
        projected: whether it is projected onto 0 right after, so that only the first is wanted.
        shape: of the state with all axes apart that matter, rows not among them; the axis of the
            splitting qubit has length 2, also where it is fresh or projected.
        axis: of the splitting qubit.
        reversed_axes: of the other qubits that flip.
        sum_shape: of the sums, to go with `shape` without the axis of the splitting qubit.
    """

    sums: Sums
    real: bool
    fresh: bool
    projected: bool
    shape: tuple[int, ...]
    axis: int
    reversed_axes: tuple[int, ...]
    sum_shape: tuple[int, ...]
    # Worked out once: these calls are short.
    size: int = field(init=False)
    _at_once: bool = field(init=False)
    _shapes: tuple[tuple[int, ...], ...] = field(init=False)
    _slices: tuple[tuple[Any, ...], ...] = field(init=False)
    _signs: Array = field(init=False)

    def __post_init__(self) -> None:
        before, behind = self.shape[: self.axis], self.shape[self.axis + 1 :]
        sums = (*self.sum_shape[: self.axis], 1, *self.sum_shape[self.axis :], -1)
        every, reverse = slice(None), slice(None, None, -1)
        partner: list[Any] = [every] * len(self.shape)
        for axis in self.reversed_axes:
            partner[axis] = reverse
        second = (*partner[: self.axis], 1, *partner[self.axis + 1 :])
        partner[self.axis] = reverse
        first = (*[every] * self.axis, 0)
        alike = all(sums[axis] == 1 for axis in self.reversed_axes)
        shapes = ((*self.shape, -1), (*before, *behind, -1), (*self.sum_shape, -1), sums)
        signs = np.array([1.0, -1.0] if self.real else [1.0, 1.0])
        values: dict[str, Any] = {
            "size": prod(self.shape) // (2 if self.projected else 1),
            "_at_once": alike and not self.fresh and not self.projected,
            "_shapes": shapes,
            "_slices": (tuple(partner), first, second),
            "_signs": signs.reshape(*[1] * self.axis, 2, *[1] * len(behind), 1),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def halves(self, state: State, *, whole: bool) -> tuple[State, State | None]:
        """Views of both halves `[..., R]`; the second is None where the state has only one."""
        if not whole:
            return state.reshape(self._shapes[1]), None
        parts = state.reshape(self._shapes[0])
        return parts[self._slices[1]], parts[self._slices[2]]

    def forward(self, state: State, after: State, cos: Array, sin: Array) -> None:
        """Fill `after`; `cos` and `sin` are `[D, R]` or `[D, 1]`."""
        if self._at_once:
            parts, new = state.reshape(self._shapes[0]), after.reshape(self._shapes[0])
            np.multiply(parts, cos.reshape(self._shapes[3]), out=new)
            new += parts[self._slices[0]] * self._turn(sin)
            return
        cos, sin = cos.reshape(self._shapes[2]), sin.reshape(self._shapes[2])
        turn: State = sin if self.real else 1j * sin
        a, b = self.halves(state, whole=not self.fresh)
        new_a, new_b = self.halves(after, whole=not self.projected)
        np.multiply(a, cos, out=new_a)
        if b is not None:
            new_a += b * turn
        if new_b is None:
            return
        if b is None:
            np.multiply(a, -turn if self.real else turn, out=new_b)
            return
        np.multiply(b, cos, out=new_b)
        (np.subtract if self.real else np.add)(new_b, a * turn, out=new_b)

    def backward(
        self, state: State, after: State, adjoint: State, before: State, cos: Array, sin: Array
    ) -> Array:
        """Fill `before`; returns dL/d(half sums) `[D, R]`.

        Args:
            state: before the turn.
            after: behind it.
            adjoint: of the state behind.
            before: gets the adjoint of the state before.
            cos: `[D, R]` or `[D, 1]`.
            sin: likewise.
        """
        if self._at_once:
            return self._back_at_once(after, adjoint, before, cos, sin)
        cos, sin = cos.reshape(self._shapes[2]), sin.reshape(self._shapes[2])
        # The adjoint of (c, e s; -conj(e) s, c) is (c, -e s; conj(e) s, c).
        turn: State = sin if self.real else 1j * sin
        back = turn if self.real else -turn
        a, b = self.halves(state, whole=not self.fresh)
        new_a, new_b = self.halves(after, whole=not self.projected)
        l_a, l_b = self.halves(adjoint, whole=not self.projected)
        old_a, old_b = self.halves(before, whole=not self.fresh)
        np.multiply(l_a, cos, out=old_a)
        if l_b is not None:
            old_a -= l_b * turn
        if old_b is not None:
            np.multiply(l_a, back, out=old_b)
            if l_b is not None:
                old_b += l_b * cos
        # d(new_a) = e new_b and d(new_b) = -conj(e) new_a.
        if new_b is None:
            new_b = a * -back
            if b is not None:
                new_b += b * cos
        slope = _bra(l_a) * new_b
        if l_b is not None:
            (np.subtract if self.real else np.add)(slope, _bra(l_b) * new_a, out=slope)
        return self.summed(slope.real if self.real else -slope.imag)

    def summed(self, slope: Array) -> Array:
        """Over all pairs of components that turn by the same sum, `[D, R]`."""
        return _summed(slope, self._shapes[2], self.sums)

    def _turn(self, sin: Array) -> State:
        """E s and -conj(e) s along the axis of the splitting qubit."""
        turn = sin.reshape(self._shapes[3])
        return turn * self._signs if self.real else 1j * turn

    def _back_at_once(
        self, after: State, adjoint: State, before: State, cos: Array, sin: Array
    ) -> Array:
        parts, old = adjoint.reshape(self._shapes[0]), before.reshape(self._shapes[0])
        np.multiply(parts, cos.reshape(self._shapes[3]), out=old)
        old -= parts[self._slices[0]] * self._turn(sin)
        slope = _bra(parts) * after.reshape(self._shapes[0])[self._slices[0]]
        slopes = (slope * self._signs).real if self.real else -slope.imag
        return _summed(slopes, self._shapes[3], self.sums)


def _bra(adjoint: State) -> State:
    return adjoint.conj() if adjoint.dtype.kind == "c" else adjoint


def _summed(slope: Array, sum_shape: tuple[int, ...], sums: Sums) -> Array:
    """Summed over all components that turn by the same sum, `[D, R]`."""
    free = tuple([i for i, length in enumerate(sum_shape) if length == 1])
    result: Array = np.add.reduce(slope, axis=free) if free else slope
    return result.reshape(sums.num_sums, -1)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Phase:
    """Commuting rotations that flip nothing: every component gets exp(-i sum / 2).

    Attributes:
        sums: what they turn by.
        shape: of the state with all axes apart that matter, rows not among them.
        sum_shape: of the sums, to go with it.
    """

    sums: Sums
    shape: tuple[int, ...]
    sum_shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return prod(self.shape)

    def forward(self, state: State, after: State, cos: Array, sin: Array) -> None:
        """See `Turn`."""
        phase = (cos - 1j * sin).reshape(*self.sum_shape, -1)
        np.multiply(state.reshape(*self.shape, -1), phase, out=after.reshape(*self.shape, -1))

    def backward(
        self, state: State, after: State, adjoint: State, before: State, cos: Array, sin: Array
    ) -> Array:
        """See `Turn`."""
        phase = (cos + 1j * sin).reshape(*self.sum_shape, -1)
        parts = adjoint.reshape(*self.shape, -1)
        np.multiply(parts, phase, out=before.reshape(*self.shape, -1))
        # d(after) = -i after d(sum / 2)
        slope = (parts.conj() * after.reshape(*self.shape, -1)).imag
        return _summed(slope, self.sum_shape, self.sums)


@final
@dataclass(frozen=True, slots=True)
class Rotations:
    """A turn or phase in its place: the columns of its angles, A for those without a derivative."""

    kernel: Turn | Phase
    columns: tuple[int, ...]
    slopes: tuple[int, ...]

    @property
    def size(self) -> int:
        return self.kernel.size


@final
@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """Note the joint distribution of a step's output bits, then scale the state if asked to.

    Attributes:
        step: of the outputs.
        num_live: m.
        axes: live qubits to read, in the order of the axes of `outcomes`.
        outcomes: `[2, 2, ...]` number of the outcome for each reading of those.
        scale: whether the state's norm may have become small.
    """

    step: int
    num_live: int
    axes: tuple[int, ...]
    outcomes: Index
    scale: bool

    @property
    def size(self) -> int:
        return 1 << self.num_live

    def probabilities(self, state: State) -> Array:
        """`[2, 2, ..., R]` of the readings."""
        parts = state.reshape(*(2,) * self.num_live, -1)
        squares = parts.real**2 + parts.imag**2 if np.iscomplexobj(parts) else parts * parts
        others = tuple(i for i in range(self.num_live) if i not in self.axes)
        kept = [i for i in range(self.num_live) if i in self.axes]
        summed: Array = squares.sum(axis=others)
        order = [kept.index(i) for i in self.axes]
        return summed.transpose(*order, len(kept))

    def backward(self, state: State, seeds: Array, adjoint: State) -> None:
        """Add to `adjoint` what seeds dL/d(probabilities) `[2^K, R]` make of it."""
        weights = seeds[self.outcomes]  # [2, 2, ..., R]
        shape = [2 if i in self.axes else 1 for i in range(self.num_live)]
        kept = [i for i in range(self.num_live) if i in self.axes]
        order = [self.axes.index(i) for i in kept]
        spread = weights.transpose(*order, len(kept)).reshape(*shape, -1)
        parts = adjoint.reshape(*(2,) * self.num_live, -1)
        parts += 2.0 * spread * state.reshape(*(2,) * self.num_live, -1)
