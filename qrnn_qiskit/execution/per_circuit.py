"""What is made once for each unrolled circuit: ISA circuits, programs, tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, final
from weakref import WeakKeyDictionary

from qrnn_qiskit.circuit.unroll import UnrolledCircuit

Made = TypeVar("Made")


@final
class PerCircuit(Generic[Made]):
    """Calls `make` for a circuit the first time it is asked for; forgets it with the circuit."""

    def __init__(self, make: Callable[[UnrolledCircuit], Made]) -> None:
        self._make = make
        self._made: WeakKeyDictionary[UnrolledCircuit, Made] = WeakKeyDictionary()

    def __call__(self, unrolled: UnrolledCircuit) -> Made:
        """The one thing made for this circuit."""
        if unrolled not in self._made:
            self._made[unrolled] = self._make(unrolled)
        return self._made[unrolled]

    def put(self, unrolled: UnrolledCircuit, made: Made) -> None:
        """Use something made elsewhere for this circuit."""
        self._made[unrolled] = made

    def clear(self) -> None:
        """Make everything anew when it is asked for next."""
        self._made.clear()
