"""Unrolling: one circuit for T steps, with a parameter of its own for every gate occurrence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import final

import numpy as np
from qiskit.circuit import (
    CircuitInstruction,
    ClassicalRegister,
    Clbit,
    Operation,
    Parameter,
    QuantumCircuit,
)
from qiskit.circuit.library import SdgGate, SGate

from qrnn_qiskit.angle_map import AngleMap
from qrnn_qiskit.circuit.branch import Condition
from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.light_cone import influence
from qrnn_qiskit.circuit.rewrite import rotation_gate
from qrnn_qiskit.circuit.step import Item, first_step, step_items, steps_of
from qrnn_qiskit.errors import CellError
from qrnn_qiskit.occurrence import OccurrenceTable, Reach


@final
@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class UnrolledCircuit:
    """A cell unrolled over T steps; compared by identity, so unroll once.

    Attributes:
        cell: where it came from.
        num_steps: T.
        circuit: the whole sequence; its parameters are the O angles, named as in `occurrences`;
            one `ClassicalRegister` of the step's bits per step, `step_0` … `step_{T-1}`.
        occurrences: what each parameter is.
        angle_map: weights `[P]` and features `[T, F]` to angles `[O]`, with Jacobian.
    """

    cell: Cell
    num_steps: int
    circuit: QuantumCircuit
    occurrences: OccurrenceTable
    angle_map: AngleMap

    @property
    def num_bits(self) -> int:
        """K: output bits of a step."""
        return self.cell.num_bits

    @property
    def num_clbits(self) -> int:
        """Bits of a step's register, outputs and post-selected ones."""
        return self.cell.num_clbits

    @property
    def postselected(self) -> bool:
        """Whether shots are post-selected: raw values then are K + 1 a step, see `PackedBits`."""
        return bool(self.cell.postselected)


def unroll(cell: Cell, num_steps: int) -> UnrolledCircuit:
    """Unroll a cell over `num_steps` time steps.

    Every parametrized gate becomes a product of Pauli rotations, each with its own parameter;
    gates without weights or features stay as they are, and so do `if` statements.
    `io` and `ancilla` are reset between
    steps. Left out are, at the end, resets and barriers that nothing follows, and in the last
    step measurements whose bit is measured again and whose qubit is not used before its reset.

    Raises:
        CellError: if a parametrized gate has no such product, or `num_steps` is below 1.
    """
    if num_steps < 1:
        raise CellError(f"num_steps = {num_steps}: a sequence has at least one step")
    body, last = step_items(cell)
    whole = steps_of(body, [*body, *last], cell.permutation, num_steps)
    steps = steps_of(body, _tidy([*body, *last]), cell.permutation, num_steps)
    steps[0] = tuple(first_step(steps[0]))
    circuit = QuantumCircuit(*cell.circuit.qregs, name=f"{cell.name}_{num_steps}")
    value_of: dict[int, Clbit] = {}  # where each bit of the cell now is
    for step, items in enumerate(steps):
        register = ClassicalRegister(cell.num_clbits, f"step_{step}")
        circuit.add_register(register)
        for condition, group in groupby(items, key=lambda item: item.condition):
            inner = list(group)
            if condition is None:
                _append_fast(circuit, inner, step, register)
                value_of.update((item.bit, register[item.bit]) for item in inner if item.bit >= 0)
            else:
                _append_branches(circuit, inner, step, _asked(circuit, condition, value_of))
    # Rotations of a branch that is never taken keep their place.
    rotations = [(step, i) for step, items in enumerate(whole) for i in items if i.gate >= 0]
    of_source = {(step, item.source): item.frequencies for step, item in rotations}
    sources = {source: number for number, source in enumerate(of_source)}
    occurrences = OccurrenceTable(
        names=tuple(_name(step, item) for step, item in rotations),
        step=np.array([step for step, _ in rotations], dtype=np.intp),
        gate=np.array([item.gate for _, item in rotations], dtype=np.intp),
        generator=tuple(item.generator for _, item in rotations),
        qubits=tuple(item.qubits for _, item in rotations),
        source=np.array([sources[step, item.source] for step, item in rotations], dtype=np.intp),
        factor=np.array([item.factor for _, item in rotations], dtype=np.float64),
        frequencies=tuple(of_source.values()),
        num_steps=num_steps,
        reach=Reach(
            partial(
                influence,
                steps,
                [step for step, _ in rotations],
                [item.gate for _, item in rotations],
                (cell.circuit.num_qubits, cell.num_clbits),
                frozenset(cell.postselected),
            )
        ),
    )
    angle_map = AngleMap(
        cell=cell.tape([item.angle for item in body if item.gate >= 0]),
        last=cell.tape([item.angle for item in last if item.gate >= 0]),
        num_steps=num_steps,
    )
    return UnrolledCircuit(cell, num_steps, circuit, occurrences, angle_map)


def _name(step: int, item: Item) -> str:
    return f"a_{step}_{item.gate}"


def _append(
    circuit: QuantumCircuit, items: Sequence[Item], step: int, register: Sequence[Clbit] = ()
) -> None:
    for item in items:
        bits = [register[item.bit]] if item.bit >= 0 else []
        for operation, qubits in _operations(item, step):
            circuit.append(operation, qubits, bits, copy=False)


def _append_fast(
    circuit: QuantumCircuit, items: Sequence[Item], step: int, register: Sequence[Clbit]
) -> None:
    """The same outside of branches, without Qiskit's checks: these take most of the time."""
    wires = circuit.qubits
    for item in items:
        bits = (register[item.bit],) if item.bit >= 0 else ()
        for operation, qubits in _operations(item, step):
            circuit._append(CircuitInstruction(operation, [wires[q] for q in qubits], bits))


def _operations(item: Item, step: int) -> Iterator[tuple[Operation, tuple[int, ...]]]:
    """An item in Qiskit's terms."""
    if item.operation is not None:
        yield item.operation, item.qubits
        return
    parameter = Parameter(_name(step, item))
    if item.generator == "ZY":
        # Y = S X S†, and Qiskit has no gate for ZY.
        yield SdgGate(), item.qubits[1:]
        yield rotation_gate("ZX")(parameter), item.qubits
        yield SGate(), item.qubits[1:]
    else:
        yield rotation_gate(item.generator)(parameter), item.qubits


Asked = tuple[Clbit | ClassicalRegister, int]


def _asked(circuit: QuantumCircuit, condition: Condition, value_of: Mapping[int, Clbit]) -> Asked:
    """A condition in Qiskit's terms: on one bit or on the whole register of a step."""
    bits = [value_of[bit] for bit in condition.bits]
    if len(bits) == 1:
        return bits[0], condition.value
    return circuit.find_bit(bits[0]).registers[0][0], condition.value


def _append_branches(
    circuit: QuantumCircuit, items: Sequence[Item], step: int, asked: Asked
) -> None:
    """Append one `if` statement; a bit's empty `if` with an `else` becomes the opposite `if`."""
    then, otherwise = ([i for i in items if i.otherwise == side] for side in (False, True))
    if not then and isinstance(asked[0], Clbit):
        asked, then, otherwise = (asked[0], 1 - asked[1]), otherwise, then
    with circuit.if_test(asked) as else_:
        _append(circuit, then, step)
    if otherwise:
        with else_:
            _append(circuit, otherwise, step)


def _tidy(items: Sequence[Item]) -> list[Item]:
    """The last step without what cannot matter: see `unroll`."""
    kept: list[Item] = []
    later_qubits: set[int] = set()
    later_bits: set[int] = set()
    # A measurement that nobody reads still dephases what its qubit does next.
    used: set[int] = set()
    read: set[int] = set()  # bits that a later condition reads before they are measured again
    for item in reversed(items):
        if item.name in ("reset", "barrier", "delay") and later_qubits.isdisjoint(item.qubits):
            continue
        if (
            item.name == "measure"
            and item.bit in later_bits - read
            and used.isdisjoint(item.qubits)
        ):
            continue
        kept.append(item)
        later_qubits.update(item.qubits)
        if item.name == "reset":
            used.difference_update(item.qubits)
        elif item.name != "barrier":
            used.update(item.qubits)
        if item.bit >= 0:
            later_bits.add(item.bit)
            read.discard(item.bit)
        if item.condition is not None:
            read.update(item.condition.bits)
    return kept[::-1]
