"""A program as layers of commuting rotations, with one constant matrix before each.

In the common eigenbasis of its rotations a whole layer multiplies each pair of components, read
as a complex number, by a phase. What lies between two layers (measurement, reset, gates, any
amount of noise) and both changes of basis are one real matrix. Few large numpy calls, where gate
by gate there are many small ones; but the matrix has 16^n entries, so this is for few qubits.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import final
from weakref import WeakKeyDictionary

import numpy as np

from qrnn_qiskit.engine.bases import Basis, Generator, Index, basis_of, commute
from qrnn_qiskit.engine.kernels import RotationKernel
from qrnn_qiskit.engine.program import Channel, Program, Reset, Rotation
from qrnn_qiskit.engine.simplify import Dephase, Outcome, simplify
from qrnn_qiskit.engine.tape import Kernels
from qrnn_qiskit.engine.workspace import ground_state
from qrnn_qiskit.estimate import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class LayerKind:
    """All layers with the same generators.

    Attributes:
        basis: of these generators.
        layers: `[N]` the layers.
        columns: `[N, J]` angle of each of their rotations.
    """

    basis: Basis
    layers: Index
    columns: Index


@final
@dataclass(frozen=True, slots=True, eq=False)
class RecordKind:
    """All records that read the same combination of components.

    Attributes:
        weights: `[4^n]`.
        states: `[N]` the state that each is read from.
        slots: `[N]` where each goes.
    """

    weights: Array
    states: Index
    slots: Index


@final
@dataclass(frozen=True, slots=True, eq=False)
class Layered:
    """A program in L layers: `state[l + 1] = phases[l] * (state[l] @ matrices[l])`.

    Attributes:
        start: `[4^n]` state 0.
        matrices: `[4^n, 4^n]`, L of them; equal ones are one object.
        adjoints: the transposes of the matrices, for complex conjugated adjoint states.
        kinds: the layers by their generators.
        records: the records by what they read.
        once: whether no angle is read twice.
    """

    start: Array
    matrices: tuple[Array, ...]
    adjoints: tuple[Array, ...]
    kinds: tuple[LayerKind, ...]
    records: tuple[RecordKind, ...]
    once: bool


@dataclass(slots=True)
class _Stage:
    """A layer and the constant maps after it; `records` are (maps before it, component, slot)."""

    generators: tuple[Generator, ...] = ()
    columns: list[int] = field(default_factory=list)
    maps: list[int] = field(default_factory=list)
    touched: set[int] = field(default_factory=set)
    records: list[tuple[int, int, int]] = field(default_factory=list)

    def lets_past(self, rotation: Rotation) -> bool:
        """Whether a rotation after this stage can as well come before it."""
        generator = (rotation.generator, rotation.qubits)
        return self.touched.isdisjoint(rotation.qubits) and all(
            commute(generator, other) for other in self.generators
        )


_LAYERED: WeakKeyDictionary[Program, Layered] = WeakKeyDictionary()


def layered_of(program: Program) -> Layered:
    """The layers of a program, made once."""
    if program not in _LAYERED:
        kernels = Kernels(program.num_qubits)
        _LAYERED[program] = _assembled(kernels, _stages(program, kernels))
    return _LAYERED[program]


def _stages(program: Program, kernels: Kernels) -> list[_Stage]:
    stages = [_Stage()]
    for operation in simplify(program):
        stage = stages[-1]
        if isinstance(operation, Rotation):
            place = len(stages)
            while place > 1 and stages[place - 1].lets_past(operation):
                place -= 1
            if place == len(stages):
                stages.append(_Stage())
            stage = stages[place]
            stage.generators += ((operation.generator, operation.qubits),)
            stage.columns.append(operation.angle)
            continue
        constant: Channel | Dephase | Reset
        if isinstance(operation, Outcome):
            slot = operation.step * program.num_bits + operation.bit
            component = 3 * 4 ** (program.num_qubits - 1 - operation.qubit)
            stage.records.append((len(stage.maps), component, slot))
            constant = Reset(operation.qubit) if operation.reset else Dephase(operation.qubit)
        else:
            constant = operation
        stage.maps.append(kernels.add(constant))
        stage.touched.update(constant.qubits if isinstance(constant, Channel) else (constant.qubit,))
    return stages


@final
class _Memo:
    """Bases, products of maps and matrices: those of all steps are the same."""

    def __init__(self, kernels: Kernels) -> None:
        self.kernels = kernels
        self.dim = 4**kernels.num_qubits
        self.bases: dict[tuple[Generator, ...], Basis] = {}
        self.products: dict[tuple[int, ...], Array] = {(): np.eye(self.dim)}
        self.matrices: dict[Hashable, tuple[Array, Array]] = {}

    def basis(self, generators: tuple[Generator, ...]) -> Basis:
        if generators not in self.bases:
            self.bases[generators] = basis_of(generators, self.kernels.num_qubits)
        return self.bases[generators]

    def rows(self, generators: tuple[Generator, ...]) -> Array:
        return self.basis(generators).rows if generators else np.eye(self.dim)

    def product(self, maps: tuple[int, ...]) -> Array:
        """Maps in order of time as one matrix."""
        if maps not in self.products:
            result = self.product(maps[:-1]).copy()
            kernel = self.kernels.table[maps[-1]]
            if not isinstance(kernel, RotationKernel):
                kernel.bind(result, np.empty(result.size)).forward()
            self.products[maps] = result
        return self.products[maps]

    def matrix(self, before: _Stage, after: _Stage) -> tuple[Array, Array]:
        """From the state after one layer to that before the phases of the next, and its adjoint."""
        key = (before.generators, tuple(before.maps), after.generators)
        if key not in self.matrices:
            middle = self.product(tuple(before.maps))
            matrix = self.rows(after.generators) @ middle @ self.rows(before.generators).T
            # Conjugation of both states changes the sign of every imaginary part.
            conjugate = np.resize([1.0, -1.0], self.dim)
            adjoint = conjugate[:, None] * matrix * conjugate
            self.matrices[key] = np.ascontiguousarray(matrix.T), adjoint
        return self.matrices[key]


def _assembled(kernels: Kernels, stages: list[_Stage]) -> Layered:
    memo = _Memo(kernels)
    layers: dict[tuple[Generator, ...], list[tuple[int, list[int]]]] = {}
    read: dict[Hashable, tuple[Array, list[tuple[int, int]]]] = {}
    for i, stage in enumerate(stages):
        if stage.generators:
            layers.setdefault(stage.generators, []).append((i - 1, stage.columns))
        for count, component, slot in stage.records:
            key = (stage.generators, tuple(stage.maps[:count]), component)
            if key not in read:
                weights = memo.product(key[1])[component] @ memo.rows(stage.generators).T
                read[key] = (weights, [])
            read[key][1].append((i, slot))
    columns = [column for stage in stages for column in stage.columns]
    pairs = [memo.matrix(a, b) for a, b in zip(stages, stages[1:], strict=False)]
    return Layered(
        start=ground_state(kernels.num_qubits),
        matrices=tuple(matrix for matrix, _ in pairs),
        adjoints=tuple(adjoint for _, adjoint in pairs),
        kinds=tuple(
            LayerKind(
                memo.basis(generators),
                np.array([i for i, _ in found], dtype=np.intp),
                np.array([columns for _, columns in found], dtype=np.intp),
            )
            for generators, found in layers.items()
        ),
        records=tuple(
            RecordKind(weights, *np.array(found, dtype=np.intp).T) for weights, found in read.values()
        ),
        once=len(columns) == len(set(columns)),
    )
