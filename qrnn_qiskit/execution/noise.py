"""Noise of a device or a simple model, one source for Aer and for the exact engine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Delay, Gate, IfElseOp, Parameter
from qiskit.circuit.library import CZGate, Measure, Reset, RZGate, SXGate, XGate
from qiskit.quantum_info import PTM, SuperOp
from qiskit.transpiler import Target

from qrnn_qiskit.errors import BackendError

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel, QuantumError

ONE_QUBIT = ("sx", "x")
TWO_QUBIT = ("cz",)
GateOnQubits = tuple[str, tuple[int, ...]]


@final
@dataclass(frozen=True)
class Noise:
    """Errors of gates and readout, and the target whose gates they belong to.

    Attributes:
        target: what circuits are transpiled for, so that the errors meet their gates.
        gate_errors: by gate name and physical qubits; qubits () stands for all.
        readout: by qubit (or None for all): probabilities of reading 1 for 0, and 0 for 1.
    """

    target: Target
    gate_errors: Mapping[GateOnQubits, QuantumError]
    readout: dict[int | None, tuple[float, float]]

    def transfer_matrix(self, gate: str, qubits: tuple[int, ...]) -> NDArray[np.float64] | None:
        """Pauli transfer matrix after a gate, qubit 0 of it least significant; None if ideal."""
        error = self._error(gate, qubits)
        if error is None:
            return None
        matrix: NDArray[np.float64] = np.real(PTM(SuperOp(error)).data)
        return matrix

    def flips(self, qubit: int) -> tuple[float, float]:
        """Probabilities of reading 1 for 0, and 0 for 1."""
        return self.readout.get(qubit, self.readout.get(None, (0.0, 0.0)))

    def aer_model(self, qubits: Sequence[int], local: bool) -> NoiseModel:
        """Aer's noise model for some physical qubits.

        A model of a whole device costs seconds in every Aer run, hence the cut.

        Args:
            qubits: the physical qubits in use.
            local: number them 0, 1, … in this order instead of by their physical index.
        """
        from qiskit_aer.noise import NoiseModel, ReadoutError

        number = {q: i if local else q for i, q in enumerate(qubits)}
        model = NoiseModel(basis_gates=[*self.target.operation_names])
        for gate, on in self.gate_errors:
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

    def _error(self, gate: str, qubits: tuple[int, ...]) -> QuantumError | None:
        return self.gate_errors.get((gate, qubits), self.gate_errors.get((gate, ())))


def simple_noise(depolarizing_1q: float, depolarizing_2q: float, readout: float) -> Noise:
    """Depolarising noise after every SX, X and CZ, and symmetric readout flips.

    RZ is virtual on IBM devices and has none.

    Args:
        depolarizing_1q: depolarising probability of one-qubit gates.
        depolarizing_2q: depolarising probability of two-qubit gates.
        readout: probability that a measured bit is read wrong.
    """
    from qiskit_aer.noise import depolarizing_error

    target = Target(num_qubits=None)
    angle = Parameter("angle")
    for gate in (RZGate(angle), SXGate(), XGate(), CZGate(), Measure(), Reset()):
        target.add_instruction(gate)
    target.add_instruction(Delay(Parameter("duration")))
    target.add_instruction(IfElseOp, name="if_else")
    errors: dict[tuple[str, tuple[int, ...]], Any] = {}
    for names, probability, arity in (
        (ONE_QUBIT, depolarizing_1q, 1),
        (TWO_QUBIT, depolarizing_2q, 2),
    ):
        if probability:
            error = depolarizing_error(probability, arity)
            errors |= {(name, ()): error for name in names}
    return Noise(target, errors, {None: (readout, readout)})


def device_noise(target: Target) -> Noise:
    """Gate errors, thermal relaxation and readout errors of a device, as Aer derives them."""
    from qiskit_aer.noise.device import basic_device_readout_errors

    errors = _DeviceErrors(target)
    if not errors:
        raise BackendError("the device has no error properties, so no noise can be made from it")
    with warnings.catch_warnings():
        # Aer warns of its own deprecated arguments while it reads a target.
        warnings.simplefilter("ignore")
        readout = basic_device_readout_errors(target=target)
    return Noise(target, errors, {qubits[0]: _flips(error) for qubits, error in readout})


@final
class _DeviceErrors(Mapping[GateOnQubits, "QuantumError"]):
    """Errors of a device's gates, each made when first asked for: all of them take seconds."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._made: dict[GateOnQubits, QuantumError] = {}
        self._properties = {
            (name, tuple(qubits)): properties
            for name in target.operation_names
            for qubits, properties in (target[name] or {}).items()
            if name != "measure" and properties and (properties.error or properties.duration)
            # Aer derives nothing but relaxation for what is no gate.
            if properties.duration or isinstance(target.operation_from_name(name), Gate)
        }

    def __getitem__(self, key: GateOnQubits) -> QuantumError:
        from qiskit_aer.noise.device import basic_device_gate_errors

        if key not in self._made:
            name, qubits = key
            alone = Target(qubit_properties=self._target.qubit_properties)
            operation = self._target.operation_from_name(name)
            alone.add_instruction(operation, {qubits: self._properties[key]})
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ((_, _, self._made[key]),) = basic_device_gate_errors(target=alone)
        return self._made[key]

    def __iter__(self) -> Iterator[GateOnQubits]:
        return iter(self._properties)

    def __len__(self) -> int:
        return len(self._properties)


def _flips(error: Any) -> tuple[float, float]:
    matrix = np.asarray(error.probabilities)
    return float(matrix[0, 1]), float(matrix[1, 0])
