"""Noise of a device, from what its target says of gates, readout, decay and durations."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, final

import numpy as np
from qiskit.circuit import Gate
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.noise.model import MEASURE_RESET, MEASUREMENTS, GateOnQubits, Noise

if TYPE_CHECKING:
    from qiskit_aer.noise import QuantumError


def device_noise(
    target: Target, *, idle: bool = True, latency: float = 0.0, scale: float = 1.0
) -> Noise:
    """Gate errors, thermal relaxation and readout errors of a device, as Aer derives them.

    Where T2 exceeds 2 T1 (it does for a few qubits of some snapshots) 2 T1 takes its place.

    Args:
        target: of the device.
        idle: let qubits decay while others are at work, measured or reset.
        latency: s from a measurement to what depends on it.
        scale: factor on all error probabilities and decay rates. Readout errors stop at 1/2 and
            gate errors at the worst that a depolarizing channel can do.

    Raises:
        BackendError: if the target says nothing of errors.
    """
    from qiskit_aer.noise.device import basic_device_readout_errors

    errors = _DeviceErrors(target, scale or 1.0)
    if not errors:
        raise BackendError("the device has no error properties, so no noise can be made from it")
    if not scale:
        return Noise(target, {}, {})
    with warnings.catch_warnings():
        # Aer warns of its own deprecated arguments while it reads a target.
        warnings.simplefilter("ignore")
        readout = basic_device_readout_errors(target=target)
    flips = {qubits[0]: _flips(error, scale) for qubits, error in readout}
    flips |= _quick_flips(target, scale)
    properties = target.qubit_properties or []
    return Noise(
        target,
        errors,
        flips,
        relaxation=dict(_relaxation(properties, scale)) if idle else {},
        durations=_durations(target),
        latency=latency,
        neighbours=_neighbours(target),
    )


@final
class _DeviceErrors(Mapping[GateOnQubits, "QuantumError"]):
    """Errors of a device's gates, each made when first asked for: all of them take seconds."""

    def __init__(self, target: Target, scale: float) -> None:
        self._target = target
        self._scale = scale
        self._qubits = [_scaled_qubit(each, scale) for each in target.qubit_properties or []]
        self._made: dict[GateOnQubits, QuantumError] = {}
        self._properties = {
            (name, tuple(qubits)): properties
            for name in target.operation_names
            for qubits, properties in (target[name] or {}).items()
            if name not in MEASUREMENTS and properties and (properties.error or properties.duration)
            # Aer derives nothing but relaxation for what is no gate.
            if properties.duration or isinstance(target.operation_from_name(name), Gate)
        }

    def __getitem__(self, key: GateOnQubits) -> QuantumError:
        from qiskit_aer.noise.device import basic_device_gate_errors

        if key not in self._made:
            name, qubits = key
            alone = Target(qubit_properties=self._qubits)
            operation = self._target.operation_from_name(name)
            properties = self._properties[key]
            error = properties.error
            scaled = InstructionProperties(
                properties.duration, None if error is None else error * self._scale
            )
            alone.add_instruction(operation, {qubits: scaled})
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ((_, _, self._made[key]),) = basic_device_gate_errors(target=alone)
        return self._made[key]

    def __iter__(self) -> Iterator[GateOnQubits]:
        return iter(self._properties)

    def __len__(self) -> int:
        return len(self._properties)


def _scaled_qubit(properties: QubitProperties, scale: float) -> QubitProperties:
    if scale == 1:
        return properties
    t1, t2 = (None if t is None else t / scale for t in (properties.t1, properties.t2))
    return QubitProperties(t1, t2, properties.frequency)


def _relaxation(
    properties: list[QubitProperties], scale: float
) -> Iterator[tuple[int, tuple[float, float]]]:
    for qubit, each in enumerate(properties):
        t1 = np.inf if each.t1 is None else each.t1
        t2 = 2 * t1 if each.t2 is None else min(each.t2, 2 * t1)
        if t2 < np.inf:
            yield qubit, (t1 / scale, t2 / scale)


def _durations(target: Target) -> dict[GateOnQubits, float]:
    return {
        (name, tuple(qubits)): properties.duration
        for name in target.operation_names
        for qubits, properties in (target[name] or {}).items()
        if qubits is not None and properties and properties.duration
    }


def _neighbours(target: Target) -> dict[int, frozenset[int]]:
    coupling = target.build_coupling_map()
    if coupling is None:
        return {}
    return {
        qubit: frozenset(other for edge in coupling.get_edges() if qubit in edge for other in edge)
        - {qubit}
        for qubit in coupling.physical_qubits
    }


def _quick_flips(target: Target, scale: float) -> dict[int, tuple[float, float]]:
    """Readout errors of the measurement that circuits use where the device has it."""
    quick = [name for name in (MEASURE_RESET, "measure_2") if name in target.operation_names]
    if not quick:
        return {}
    return {
        qubits[0]: (flip, flip)
        for qubits, properties in target[quick[0]].items()
        if properties is not None and properties.error is not None
        for flip in [min(properties.error * scale, max(properties.error, 0.5))]
    }


def _flips(error: Any, scale: float) -> tuple[float, float]:
    matrix = np.asarray(error.probabilities)
    up, down = (float(p) for p in (matrix[0, 1], matrix[1, 0]))
    if scale == 1:
        return up, down
    return min(up * scale, max(up, 0.5)), min(down * scale, max(down, 0.5))
