"""QPU seconds of a job, after IBM's published estimate."""

from __future__ import annotations

from typing import Final

import numpy as np

from qrnn_qiskit.emulator.devices import Device
from qrnn_qiskit.emulator.program import Item, Program
from qrnn_qiskit.execution.isa import ISACircuit, device_duration
from qrnn_qiskit.execution.layout import used_qubits

JOB_SECONDS: Final = 2.0
MICROSECONDS: Final = 1e-6  # the snapshots give rep_delay in µs, the client sends seconds


def qpu_seconds(program: Program, device: Device) -> float:
    """2 s + (rep_delay + circuit) × executions, over all circuits of a job."""
    configuration = device.configuration
    default = float(configuration.get("default_rep_delay", 0.0)) * MICROSECONDS
    rep_delay = default if program.rep_delay is None else program.rep_delay
    return JOB_SECONDS + sum(
        (rep_delay + _duration(item, device)) * item.executions for item in program.items
    )


def _duration(item: Item, device: Device) -> float:
    columns = np.arange(item.circuit.num_parameters)
    isa = ISACircuit(item.circuit, columns, used_qubits(item.circuit))
    return device_duration(isa, device.target) or 0.0
