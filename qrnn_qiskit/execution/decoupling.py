"""Dynamical decoupling of hidden qubits while others are measured and reset.

Qiskit's pass and the Runtime client's refuse circuits with `if_else`; here the windows come from
our own timetable. Pulses in a window w of a qubit that keeps its state: n of them at the middles of
n equal parts, so that a constant detuning cancels (Viola and Lloyd, PRA 58, 2733 (1998); XY4:
Maudsley, J. Magn. Reson. 69, 488 (1986)). Decay and Markovian dephasing are not undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from qiskit.circuit import Delay, QuantumCircuit, Qubit
from qiskit.circuit.library import RZGate, XGate

from qrnn_qiskit.execution.mitigation.zero_noise import Seconds
from qrnn_qiskit.execution.noise.model import MEASUREMENTS, RESETS
from qrnn_qiskit.execution.timetable import SECOND, Slot, femtoseconds, timetable
from qrnn_qiskit.spec.backend import Decoupling

_SEQUENCES: Final[Mapping[Decoupling, str]] = {"none": "", "xx": "XX", "xy4": "XYXY"}


def decoupled(
    circuit: QuantumCircuit,
    sequence: Decoupling,
    seconds: Seconds,
    *,
    latencies: Sequence[float] = (0.0,),
    dt: float | None = None,
) -> QuantumCircuit:
    """The transpiled circuit with pulses on qubits that wait for a measurement.

    A window lies between two operations that are no measurement and no reset, and is at least as
    long as the shortest measurement and as twice its pulses. No operation starts later than before.

    Args:
        circuit: transpiled, on the device's qubits.
        sequence: "xx" or "xy4"; "none" for none.
        seconds: duration of each instruction.
        latencies: s from a measurement to what depends on it; where it is not known, the least and
            the most that it may be, and each window is the shortest.
        dt: s of the device's time unit, which delays are multiples of; None for delays in s.
    """
    pulses = _SEQUENCES[sequence]
    measured = [
        seconds(item.operation.name, _place(circuit, item.qubits))
        for item in circuit.data
        if item.operation.name in MEASUREMENTS
    ]
    if not pulses or not measured:
        return circuit

    def duration(name: str, qubits: tuple[int, ...]) -> int:
        return femtoseconds(seconds(name, qubits))

    tables = [timetable(circuit, duration, femtoseconds(t), dt).slots for t in latencies]
    changed = circuit.copy_empty_like()
    busy: dict[int, tuple[str, list[Slot]]] = {}  # last operation of a qubit, in each table
    for item, *slots in zip(circuit.data, *tables, strict=True):
        name, place = item.operation.name, _place(circuit, item.qubits)
        if name != "barrier":
            for q in place:
                before, last = busy.get(q, ("", slots))
                window = min(
                    slot.start - ended.end for slot, ended in zip(slots, last, strict=True)
                )
                pulse = duration("x", (q,))
                long = window >= max(min(measured) * SECOND, 2 * len(pulses) * pulse)
                if before and long and not {before, name} & _NO_MEMORY:
                    _fill(changed, q, window, pulse, pulses, dt)
                busy[q] = name, slots
        changed.append(item.operation, item.qubits, item.clbits)
    return changed


_NO_MEMORY: Final = {*MEASUREMENTS, *RESETS, "delay"}


def _place(circuit: QuantumCircuit, qubits: Sequence[Qubit]) -> tuple[int, ...]:
    return tuple(circuit.find_bit(q).index for q in qubits)


def _fill(
    circuit: QuantumCircuit, qubit: int, window: int, pulse: int, pulses: str, dt: float | None
) -> None:
    """Append the pulses of one window, in fs, and the delays around them."""
    unit = 1 if dt is None else femtoseconds(dt)
    free = (window - len(pulses) * pulse) // unit
    # Free time before pulse k: (2k + 1) / 2n of all.
    marks = [(2 * k + 1) * free // (2 * len(pulses)) for k in range(len(pulses))]
    for letter, gap in zip(pulses, np.diff([0, *marks]), strict=True):
        _wait(circuit, qubit, int(gap), dt)
        if letter == "Y":  # a virtual Z and X
            circuit.append(RZGate(np.pi), [qubit])
        circuit.append(XGate(), [qubit])
    _wait(circuit, qubit, free - marks[-1], dt)


def _wait(circuit: QuantumCircuit, qubit: int, units: int, dt: float | None) -> None:
    if units:
        delay = Delay(units / SECOND, "s") if dt is None else Delay(units, "dt")
        circuit.append(delay, [qubit])
