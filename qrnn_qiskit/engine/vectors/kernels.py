"""Entries made once each: those of all steps are the same."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, final

import numpy as np

from qrnn_qiskit.engine.pauli import Complex
from qrnn_qiskit.engine.vectors.entries import Dense, Fixed, Monomial, Phase, Sums, Turn
from qrnn_qiskit.engine.vectors.strings import Affine, Index, PauliString
from qrnn_qiskit.estimate import Array


def bits(mask: int) -> list[int]:
    """The qubits of a mask, ascending."""
    return [q for q in range(mask.bit_length()) if mask >> q & 1]


def _states(qubits: list[int]) -> Index:
    """Basis states as masks, the first qubit most significant."""
    states = np.zeros(1, dtype=np.intp)
    for q in qubits:
        states = (states[:, None] + np.array([0, 1 << q])).ravel()
    return states


def _places(states: Index, live: int) -> Index:
    """Place of each basis state among the components of a state over live qubits."""
    places = np.zeros_like(states)
    for q in bits(live):
        places = 2 * places + ((states >> q) & 1)
    return places


def _mask(qubits: tuple[int, ...]) -> int:
    return sum(1 << q for q in qubits)


@final
class Kernels:
    """Entries by what they do."""

    def __init__(self) -> None:
        self._sums: dict[Hashable, Sums] = {}
        self._known: dict[Hashable, Any] = {}

    def rotation(
        self,
        live: int,
        flips: int,
        strings: tuple[PauliString, ...],
        split: int,
        *,
        fresh: bool,
        projected: bool,
        snapped: bool,
    ) -> Turn | Phase:
        """Commuting rotations that flip the same qubits.

        Args:
            live: live qubits, of those that flip all but perhaps `split`.
            flips: the qubits that flip.
            strings: generators.
            split: the qubit of `flips` that splits the state; unused if there is none.
            fresh: whether `split` is in state 0.
            projected: whether `split` is projected onto 0 right after.
            snapped: whether all angles are multiples of pi.
        """
        key = (live, flips, strings, split, projected, snapped)
        if key not in self._known:
            self._known[key] = self._rotation(
                live, flips, strings, split, (fresh, projected, snapped)
            )
        kernel: Turn | Phase = self._known[key]
        return kernel

    def _rotation(
        self,
        live: int,
        flips: int,
        strings: tuple[PauliString, ...],
        split: int,
        how: tuple[bool, bool, bool],
    ) -> Turn | Phase:
        fresh, projected, snapped = how
        controls = 0
        for string in strings:
            controls |= string.signs
        if flips:
            controls &= ~(1 << split)
        axes = _axes(live | flips, flips, split, controls)
        states = _states(bits(controls))
        signs = np.stack([_signs(string, states) for string in strings], axis=1)
        sums = self._same(Sums(signs, snapped))
        if not flips:
            return Phase(sums, *_shapes(axes))
        return _turn(sums, axes, (strings[0].power % 2 == 1, fresh, projected))

    def blend(
        self, live: int, controls: int, sums: Sums, split: int, *, fresh: bool, projected: bool
    ) -> Turn:
        """A turn of one qubit by sums that are known for the states of its controls."""
        key = ("blend", live, controls, id(sums), split, fresh, projected)
        if key not in self._known:
            axes = _axes(live | 1 << split, 1 << split, split, controls)
            self._known[key] = _turn(sums, axes, (True, fresh, projected))
        kernel: Turn = self._known[key]
        return kernel

    def _same(self, sums: Sums) -> Sums:
        """One object for equal sums, so that their angles are added up together."""
        key = (sums.signs.tobytes(), sums.signs.shape, sums.snapped)
        return self._sums.setdefault(key, sums)

    def expansion(self, live: int, qubits: int) -> tuple[Fixed, int]:
        """Let qubits in state 0 be live."""
        key = ("expansion", live, qubits)
        if key not in self._known:
            states = _states(bits(live))
            self._known[key] = self._monomial(states, live, states, live | qubits)
        return self._known[key], live | qubits

    def permutation(self, live: int, frame: Affine) -> tuple[Fixed, int]:
        """A permutation of basis states, and the live qubits behind it."""
        key = ("permutation", live, tuple(frame.columns), frame.shift)
        if key not in self._known:
            states = _states(bits(live))
            images = frame.image(states)
            after = int(np.bitwise_or.reduce(images))
            self._known[key] = self._monomial(states, live, images, after), after
        entry, after = self._known[key]
        return entry, after

    def _monomial(
        self,
        states: Index,
        live: int,
        images: Index,
        after: int,
        factors: Complex | Array | None = None,
    ) -> Monomial:
        """What sends basis states to `factors` times their images."""
        size = 2 ** after.bit_count()
        source = np.zeros(size, dtype=np.intp)
        factor = np.zeros(size) if factors is None else np.zeros(size, dtype=factors.dtype)
        out, back = _places(images, after), np.zeros(states.size, dtype=np.intp)
        before = _places(states, live)
        source[out] = before
        factor[out] = 1.0 if factors is None else factors
        back[before] = out
        back_factor = None if factors is None else np.ones_like(factors)
        if factors is not None and back_factor is not None:
            back_factor[before] = factors.conj()
        plain = factors is None and np.all(factor == 1.0)
        return Monomial(
            source,
            None if plain else factor[:, None],
            back,
            None if back_factor is None else back_factor[:, None],
        )

    def gate(self, live: int, matrix: Complex, qubits: tuple[int, ...]) -> tuple[Fixed, int]:
        """A constant gate, and the live qubits behind it."""
        key = ("gate", live, matrix.tobytes(), qubits)
        if key not in self._known:
            self._known[key] = self._gate(live, matrix, qubits)
        entry, after = self._known[key]
        return entry, after

    def _gate(self, live: int, matrix: Complex, qubits: tuple[int, ...]) -> tuple[Fixed, int]:
        own = _states(list(qubits))  # rows and columns of the matrix
        columns = np.flatnonzero((own & ~live) == 0)
        used = own[np.flatnonzero(matrix[:, columns].any(axis=1))]
        after = (live & ~_mask(qubits)) | int(np.bitwise_or.reduce(used))
        rows = np.flatnonzero((own & ~after) == 0)
        part: Complex | Array = matrix[np.ix_(rows, columns)]
        part = part if part.imag.any() else part.real
        rest = _states(bits(live & ~_mask(qubits)))
        source = own[columns][:, None] + rest
        if np.all(np.count_nonzero(part, axis=0) == 1):
            target = np.argmax(part != 0, axis=0)
            factors = np.repeat(part[target, np.arange(len(target))], rest.size)
            images = (own[rows][target][:, None] + rest).ravel()
            return self._monomial(source.ravel(), live, images, after, factors), after
        target = own[rows][:, None] + rest
        return Dense(part, _places(source, live), _places(target, after)), after


_Axis = tuple[str, int, int]
"""Kind, and length in the state and in the sums."""


def _axes(live: int, flips: int, split: int, controls: int) -> list[_Axis]:
    """The axes of a state over live qubits; neighbours that take the same part are one."""
    axes = list[_Axis]()
    for q in bits(live):
        read = bool(controls >> q & 1)
        kind = "split" if flips and q == split else "flip" if flips >> q & 1 else str(read)
        if axes and axes[-1][0] == kind and kind in ("True", "False"):
            _, length, own = axes.pop()
            axes.append((kind, 2 * length, 2 * own if read else 1))
        else:
            axes.append((kind, 2, 2 if read else 1))
    return axes


def _shapes(axes: list[_Axis]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the state and of the sums."""
    shape = tuple(length for _, length, _ in axes)
    return shape, tuple(length for kind, _, length in axes if kind != "split")


def _turn(sums: Sums, axes: list[_Axis], how: tuple[bool, bool, bool]) -> Turn:
    real, fresh, projected = how
    shape, sum_shape = _shapes(axes)
    return Turn(
        sums=sums,
        real=real,
        fresh=fresh,
        projected=projected,
        shape=shape,
        axis=next(i for i, axis in enumerate(axes) if axis[0] == "split"),
        reversed_axes=tuple(i for i, axis in enumerate(axes) if axis[0] == "flip"),
        sum_shape=sum_shape,
    )


def _signs(string: PauliString, states: Index) -> Array:
    """Sign of a rotation's angle in the sum of each state of the controls.

    With P|j> = i^k (-1)^(z j) |j ^ x>, component i gets -i sin(angle / 2) P[i, i ^ x] of component
    i ^ x: -i i^k is 1 or -1 for odd k, and -i or i for even k.
    """
    parity = np.zeros_like(states)
    for q in bits(string.signs):
        parity ^= (states >> q) & 1
    if not string.flips:
        power = 1.0 if string.power == 0 else -1.0
    else:
        power = 1.0 if string.power in (1, 2) else -1.0
        power *= (-1.0) ** (string.signs & string.flips).bit_count()
    return np.asarray(power * (1.0 - 2.0 * parity), dtype=np.float64)
