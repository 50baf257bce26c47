"""When each instruction of a circuit runs: as soon as possible, feed-forward included.

Qiskit's scheduling passes and those of the Runtime client refuse circuits with `if_else`, and idle
qubits decay during the microseconds of a measurement: hence a timetable of our own. Times are whole
femtoseconds, so that equal gaps are equal at every step of a sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from qiskit.circuit import CircuitInstruction, Clbit, Delay, IfElseOp, QuantumCircuit, Qubit
from qiskit.utils.units import apply_prefix

from qrnn_qiskit.errors import BackendError

SECOND: Final = 10**15
Durations = Callable[[str, tuple[int, ...]], int]
"""(instruction, qubits of the circuit) to femtoseconds."""


@final
@dataclass(frozen=True, slots=True)
class Slot:
    """The time of one instruction.

    Attributes:
        start: in fs; of an `if_else` the moment its block begins, the latency being over.
        end: in fs.
    """

    start: int
    end: int


@final
@dataclass(frozen=True, slots=True)
class Timetable:
    """Slots of a circuit's instructions, in its order.

    Attributes:
        slots: one for each instruction.
        length: fs from the first start to the last end.
    """

    slots: tuple[Slot, ...]
    length: int


def timetable(
    circuit: QuantumCircuit, durations: Durations, latency: int, dt: float | None = None
) -> Timetable:
    """As-soon-as-possible timetable.

    An instruction starts once its qubits and bits are free; a barrier makes qubits wait for each
    other. Sorted by start, instructions are still in an order in which they can run. A block that
    is run on a condition starts `latency` after the measurement of its last bit; its qubits are
    taken until its longer branch would be done, whichever is run.

    Args:
        circuit: measurement, reset, delays and `if_else` allowed anywhere.
        durations: of an instruction.
        latency: fs from the end of a measurement to the block that depends on it.
        dt: seconds of one time unit of the backend, for delays given in it.

    Raises:
        BackendError: for loops and switches, whose length nobody knows beforehand.
    """
    free: dict[Qubit, int] = dict.fromkeys(circuit.qubits, 0)
    taken: dict[Clbit, int] = {}
    written: dict[Clbit, int] = {}
    slots: list[Slot] = []
    for item in circuit.data:
        operation = item.operation
        start = max((free[q] for q in item.qubits), default=0)
        start = max([start, *(taken[c] for c in item.clbits if c in taken)])
        if isinstance(operation, IfElseOp):
            start = max([start, *(written[c] + latency for c in item.clbits if c in written)])
        length = _length(circuit, item, durations, latency, dt)
        slots.append(Slot(start, start + length))
        free.update(dict.fromkeys(item.qubits, start + length))
        taken.update(dict.fromkeys(item.clbits, start + length))
        if not isinstance(operation, IfElseOp):
            written.update(dict.fromkeys(item.clbits, start + length))
    return Timetable(tuple(slots), max((slot.end for slot in slots), default=0))


def femtoseconds(seconds: float) -> int:
    """Seconds as whole femtoseconds."""
    return round(seconds * SECOND)


def on_own_qubits(qubits: tuple[int, ...], durations: Durations) -> Durations:
    """Durations for a circuit whose qubit i is qubit `qubits[i]` of the circuit around it."""

    def local(name: str, on: tuple[int, ...]) -> int:
        return durations(name, tuple(qubits[q] for q in on))

    return local


def _length(
    circuit: QuantumCircuit,
    item: CircuitInstruction,
    durations: Durations,
    latency: int,
    dt: float | None,
) -> int:
    operation = item.operation
    qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
    if isinstance(operation, IfElseOp):
        return max(
            timetable(block, on_own_qubits(qubits, durations), latency, dt).length
            for block in operation.blocks
        )
    if operation.name in ("for_loop", "while_loop", "switch_case"):
        raise BackendError(
            f"a circuit with {operation.name!r} has no timetable: use if_test, or set "
            "noise.idle = false"
        )
    if isinstance(operation, Delay):
        return _delay(operation, dt)
    return 0 if operation.name == "barrier" else durations(operation.name, qubits)


def _delay(operation: Delay, dt: float | None) -> int:
    if operation.unit != "dt":
        return femtoseconds(float(apply_prefix(float(operation.duration), operation.unit)))
    if dt is None:
        raise BackendError(
            f"a delay of {operation.duration} dt: the backend has no dt, so give it in ns"
        )
    return femtoseconds(float(operation.duration) * dt)
