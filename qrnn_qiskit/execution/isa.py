"""ISA circuits: an unrolled circuit transpiled once for a backend, its parameters kept in order."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import final

import numpy as np
from qiskit import qpy
from qiskit.circuit import QuantumCircuit
from qiskit.transpiler import Target, generate_preset_pass_manager

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError


@final
@dataclass(frozen=True, slots=True)
class TranspileOptions:
    """How circuits are transpiled.

    Attributes:
        optimization_level: Qiskit's, 0 to 3.
        seed_transpiler: of the layout and routing search.
        initial_layout: physical qubits of the cell's qubits in order, or None to search.
    """

    optimization_level: int = 1
    seed_transpiler: int = 0
    initial_layout: tuple[int, ...] | None = None


@final
@dataclass(frozen=True, slots=True)
class ISACircuit:
    """A transpiled circuit and how occurrences map to its parameters.

    Attributes:
        circuit: on the backend's qubits.
        columns: `[A]` the occurrence of each circuit parameter, in the order of
            `circuit.parameters`. The transpiler may have deleted parameters that cannot matter.
        qubits: physical qubits in use, ascending.
    """

    circuit: QuantumCircuit
    columns: Index
    qubits: tuple[int, ...]

    def parameter_values(self, angles: Array) -> Array:
        """Values `[R, A]` of the circuit's parameters from angles `[R, O]`."""
        return angles[:, self.columns]

    @property
    def compact(self) -> QuantumCircuit:
        """The same circuit on its used qubits only, numbered in the order of `qubits`."""
        local = {q: i for i, q in enumerate(self.qubits)}
        compact = QuantumCircuit(len(self.qubits))
        for register in self.circuit.cregs:
            compact.add_register(register)
        for item in self.circuit.data:
            qubits = [self.circuit.find_bit(q).index for q in item.qubits]
            kept = [local[q] for q in qubits if q in local]
            if len(kept) == len(qubits):
                compact.append(item.operation, kept, item.clbits)
        return compact

    @property
    def two_qubit_gates(self) -> int:
        """Number of two-qubit gates."""
        return sum(
            len(item.qubits) == 2 and item.operation.name != "barrier" for item in self.circuit.data
        )


def isa_to_bytes(isa: ISACircuit) -> bytes:
    """The circuit as QPY, to be used again by a run that continues."""
    buffer = io.BytesIO()
    qpy.dump(isa.circuit, buffer)
    return buffer.getvalue()


def isa_from_bytes(unrolled: UnrolledCircuit, data: bytes) -> ISACircuit:
    """The circuit that `isa_to_bytes` wrote, for the same unrolled circuit.

    Raises:
        BackendError: if it is damaged, or of another unrolled circuit.
    """
    try:
        circuit = qpy.load(io.BytesIO(data))[0]
    except Exception as error:  # QPY raises many kinds
        raise BackendError(f"the kept ISA circuit cannot be read: {error}") from None
    return _with_columns(unrolled, circuit)


def to_isa(unrolled: UnrolledCircuit, target: Target, options: TranspileOptions) -> ISACircuit:
    """Transpile an unrolled circuit for a target.

    Raises:
        BackendError: if the target lacks qubits, or an instruction such as reset.
    """
    circuit = unrolled.circuit
    if target.num_qubits is not None and target.num_qubits < circuit.num_qubits:
        raise BackendError(
            f"the circuit has {circuit.num_qubits} qubits, but the backend only "
            f"{target.num_qubits}: choose a smaller cell or a larger backend"
        )
    for name in ("measure", "reset"):
        if circuit.count_ops().get(name) and not target.instruction_supported(name):
            raise BackendError(
                f"the backend has no {name!r} instruction, which this circuit uses "
                f"{circuit.count_ops()[name]} times: choose a backend with mid-circuit "
                "measurement and reset, such as fake_marrakesh"
            )
    layout = options.initial_layout
    if layout is not None and (
        len(layout) != circuit.num_qubits or len(set(layout)) != len(layout)
    ):
        raise BackendError(
            f"backend.initial_layout = {list(layout)}: name {circuit.num_qubits} different "
            "physical qubits, one for each qubit of the cell"
        )
    manager = generate_preset_pass_manager(
        optimization_level=options.optimization_level,
        target=target,
        seed_transpiler=options.seed_transpiler,
        initial_layout=None if layout is None else list(layout),
    )
    isa = manager.run(circuit)
    return _with_columns(unrolled, isa)


def _with_columns(unrolled: UnrolledCircuit, circuit: QuantumCircuit) -> ISACircuit:
    index = {name: i for i, name in enumerate(unrolled.occurrences.names)}
    unknown = [p.name for p in circuit.parameters if p.name not in index]
    if unknown:
        raise BackendError(f"the ISA circuit has parameters of another cell: {unknown[0]}")
    return ISACircuit(
        circuit=circuit,
        columns=np.array([index[p.name] for p in circuit.parameters], dtype=np.intp),
        qubits=used_qubits(circuit),
    )


def used_qubits(circuit: QuantumCircuit) -> tuple[int, ...]:
    """Indices of the qubits that something other than a barrier or delay acts on."""
    used = {
        circuit.find_bit(q).index
        for item in circuit.data
        if item.operation.name not in ("barrier", "delay")
        for q in item.qubits
    }
    return tuple(sorted(used))


def device_duration(isa: ISACircuit, target: Target) -> float | None:
    """Seconds that one execution of the circuit takes; None where the target has no durations."""
    try:
        return float(isa.circuit.estimate_duration(target, unit="s"))
    except Exception:  # Qiskit raises several kinds where durations are missing
        return None
