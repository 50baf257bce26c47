"""A program as layers of commuting rotations, with one constant matrix before each.

In the common eigenbasis of its rotations a whole layer multiplies each pair of components, read
as a complex number, by a phase. What lies between two layers (measurement, reset, gates, any
amount of noise) and both changes of basis are one real matrix. Few large numpy calls, where gate
by gate there are many small ones; but the matrix has 16^n entries, so this is for few qubits.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, final
from weakref import WeakKeyDictionary

import numpy as np

from qrnn_qiskit.engine.bases import Index
from qrnn_qiskit.engine.kernels import Kernels
from qrnn_qiskit.engine.pool import Pool
from qrnn_qiskit.engine.program import Program, Rotation
from qrnn_qiskit.engine.stages import Memo, Stage, stages_of
from qrnn_qiskit.engine.workspace import ground_state
from qrnn_qiskit.estimate import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class Phases:
    """The phases of all layers, each distinct sum of angles of a layer listed once.

    Attributes:
        signs: `[E, J]` sum e is sum_j signs[e, j] * angle[columns[e, j]].
        columns: `[E, J]` columns of the angles, A for none.
        sums: `[L, 4^n / 2]` the sum whose phase each complex component gets in each layer.
    """

    signs: Array
    columns: Index
    sums: Index


@final
@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """Derivatives by angles, from those by the phases of the components.

    Attributes:
        signs: `[N, 4^n / 2, J]` for each of the N kinds of layers.
        kinds: `[L]` kind of each layer.
        columns: `[L, J]` columns of the angles, A for none.
        once: whether no angle is read twice.
    """

    signs: Array
    kinds: Index
    columns: Index
    once: bool


@final
@dataclass(frozen=True, slots=True, eq=False)
class RecordKind:
    """All records that read the same combination of components.

    Attributes:
        weights: `[4^n]`.
        conjugated: the same for complex conjugated adjoint states.
        states: `[N]` the state that each is read from.
        slots: `[N]` where each goes.
    """

    weights: Array
    conjugated: Array
    states: Index
    slots: Index


@final
@dataclass(frozen=True, slots=True, eq=False)
class Layered:
    """A program in L layers: `state[l + 1] = phases[l] * (state[l] @ matrices[l])`.

    Attributes:
        num_angles: A.
        start: `[4^n]` state 0.
        matrices: `[4^n, 4^n]`, L of them; equal ones are one object.
        adjoints: the transposes of the matrices, for complex conjugated adjoint states.
        phases: of all layers.
        slopes: of all layers.
        records: the records by what they read.
    """

    num_angles: int
    start: Array
    matrices: tuple[Array, ...]
    adjoints: tuple[Array, ...]
    phases: Phases
    slopes: Slopes
    records: tuple[RecordKind, ...]
    pool: Pool = field(default_factory=Pool)


# Rows up to which layers beat rotating gate by gate, by number of qubits (measured).
ROWS: Final = {1: 1024, 2: 256, 3: 64, 4: 4}
# Bytes that all states of a pass may take; beyond, gate by gate with checkpoints.
LAYERED_MEMORY: Final = 2**26

_LAYERED: WeakKeyDictionary[Program, Layered] = WeakKeyDictionary()
_ROTATIONS: WeakKeyDictionary[Program, int] = WeakKeyDictionary()


def suit(program: Program, rows: int, memory_limit: int) -> bool:
    """Whether layers are the faster form for so many rows."""
    if not 0 < rows <= ROWS.get(program.num_qubits, 0) or memory_limit < LAYERED_MEMORY:
        return False
    if program not in _ROTATIONS:
        _ROTATIONS[program] = sum(isinstance(o, Rotation) for o in program.operations)
    num_rotations = _ROTATIONS[program]
    state = 8 << 2 * program.num_qubits
    return 4 * state * (num_rotations + 1) * rows <= LAYERED_MEMORY


def layered_of(program: Program) -> Layered:
    """The layers of a program, made once."""
    if program not in _LAYERED:
        kernels = Kernels(program.num_qubits)
        stages = stages_of(program, kernels)
        _LAYERED[program] = _assembled(program.num_angles, Memo(kernels), stages)
    return _LAYERED[program]


def _assembled(num_angles: int, memo: Memo, stages: list[Stage]) -> Layered:
    read: dict[Hashable, tuple[Array, list[tuple[int, int]]]] = {}
    for i, stage in enumerate(stages):
        for count, component, slot in stage.records:
            key = (stage.generators, tuple(stage.maps[:count]), component)
            if key not in read:
                weights = memo.product(key[1])[component] @ memo.rows(stage.generators).T
                read[key] = (weights, [])
            read[key][1].append((i, slot))
    pairs = [memo.matrix(before, after) for before, after in pairwise(stages)]
    return Layered(
        num_angles=num_angles,
        start=ground_state(memo.kernels.num_qubits),
        matrices=tuple(matrix for matrix, _ in pairs),
        adjoints=tuple(adjoint for _, adjoint in pairs),
        phases=_phases(num_angles, memo, stages[1:]),
        slopes=_slopes(num_angles, memo, stages[1:]),
        records=tuple(
            RecordKind(
                weights,
                weights * np.resize([1.0, -1.0], weights.size),
                *np.array(found, dtype=np.intp).T,
            )
            for weights, found in read.values()
        ),
    )


def _phases(num_angles: int, memo: Memo, layers: list[Stage]) -> Phases:
    widest = max((len(layer.columns) for layer in layers), default=0)
    signs, columns, sums = list[Array](), list[Index](), list[Index]()
    total = 0
    for layer in layers:
        distinct, which = memo.distinct(layer.generators)
        missing = widest - len(layer.columns)
        signs.append(np.pad(distinct, ((0, 0), (0, missing))))
        own = np.array([*layer.columns, *[num_angles] * missing], dtype=np.intp)
        columns.append(np.broadcast_to(own, signs[-1].shape))
        sums.append(total + which)
        total += len(distinct)
    if not layers:
        none = np.empty((0, memo.dim // 2), dtype=np.intp)
        return Phases(np.empty((0, 0)), none[:, :0], none)
    return Phases(np.concatenate(signs), np.concatenate(columns), np.array(sums))


def _slopes(num_angles: int, memo: Memo, layers: list[Stage]) -> Slopes:
    kinds = {generators: i for i, generators in enumerate({s.generators: 0 for s in layers})}
    widest = max((len(generators) for generators in kinds), default=0)
    signs = np.zeros((len(kinds), memo.dim // 2, widest))
    for generators, i in kinds.items():
        signs[i, :, : len(generators)] = memo.basis(generators).signs
    columns = np.full((len(layers), widest), num_angles, dtype=np.intp)
    for i, layer in enumerate(layers):
        columns[i, : len(layer.columns)] = layer.columns
    used = [column for layer in layers for column in layer.columns]
    return Slopes(
        signs,
        np.array([kinds[layer.generators] for layer in layers], dtype=np.intp),
        columns,
        once=len(used) == len(set(used)),
    )
