"""How long a step takes on a device, beside the T1 of its qubits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.isa import stated_seconds
from qrnn_qiskit.execution.noise.model import MEASUREMENTS
from qrnn_qiskit.execution.timetable import SECOND, femtoseconds, timetable


@final
@dataclass(frozen=True, slots=True)
class StepTime:
    """A step of a transpiled circuit.

    Attributes:
        seconds: the longest time from a step's first measurement to the next step's; the circuit's
            length where there is one step.
        t1: s, the shortest of the qubits in use; None where nobody knows.
        qubit: the one with it.
    """

    seconds: float
    t1: float | None
    qubit: int

    @property
    def fraction(self) -> float:
        """Of the shortest T1."""
        return 0.0 if self.t1 is None else self.seconds / self.t1


def step_time(executor: Executor, unrolled: UnrolledCircuit) -> StepTime | None:
    """Length of a step and T1, where the executor is, or simulates, something with durations."""
    noise: Any = getattr(executor, "noise", None)
    target: Any = getattr(executor, "target", None) or (noise.target if noise else None)
    if target is None:
        return None
    isa = executor.isa(unrolled)
    seconds = noise.duration if noise else stated_seconds(target)

    def duration(name: str, qubits: tuple[int, ...]) -> int:
        return femtoseconds(seconds(name, qubits))

    latency = femtoseconds(noise.latency) if noise else 0
    table = timetable(isa.circuit, duration, latency, target.dt)
    measured = [
        (item.clbits[0], slot.start)
        for item, slot in zip(isa.circuit.data, table.slots, strict=True)
        if item.operation.name in MEASUREMENTS
    ]
    starts = [
        min(found)
        for register in isa.circuit.cregs[: unrolled.num_steps]
        if (found := [start for bit, start in measured if bit in register])
    ]
    length = max((b - a for a, b in pairwise(starts)), default=table.length)
    times = dict[int, float]()
    for qubit in isa.qubits:
        if noise:
            found = noise.times(qubit)
            t1 = found[0] if found else None
        else:
            t1 = target.qubit_properties[qubit].t1 if target.qubit_properties else None
        if t1:
            times[qubit] = t1
    worst = min(times, key=lambda q: times[q], default=-1)
    return StepTime(length / SECOND, times.get(worst), worst)


def check_step(executor: Executor, unrolled: UnrolledCircuit, limit: float | None) -> None:
    """Refuse steps in which too much of the hidden register decays.

    Args:
        executor: where the circuit runs.
        unrolled: the circuit.
        limit: longest step, as a fraction of T1; None for any.

    Raises:
        BackendError: with the figures, and how to mend it.
    """
    if limit is None:
        return
    found = step_time(executor, unrolled)
    if found is None or found.t1 is None or found.fraction <= limit:
        return
    raise BackendError(
        f"a step takes {found.seconds * 1e6:.3g} us on {executor.name}, {found.fraction:.2g} of T1 "
        f"= {found.t1 * 1e6:.3g} us of qubit {found.qubit}, more than backend.longest_step = "
        f"{limit:g}: too little of the hidden register is left at the next step. Choose better "
        "qubits (backend.layout_trials, backend.initial_layout) or another device, or raise "
        "backend.longest_step; nothing was submitted"
    )
