"""Which outputs an occurrence can influence: an exact argument, never a guess.

Backward, the observable of a step's measured bits is carried through the circuit as a set of Pauli
letters per qubit that it may contain (Heisenberg picture); forward, the state likewise, from
|0…0⟩. A rotation whose generator commutes with every string left on either side changes nothing.
The sets over-approximate, so "no influence" is certain and "influence" is possible. This is about
the ideal circuit: noise acts between the gates that a transpiler makes of each gate, and undoes
cancellations; `qrnn_qiskit.execution.influence` walks the circuit that runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from itertools import product

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


def influence(
    body: Sequence[Item],
    final: Sequence[Item],
    num_qubits: int,
    num_steps: int,
    postselected: frozenset[int] = frozenset(),
) -> NDArray[np.bool_]:
    """Mask `[O, T]`: False where the outputs of a step provably ignore an occurrence.

    Args:
        body: items of every step but the last.
        final: items of the last step; its rotations begin with those of `body`.
        num_qubits: qubits of the cell.
        num_steps: T.
        postselected: bits whose values at this and all earlier steps belong to a step's outputs.

    Returns:
        Occurrences ordered by step.
    """
    gates = sum(item.gate >= 0 for item in body)
    tail = sum(item.gate >= 0 for item in final)
    mask = np.zeros(((num_steps - 1) * gates + tail, num_steps), dtype=bool)
    steps = [tuple(body)] * (num_steps - 1) + [tuple(final)]

    # A walk repeats once the set at a step's border repeats, hence the cache.
    walk = functools.cache(_walk)
    changed: list[frozenset[int]] = []
    state: State = (DIAGONAL,) * num_qubits
    for items in steps:
        hit, state = walk(items, state)
        changed.append(hit)
    for output in range(num_steps):
        state = (IDENTITY,) * num_qubits
        for step in range(output, -1, -1):
            # Bits that belong to the observable; None for all.
            observed = None if step == output else postselected
            hit, state = walk(steps[step], state, backward=True, observed=observed)
            for gate in hit & changed[step]:
                mask[step * gates + gate, output] = True
    return mask


def _walk(
    items: tuple[Item, ...],
    state: State,
    *,
    backward: bool = False,
    observed: frozenset[int] | None = frozenset(),
) -> tuple[frozenset[int], State]:
    """Rotations that change something on the way through one step, and the set behind it."""
    hit: set[int] = set()
    letters = list(state)
    for item in reversed(items) if backward else items:
        read = observed is None or item.bit in observed
        advance(item, letters, hit, backward=backward, observed=read)
    return frozenset(hit), tuple(letters)


def advance(
    item: Item, letters: list[Letters], hit: set[int], *, backward: bool, observed: bool
) -> None:
    """Carry the sets of all qubits through one item, in place.

    Args:
        item: if it is a rotation that changes something, its `gate` is added to `hit`.
        letters: the set of each qubit.
        hit: rotations found so far.
        backward: walk the observable instead of the state.
        observed: whether a measured bit belongs to the observable.
    """
    if item.gate >= 0:
        generator = tuple(LETTER[c] for c in item.generator)
        strings = _strings(letters, item.qubits)
        moved = [s for s in strings if _anticommute(s, generator)]
        if moved:
            hit.add(item.gate)
            turned = [
                tuple(_product(a, b) for a, b in zip(s, generator, strict=True)) for s in moved
            ]
            _assign(letters, item.qubits, [*strings, *turned])
        return
    if item.name == "measure":
        (qubit,) = item.qubits
        letters[qubit] &= DIAGONAL
        # Forward, the state given either outcome may hold Z even where the mixture does not.
        if observed or (letters[qubit] and not backward):
            letters[qubit] = DIAGONAL
    elif item.name == "reset":
        (qubit,) = item.qubits
        letters[qubit] = (
            (IDENTITY if letters[qubit] & DIAGONAL else frozenset()) if backward else DIAGONAL
        )
    elif isinstance(item.operation, Gate):
        strings = _strings(letters, item.qubits)
        if backward and all(not any(s) for s in strings):
            return
        if len(item.qubits) > 3:
            images: Iterable[tuple[int, ...]] = [(k,) * len(item.qubits) for k in range(4)]
        else:
            image_of = _images(item.operation, backward)
            images = [image for s in strings for image in image_of(s)]
        _assign(letters, item.qubits, images)


def _strings(letters: Sequence[Letters], qubits: tuple[int, ...]) -> list[tuple[int, ...]]:
    return list(product(*(sorted(letters[q]) for q in qubits)))


def _anticommute(string: tuple[int, ...], generator: tuple[int, ...]) -> bool:
    return (
        sum(a != 0 and b != 0 and a != b for a, b in zip(string, generator, strict=True)) % 2 == 1
    )


def _product(a: int, b: int) -> int:
    if a == 0 or b == 0:
        return a or b
    return 0 if a == b else 6 - a - b


def _assign(
    letters: list[Letters], qubits: tuple[int, ...], strings: Iterable[tuple[int, ...]]
) -> None:
    strings = list(strings)
    for i, qubit in enumerate(qubits):
        letters[qubit] = frozenset(s[i] for s in strings)


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
