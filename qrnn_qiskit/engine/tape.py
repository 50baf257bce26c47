"""A program as a list of kernels: made once, run for every batch of rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.kernels import Kernels
from qrnn_qiskit.engine.pool import Pool
from qrnn_qiskit.engine.program import Program, Reset, Rotation
from qrnn_qiskit.engine.readings import Readings
from qrnn_qiskit.engine.simplify import Dephase, Outcome, Select, Simple, simplify
from qrnn_qiskit.estimate import Array


@final
@dataclass(frozen=True, slots=True)
class Turn:
    """Rotate by an angle.

    A run is a stretch of the tape that can be undone: rotations and unitary gates between maps
    that cannot. `opens` and `closes` mark the first and the last rotation of a run: reverse mode
    keeps the state after the last, and undoes the others.
    """

    kernel: int
    column: int
    opens: bool
    closes: bool


@final
@dataclass(frozen=True, slots=True)
class Fixed:
    """Apply a constant map; `unitary` if its transpose undoes it."""

    kernel: int
    unitary: bool


@final
@dataclass(frozen=True, slots=True)
class Record:
    """Note a component of the state as record `slot`."""

    component: int
    slot: int


@final
@dataclass(frozen=True, slots=True)
class Fork:
    """Measure a qubit and keep the recorded bit as a new first axis of `lead` branches."""

    lead: int
    qubit: int
    readout: Array


@final
@dataclass(frozen=True, slots=True)
class Join:
    """Note the joint probabilities of a step's bits, then sum over the axes of those bits.

    Attributes:
        num_axes: classical axes of the state, all of length 2.
        axes: those of the step's bits, highest bit first.
        slots: records of the outcomes, in C order of `axes`.
    """

    num_axes: int
    axes: tuple[int, ...]
    slots: NDArray[np.intp]


Entry = Turn | Fixed | Record | Fork | Join


@final
@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """What `forward` and `reverse` run.

    Records are the raw numbers read off the state: <Z> of the measured qubits, or the joint
    probabilities of a step's bits. `start` holds their values where nothing is measured; the
    outputs are `offset + scale * record`.
    """

    num_qubits: int
    num_angles: int
    entries: tuple[Entry, ...]
    kernels: Kernels
    start: Array
    offset: Array
    scale: Array
    pool: Pool = field(default_factory=Pool)

    @property
    def leads(self) -> tuple[int, ...]:
        """Numbers of branches that the state has at some time."""
        forks = (entry.lead for entry in self.entries if isinstance(entry, Fork))
        return tuple(sorted({1, *(lead for fork in forks for lead in (fork, 2 * fork))}))


_TAPES: WeakKeyDictionary[Program, dict[bool, Tape]] = WeakKeyDictionary()


def tape_of(program: Program, *, joint: bool) -> Tape:
    """The tape for <Z> of each bit, or for joint probabilities of the bits of a step."""
    tapes = _TAPES.setdefault(program, {})
    if joint not in tapes:
        tapes[joint] = _joint_tape(program) if joint else _marginal_tape(program)
    return tapes[joint]


def _marginal_tape(program: Program) -> Tape:
    n, readings = program.num_qubits, Readings(program)
    kernels, entries = Kernels(n), list[Entry]()
    for operation in simplify(program):
        if isinstance(operation, Outcome):
            after, records = readings.read(operation)
            entries += [Record(component, slot) for component, slot in records]
            entries.append(Fixed(kernels.add(after), unitary=False))
        else:
            entries.append(plain_entry(kernels, operation))
    entries += [Record(component, slot) for component, slot in readings.rest()]
    return Tape(
        n,
        program.num_angles,
        with_runs(entries),
        kernels,
        readings.start,
        readings.offset,
        readings.scale,
    )


def _joint_tape(program: Program) -> Tape:
    n, num_outcomes = program.num_qubits, 2 ** len(program.outputs)
    place = {bit: k for k, bit in enumerate(program.outputs)}
    kernels, entries = Kernels(n), list[Entry]()
    operations = simplify(program)
    left = dict.fromkeys(range(program.num_steps), 0)
    for operation in operations:
        if isinstance(operation, Outcome) and operation.bit in place:
            left[operation.step] += 1
    start = np.zeros((program.num_steps, num_outcomes))
    start[[step for step, count in left.items() if count == 0], 0] = 1.0
    # With post-selection, the trace of the state is what a step without measured outputs has.
    empty = [s for s, count in left.items() if count == 0] if program.postselected else []
    live: list[tuple[int, int]] = []  # (step, bit) of each classical axis
    for operation in operations:
        lead = 2 ** len(live)
        if not isinstance(operation, Outcome):
            entries.append(plain_entry(kernels, operation, lead))
            continue
        step = operation.step
        while empty and empty[0] < step:
            entries.append(Record(0, empty.pop(0) * num_outcomes))
        if operation.bit not in place:
            entries.append(Fixed(kernels.add(Select(operation), lead), unitary=False))
            continue
        entries.append(Fork(lead, operation.qubit, operation.readout))
        live.insert(0, (step, place[operation.bit]))
        if operation.reset:
            entries.append(Fixed(kernels.add(Reset(operation.qubit), 2 * lead), unitary=False))
        left[step] -= 1
        if left[step] == 0:
            bits = sorted((b for s, b in live if s == step), reverse=True)
            outcomes = np.zeros(1, dtype=np.intp)
            for bit in bits:
                outcomes = (outcomes[:, None] + np.array([0, 2**bit])).ravel()
            axes = tuple(live.index((step, bit)) for bit in bits)
            entries.append(Join(len(live), axes, step * num_outcomes + outcomes))
            live = [(s, b) for s, b in live if s != step]
    entries += [Record(0, step * num_outcomes) for step in empty]
    return Tape(
        n,
        program.num_angles,
        with_runs(entries),
        kernels,
        start.ravel(),
        np.zeros(start.size),
        np.ones(start.size),
    )


def plain_entry(kernels: Kernels, operation: Simple, lead: int = 1) -> Entry:
    """The entry of an operation that records nothing."""
    if isinstance(operation, Rotation):
        return Turn(kernels.add(operation, lead), operation.angle, opens=False, closes=False)
    if isinstance(operation, Outcome):
        operation = Dephase(operation.qubit)
    kernel = kernels.add(operation, lead)
    return Fixed(kernel, kernels.unitary[kernel])


def with_runs(entries: list[Entry]) -> tuple[Entry, ...]:
    """The entries with the first and the last rotation of each run marked."""
    runs: list[list[int]] = [[]]
    for i, entry in enumerate(entries):
        if isinstance(entry, Turn):
            runs[-1].append(i)
        elif isinstance(entry, Fork | Join) or (isinstance(entry, Fixed) and not entry.unitary):
            runs.append([])
    marked = list(entries)
    for run in runs:
        for i in run:
            entry = entries[i]
            if isinstance(entry, Turn):
                marked[i] = Turn(entry.kernel, entry.column, i == run[0], i == run[-1])
    return tuple(marked)
