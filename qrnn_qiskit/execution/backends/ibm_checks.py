"""What the client-side Sampler does not check, checked before a submission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.transpiler import Target

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import BackendError

# IBM documents at most 10 million executions for a Sampler job. The limit of bytes is our own:
# requests are sent in one piece.
MAX_EXECUTIONS: Final = 10_000_000
MAX_PAYLOAD_BYTES: Final = 32_000_000
_RZZ_MAX: Final = np.pi / 2
_TOLERANCE: Final = 1e-10
# Set for each job by us, or without meaning for a circuit that is read bit by bit.
_OURS: Final = {
    "default_shots": "shots are backend.shots",
    "max_execution_time": "each QPU job gets a limit from its predicted cost",
    "simulator": "it is for local testing mode",
}


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """What one QPU job may hold.

    Attributes:
        shots: of a row.
        executions: rows times shots.
        bytes: of the parameter values and the circuit.
    """

    shots: int
    executions: int = MAX_EXECUTIONS
    bytes: int = MAX_PAYLOAD_BYTES


def check_circuit(circuit: QuantumCircuit, target: Target, backend: str) -> None:
    """Refuse a circuit that the backend cannot run as it is.

    Raises:
        BackendError: naming the instruction and the qubits.
    """
    if target.num_qubits is not None and circuit.num_qubits > target.num_qubits:
        raise BackendError(
            f"the circuit has {circuit.num_qubits} qubits, but {backend} only {target.num_qubits}"
        )
    if not circuit.cregs:
        raise BackendError("the circuit measures nothing: it has no classical register")
    if not circuit.parameters:
        raise BackendError("no gate of the circuit depends on a weight or a feature")
    for item in circuit.data:
        name = item.operation.name
        if name in ("barrier", "delay"):
            continue
        qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
        if item.is_control_flow():
            if not target.instruction_supported(name):
                raise BackendError(
                    f"{backend} has no {name!r}: choose a backend with dynamic circuits (qrnn "
                    "devices shows them)"
                )
        elif not target.instruction_supported(name, qubits):
            raise BackendError(
                f"{backend} cannot run {name!r} on qubits {list(qubits)}: the circuit was made for "
                "another device, or the qubits were taken out of service since"
            )


def check_angles(circuit: QuantumCircuit, values: Array, backend: str) -> None:
    """Refuse fractional gates outside of the range that they are calibrated for.

    Args:
        circuit: ISA circuit.
        values: `[R, A]` of its parameters, in their order.
        backend: its name.

    Raises:
        BackendError: naming the angle.
    """
    order = {parameter: i for i, parameter in enumerate(circuit.parameters)}
    for item in circuit.data:
        if item.operation.name != "rzz":
            continue
        angle = item.operation.params[0]
        if isinstance(angle, Parameter):
            angles = values[:, order[angle]]
        elif getattr(angle, "parameters", None):
            angles = np.array(
                [float(angle.bind({p: row[order[p]] for p in angle.parameters})) for row in values]
            )
        else:
            angles = np.array([float(angle)])
        wrong = angles[(angles < -_TOLERANCE) | (angles > _RZZ_MAX + _TOLERANCE)]
        if len(wrong):
            raise BackendError(
                f"{backend} runs rzz only between 0 and π/2, but a row needs {wrong[0]:.6g} rad: "
                "transpile without fractional gates"
            )


def check_options(options: Mapping[str, Any], circuit: QuantumCircuit, backend: Any) -> None:
    """Refuse options that the circuit or the backend does not allow.

    Args:
        options: `backend.options` of the job, by the client's own names.
        circuit: ISA circuit.
        backend: of the Runtime client.

    Raises:
        BackendError: naming the option and the reason.
    """
    twirling = options.get("twirling", {})
    if twirling.get("enable_measure"):
        raise BackendError(
            "backend.options.twirling.enable_measure = true: measurements inside a circuit cannot "
            "be twirled by this client; twirl gates only (twirling.enable_gates)"
        )
    dynamic = any(item.is_control_flow() for item in circuit.data)
    if dynamic and options.get("dynamical_decoupling", {}).get("enable"):
        raise BackendError(
            "backend.options.dynamical_decoupling.enable = true: not together with if, which this "
            "circuit uses, since the length of a branch is not known beforehand"
        )
    if dynamic and twirling.get("enable_gates"):
        raise BackendError(
            "backend.options.twirling.enable_gates = true: not together with if, which this "
            "circuit uses"
        )
    delay = options.get("execution", {}).get("rep_delay")
    allowed = getattr(backend, "rep_delay_range", None)
    if delay is not None:
        if not getattr(backend, "dynamic_reprate_enabled", False):
            raise BackendError(
                f"backend.options.execution.rep_delay = {delay}: {backend.name} has a fixed one"
            )
        if allowed is not None and not allowed[0] <= delay <= allowed[1]:
            raise BackendError(
                f"backend.options.execution.rep_delay = {delay}: {backend.name} allows "
                f"{allowed[0]:g} to {allowed[1]:g} s"
            )


def sampler_options(options: Mapping[str, Any]) -> Any:
    """The client's own options object.

    Raises:
        BackendError: naming the option that it does not know, or that is not the user's to set.
    """
    from pydantic import ValidationError
    from qiskit_ibm_runtime.options_models.sampler import SamplerOptions

    for name, reason in _OURS.items():
        if name in options:
            raise BackendError(f"backend.options.{name} cannot be set: {reason}")
    for name in ("job_tags", "private", "max_execution_time"):
        if name in options.get("environment", {}):
            raise BackendError(
                f"backend.options.environment.{name} cannot be set: jobs are found again by their "
                "tags, and their results must be readable more than once"
            )
    if options.get("execution", {}).get("meas_type", "classified") != "classified":
        raise BackendError("backend.options.execution.meas_type: only 'classified' gives bits")
    try:
        return SamplerOptions(**options)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BackendError(f"backend.options.{place}: {first['msg']}") from None
