"""Which outputs an occurrence can influence on the circuit that runs, noise included.

The argument of `qrnn_qiskit.circuit.light_cone`, on the transpiled circuit. It holds for any mix of
Pauli errors and of damping towards |0> or |1> after each gate and reset, and for readout errors:
backward, such noise turns letters into themselves or I; forward, into themselves or I into Z. RZ is
virtual and has none. Over-rotations are gates of the circuit here; coherent crosstalk is
outside the argument.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, final

import numpy as np
from qiskit.circuit import Gate, Instruction

from qrnn_qiskit.circuit.light_cone import DIAGONAL, IDENTITY, Letters, advance
from qrnn_qiskit.circuit.rewrite import Rotation, is_parametrized, pauli_rotations
from qrnn_qiskit.circuit.step import Item
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.occurrence import OccurrenceTable

VIRTUAL: Final = ("rz", "rotation Z")


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
    parts = list(_parts(unrolled, isa, over_rotations or {}))
    postselected = frozenset(unrolled.cell.postselected)
    mask = np.zeros(unrolled.occurrences.influence.shape, dtype=bool)
    forward = _Walker([DIAGONAL] * len(isa.qubits), backward=False)
    live = [forward.changes(part, observed=False) for part in parts]
    for output in range(unrolled.num_steps):
        backward = _Walker([IDENTITY] * len(isa.qubits), backward=True)
        for part, alive in zip(reversed(parts), reversed(live), strict=True):
            observed = part.step == output or (part.step < output and part.bit in postselected)
            if backward.changes(part, observed) and alive:
                mask[list(part.occurrences), output] = True
    return replace(unrolled.occurrences, influence=mask)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One operation of the circuit.

    Attributes:
        kind: the operation on local qubits 0, 1, …; one object for all operations alike.
        name: of the kind.
        qubits: where it acts.
        step: the step whose bit a measurement writes, -1 for others.
        bit: that bit within the step, -1 for others.
        occurrences: those that the angle of a rotation depends on.
    """

    kind: Item
    name: str
    qubits: tuple[int, ...]
    step: int = -1
    bit: int = -1
    occurrences: tuple[int, ...] = ()


def _parts(
    unrolled: UnrolledCircuit, isa: ISACircuit, over_rotations: Mapping[str, Gate]
) -> Iterator[_Part]:
    circuit = isa.compact
    index = {name: i for i, name in enumerate(unrolled.occurrences.names)}
    place_of = {
        bit: (step, k)
        for step, register in enumerate(circuit.cregs)
        for k, bit in enumerate(register)
    }
    kinds: dict[tuple[str, tuple[float, ...]], Item] = {}

    def constant(
        operation: Instruction, qubits: tuple[int, ...], place: tuple[int, int] = (-1, -1)
    ) -> _Part:
        key = operation.name, tuple(operation.params)
        kind = kinds.setdefault(key, Item(operation, tuple(range(len(qubits)))))
        return _Part(kind, operation.name, qubits, *place)

    for item in circuit.data:
        operation = item.operation
        qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
        if operation.name in ("barrier", "delay"):
            continue
        if not is_parametrized(operation):
            yield constant(operation, qubits, *(place_of[bit] for bit in item.clbits))
            if operation.name in over_rotations:
                yield constant(over_rotations[operation.name], qubits)
            continue
        for piece in pauli_rotations(operation, unrolled.cell.name):
            on = tuple(qubits[q] for q in piece.qubits)
            if isinstance(piece, Rotation):
                name = f"rotation {piece.generator}"
                local = tuple(range(len(on)))
                kind = Item(None, local, generator=piece.generator, gate=0)
                read = tuple(index[p.name] for p in piece.angle.parameters)
                yield _Part(kinds.setdefault((name, ()), kind), name, on, occurrences=read)
            else:
                yield constant(piece.operation, on)


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
        sets = tuple(self.letters[q] for q in part.qubits)
        key = id(part.kind), sets, observed
        if key not in self.known:
            local, hit = list(sets), set[int]()
            advance(part.kind, local, hit, backward=self.backward, observed=observed)
            if not self.backward and part.name not in VIRTUAL:
                local = [letters | DIAGONAL for letters in local]
            self.known[key] = bool(hit), local
        changed, after = self.known[key]
        for qubit, letters in zip(part.qubits, after, strict=True):
            self.letters[qubit] = letters
        return changed
