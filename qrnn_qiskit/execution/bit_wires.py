"""Measured bits that a program must remember, on qubits of their own ("wires").

A bit is remembered from its measurement until the program may note it: with post-selection, bits
are noted step by step, within a step first the post-selected ones, whatever the order in which a
circuit measures them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.engine.program import Channel, Measure, Operation, Reset

Place = tuple[int, int]
"""A bit: its step, and its place within the step."""


@final
class BitWires:
    """Turns the measurements of a circuit into operations, in order of time.

    Attributes:
        num_qubits: qubits of the program so far, wires included.
        operations: where the operations go.
    """

    def __init__(
        self,
        num_qubits: int,
        operations: list[Operation],
        writes: Iterable[Place],
        postselected: tuple[int, ...],
    ) -> None:
        """Make the wires of one circuit.

        Args:
            num_qubits: of the circuit.
            operations: the list to add to.
            writes: the bit of each measurement of the circuit, in order of time.
            postselected: bits of a step that are post-selected.
        """
        self.num_qubits = num_qubits
        self.operations = operations
        self._postselected = postselected
        self._writes = Counter(writes)
        self._order = sorted(self._writes, key=self._rank)
        self._noted: set[Place] = set()
        self._next = 0  # the first in `_order` that is not noted
        self._waiting: dict[Place, int] = {}  # those measured for good, and their wires
        self._free: list[int] = []

    def measure(self, qubit: int, place: Place, flip: tuple[float, float]) -> None:
        """Measure a qubit into a bit, with readout errors as in `Measure`."""
        self._writes[place] -= 1
        final = self._writes[place] == 0
        if not final or self._may_be_noted(place):
            self.operations.append(Measure(qubit, *place, flip))
            if final:
                self._note(place)
        else:
            wire = self._take()
            self.operations.append(Channel(_copy(Measure(qubit, *place, flip)), (qubit, wire)))
            self._waiting[place] = wire
        for waiting in sorted(self._waiting, key=self._rank):
            if self._may_be_noted(waiting):
                wire = self._waiting.pop(waiting)
                self._note(waiting)
                self.operations += [Measure(wire, *waiting), Reset(wire)]
                self._free.append(wire)

    def _rank(self, place: Place) -> tuple[int, bool]:
        step, bit = place
        return step, bit not in self._postselected

    def _may_be_noted(self, place: Place) -> bool:
        return not self._postselected or self._rank(self._order[self._next]) >= self._rank(place)

    def _note(self, place: Place) -> None:
        self._noted.add(place)
        while self._next < len(self._order) and self._order[self._next] in self._noted:
            self._next += 1

    def _take(self) -> int:
        if not self._free:
            self._free.append(self.num_qubits)
            self.num_qubits += 1
        return self._free.pop()


def _copy(measure: Measure) -> Array:
    """PTM `[16, 16]` on (qubit, wire): the outcome read goes to the wire, whatever was on it."""
    false_one, false_zero = measure.flip
    read = np.array([[1.0 - false_one, false_zero], [false_one, 1.0 - false_zero]])
    ptm = np.zeros((4, 4, 4, 4))
    signs = np.array([1.0, -1.0])
    for out, by_outcome in ((0, np.ones(2)), (3, signs)):
        for letter, by_reading in ((0, np.ones(2)), (3, signs)):
            for given, by_state in ((0, np.ones(2)), (3, signs)):
                # P(outcome) = (I + sign Z) / 2; both letters out are sums with signs.
                ptm[out, letter, given, 0] = 0.5 * (by_reading @ read @ (by_outcome * by_state))
    return ptm.reshape(16, 16)
