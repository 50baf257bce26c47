"""Where on a device a transpiled circuit errs least, by what the device says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import rustworkx as rx
from numpy.typing import NDArray
from qiskit.circuit import QuantumCircuit
from qiskit.transpiler import Target

from qrnn_qiskit.execution.flat import flat_operations
from qrnn_qiskit.execution.noise.model import MEASURE_RESET, MEASUREMENTS, RESETS
from qrnn_qiskit.execution.timetable import SECOND, femtoseconds, timetable

MOST_PLACEMENTS: Final = 20_000
Array = NDArray[np.float64]


def predicted_error(circuit: QuantumCircuit, target: Target) -> float:
    """Probability that anything goes wrong in one execution, errors taken as independent.

    Gates and readout with the errors that the target states; a qubit that idles for t with the
    average infidelity of relaxation, 1/2 - exp(-t/T1)/6 - exp(-t/T2)/3.

    Args:
        circuit: transpiled, on the device's qubits.
        target: of the device.
    """
    used = used_qubits(circuit)
    costs = Costs(circuit, target, used)
    placement = np.array([used])
    return float(-np.expm1(-costs.of(placement)[0]))


def best_placement(circuit: QuantumCircuit, target: Target) -> tuple[QuantumCircuit, float]:
    """The circuit moved to the qubits on which it errs least, and its `predicted_error` there.

    Every place where the device's couplings allow the very same circuit is considered.
    """
    used = used_qubits(circuit)
    costs = Costs(circuit, target, used)
    places = np.array([used, *placements(circuit, target, used)])
    total = costs.of(places)
    best = int(np.argmin(total))
    error = float(-np.expm1(-total[best]))
    return (circuit if best == 0 else moved(circuit, places[best].tolist())), error


def moved(circuit: QuantumCircuit, place: Sequence[int]) -> QuantumCircuit:
    """The circuit with its qubits in use, ascending, moved to others of the device."""
    to = dict(zip(used_qubits(circuit), place, strict=True))
    placed = circuit.copy_empty_like()
    for item in circuit.data:
        qubits = [circuit.find_bit(q).index for q in item.qubits]
        if all(q in to for q in qubits):
            placed.append(item.operation, [to[q] for q in qubits], item.clbits)
    return placed


class Costs:
    """Negative log fidelities of a circuit's parts on every qubit and coupling."""

    def __init__(self, circuit: QuantumCircuit, target: Target, used: tuple[int, ...]) -> None:
        self._local = {q: i for i, q in enumerate(used)}
        count = target.num_qubits or circuit.num_qubits
        self._single = np.zeros((len(used), count))
        self._pairs: dict[tuple[int, ...], Array] = {}
        operations: dict[tuple[str, tuple[int, ...]], int] = {}
        for item in flat_operations(circuit):
            if item.operation.name != "rz":
                key = item.operation.name, tuple(self._local[q] for q in item.qubits)
                operations[key] = operations.get(key, 0) + 1
        for (name, local), times in operations.items():
            for place, cost in _log_errors(target, name).items():
                if len(place) == 1:
                    self._single[local[0], place[0]] += times * cost
                else:
                    table = self._pairs.setdefault(local, np.zeros((count, count)))
                    table[place] += times * cost
        for q, gaps in _idle_times(circuit, target).items():
            if q in self._local:
                self._single[self._local[q]] += _relaxation(target, count, gaps)

    def of(self, placements: NDArray[np.int64]) -> Array:
        """Total `[places]` of placements `[places, used qubits]`."""
        total: Array = sum(
            (self._single[i, placements[:, i]] for i in range(placements.shape[1])),
            np.zeros(len(placements)),
        )
        for (a, b), table in self._pairs.items():
            total = total + table[placements[:, a], placements[:, b]]
        return total


def _log_errors(target: Target, name: str) -> dict[tuple[int, ...], float]:
    return {
        tuple(place): -float(np.log1p(-min(properties.error, 1 - 1e-12)))
        for place, properties in (target[name] or {}).items()
        if properties is not None and properties.error
    }


def _relaxation(target: Target, count: int, gaps: list[float]) -> Array:
    """Negative log fidelity on each qubit of idling for some gaps in s, `[qubits]`."""
    properties = target.qubit_properties or []
    t1, t2 = np.full((2, count), np.inf)
    for q, each in enumerate(properties):
        t1[q] = each.t1 or np.inf
        t2[q] = min(each.t2 or np.inf, 2 * t1[q])
    time = np.array(gaps)[:, None]
    infidelity = 0.5 - np.exp(-time / t1) / 6 - np.exp(-time / t2) / 3
    cost: Array = -np.log1p(-infidelity).sum(axis=0)
    return cost


def _idle_times(circuit: QuantumCircuit, target: Target) -> dict[int, list[float]]:
    """Seconds between the operations of each qubit, those before a reset left out."""

    def duration(name: str, qubits: tuple[int, ...]) -> int:
        properties = (target[name] or {}).get(qubits) if name in target else None
        return femtoseconds((properties.duration if properties else 0.0) or 0.0)

    table = timetable(circuit, duration, 0, target.dt)
    last: dict[int, int] = {}
    gaps: dict[int, list[float]] = {}
    for item, slot in zip(circuit.data, table.slots, strict=True):
        name = item.operation.name
        if name in ("barrier", "delay"):
            continue
        for qubit in item.qubits:
            q = circuit.find_bit(qubit).index
            if name not in RESETS and slot.start > last.get(q, slot.start):
                gaps.setdefault(q, []).append((slot.start - last[q]) / SECOND)
            measured = name in MEASUREMENTS and name != MEASURE_RESET
            last[q] = slot.start if measured else slot.end
    return gaps


def placements(circuit: QuantumCircuit, target: Target, used: tuple[int, ...]) -> list[list[int]]:
    """Where else all instructions of the circuit exist, for its qubits in use."""
    local = {q: i for i, q in enumerate(used)}
    pattern = rx.PyDiGraph()
    pattern.add_nodes_from(range(len(used)))
    names: dict[tuple[int, ...], set[str]] = {}
    for item in flat_operations(circuit):
        names.setdefault(tuple(local[q] for q in item.qubits), set()).add(item.operation.name)
    for place in names:
        if len(place) == 2 and not pattern.has_edge(*place):
            pattern.add_edge(*place, None)
    coupling = target.build_coupling_map()
    if coupling is None:
        return []
    found = []
    mappings = rx.vf2_mapping(coupling.graph, pattern, subgraph=True, induced=False)
    for number, mapping in enumerate(mappings):
        if number >= MOST_PLACEMENTS:
            break
        placed = [0] * len(used)
        for physical, i in mapping.items():
            placed[i] = physical
        if all(
            target.instruction_supported(name, tuple(placed[i] for i in place))
            for place, of_place in names.items()
            for name in of_place
        ):
            found.append(placed)
    return found


def used_qubits(circuit: QuantumCircuit) -> tuple[int, ...]:
    """Indices of the qubits that something other than a barrier or delay acts on, ascending."""
    used = {
        circuit.find_bit(q).index
        for item in circuit.data
        if item.operation.name not in ("barrier", "delay")
        for q in item.qubits
    }
    return tuple(sorted(used))
