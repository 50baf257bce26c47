"""QPU seconds of a job, after IBM's published estimate, and what the device allows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from qiskit.circuit import QuantumCircuit

from qrnn_qiskit.emulator.devices import Device
from qrnn_qiskit.emulator.program import Item, Program
from qrnn_qiskit.emulator.replies import Refusal
from qrnn_qiskit.execution.isa import ISACircuit, device_duration, used_qubits

JOB_SECONDS: Final = 2.0
MICROSECONDS: Final = 1e-6  # the snapshots give rep_delay in µs, the client sends seconds
ALWAYS_ALLOWED: Final = ("barrier", "delay")


def qpu_seconds(program: Program, device: Device) -> float:
    """2 s + (rep_delay + circuit) × executions, over all circuits of a job."""
    configuration = device.configuration
    default = float(configuration.get("default_rep_delay", 0.0)) * MICROSECONDS
    rep_delay = default if program.rep_delay is None else program.rep_delay
    return JOB_SECONDS + sum(
        (rep_delay + _duration(item, device)) * item.executions for item in program.items
    )


def check_limits(program: Program, device: Device) -> None:
    """Refuse what the device's configuration rules out.

    Raises:
        Refusal: status 400.
    """
    configuration = device.configuration
    for item in program.items:
        if item.shots > configuration["max_shots"]:
            raise Refusal(
                400, f"{item.shots} shots: {device.name} allows {configuration['max_shots']}"
            )
        if item.circuit.num_qubits > configuration["n_qubits"]:
            raise Refusal(400, f"the circuit has more qubits than {device.name}")
        if not item.circuit.cregs:
            raise Refusal(400, "a circuit without classical registers has no results")
    if program.rep_delay is not None:
        low, high = (limit * MICROSECONDS for limit in configuration["rep_delay_range"])
        if not low <= program.rep_delay <= high:
            raise Refusal(
                400,
                f"rep_delay = {program.rep_delay:g} s: {device.name} allows {low:g} to {high:g} s",
            )


def not_isa(program: Program, target: Any) -> str | None:
    """The first instruction that the device does not know, as a sentence; None if all fit."""
    for item in program.items:
        fault = _first_foreign(item.circuit, target, list(range(item.circuit.num_qubits)))
        if fault:
            return fault
    return None


def _first_foreign(circuit: QuantumCircuit, target: Any, physical: list[int]) -> str | None:
    for entry in circuit.data:
        name = entry.operation.name
        qubits = tuple(physical[circuit.find_bit(q).index] for q in entry.qubits)
        blocks = [p for p in entry.operation.params if isinstance(p, QuantumCircuit)]
        if blocks:
            if name not in target.operation_names:
                return f"the device has no {name!r}"
            for block in blocks:
                if fault := _first_foreign(block, target, list(qubits)):
                    return fault
        elif name not in ALWAYS_ALLOWED and not target.instruction_supported(name, qubits):
            return f"the device has no {name!r} on qubits {', '.join(map(str, qubits))}"
    return None


def _duration(item: Item, device: Device) -> float:
    columns = np.arange(item.circuit.num_parameters)
    isa = ISACircuit(item.circuit, columns, used_qubits(item.circuit))
    return device_duration(isa, device.target) or 0.0
