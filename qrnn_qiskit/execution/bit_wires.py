"""Measured bits that a program must remember, on qubits of their own ("wires").

A bit is remembered from its measurement until no condition reads it any more and the program may
note it: with post-selection, bits are noted step by step, within a step first the post-selected
ones, whatever the order in which a circuit measures them. A wire never leaves the states 0 and 1,
so that a condition on it is exact as a quantum control.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from qiskit.circuit import Clbit

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.engine.program import Channel, Measure, Operation, Reset
from qrnn_qiskit.execution.flat import FlatOperation

Place = tuple[int, int]
"""A bit of a step's register: the step, and the place within the step."""
Flip = tuple[float, float]

DEPHASE: Final = np.diag([1.0, 0.0, 0.0, 1.0])


@final
@dataclass(slots=True)
class _Held:
    """A bit on a wire."""

    wire: int
    reads: int  # that are still to come
    place: Place | None  # where it is still to be noted


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
        circuit: Iterable[FlatOperation],
        places: Mapping[Clbit, Place],
        postselected: tuple[int, ...],
    ) -> None:
        """Make the wires of one circuit.

        Args:
            num_qubits: of the circuit.
            operations: the list to add to.
            circuit: all operations that will come.
            places: the bits to note; others only serve conditions.
            postselected: bits of a step that are post-selected.
        """
        self.num_qubits = num_qubits
        self.operations = operations
        self._places = places
        self._postselected = postselected
        self._writes: Counter[Clbit] = Counter()
        self._reads: Counter[tuple[Clbit, int]] = Counter()  # of the n-th value of a bit
        for item in circuit:
            if item.bit is not None:
                self._writes[item.bit] += 1
            for bit in item.asked.bits if item.asked else ():
                self._reads[bit, self._writes[bit]] += 1
        self._written: Counter[Clbit] = Counter()
        self._order = sorted((places[b] for b in self._writes if b in places), key=self._rank)
        self._noted: set[Place] = set()
        self._next = 0  # the first in `_order` that is not noted
        self._held: dict[Clbit, _Held] = {}
        self._free: list[int] = []

    def measure(self, qubit: int, bit: Clbit, flip: Flip) -> None:
        """Measure a qubit into a bit, with readout errors as in `Measure`."""
        self._written[bit] += 1
        value = self._written[bit]
        reads = self._reads[bit, value]
        place = self._places.get(bit)
        if value < self._writes[bit]:
            place = None
        waits = place is not None and not self._may_be_noted(place)
        if reads or waits:
            wire = self._take()
            self.operations.append(Channel(read_to_wire(flip), (qubit, wire)))
            self._held[bit] = _Held(wire, reads, place)
        elif place is None:
            self.operations.append(Channel(DEPHASE, (qubit,)))
        else:
            self.operations.append(Measure(qubit, *place, flip))
            self._note(place)
        self._settle()

    def control(self, bit: Clbit) -> int | None:
        """The wire of a bit that a condition reads; None for one never measured, which is 0."""
        held = self._held.get(bit)
        return None if held is None else held.wire

    def has_read(self, bits: Iterable[Clbit]) -> None:
        """One operation's condition has been dealt with."""
        for bit in bits:
            if bit in self._held:
                self._held[bit].reads -= 1
        self._settle()

    def _settle(self) -> None:
        """Note what may be noted, give back the wires that nothing needs."""
        waiting = [held for held in self._held.values() if held.place is not None]
        for held in sorted(waiting, key=lambda h: self._rank(h.place or (0, 0))):
            if held.place is not None and self._may_be_noted(held.place):
                self.operations.append(Measure(held.wire, *held.place))
                self._note(held.place)
                held.place = None
        for bit, held in list(self._held.items()):
            if held.reads == 0 and held.place is None:
                self.operations.append(Reset(held.wire))
                self._free.append(held.wire)
                del self._held[bit]

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


def read_to_wire(flip: Flip) -> Array:
    """PTM `[16, 16]` on (qubit, wire): the outcome read goes to the wire, whatever was on it."""
    false_one, false_zero = flip
    read = np.array([[1.0 - false_one, false_zero], [false_one, 1.0 - false_zero]])
    ptm = np.zeros((4, 4, 4, 4))
    sums = ((0, np.ones(2)), (3, np.array([1.0, -1.0])))
    for out, by_outcome in sums:
        for letter, by_reading in sums:
            for given, by_state in sums:
                # P(outcome) = (I + sign Z) / 2; both letters out are sums with signs.
                ptm[out, letter, given, 0] = 0.5 * (by_reading @ read @ (by_outcome * by_state))
    return ptm.reshape(16, 16)
