"""Which outputs an occurrence can influence: an exact argument, never a guess.

Backward, the observable of a step's measured bits is carried through the circuit as a set of Pauli
letters per qubit that it may contain (Heisenberg picture); forward, the state likewise, from
|0…0⟩; a bit that conditions read is a qubit with the letters I and Z. A rotation whose generator
commutes with every string left on either side changes nothing.
The sets over-approximate, so "no influence" is certain and "influence" is possible. This is about
the ideal circuit: noise acts between the gates that a transpiler makes of each gate, and undoes
cancellations; `qrnn_qiskit.execution.influence` walks the circuit that runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from itertools import product
from typing import final

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Gate
from qiskit.quantum_info import PTM, Operator

from qrnn_qiskit.circuit.step import Item

Letters = frozenset[int]  # of 0 (I), 1 (X), 2 (Y), 3 (Z)
State = tuple[Letters, ...]

ALL: Letters = frozenset((0, 1, 2, 3))
IDENTITY: Letters = frozenset((0,))
DIAGONAL: Letters = frozenset((0, 3))
LETTER = {"I": 0, "X": 1, "Y": 2, "Z": 3}

_STANDARD: dict[Hashable, Callable[[State, bool], State]] = {}


def influence(
    steps: Sequence[tuple[Item, ...]],
    step_of: Sequence[int],
    gate_of: Sequence[int],
    size: tuple[int, int],
    postselected: frozenset[int] = frozenset(),
) -> NDArray[np.bool_]:
    """Mask `[O, T]`: False where the outputs of a step provably ignore an occurrence.

    Args:
        steps: items of each of the T steps; equal steps are best one object.
        step_of: step of each occurrence.
        gate_of: rotation of each occurrence; one that its step lacks influences nothing.
        size: numbers of qubits and of classical bits of the cell.
        postselected: bits whose values at this and all earlier steps belong to a step's outputs.
    """
    num_steps = len(steps)
    gates = 1 + max(gate_of, default=-1)
    row = np.full((num_steps, gates), -1, dtype=np.intp)
    row[np.asarray(step_of, dtype=np.intp), np.asarray(gate_of, dtype=np.intp)] = np.arange(
        len(step_of)
    )
    walks = _Walks(size[0], gates)
    kinds = [walks.kind(items) for items in steps]
    changed = np.zeros((num_steps, gates), dtype=bool)
    state = walks.state((DIAGONAL,) * sum(size))
    for step, kind in enumerate(kinds):
        hit, state = walks.walk(kind, state, backward=False, observed=frozenset())
        changed[step] = walks.hits[hit]
    # One more row, for what a step lacks.
    mask = np.zeros((len(step_of) + 1, num_steps), dtype=bool)
    none = walks.state((IDENTITY,) * sum(size))
    for output in range(num_steps):
        state, found = none, list[int]()
        for step in range(output, -1, -1):
            # Bits that belong to the observable; None for all.
            observed = None if step == output else postselected
            hit, state = walks.walk(kinds[step], state, backward=True, observed=observed)
            found.append(hit)
        hits = np.array(walks.hits)[found[::-1]] & changed[: output + 1]
        mask[row[: output + 1][hits], output] = True
    return mask[:-1]


@final
class _Walks:
    """Walks through steps, each worked out once: the sets at the steps' borders soon repeat."""

    def __init__(self, num_qubits: int, gates: int) -> None:
        self.hits: list[NDArray[np.bool_]] = []
        self._num_qubits = num_qubits
        self._gates = gates
        self._kinds: dict[int, int] = {}
        self._items: list[tuple[Item, ...]] = []
        self._states: list[State] = []
        self._numbers: dict[State, int] = {}
        self._known: dict[tuple[int, int, bool, frozenset[int] | None], tuple[int, int]] = {}

    def kind(self, items: tuple[Item, ...]) -> int:
        """Number of a step; equal steps are one object."""
        if id(items) not in self._kinds:
            self._kinds[id(items)] = len(self._items)
            self._items.append(items)
        return self._kinds[id(items)]

    def state(self, state: State) -> int:
        """Number of the sets at a border."""
        if state not in self._numbers:
            self._numbers[state] = len(self._states)
            self._states.append(state)
        return self._numbers[state]

    def walk(
        self, kind: int, state: int, *, backward: bool, observed: frozenset[int] | None
    ) -> tuple[int, int]:
        """Number of the rotations that change something, in `hits`, and of the sets behind."""
        key = (kind, state, backward, observed)
        if key not in self._known:
            found, after = _walk(
                self._items[kind],
                self._states[state],
                num_qubits=self._num_qubits,
                backward=backward,
                observed=observed,
            )
            hit = np.zeros(self._gates, dtype=bool)
            hit[list(found)] = True
            self.hits.append(hit)
            self._known[key] = len(self.hits) - 1, self.state(after)
        return self._known[key]


def _walk(
    items: tuple[Item, ...],
    state: State,
    *,
    num_qubits: int,
    backward: bool = False,
    observed: frozenset[int] | None = frozenset(),
) -> tuple[frozenset[int], State]:
    """Rotations that change something on the way through one step, and the set behind it."""
    hit: set[int] = set()
    letters = list(state)
    for item in reversed(items) if backward else items:
        read = observed is None or item.bit in observed
        bits = item.condition.bits if item.condition else (item.bit,) if item.bit >= 0 else ()
        wires = tuple(num_qubits + bit for bit in bits)
        advance(item, letters, hit, wires, backward=backward, observed=read)
    return frozenset(hit), tuple(letters)


def advance(
    item: Item,
    letters: list[Letters],
    hit: set[int],
    wires: tuple[int, ...] = (),
    *,
    backward: bool,
    observed: bool,
) -> None:
    """Carry the sets of all qubits through one item, in place.

    Args:
        item: if it is a rotation that changes something, its `gate` is added to `hit`.
        letters: the set of each qubit, and of each bit that a condition reads.
        hit: rotations found so far.
        wires: in `letters`, the bit that a measurement writes, or those of a condition.
        backward: walk the observable instead of the state.
        observed: whether a measured bit belongs to the observable.
    """
    if item.condition is not None and backward:
        # Whether the operation acts, noise included, is read off the bits.
        for wire in wires:
            if any(letters[q] - IDENTITY for q in item.qubits):
                letters[wire] = DIAGONAL
    if item.gate >= 0:
        turned = _turned(item.generator, tuple(letters[q] for q in item.qubits))
        if turned is not None:
            hit.add(item.gate)
            for qubit, new in zip(item.qubits, turned, strict=True):
                letters[qubit] = new
        return
    if item.name == "measure":
        (qubit,) = item.qubits
        letters[qubit] &= DIAGONAL
        for wire in wires:
            if backward and letters[wire] - IDENTITY:
                letters[qubit] = DIAGONAL
            letters[wire] = IDENTITY if backward else DIAGONAL
        # Forward, the state given either outcome may hold Z even where the mixture does not.
        if observed or (letters[qubit] and not backward):
            letters[qubit] = DIAGONAL
    elif item.name == "reset":
        (qubit,) = item.qubits
        letters[qubit] = (
            (IDENTITY if letters[qubit] & DIAGONAL else frozenset()) if backward else DIAGONAL
        )
    elif isinstance(item.operation, Gate):
        before = tuple(letters[q] for q in item.qubits)
        after = _passed(item.operation, before, backward)
        for qubit, old, new in zip(item.qubits, before, after, strict=True):
            letters[qubit] = new if item.condition is None else old | new


@functools.cache
def _turned(generator: str, letters: State) -> State | None:
    """The sets behind a rotation; None if it changes nothing."""
    signs = tuple(LETTER[c] for c in generator)
    strings = _strings(letters)
    moved = [s for s in strings if _anticommute(s, signs)]
    if not moved:
        return None
    products = [tuple(_product(a, b) for a, b in zip(s, signs, strict=True)) for s in moved]
    return _sets([*strings, *products])


def _passed(gate: Gate, letters: State, backward: bool) -> State:
    """The sets behind a constant gate; those of standard gates are worked out once."""
    if backward and (not all(letters) or all(letter == IDENTITY for letter in letters)):
        return letters
    if gate.base_class.__module__.startswith("qiskit.circuit.library.standard_gates"):
        key = (gate.base_class, gate.name, *(float(p) for p in gate.params))
        if key not in _STANDARD:
            _STANDARD[key] = functools.cache(functools.partial(_carried, gate))
        return _STANDARD[key](letters, backward)
    return _carried(gate, letters, backward)


def _carried(gate: Gate, letters: State, backward: bool) -> State:
    if len(letters) > 3:
        return (ALL,) * len(letters)
    if not all(letters):
        return (frozenset(),) * len(letters)
    image_of = _images(gate, backward)
    return _sets([image for s in _strings(letters) for image in image_of(s)])


def _strings(letters: State) -> list[tuple[int, ...]]:
    return list(product(*(sorted(letter) for letter in letters)))


def _sets(strings: Sequence[tuple[int, ...]]) -> State:
    return tuple(frozenset(letters) for letters in zip(*strings, strict=True))


def _anticommute(string: tuple[int, ...], generator: tuple[int, ...]) -> bool:
    return (
        sum(a != 0 and b != 0 and a != b for a, b in zip(string, generator, strict=True)) % 2 == 1
    )


def _product(a: int, b: int) -> int:
    if a == 0 or b == 0:
        return a or b
    return 0 if a == b else 6 - a - b


def _images(gate: Gate, backward: bool) -> Callable[[tuple[int, ...]], list[tuple[int, ...]]]:
    """Strings that a Pauli string may turn into under a constant gate."""
    transfer = np.abs(PTM(Operator(gate)).data) > 1e-12
    if backward:
        transfer = transfer.T
    count = gate.num_qubits

    def image_of(string: tuple[int, ...]) -> list[tuple[int, ...]]:
        # Qiskit's Pauli index has qubit 0 as its least significant digit.
        column = sum(letter << (2 * i) for i, letter in enumerate(string))
        return [
            tuple((int(row) >> (2 * i)) & 3 for i in range(count))
            for row in np.flatnonzero(transfer[:, column])
        ]

    return image_of
