"""A noise model, one source for Aer and for the exact engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar, final

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Gate, Instruction
from qiskit.quantum_info import PTM, SuperOp
from qiskit.transpiler import Target

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel, QuantumError

ONE_QUBIT: Final = ("sx", "x")
TWO_QUBIT: Final = ("cz",)
MEASURE_RESET: Final = "measure_reset"  # both in one instruction
MEASUREMENTS: Final = ("measure", "measure_2", MEASURE_RESET)
RESETS: Final = ("reset", "reset_2")
GateOnQubits = tuple[str, tuple[int, ...]]
Value = TypeVar("Value")


@final
@dataclass(frozen=True)
class Noise:
    """Errors of gates, readout, reset and idle time, and the target whose gates they belong to.

    A key of a mapping by qubit is a physical qubit, or None for all.

    Attributes:
        target: what circuits are transpiled for, so that the errors meet their gates.
        gate_errors: by gate name and physical qubits; qubits () stands for all. They hold what
            happens during the gate, relaxation included.
        readout: by qubit: probabilities of reading 1 for 0, and 0 for 1.
        relaxation: by qubit: T1 and T2 in s, for the time in which no gate acts; empty for none.
        detuning: by qubit: Hz by which its phase turns in the time in which no gate acts.
        durations: s by instruction and qubits; () stands for all. What is missing takes no time.
        latency: s from the end of a measurement to a gate that depends on its outcome.
        reset_error: probability that a reset leaves |1>, by qubit.
        depolarizing_by_measurement: probability that a measurement depolarizes another qubit.
        dephasing_by_measurement: probability that it flips another qubit's phase.
        neighbours: the qubits that a measurement disturbs; all others where a qubit is missing.
        over_rotations: gates that follow a gate each time, by its name: its coherent error.
        listed: by key of `[noise]`, how many qubits it lists a value for.
    """

    target: Target
    gate_errors: Mapping[GateOnQubits, QuantumError]
    readout: Mapping[int | None, tuple[float, float]]
    relaxation: Mapping[int | None, tuple[float, float]] = field(default_factory=dict)
    detuning: Mapping[int | None, float] = field(default_factory=dict)
    durations: Mapping[GateOnQubits, float] = field(default_factory=dict)
    latency: float = 0.0
    reset_error: Mapping[int | None, float] = field(default_factory=dict)
    depolarizing_by_measurement: float = 0.0
    dephasing_by_measurement: float = 0.0
    neighbours: Mapping[int, frozenset[int]] = field(default_factory=dict)
    over_rotations: Mapping[str, Gate] = field(default_factory=dict)
    listed: Mapping[str, int] = field(default_factory=dict)

    def gate_error(self, gate: str, qubits: tuple[int, ...]) -> QuantumError | None:
        """The error after a gate; None if ideal."""
        return _of(self.gate_errors, gate, qubits)

    def transfer_matrix(self, gate: str, qubits: tuple[int, ...]) -> NDArray[np.float64] | None:
        """Pauli transfer matrix after a gate, qubit 0 of it least significant; None if ideal."""
        error = self.gate_error(gate, qubits)
        return None if error is None else transfer_matrix(error)

    def flips(self, qubit: int) -> tuple[float, float]:
        """Probabilities of reading 1 for 0, and 0 for 1."""
        return _at(self.readout, qubit) or (0.0, 0.0)

    def times(self, qubit: int) -> tuple[float, float] | None:
        """T1 and T2 in s; None where the qubit does not decay."""
        return _at(self.relaxation, qubit)

    def detuned(self, qubit: int) -> float:
        """Hz by which the qubit's phase turns while it waits."""
        return _at(self.detuning, qubit) or 0.0

    def duration(self, name: str, qubits: tuple[int, ...]) -> float:
        """Seconds of an instruction."""
        return _of(self.durations, name, qubits) or 0.0

    def excited_by_reset(self, qubit: int) -> float:
        """Probability that a reset leaves |1>."""
        return _at(self.reset_error, qubit) or 0.0

    def aer_model(self, qubits: Sequence[int], local: bool, gates: bool = True) -> NoiseModel:
        """Aer's noise model for some physical qubits: errors of gates and of readout.

        A model of a whole device costs seconds in every Aer run, hence the cut.

        Args:
            qubits: the physical qubits in use.
            local: number them 0, 1, … in this order instead of by their physical index.
            gates: False for the readout alone, where the circuit holds all else.
        """
        from qiskit_aer.noise import NoiseModel, ReadoutError

        number = {q: i if local else q for i, q in enumerate(qubits)}
        model = NoiseModel(basis_gates=[*self.target.operation_names])
        for gate, on in self.gate_errors if gates else ():
            if not on:
                model.add_all_qubit_quantum_error(self.gate_errors[gate, on], gate)
            elif all(q in number for q in on):
                error = self.gate_errors[gate, on]
                model.add_quantum_error(error, gate, [number[q] for q in on])
        for q in qubits:
            up, down = self.flips(q)
            if up or down:
                model.add_readout_error(ReadoutError([[1 - up, up], [down, 1 - down]]), [number[q]])
        return model


def transfer_matrix(error: QuantumError) -> NDArray[np.float64]:
    """Pauli transfer matrix of an error, its qubit 0 least significant.

    Term by term: of a device's two-qubit error, dozens of short circuits of Paulis and resets,
    Qiskit's own conversion takes ten times as long.
    """
    size, known = error.num_qubits, dict[object, NDArray[np.float64]]()
    total = np.zeros((4**size, 4**size))
    for circuit, probability in zip(error.circuits, error.probabilities, strict=True):
        term = np.eye(4**size).reshape([4] * size + [4**size])
        for item in circuit.data:
            qubits = [circuit.find_bit(q).index for q in item.qubits]
            term = _applied(_of_instruction(item.operation, known), qubits, term)
        total += probability * term.reshape(4**size, 4**size)
    return total


def _applied(
    matrix: NDArray[np.float64], qubits: Sequence[int], term: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A matrix on some qubits after a term `[4] * qubits + [4^qubits]`, qubit 0 the last axis."""
    axes = [term.ndim - 2 - q for q in reversed(qubits)]
    count = len(axes)
    found = np.tensordot(matrix.reshape([4] * (2 * count)), term, (range(count, 2 * count), axes))
    return np.moveaxis(found, range(count), axes)


def _of_instruction(
    operation: Instruction, known: dict[object, NDArray[np.float64]]
) -> NDArray[np.float64]:
    if all(isinstance(each, str) for each in operation.params):
        known = _KNOWN
    key = (
        operation.name,
        *(each.tobytes() if isinstance(each, np.ndarray) else each for each in operation.params),
    )
    if key not in known:
        known[key] = np.real(PTM(SuperOp(operation)).data)
    return known[key]


_KNOWN: dict[object, NDArray[np.float64]] = {}  # Paulis and resets


def _at(values: Mapping[int | None, Value], qubit: int) -> Value | None:
    return values.get(qubit, values.get(None))


def _of(values: Mapping[GateOnQubits, Value], name: str, qubits: tuple[int, ...]) -> Value | None:
    return values.get((name, qubits), values.get((name, ())))
