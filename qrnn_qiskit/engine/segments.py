"""A program cut after each recorded bit, for sampling: what lies between two bits is a linear map.

Between two bits only part of the state can differ from a known value: a qubit in state 0 carries
one number (Z = I), a measured one two (I and Z), any other four. These are the carried components.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.kernels import Kernels
from qrnn_qiskit.engine.program import Channel, Program, Reset, Rotation
from qrnn_qiskit.engine.simplify import Dephase, Outcome, simplify
from qrnn_qiskit.engine.tape import Fixed, Turn, plain_entry
from qrnn_qiskit.estimate import Array

Index = NDArray[np.intp]

_FRESH: Final = (0,)
_CLASSICAL: Final = (0, 3)
_FULL: Final = (0, 1, 2, 3)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Operations up to a recorded bit.

    Attributes:
        entries: rotations and constant maps before the measurement.
        columns: angles that they read, ascending.
        num_carried: carried components before the segment, the identity string first.
        source: carried component of each component of the state in `target`; others are 0.
        target: see `source`.
        unflipped: `[d]` components with letter I on the measured qubit, for each of the d carried
            components after the segment.
        flipped: `[d]` the same with letter Z.
        weights: `[2, d, 2]` state given the recorded bit = weights of unflipped and flipped.
        slot: step * K + bit.
    """

    entries: tuple[Turn | Fixed, ...]
    columns: Index
    num_carried: int
    source: Index
    target: Index
    unflipped: Index
    flipped: Index
    weights: Array
    slot: int

    @property
    def num_left(self) -> int:
        """Carried components after the segment."""
        return int(self.unflipped.size)

    def given(self, bit: int, state: Array) -> Array:
        """Carried components `[..., d, R]` given the recorded bit, not normalised.

        `state` is `[..., 4^n, R]`, right before the measurement.
        """
        a, b = self.weights[bit].T[:, :, None]
        given: Array = a * state[..., self.unflipped, :] + b * state[..., self.flipped, :]
        return given


@final
@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Segments:
    """All segments of a program, with the kernels they share."""

    num_qubits: int
    kernels: Kernels
    segments: tuple[Segment, ...]


_SEGMENTS: WeakKeyDictionary[Program, Segments] = WeakKeyDictionary()


def segments_of(program: Program) -> Segments:
    """The segments of a program, made once."""
    if program not in _SEGMENTS:
        _SEGMENTS[program] = _cut(program)
    return _SEGMENTS[program]


def _components(letters: list[tuple[int, ...]]) -> Index:
    """Flat components with one of the given letters on each qubit, in C order."""
    flat = np.zeros(1, dtype=np.intp)
    for choice in letters:
        flat = (4 * flat[:, None] + np.array(choice, dtype=np.intp)).ravel()
    return flat


def _spread(operation: Rotation | Channel, letters: list[tuple[int, ...]]) -> None:
    """What an operation leaves on its qubits; a classical control stays classical."""
    if isinstance(operation, Rotation):
        for q, letter in zip(operation.qubits, operation.generator, strict=True):
            if letter != "Z" or letters[q] == _FULL:
                letters[q] = _FULL
        return
    k = len(operation.qubits)
    ptm = operation.ptm.reshape((4,) * (2 * k))
    for i, q in enumerate(operation.qubits):
        moved = np.moveaxis(ptm, (i, k + i), (0, 1))
        stays = letters[q] != _FULL and not moved[1:3][:, [0, 3]].any()
        letters[q] = _CLASSICAL if stays else _FULL


def _cut(program: Program) -> Segments:
    n, kernels = program.num_qubits, Kernels(program.num_qubits)
    letters: list[tuple[int, ...]] = [_FRESH] * n
    carried = list(letters)
    segments: list[Segment] = []
    entries: list[Turn | Fixed] = []
    operations = simplify(program)
    for i, operation in enumerate(operations):
        if not isinstance(operation, Outcome):
            entry = plain_entry(kernels, operation)
            if isinstance(entry, Turn | Fixed):
                entries.append(entry)
            if isinstance(operation, Rotation | Channel):
                _spread(operation, letters)
            elif isinstance(operation, Reset):
                letters[operation.qubit] = _FRESH
            elif isinstance(operation, Dephase) and letters[operation.qubit] == _FULL:
                letters[operation.qubit] = _CLASSICAL
            continue
        q = operation.qubit
        letters[q] = _FRESH if operation.reset else _CLASSICAL
        # After the last bit nothing counts but the probability of each branch.
        left = _components([_FRESH] * n if i + 1 == len(operations) else letters)
        place = 4 ** (n - 1 - q)
        z = (left // place) % 4 == 3
        weights = np.where(z[:, None], operation.readout[:, 1:2], operation.readout[:, 0:1])
        unflipped = left - 3 * place * z
        full = [_CLASSICAL if c == _FRESH else c for c in carried]
        target = _components(full)
        digits = [0 if c == _FRESH else 1 for c in carried]
        kept = np.zeros_like(target)
        for p in range(n):
            unit = 4 ** (n - 1 - p)
            kept += digits[p] * unit * ((target // unit) % 4)
        before = _components(carried)
        segments.append(
            Segment(
                entries=tuple(entries),
                columns=np.unique(
                    np.array([e.column for e in entries if isinstance(e, Turn)], dtype=np.intp)
                ),
                num_carried=before.size,
                source=np.searchsorted(before, kept),
                target=target,
                unflipped=unflipped,
                flipped=unflipped + 3 * place,
                weights=weights,
                slot=operation.step * program.num_bits + operation.bit,
            )
        )
        entries = []
        carried = list(letters)
    return Segments(n, kernels, tuple(segments))
