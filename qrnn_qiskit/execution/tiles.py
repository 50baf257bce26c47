"""Copies of a transpiled circuit side by side on one device: one execution, several shots.

Copies have no qubit in common, and no coupler joins two of them: between any two lies at least one
guard qubit. Each copy writes classical registers of its own, and its conditions read only these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import ClassicalRegister, Clbit, QuantumCircuit
from qiskit.transpiler import Target
from scipy.optimize import linprog

from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.layout import Costs, placements, used_qubits
from qrnn_qiskit.spec.backend import TileChoice

if TYPE_CHECKING:
    from qrnn_qiskit.execution.executor import Executor

WORST: Final = 3.0  # errors expected in a tile, over those of the best place
MOST_PLACES: Final = 4000  # the best of all, bounds the table of conflicts
TRIALS: Final = 5000
WHOLE: Final = 1e-6  # rounding of a linear program's solution
Places = NDArray[np.int64]


@runtime_checkable
class SupportsSingle(Protocol):
    """A device that can run the best copy of a tiled circuit alone."""

    def single(self) -> Executor:
        """The same device, with one copy where this one has several."""
        ...


Array = NDArray[np.float64]


def choose_tiles(
    circuit: QuantumCircuit,
    target: Target,
    tiles: TileChoice,
    *,
    fixed: bool = False,
    worst: float = WORST,
) -> tuple[tuple[int, ...], ...]:
    """Places of the copies, the best first.

    Places are judged by the number of errors that an execution is expected to have there, the
    negative logarithm of what `predicted_error` leaves; those with more than `worst` times the
    least are left out.

    Args:
        circuit: transpiled, on the device's qubits.
        target: of the device.
        tiles: how many; "auto" for as many as are found.
        fixed: whether the first tile is where the circuit is.
        worst: errors of a tile over those of the best place.

    Returns:
        For each tile the physical qubits, in the order of the circuit's qubits in use.

    Raises:
        BackendError: if fewer than `tiles` fit.
    """
    places, errors = _places(circuit, target, worst)
    conflict = _conflicts(places, target)
    first = [0] if fixed else []
    chosen = _by_error(conflict, errors, first)
    if tiles == "auto" or len(chosen) < tiles:
        best = _proven(places, errors, target, first)
        chosen = _packed(conflict, errors, first, chosen) if best is None else best
    if tiles != "auto" and len(chosen) < tiles:
        raise BackendError(
            f"backend.tiles = {tiles}: only {len(chosen)} copies of the circuit's "
            f"{places.shape[1]} qubits were found to fit with guard qubits between them, places "
            f"left out where more than {worst:g} times the least errors are predicted; take "
            f'backend.tiles = {len(chosen)} or "auto"'
        )
    rest = sorted(set(chosen) - set(first), key=lambda i: float(errors[i]))
    count = None if tiles == "auto" else tiles
    return tuple(tuple(int(q) for q in places[i]) for i in [*first, *rest][:count])


def tile_errors(
    circuit: QuantumCircuit, target: Target, tiles: Sequence[tuple[int, ...]]
) -> list[float]:
    """`predicted_error` of each tile."""
    total = Costs(circuit, target, used_qubits(circuit)).of(np.array(tiles))
    return [float(error) for error in -np.expm1(-total)]


def suffix(tile: int) -> str:
    """What follows the names of a copy's registers."""
    return f"_tile_{tile}"


def tiled(compact: QuantumCircuit, tiles: Sequence[tuple[int, ...]], size: int) -> QuantumCircuit:
    """All copies in one circuit, instruction by instruction side by side.

    A register `name` of the circuit is `name` + `suffix(i)` in copy i.

    Args:
        compact: the circuit on its own qubits.
        tiles: physical qubits of each copy.
        size: qubits of the device.
    """
    result = QuantumCircuit(size, name=compact.name)
    bits: list[list[Clbit]] = []
    for tile in range(len(tiles)):
        place: dict[Clbit, Clbit] = {}
        for register in compact.cregs:
            copy = ClassicalRegister(register.size, register.name + suffix(tile))
            result.add_register(copy)
            place.update(zip(register, copy, strict=True))
        loose = [bit for bit in compact.clbits if bit not in place]
        fresh = [Clbit() for _ in loose]
        result.add_bits(fresh)
        place.update(zip(loose, fresh, strict=True))
        bits.append([place[bit] for bit in compact.clbits])
    copies = [
        result.compose(compact, qubits=list(qubits), clbits=of_tile).data
        for qubits, of_tile in zip(tiles, bits, strict=True)
    ]
    for items in zip(*copies, strict=True):
        for item in items:
            result.append(item)
    return result


def whole_shots(shots: int, tiles: int) -> int:
    """The least multiple of the tiles that is no less than some shots: what is really measured."""
    return -(-shots // tiles) * tiles


def from_tiles(parts: Sequence[PackedBits], shots: int) -> PackedBits:
    """The outcomes of rows from those of each tile.

    A row, or each of its repeats, has first the shots of tile 0, then those of tile 1, …

    Args:
        parts: of each tile.
        shots: of each repeat of a row on each tile.
    """
    if len(parts) == 1:
        return parts[0]
    width = parts[0].packed.shape[1]
    packed = np.stack([part.packed.reshape(-1, shots, width) for part in parts], axis=1)
    count = parts[0].count * len(parts)
    return replace(parts[0], packed=packed.reshape(-1, width), count=count)


def by_tile(bits: PackedBits, shots: int, tiles: int) -> list[PackedBits]:
    """The outcomes of each tile: what `from_tiles` has joined.

    Args:
        bits: of all tiles.
        shots: of each repeat of a row, all tiles together.
        tiles: how many.

    Raises:
        ValueError: if the outcomes are not those of so many shots and tiles.
    """
    if shots % tiles or len(bits.packed) % shots:
        raise ValueError(f"{len(bits.packed)} outcomes are not those of {shots} on {tiles} tiles")
    width = bits.packed.shape[1]
    packed = bits.packed.reshape(-1, tiles, shots // tiles, width)
    return [
        replace(bits, packed=packed[:, tile].reshape(-1, width), count=bits.count // tiles)
        for tile in range(tiles)
    ]


def _places(circuit: QuantumCircuit, target: Target, worst: float) -> tuple[Places, Array]:
    """Places `[P, used qubits]`, the circuit's own first, and the errors expected there `[P]`."""
    used = used_qubits(circuit)
    found = np.array([used, *placements(circuit, target, used)], dtype=np.int64)
    errors = Costs(circuit, target, used).of(found)
    order = np.argsort(errors, kind="stable")
    # Of places on the same qubits the best one; the circuit's own stays.
    own = frozenset(used)
    best: dict[frozenset[int], int] = {own: 0}
    for i in order.tolist():
        if errors[i] <= worst * errors[order[0]]:
            best.setdefault(frozenset(found[i].tolist()), i)
    kept = list(best.values())[:MOST_PLACES]
    return found[kept], errors[kept]


def _conflicts(places: Places, target: Target) -> NDArray[np.bool_]:
    """Which places share a qubit or a coupler `[P, P]`, each with itself too."""
    count = target.num_qubits or int(places.max()) + 1
    near = np.eye(count, dtype=np.float32)
    coupling = target.build_coupling_map()
    for a, b in coupling.get_edges() if coupling is not None else ():
        near[a, b] = near[b, a] = 1.0
    inside = np.zeros((len(places), count), dtype=np.float32)
    np.put_along_axis(inside, places, 1.0, axis=1)
    found: NDArray[np.bool_] = (inside @ near @ inside.T) > 0
    return found


def _by_error(conflict: NDArray[np.bool_], errors: Array, first: list[int]) -> list[int]:
    """Always the best place that is still free."""
    chosen, free = list(first), ~np.any(conflict[first], axis=0)
    for i in np.argsort(errors, kind="stable").tolist():
        if free[i]:
            chosen.append(i)
            free &= ~conflict[i]
    return chosen


def _proven(places: Places, errors: Array, target: Target, first: list[int]) -> list[int] | None:
    """The most places that fit, of equally many those with least errors, where that is proven.

    Two places are in each other's way just where both have a qubit of some coupler. With one place
    at most for each coupler, the best packing is an integer program; where its linear relaxation
    has whole numbers for a solution, as it mostly has on sparse maps of couplers, that is the best.
    """
    coupling = target.build_coupling_map()
    if coupling is None:
        return None
    inside = np.zeros((len(places), coupling.size()), dtype=np.bool_)
    np.put_along_axis(inside, places, True, axis=1)
    pairs = np.unique(np.sort(np.array(coupling.get_edges()), axis=1), axis=0)
    bars = (inside[:, pairs[:, 0]] | inside[:, pairs[:, 1]]).T.astype(np.float64)
    # All errors together weigh less than one place.
    tie = errors / (errors.max() * 1.001 or 1.0) / coupling.size()
    bounds = [(float(i in first), 1.0) for i in range(len(places))]
    found = linprog(tie - 1, bars, np.ones(len(bars)), bounds=bounds, method="highs-ds")
    if found.x is None or np.any(np.abs(found.x - np.round(found.x)) > WHOLE):
        return None
    return [int(i) for i in np.flatnonzero(np.round(found.x))]


def _packed(
    conflict: NDArray[np.bool_], errors: Array, first: list[int], start: list[int]
) -> list[int]:
    """As many places as an iterated local search finds, of equally many those with least errors.

    It begins with places that bar the fewest others; each trial forces in a place, takes out what
    it bars, fills up, and is kept where it is no smaller.
    """
    random = np.random.default_rng(0)
    table = conflict.astype(np.int32)
    tie = errors / (errors.max() * 1.001 or 1.0)

    def filled(chosen: list[int], weight: Array) -> list[int]:
        free = ~np.any(conflict[chosen], axis=0)
        bars = table @ free.astype(np.int32)
        while free.any():
            i = int(np.argmin(np.where(free, bars + weight, np.inf)))
            gone = free & conflict[i]
            chosen = [*chosen, i]
            free &= ~gone
            bars -= table[:, gone].sum(axis=1)
        return chosen

    def key(chosen: list[int]) -> tuple[int, float]:
        return -len(chosen), float(errors[chosen].sum())

    current = best = min(filled(list(first), tie), start, key=key)
    for place in random.integers(len(errors), size=TRIALS).tolist():
        if np.any(conflict[place, first]):
            continue
        kept = [i for i in current if not conflict[place, i]]
        found = filled([*kept, place], random.uniform(0, 2, len(errors)))
        if len(found) >= len(current):
            current = found
            best = min(best, current, key=key)
    return best
