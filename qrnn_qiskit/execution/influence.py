"""Which outputs an occurrence can influence on the circuit that runs, noise included.

The argument of `qrnn_qiskit.circuit.light_cone`, on the transpiled circuit. It holds for any mix of
Pauli errors and of damping towards |0> or |1> after each gate and reset, and for readout errors:
backward, such noise turns letters into themselves or I; forward, into themselves or I into Z. RZ is
virtual and has none. Over-rotations are gates of the circuit here. A bit that conditions read is a
qubit with the letters I and Z. Coherent crosstalk is outside the argument.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, final

import numpy as np
from qiskit.circuit import Gate, Instruction

from qrnn_qiskit.circuit.branch import Condition
from qrnn_qiskit.circuit.light_cone import DIAGONAL, IDENTITY, Letters, advance
from qrnn_qiskit.circuit.rewrite import Rotation, is_parametrized, pauli_rotations
from qrnn_qiskit.circuit.step import Item
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.execution.flat import flat_operations
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.execution.reset import with_plain_names
from qrnn_qiskit.occurrence import Mask, OccurrenceTable, Reach

VIRTUAL: Final = ("rz", "rotation Z")
SOME: Final = Condition((), 0)


def noisy_occurrences(
    unrolled: UnrolledCircuit, isa: ISACircuit, over_rotations: Mapping[str, Gate] | None = None
) -> OccurrenceTable:
    """The table of occurrences as it holds on a transpiled circuit with noise.

    Occurrences whose parameter the transpiler deleted influence nothing.

    Args:
        unrolled: the ideal circuit.
        isa: the circuit that runs.
        over_rotations: gates that follow each gate of a name.
    """
    return replace(
        unrolled.occurrences,
        reach=Reach(partial(_noisy_influence, unrolled, isa, over_rotations or {})),
    )


def _noisy_influence(
    unrolled: UnrolledCircuit, isa: ISACircuit, over_rotations: Mapping[str, Gate]
) -> Mask:
    parts = list(_parts(unrolled, isa, over_rotations))
    postselected = frozenset(unrolled.cell.postselected)
    mask = np.zeros((len(unrolled.occurrences), unrolled.num_steps), dtype=bool)
    size = len(isa.qubits) + isa.circuit.num_clbits
    forward = _Walker([DIAGONAL] * size, backward=False)
    live = [forward.changes(part, observed=False) for part in parts]
    for output in range(unrolled.num_steps):
        backward = _Walker([IDENTITY] * size, backward=True)
        for part, alive in zip(reversed(parts), reversed(live), strict=True):
            observed = part.step == output or (part.step < output and part.bit in postselected)
            if backward.changes(part, observed) and alive:
                mask[list(part.occurrences), output] = True
    return mask


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One operation of the circuit.

    Attributes:
        kind: the operation on local qubits 0, 1, …; one object for all operations alike.
        name: of the kind.
        qubits: where it acts.
        wires: places of the bit that a measurement writes, or of those of a condition.
        step: the step whose bit a measurement writes, -1 for others.
        bit: that bit within the step, -1 for others.
        occurrences: those that the angle of a rotation depends on.
    """

    kind: Item
    name: str
    qubits: tuple[int, ...]
    wires: tuple[int, ...]
    step: int = -1
    bit: int = -1
    occurrences: tuple[int, ...] = ()


def _parts(
    unrolled: UnrolledCircuit, isa: ISACircuit, over_rotations: Mapping[str, Gate]
) -> Iterator[_Part]:
    circuit = with_plain_names(isa.compact)
    index = {name: i for i, name in enumerate(unrolled.occurrences.names)}
    registers = {register.name: register for register in circuit.cregs}
    place_of = {
        bit: (step, k)
        for step in range(unrolled.num_steps)
        for k, bit in enumerate(registers[f"step_{step}"])
    }
    kinds: dict[tuple[str, tuple[float, ...], bool], Item] = {}

    def constant(
        operation: Instruction,
        qubits: tuple[int, ...],
        wires: tuple[int, ...],
        condition: Condition | None,
        place: tuple[int, int] = (-1, -1),
    ) -> _Part:
        key = operation.name, tuple(operation.params), condition is not None
        item = Item(operation, tuple(range(len(qubits))), condition=condition)
        return _Part(kinds.setdefault(key, item), operation.name, qubits, wires, *place)

    for item in flat_operations(circuit):
        operation, qubits = item.operation, item.qubits
        bits = item.asked.bits if item.asked else (item.bit,) if item.bit else ()
        wires = tuple(circuit.num_qubits + circuit.find_bit(bit).index for bit in bits)
        condition = SOME if item.asked else None
        if not is_parametrized(operation):
            place = (-1, -1) if item.bit is None else place_of.get(item.bit, (-1, -1))
            yield constant(operation, qubits, wires, condition, place)
            if operation.name in over_rotations:
                yield constant(over_rotations[operation.name], qubits, wires, condition)
            continue
        for piece in pauli_rotations(operation, unrolled.cell.name):
            on = tuple(qubits[q] for q in piece.qubits)
            if isinstance(piece, Rotation):
                name = f"rotation {piece.generator}"
                local = tuple(range(len(on)))
                kind = Item(None, local, generator=piece.generator, gate=0, condition=condition)
                kind = kinds.setdefault((name, (), condition is not None), kind)
                read = tuple(index[p.name] for p in piece.angle.parameters)
                yield _Part(kind, name, on, wires, occurrences=read)
            else:
                yield constant(piece.operation, on, wires, condition)


@final
@dataclass(frozen=True, slots=True)
class _Walker:
    """Carries the set of letters of each qubit through a circuit."""

    letters: list[Letters]
    backward: bool
    # The same few operations meet the same few sets over and over.
    known: dict[tuple[object, ...], tuple[bool, list[Letters]]] = field(default_factory=dict)

    def changes(self, part: _Part, observed: bool) -> bool:
        """Pass a part; whether it is a rotation that changes something."""
        places = part.qubits + part.wires
        sets = tuple(self.letters[q] for q in places)
        key = id(part.kind), len(part.wires), sets, observed
        if key not in self.known:
            local, hit = list(sets), set[int]()
            wires = tuple(range(len(part.qubits), len(places)))
            advance(part.kind, local, hit, wires, backward=self.backward, observed=observed)
            if not self.backward and part.name not in VIRTUAL:
                local = [letters | DIAGONAL for letters in local]
            self.known[key] = bool(hit), local
        changed, after = self.known[key]
        for place, letters in zip(places, after, strict=True):
            self.letters[place] = letters
        return changed
