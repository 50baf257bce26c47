"""Dense complex density matrices, written from the definitions: what the engine is held against.

Axes: T steps, K bits of a step. A record is a tuple of T * K bits, step by step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Literal

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

from qrnn_qiskit.engine import layers
from qrnn_qiskit.engine.pauli import ptm_of_kraus
from qrnn_qiskit.engine.program import Channel, Measure, Operation, Program, Reset, Rotation
from qrnn_qiskit.estimate import Array

Matrix = NDArray[np.complex128]
Record = tuple[int, ...]
Form = Literal["gates", "layers"]

PAULI: dict[str, Matrix] = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1.0, -1.0]).astype(np.complex128),
}


def kron(a: Matrix, b: Matrix) -> Matrix:
    return np.asarray(np.kron(a, b), dtype=np.complex128)


def on(qubits: tuple[int, ...], matrix: Matrix, num_qubits: int) -> Matrix:
    """A matrix on some qubits as one on all; qubit 0 is the first factor of `numpy.kron`."""
    others = [q for q in range(num_qubits) if q not in qubits]
    full = kron(matrix, np.eye(2 ** len(others), dtype=np.complex128)).reshape(
        (2,) * (2 * num_qubits)
    )
    order = [[*qubits, *others].index(q) for q in range(num_qubits)]
    dim = 2**num_qubits
    return full.transpose(order + [num_qubits + i for i in order]).reshape(dim, dim)


def string(label: str) -> Matrix:
    return reduce(kron, [PAULI[letter] for letter in label])


def rotation(label: str, angle: float) -> Matrix:
    """exp(-i angle P / 2)."""
    generator = string(label)
    matrix: Matrix = np.cos(angle / 2) * np.eye(len(generator)) - 1j * np.sin(angle / 2) * generator
    return matrix


@dataclass(frozen=True)
class Case:
    """A program, and the Kraus operators that its channels were made from, by place."""

    program: Program
    kraus: dict[int, list[Matrix]]


def conjugate(operators: list[Matrix], rho: Matrix) -> Matrix:
    return sum((k @ rho @ k.conj().T for k in operators), np.zeros_like(rho))


def joint_distribution(case: Case, angles: Array) -> Array:
    """Probability of every record, `[2] * (T * K)`, for one row of angles `[A]`."""
    program = case.program
    n, bits = program.num_qubits, program.num_steps * program.num_bits
    rho = np.zeros((2**n, 2**n), dtype=np.complex128)
    rho[0, 0] = 1.0
    branches: dict[Record, Matrix] = {(0,) * bits: rho}
    for place, operation in enumerate(program.operations):
        if isinstance(operation, Measure):
            branches = _measured(operation, program, branches)
            continue
        if isinstance(operation, Rotation):
            local = [rotation(operation.generator, float(angles[operation.angle]))]
            qubits = operation.qubits
        elif isinstance(operation, Reset):
            local = [np.array([[1, 0], [0, 0]]) + 0j, np.array([[0, 1], [0, 0]]) + 0j]
            qubits = (operation.qubit,)
        else:
            local, qubits = case.kraus[place], operation.qubits
        wide = [on(qubits, k, n) for k in local]
        branches = {record: conjugate(wide, rho) for record, rho in branches.items()}
    result = np.zeros((2,) * bits)
    for record, state in branches.items():
        result[record] = np.trace(state).real
    return result


def _measured(
    operation: Measure, program: Program, branches: dict[Record, Matrix]
) -> dict[Record, Matrix]:
    place = operation.step * program.num_bits + operation.bit
    read_one = (operation.flip[0], 1.0 - operation.flip[1])
    after: dict[Record, Matrix] = {}
    for record, rho in branches.items():
        for true in (0, 1):
            projector = on((operation.qubit,), np.diag(np.eye(2)[true]) + 0j, program.num_qubits)
            projected = projector @ rho @ projector
            for read, probability in ((1, read_one[true]), (0, 1.0 - read_one[true])):
                key = (*record[:place], read, *record[place + 1 :])
                after[key] = after.get(key, np.zeros_like(rho)) + probability * projected
    return after


def dense_outputs(case: Case, angles: Array, kind: str) -> Array:
    """`[R, T, K]` or `[R, T, 2^K]` from the joint distribution."""
    rows = []
    steps, bits = case.program.num_steps, case.program.num_bits
    for row in angles:
        joint = joint_distribution(case, row)
        values = []
        for step in range(steps):
            own = range(step * bits, (step + 1) * bits)
            step_joint = joint.sum(axis=tuple(a for a in range(steps * bits) if a not in own))
            if kind == "probabilities":
                # Axis k is bit k; little-endian order wants the highest bit first.
                values.append(step_joint.transpose(*reversed(range(bits))).reshape(-1))
            else:
                values.append(
                    [
                        2.0 * step_joint.sum(axis=tuple(a for a in range(bits) if a != k))[0] - 1.0
                        for k in range(bits)
                    ]
                )
        rows.append(values)
    return np.array(rows, dtype=np.float64)


def random_kraus(rng: np.random.Generator, k: int, count: int) -> list[Matrix]:
    """A random channel on k qubits: `count` blocks of an isometry."""
    dim = 2**k
    tall = rng.normal(size=(count * dim, dim)) + 1j * rng.normal(size=(count * dim, dim))
    isometry = np.linalg.qr(tall)[0]
    return [isometry[i * dim : (i + 1) * dim] for i in range(count)]


@st.composite
def cases(
    draw: st.DrawFn, *, max_qubits: int = 3, max_operations: int = 12, noise: bool = True
) -> Case:
    """Rotations, channels, measurements with readout errors and resets, in any order."""
    n = draw(st.integers(1, max_qubits))
    steps = draw(st.integers(1, 3))
    bits = draw(st.integers(1, 2))
    num_angles = draw(st.integers(1, 8))
    kinds = draw(
        st.lists(
            st.sampled_from("rrrrrruudkkmmmz" if noise else "rrrrrruummmz"), max_size=max_operations
        )
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    operations: list[Operation] = []
    kraus: dict[int, list[Matrix]] = {}
    for kind in kinds:
        k = int(rng.integers(1, (n if kind == "r" else min(n, 2)) + 1))
        qubits = tuple(int(q) for q in rng.permutation(n)[:k])
        if kind == "r":
            generator = "".join(rng.choice(list("IXYZ"), k, p=[0.1, 0.3, 0.3, 0.3]))
            operations.append(Rotation(generator, qubits, int(rng.integers(num_angles))))
        elif kind == "m":
            ideal = not noise or rng.random() < 0.5
            flip = (0.0, 0.0) if ideal else (float(rng.random()), float(rng.random()))
            step, bit = int(rng.integers(steps)), int(rng.integers(bits))
            operations.append(Measure(qubits[0], step, bit, flip))
        elif kind == "z":
            operations.append(Reset(qubits[0]))
        else:
            kraus[len(operations)] = random_channel(rng, kind, k)
            operations.append(Channel(ptm_of_kraus(kraus[len(operations)]), qubits))
    return Case(Program(n, steps, bits, num_angles, tuple(operations)), kraus)


def random_channel(rng: np.random.Generator, kind: str, k: int) -> list[Matrix]:
    """`u` a unitary, `d` Pauli noise (a diagonal PTM), `k` two Kraus operators."""
    if kind == "d":
        labels = ["".join(letters) for letters in product("IXYZ", repeat=k)]
        weights = rng.dirichlet(np.ones(len(labels)))
        return [np.sqrt(w) * string(label) for w, label in zip(weights, labels, strict=True)]
    return random_kraus(rng, k, 1 if kind == "u" else 2)


@contextmanager
def form(name: Form) -> Iterator[None]:
    """Makes the engine work gate by gate, or in layers whatever the number of rows."""
    rows = {} if name == "gates" else dict.fromkeys(range(1, 5), 10**9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "ROWS", rows)
        yield


def random_angles(program: Program, rows: int, seed: int) -> Array:
    return np.random.default_rng(seed).uniform(-np.pi, np.pi, (rows, program.num_angles))
