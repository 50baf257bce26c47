"""What the client-side Sampler does not check, checked before a submission."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.transpiler import Target

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.flat import flat_operations

# As IBM documents the limits of a job ("Job limits", "Maximum execution time"): executions;
# instructions of the control system for a qubit, over all rows, by the weights below; two-qubit
# gates of a circuit; three hours, of which a job is predicted to take a third at most, since it may
# be charged more than predicted. The limit of bytes is our own: requests are sent in one piece.
MAX_EXECUTIONS: Final = 10_000_000
MAX_INSTRUCTIONS: Final = 26_800_000
MAX_TWO_QUBIT_GATES: Final = 400_000
MAX_TWO_QUBIT_GATES_DYNAMIC: Final = 100_000
MAX_SECONDS: Final = 10_800
SECONDS_OF_A_JOB: Final = MAX_SECONDS / 3
MAX_PAYLOAD_BYTES: Final = 32_000_000
INSTRUCTIONS: Final = {
    **{"rz": 1, "delay": 1, "sx": 2, "x": 2, "rx": 2, "rzz": 5, "cx": 5, "cz": 5, "ecr": 5},
    **{"measure": 10, "measure_2": 10, "reset": 17, "reset_2": 17, "barrier": 0},
}
_INIT: Final = 50  # of each qubit in each row
_OTHER: Final = 10  # what the table does not know, such as a condition
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
        rows: of the circuit.
    """

    shots: int
    executions: int
    rows: int


def limits_of(circuit: QuantumCircuit, shots: int, seconds: float) -> Limits:
    """The limits of a job with one circuit.

    Args:
        circuit: as it is executed.
        shots: that the device allows for a row.
        seconds: of one execution.
    """
    # Eight bytes a value, four thirds of that as text, and the circuit once.
    by_bytes = int(MAX_PAYLOAD_BYTES * 3 / 4 / 8 / max(1, circuit.num_parameters))
    by_memory = MAX_INSTRUCTIONS // instructions_of_a_qubit(circuit)
    by_time = int(SECONDS_OF_A_JOB / seconds) if seconds else MAX_EXECUTIONS
    return Limits(shots, max(1, min(MAX_EXECUTIONS, by_time)), max(1, min(by_bytes, by_memory)))


def instructions_of_a_qubit(circuit: QuantumCircuit) -> int:
    """Instructions of the control system for the qubit that has most of them, in one row."""
    count = Counter[Any]()
    for item in flat_operations(circuit):
        weight = INSTRUCTIONS.get(item.operation.name, _OTHER)
        for qubit in item.qubits:
            count[qubit] += weight
    return _INIT + max(count.values(), default=0)


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
    dynamic = any(item.is_control_flow() for item in circuit.data)
    most = MAX_TWO_QUBIT_GATES_DYNAMIC if dynamic else MAX_TWO_QUBIT_GATES
    gates = sum(len(item.qubits) == 2 for item in flat_operations(circuit))
    if gates > most:
        raise BackendError(
            f"the circuit has {gates:,} two-qubit gates, and IBM allows {most:,} in a circuit"
            f"{' with if' if dynamic else ''}: take fewer tiles (backend.tiles) or shorter "
            "sequences"
        )
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
