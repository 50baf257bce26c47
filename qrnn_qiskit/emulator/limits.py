"""What a device does not allow: some of it is refused, some makes the job fail."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import QuantumCircuit
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit_ibm_runtime.utils.utils import is_isa_circuit, is_valid_rzz_pub

from qrnn_qiskit.emulator.cost import MICROSECONDS
from qrnn_qiskit.emulator.devices import Device
from qrnn_qiskit.emulator.program import Program
from qrnn_qiskit.emulator.replies import Refusal


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
        if not item.circuit.cregs:
            raise Refusal(400, "a circuit without classical registers has no results")
    if program.rep_delay is not None:
        if not configuration.get("dynamic_reprate_enabled"):
            raise Refusal(400, f"{device.name} has one rep_delay, which cannot be chosen")
        low, high = (limit * MICROSECONDS for limit in configuration["rep_delay_range"])
        if not low <= program.rep_delay <= high:
            raise Refusal(
                400,
                f"rep_delay = {program.rep_delay:g} s: {device.name} allows {low:g} to {high:g} s",
            )


def not_isa(program: Program, target: Any) -> str | None:
    """Why the circuits cannot run on the device, in the client's words; None if they can."""
    faults = (is_isa_circuit(item.circuit, target) for item in program.items)
    return next((str(fault) for fault in faults if fault), None)


def angles_out_of_range(circuit: QuantumCircuit, angles: NDArray[np.float64]) -> str | None:
    """Why the angles `[R, A]` of rzz gates cannot run, in the client's words; None if they can."""
    if "rzz" not in circuit.count_ops():
        return None
    pub = SamplerPub.coerce((circuit, angles) if circuit.num_parameters else (circuit,))
    return str(is_valid_rzz_pub(pub)) or None
