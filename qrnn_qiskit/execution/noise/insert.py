"""Where noise strikes a circuit: the circuit with every error as an instruction of its own.

Both simulators run this circuit, so that they cannot differ in what they take for noise. Only
readout errors are left to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, final

import numpy as np
from qiskit.circuit import Gate, IfElseOp, Measure, QuantumCircuit, Reset
from qiskit.circuit.library import RZGate, UnitaryGate

from qrnn_qiskit.circuit.rewrite import is_parametrized
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError, SpecError
from qrnn_qiskit.execution.isa import ISACircuit, TranspileOptions, to_isa
from qrnn_qiskit.execution.noise.model import MEASURE_RESET, MEASUREMENTS, RESETS, Noise
from qrnn_qiskit.execution.timetable import (
    SECOND,
    Durations,
    Timetable,
    femtoseconds,
    on_own_qubits,
    timetable,
)

VIRTUAL: Final = ("rz", "barrier")

if TYPE_CHECKING:
    from qiskit_aer.noise import QuantumError


def noisy_isa(unrolled: UnrolledCircuit, noise: Noise, options: TranspileOptions) -> ISACircuit:
    """The circuit transpiled for the noise's gates.

    Raises:
        BackendError: as `to_isa`.
        SpecError: where a key lists values for another number of qubits.
    """
    for key, count in noise.listed.items():
        if count != unrolled.circuit.num_qubits:
            raise SpecError(
                f"noise.{key} has {count} values, but the circuit has qubits 0 to "
                f"{unrolled.circuit.num_qubits - 1}: give one number, or one for each qubit"
            )
    return to_isa(unrolled, noise.target, options, noise.duration, noise.latency)


def noisy_circuit(isa: ISACircuit, noise: Noise) -> QuantumCircuit:
    """The compact ISA circuit with errors as Aer's channel instructions.

    In order of time. A gate is followed by its over-rotation and its error, a reset by that of the
    reset; a measurement disturbs other qubits when it begins. A qubit that nothing was done to
    since its last gate decays just before the next one; a measured one from the moment its
    measurement began.
    """
    return _Inserter(isa.compact, isa.qubits, noise).circuit()


@final
class _Errors:
    """Errors of one noise model, each made once: simulators recognize what recurs."""

    def __init__(self, noise: Noise) -> None:
        self._noise = noise
        self._known: dict[tuple[object, ...], QuantumError | None] = {}

    def decay(self, qubit: int, time: int) -> QuantumError | None:
        """Relaxation and detuning of a physical qubit in so many fs."""
        times, detuning = self._noise.times(qubit), self._noise.detuned(qubit)
        if (times is None and not detuning) or time <= 0:
            return None
        key = "decay", times, detuning, time
        if key not in self._known:
            from qiskit_aer.noise import thermal_relaxation_error

            error = None if times is None else thermal_relaxation_error(*times, time / SECOND)
            if detuning:
                # Both are diagonal in phase: their order does not matter.
                turned = _coherent(RZGate(2 * np.pi * detuning * time / SECOND))
                error = turned if error is None else error.compose(turned)
            self._known[key] = error
        return self._known[key]

    def after_gate(self, name: str, qubits: tuple[int, ...]) -> Iterable[QuantumError | None]:
        """Of a gate on physical qubits: the coherent one, then the other."""
        gate = self._noise.over_rotations.get(name)
        if gate is not None:
            key = "over", name
            if key not in self._known:
                self._known[key] = _coherent(gate)
            yield self._known[key]
        yield self._noise.gate_error(name, qubits)

    def after_reset(self, qubit: int) -> QuantumError | None:
        return self._pauli("X", self._noise.excited_by_reset(qubit))

    def of_neighbour(self) -> Iterable[QuantumError | None]:
        """Of each qubit that a measurement disturbs."""
        yield self._pauli("Z", self._noise.dephasing_by_measurement)
        probability = self._noise.depolarizing_by_measurement
        if probability:
            key = "depolarizing", probability
            if key not in self._known:
                from qiskit_aer.noise import depolarizing_error

                self._known[key] = depolarizing_error(probability, 1)
            yield self._known[key]

    def _pauli(self, letter: str, probability: float) -> QuantumError | None:
        if not probability:
            return None
        key = letter, probability
        if key not in self._known:
            from qiskit_aer.noise import pauli_error

            self._known[key] = pauli_error([(letter, probability), ("I", 1 - probability)])
        return self._known[key]


def _coherent(gate: Gate) -> QuantumError:
    """A unitary as an error. Aer's own function fails for two qubits near the identity."""
    from qiskit_aer.noise import QuantumError

    return QuantumError([([(UnitaryGate(gate.to_matrix()), [*range(gate.num_qubits)])], 1.0)])


def _events(circuit: QuantumCircuit, table: Timetable) -> list[tuple[int, int, int]]:
    """(start, 1, instruction) in order of time; (start, 0, instruction) where one measures."""
    starts = [slot.start for slot in table.slots]
    events = [(start, 1, i) for i, start in enumerate(starts)]
    events += [
        (starts[i], 0, i)
        for i, item in enumerate(circuit.data)
        if item.operation.name in MEASUREMENTS
    ]
    return sorted(events)


@final
class _Inserter:
    """Copies a circuit, errors added."""

    def __init__(
        self,
        circuit: QuantumCircuit,
        physical: Sequence[int],
        noise: Noise,
        errors: _Errors | None = None,
    ) -> None:
        self._source = circuit
        self._physical = tuple(physical)
        self._noise = noise
        self._errors = errors or _Errors(noise)
        self._copy = circuit.copy_empty_like()
        # Up to which moment the decay of each qubit is in the copy.
        self._decayed = [0] * circuit.num_qubits
        # Qubits in |0>, which cannot decay.
        self._ground = set[int]()

    def circuit(self, length: int | None = None) -> QuantumCircuit:
        """The copy; that of a block also decays until `length`, in fs."""
        table = timetable(
            self._source,
            self._durations(),
            femtoseconds(self._noise.latency),
            self._noise.target.dt,
        )
        if length is None and not self._noise.depolarizing_by_measurement:
            self._ground.update(range(self._source.num_qubits))
        for start, place, index in _events(self._source, table):
            item, slot = self._source.data[index], table.slots[index]
            if place == 0:
                self._disturb(self._source.find_bit(item.qubits[0]).index, start)
                continue
            operation, name = item.operation, item.operation.name
            qubits = tuple(self._source.find_bit(q).index for q in item.qubits)
            if name in ("barrier", "delay"):
                self._copy.append(item)
                continue
            for q in qubits:
                # What a reset discards need not decay first.
                self._decay(q, self._decayed[q] if name in RESETS else slot.start)
                measured = name in MEASUREMENTS and name != MEASURE_RESET
                self._decayed[q] = slot.start if measured else slot.end
                self._ground.discard(q)
            if isinstance(operation, IfElseOp):
                operation = self._branches(operation, qubits, slot.end - slot.start)
            if name == MEASURE_RESET:
                self._copy.append(Measure(), item.qubits, item.clbits)
                operation, name = Reset(), RESETS[0]
            clbits = () if name in RESETS else item.clbits
            self._copy.append(operation, item.qubits, clbits)
            self._after(name, qubits, operation)
        if length is not None:
            for q in range(self._source.num_qubits):
                self._decay(q, length)
        return self._copy

    def _after(self, name: str, qubits: tuple[int, ...], operation: object) -> None:
        physical = tuple(self._physical[q] for q in qubits)
        if name in RESETS:
            error = self._errors.after_reset(physical[0])
            self._add(error, qubits)
            if error is None and not self._noise.depolarizing_by_measurement:
                self._ground.update(qubits)
        elif isinstance(operation, Gate):
            if name in self._noise.over_rotations and is_parametrized(operation):
                raise BackendError(
                    f"over-rotation of {name}, whose angle is trained: in proportion to the angle "
                    "it changes the frequency, and parameter shift would be biased"
                )
            for error in self._errors.after_gate(name, physical):
                self._add(error, qubits)

    def _branches(self, operation: IfElseOp, qubits: tuple[int, ...], length: int) -> IfElseOp:
        physical = [self._physical[q] for q in qubits]
        blocks = list(operation.blocks)
        if len(blocks) == 1:
            blocks.append(blocks[0].copy_empty_like())
        noisy = [
            _Inserter(block, physical, self._noise, self._errors).circuit(length)
            for block in blocks
        ]
        return IfElseOp(operation.condition, noisy[0], noisy[1] if noisy[1].data else None)

    def _disturb(self, qubit: int, start: int) -> None:
        errors = [error for error in self._errors.of_neighbour() if error is not None]
        near = self._noise.neighbours.get(self._physical[qubit])
        for q, other in enumerate(self._physical):
            if errors and q != qubit and (near is None or other in near):
                self._decay(q, max(start, self._decayed[q]))
                for error in errors:
                    self._add(error, (q,))

    def _decay(self, qubit: int, until: int) -> None:
        if qubit not in self._ground:
            time = until - self._decayed[qubit]
            self._add(self._errors.decay(self._physical[qubit], time), (qubit,))
        self._decayed[qubit] = until

    def _add(self, error: QuantumError | None, qubits: tuple[int, ...]) -> None:
        if error is not None:
            self._copy.append(error.to_instruction(), qubits)

    def _durations(self) -> Durations:
        def seconds(name: str, on: tuple[int, ...]) -> int:
            # Whatever is no virtual gate takes time, so that causes come before their effects.
            return max(femtoseconds(self._noise.duration(name, on)), name not in VIRTUAL)

        return on_own_qubits(self._physical, seconds)
