"""A program cut into layers of commuting rotations and the constant maps between them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import final

import numpy as np

from qrnn_qiskit.engine.bases import Basis, Generator, Index, basis_of, commute
from qrnn_qiskit.engine.kernels import Constant, Kernels
from qrnn_qiskit.engine.program import Channel, Program, Rotation
from qrnn_qiskit.engine.readings import Readings
from qrnn_qiskit.engine.rotations import RotationKernel
from qrnn_qiskit.engine.simplify import Outcome, simplify
from qrnn_qiskit.estimate import Array


@final
@dataclass(slots=True, eq=False)
class Stage:
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


def stages_of(program: Program, kernels: Kernels) -> list[Stage]:
    """The stages of a program, each rotation in the first layer that it can be moved to.

    The first stage has no rotations. Constant maps are added to `kernels`.
    """
    stages, readings = [Stage()], Readings(program)
    for operation in simplify(program):
        stage = stages[-1]
        if isinstance(operation, Rotation):
            place = len(stages)
            while place > 1 and stages[place - 1].lets_past(operation):
                place -= 1
            if place == len(stages):
                stages.append(Stage())
            stage = stages[place]
            stage.generators += ((operation.generator, operation.qubits),)
            stage.columns.append(operation.angle)
            continue
        constant: Constant
        if isinstance(operation, Outcome):
            constant, records = readings.read(operation)
            stage.records += [(len(stage.maps), component, slot) for component, slot in records]
        else:
            constant = operation
        stage.maps.append(kernels.add(constant))
        stage.touched.update(
            constant.qubits if isinstance(constant, Channel) else (constant.qubit,)
        )
    stages[-1].records += [(len(stages[-1].maps), c, slot) for c, slot in readings.rest()]
    return stages


@final
class Memo:
    """Bases, products of maps and matrices: those of all steps are the same."""

    def __init__(self, kernels: Kernels) -> None:
        self.kernels = kernels
        self.dim = 4**kernels.num_qubits
        self.bases: dict[tuple[Generator, ...], Basis] = {}
        self.sums: dict[tuple[Generator, ...], tuple[Array, Index]] = {}
        self.products: dict[tuple[int, ...], Array] = {(): np.eye(self.dim)}
        self.matrices: dict[Hashable, tuple[Array, Array]] = {}

    def basis(self, generators: tuple[Generator, ...]) -> Basis:
        """The basis of a layer."""
        if generators not in self.bases:
            self.bases[generators] = basis_of(generators, self.kernels.num_qubits)
        return self.bases[generators]

    def distinct(self, generators: tuple[Generator, ...]) -> tuple[Array, Index]:
        """Distinct rows `[U, J]` of a basis's signs, and the one of each component."""
        if generators not in self.sums:
            signs = self.basis(generators).signs
            rows, which = np.unique(signs, axis=0, return_inverse=True)
            self.sums[generators] = rows, which.reshape(-1)
        return self.sums[generators]

    def rows(self, generators: tuple[Generator, ...]) -> Array:
        """The rows of a layer's basis; Pauli strings where there are no rotations."""
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

    def matrix(self, before: Stage, after: Stage) -> tuple[Array, Array]:
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
