"""ISA circuits: an unrolled circuit transpiled once for a backend, its parameters kept in order."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, final

import numpy as np
from qiskit import qpy
from qiskit.circuit import QuantumCircuit
from qiskit.transpiler import StagedPassManager, Target, generate_preset_pass_manager

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.decoupling import decoupled
from qrnn_qiskit.execution.flat import flat_operations, narrowed
from qrnn_qiskit.execution.layout import best_placement, moved, predicted_error, used_qubits
from qrnn_qiskit.execution.mitigation.zero_noise import Seconds, fold, stretch
from qrnn_qiskit.execution.reset import after_transpiling, before_transpiling, reset_strategy
from qrnn_qiskit.execution.tiles import choose_tiles, tiled
from qrnn_qiskit.spec.backend import Decoupling, ResetChoice, TileChoice

_TILES: Final = "tiles"
_MOST_LATENCY_S: Final = 2e-6  # of feed-forward, which no target states
# Earlier formats carry expressions in a form whose loading may execute code.
SAFE_QPY: Final = 13


@final
@dataclass(frozen=True, slots=True)
class TranspileOptions:
    """How circuits are transpiled.

    Attributes:
        optimization_level: Qiskit's, 0 to 3.
        seed_transpiler: of the layout and routing search.
        initial_layout: physical qubits of the cell's qubits in order, or None to search.
        layout_trials: seeds to try, each result in all places; 0 for the transpiler's own layout.
        reset: what a reset becomes.
        reset_repeats: resets in the place of each.
        tiles: copies of the circuit on the device; "auto" for as many as fit.
        folds: for zero-noise extrapolation: times that each two-qubit gate is done in a row, and
            factor on the time that measurements and resets take.
        decoupling: pulses on hidden qubits while others are measured.
    """

    optimization_level: int = 1
    seed_transpiler: int = 0
    initial_layout: tuple[int, ...] | None = None
    layout_trials: int = 0
    reset: ResetChoice = "auto"
    reset_repeats: int = 1
    tiles: TileChoice = 1
    folds: int = 1
    decoupling: Decoupling = "none"


@final
@dataclass(frozen=True, slots=True)
class ISACircuit:
    """A transpiled circuit and how occurrences map to its parameters.

    Attributes:
        circuit: on the backend's qubits.
        columns: `[A]` the occurrence of each circuit parameter, in the order of
            `circuit.parameters`. The transpiler may have deleted parameters that cannot matter.
        qubits: physical qubits in use, ascending.
        tiles: physical qubits of each of several copies, in the order of `qubits`, those of the
            first being `qubits`; empty where the circuit runs alone.
        executed: what is handed to the device: the circuit, or its copies side by side.
    """

    circuit: QuantumCircuit
    columns: Index
    qubits: tuple[int, ...]
    tiles: tuple[tuple[int, ...], ...] = ()
    executed: QuantumCircuit = field(init=False)

    def __post_init__(self) -> None:
        whole = self.circuit
        if self.tiles:
            whole = tiled(self.compact, self.tiles, self.circuit.num_qubits)
        object.__setattr__(self, "executed", whole)

    @property
    def num_tiles(self) -> int:
        """Shots of a row in one execution."""
        return max(1, len(self.tiles))

    def tile(self, number: int) -> ISACircuit:
        """One copy, as a circuit that runs alone."""
        if not self.tiles:
            return self
        place = self.tiles[number]
        circuit = moved(self.circuit, place)
        return ISACircuit(circuit, self.columns, used_qubits(circuit))

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
        """Number of two-qubit gates, those of both branches of an `if` included."""
        if self.circuit.has_control_flow_op():
            return sum(len(item.qubits) == 2 for item in flat_operations(self.circuit))
        # Names are quicker to come by than operations.
        pairs = (item.name for item in self.circuit.data if len(item.qubits) == 2)
        return sum(name not in ("barrier", "delay") for name in pairs)


def isa_to_bytes(isa: ISACircuit) -> bytes:
    """The circuit as QPY, to be used again by a run that continues."""
    buffer = io.BytesIO()
    circuit = isa.circuit.copy()
    circuit.metadata = {_TILES: isa.tiles}
    qpy.dump(circuit, buffer)
    return buffer.getvalue()


def isa_from_bytes(unrolled: UnrolledCircuit, data: bytes) -> ISACircuit:
    """The circuit that `isa_to_bytes` wrote, for the same unrolled circuit.

    Raises:
        BackendError: if it is damaged, or of another unrolled circuit.
    """
    if data[:6] != b"QISKIT" or len(data) < 7 or data[6] < SAFE_QPY:
        raise BackendError(
            f"the kept ISA circuit is not in QPY format {SAFE_QPY} or later: start a new run"
        )
    try:
        circuit = qpy.load(io.BytesIO(data))[0]
    except Exception as error:  # QPY raises many kinds
        raise BackendError(f"the kept ISA circuit cannot be read: {error}") from None
    tiles = (circuit.metadata or {}).get(_TILES, ())
    return _with_columns(unrolled, circuit, tuple(tuple(tile) for tile in tiles))


def folded(isa: ISACircuit, factor: int, seconds: Seconds, dt: float | None) -> ISACircuit:
    """The same circuit, on the same qubits, with its noise raised by a factor."""
    longer = fold(stretch(isa.circuit, factor, seconds, dt), factor)
    return ISACircuit(longer, isa.columns, isa.qubits)


def stated_seconds(target: Target) -> Seconds:
    """Durations as a target states them."""

    def seconds(name: str, qubits: tuple[int, ...]) -> float:
        places = (target[name] or {}) if name in target.operation_names else {}
        properties = places.get(qubits)
        return float((properties.duration if properties else None) or 0.0)

    return seconds


def to_isa(
    unrolled: UnrolledCircuit,
    target: Target,
    options: TranspileOptions,
    seconds: Seconds | None = None,
    latency: float | None = None,
) -> ISACircuit:
    """Transpile an unrolled circuit for a target.

    Raises:
        BackendError: if the target lacks qubits, or an instruction such as reset.
    """
    strategy = reset_strategy(unrolled.circuit, target, options.reset)
    circuit = before_transpiling(unrolled.circuit, strategy, target.num_qubits)
    if target.num_qubits is not None and target.num_qubits < circuit.num_qubits:
        raise BackendError(
            f"the circuit has {circuit.num_qubits} qubits, but the backend only "
            f"{target.num_qubits}: choose a smaller cell or a larger backend"
        )
    for name in ("measure", "if_else"):
        if circuit.count_ops().get(name) and not target.instruction_supported(name):
            raise BackendError(
                f"the backend has no {name!r} instruction, which this circuit uses "
                f"{circuit.count_ops()[name]} times: choose a backend with mid-circuit "
                "measurement, reset and if_else, such as fake_marrakesh"
            )
    layout: Sequence[int] | None = options.initial_layout
    if layout is not None and (
        len(layout) != circuit.num_qubits or len(set(layout)) != len(layout)
    ):
        raise BackendError(
            f"backend.initial_layout = {list(layout)}: name {circuit.num_qubits} different "
            "physical qubits, one for each qubit of the cell"
        )
    unknown = [q for q in layout or () if q >= (target.num_qubits or circuit.num_qubits)]
    if unknown:
        raise BackendError(
            f"backend.initial_layout = {list(layout or ())}: the backend has no qubit "
            f"{unknown[0]}, only 0 to {(target.num_qubits or circuit.num_qubits) - 1}"
        )
    tried: list[tuple[float, QuantumCircuit]] = []
    branches = layout is None and circuit.count_ops().get("if_else")
    # Without couplings there is nothing to choose.
    trials = options.layout_trials if target.build_coupling_map() is not None else 0
    for trial in range(max(1, trials)):
        start = layout
        if branches:
            start = _layout_with_branches(circuit, target, options, trial)
        isa = narrowed(_manager(target, options, start, trial).run(circuit))
        isa = after_transpiling(isa, target, options.reset_repeats, options.reset)
        if not trials:
            tried.append((0.0, isa))
        elif layout is None:
            placed, error = best_placement(isa, target)
            tried.append((error, placed))
        else:
            tried.append((predicted_error(isa, target), isa))
    isa = min(tried, key=lambda pair: pair[0])[1]
    seconds = seconds or stated_seconds(target)
    if options.folds > 1:
        isa = fold(stretch(isa, options.folds, seconds, target.dt), options.folds)
    latencies = (0.0, _MOST_LATENCY_S) if latency is None else (latency,)
    isa = decoupled(isa, options.decoupling, seconds, latencies=latencies, dt=target.dt)
    tiles: tuple[tuple[int, ...], ...] = ()
    if options.tiles != 1:
        fixed = layout is not None or not trials
        found = choose_tiles(isa, target, options.tiles, fixed=fixed)
        isa = moved(isa, found[0])
        order = np.argsort(found[0])  # the circuit's qubits in use are counted in ascending order
        tiles = tuple(tuple(tile[i] for i in order) for tile in found)
    return _with_columns(unrolled, isa, tiles)


def _manager(
    target: Target, options: TranspileOptions, layout: Sequence[int] | None, trial: int
) -> StagedPassManager:
    return generate_preset_pass_manager(
        optimization_level=options.optimization_level,
        target=target,
        seed_transpiler=options.seed_transpiler + trial,
        initial_layout=None if layout is None else list(layout),
    )


def _layout_with_branches(
    circuit: QuantumCircuit, target: Target, options: TranspileOptions, trial: int
) -> Sequence[int] | None:
    """The layout of the circuit with all branches run one after the other.

    Qiskit's search does not look into branches and may place their qubits far apart.
    """
    flat = circuit.copy_empty_like()
    for item in flat_operations(circuit):
        flat.append(item.operation, item.qubits, () if item.bit is None else (item.bit,))
    found = _manager(target, options, None, trial).run(flat).layout
    return None if found is None else found.initial_index_layout(filter_ancillas=True)


def _with_columns(
    unrolled: UnrolledCircuit, circuit: QuantumCircuit, tiles: tuple[tuple[int, ...], ...]
) -> ISACircuit:
    index = {name: i for i, name in enumerate(unrolled.occurrences.names)}
    unknown = [p.name for p in circuit.parameters if p.name not in index]
    if unknown:
        raise BackendError(f"the ISA circuit has parameters of another cell: {unknown[0]}")
    return ISACircuit(
        circuit=circuit,
        columns=np.array([index[p.name] for p in circuit.parameters], dtype=np.intp),
        qubits=used_qubits(circuit),
        tiles=tiles,
    )


def device_duration(isa: ISACircuit, target: Target) -> float | None:
    """Seconds that one execution of the circuit takes; None where the target has no durations."""
    try:
        return float(isa.executed.estimate_duration(target, unit="s"))
    except Exception:  # Qiskit raises several kinds where durations are missing
        return None


def shortest_coherence(isa: ISACircuit, target: Target) -> float | None:
    """Seconds: the least T1 or T2 of the qubits in use; None where the target has none."""
    properties = target.qubit_properties or []
    times = [
        time
        for qubit in isa.qubits
        if qubit < len(properties) and properties[qubit] is not None
        for time in (properties[qubit].t1, properties[qubit].t2)
        if time
    ]
    return min(times, default=None)
