from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_qiskit.engine.bases import basis_of, commute
from qrnn_qiskit.engine.pauli import (
    expand,
    num_qubits_of,
    pauli_matrices,
    ptm_of_kraus,
    ptm_of_superoperator,
    ptm_of_unitary,
)
from qrnn_qiskit.engine.rotations import RotationKernel
from qrnn_qiskit.errors import CellError
from qrnn_qiskit.estimate import Array
from tests.unit.engine.dense import (
    PAULI,
    Matrix,
    conjugate,
    kron,
    on,
    random_kraus,
    rotation,
    string,
)

LABELS = ["".join(letters) for k in (1, 2, 3) for letters in product("XYZ", repeat=k)]


def ptm_by_definition(k: int, change: object) -> Array:
    labels = [string("".join(letters)) for letters in product("IXYZ", repeat=k)]
    assert callable(change)
    return np.array(
        [[np.trace(p @ change(q)).real / 2**k for q in labels] for p in labels], dtype=np.float64
    )


def test_strings_are_in_kron_order_first_letter_most_significant() -> None:
    np.testing.assert_array_equal(pauli_matrices(2)[4 * 1 + 3], kron(PAULI["X"], PAULI["Z"]))


def test_rx_turns_y_into_z() -> None:
    angle = 0.3
    expected = np.eye(4)
    expected[2:, 2:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    np.testing.assert_allclose(ptm_of_unitary(rotation("X", angle)), expected, atol=1e-15)


@given(st.integers(1, 2), st.integers(1, 3), st.integers(0, 2**32))
def test_ptm_of_kraus_is_its_definition(k: int, count: int, seed: int) -> None:
    operators = random_kraus(np.random.default_rng(seed), k, count)
    expected = ptm_by_definition(k, lambda p: conjugate(operators, p))
    np.testing.assert_allclose(ptm_of_kraus(operators), expected, atol=1e-13)


def test_superoperators_are_column_stacked() -> None:
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(16, 16)) + 1j * rng.normal(size=(16, 16))

    def change(p: Matrix) -> Matrix:
        return np.asarray((matrix @ p.ravel(order="F")).reshape(4, 4, order="F"))

    expected = ptm_by_definition(2, change)
    np.testing.assert_allclose(ptm_of_superoperator(matrix), expected, atol=1e-12)


def test_a_clifford_gate_is_a_signed_permutation_without_rounding() -> None:
    hadamard = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    assert np.count_nonzero(ptm_of_unitary(hadamard)) == 4


@given(st.permutations(range(3)), st.integers(1, 2), st.integers(0, 2**32))
def test_expand_is_the_same_channel_on_more_qubits(order: list[int], k: int, seed: int) -> None:
    qubits = tuple(order[:k])
    operators = random_kraus(np.random.default_rng(seed), k, 2)
    wide = ptm_of_kraus([on(qubits, operator, 3) for operator in operators])
    np.testing.assert_allclose(expand(ptm_of_kraus(operators), qubits, (0, 1, 2)), wide, atol=1e-13)


@pytest.mark.parametrize("label", LABELS)
def test_rotation_kernels_are_the_ptm_of_the_rotation(label: str) -> None:
    angle = 0.7
    for qubits in permutations(range(3), len(label)):
        if list(qubits) != sorted(qubits):
            continue
        state = np.eye(64)
        bound = RotationKernel(label, qubits, 3).bind(state, np.empty(64 * 64))
        cos = np.full(64, np.cos(angle))
        sin = np.outer([-1.0, 1.0], np.full(64, np.sin(angle)))
        bound.forward(cos, sin)
        expected = ptm_of_unitary(on(qubits, rotation(label, angle), 3))
        np.testing.assert_allclose(state, expected, atol=1e-14)
        bound.inverse(cos, sin)
        np.testing.assert_allclose(state, np.eye(64), atol=1e-14)


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.integers(0, 99)), min_size=1, max_size=6))
def test_in_their_common_basis_commuting_rotations_are_phases(drawn: list[tuple[str, int]]) -> None:
    generators: list[tuple[str, tuple[int, ...]]] = []
    for label, seed in drawn:
        qubits = tuple(sorted(np.random.default_rng(seed).permutation(3)[: len(label)].tolist()))
        if all(commute((label, qubits), other) for other in generators):
            generators.append((label, qubits))
    basis = basis_of(tuple(generators), 3)
    np.testing.assert_allclose(basis.rows @ basis.rows.T, np.eye(64), atol=1e-14)
    angles = np.linspace(-2.0, 3.0, len(generators))
    ptm = np.eye(64)
    for (label, qubits), angle in zip(generators, angles, strict=True):
        ptm = ptm_of_unitary(on(qubits, rotation(label, angle), 3)) @ ptm
    turned = basis.rows @ ptm @ basis.rows.T
    pairs = turned.reshape(32, 2, 32, 2)
    phases = np.exp(1j * basis.signs @ angles)
    expected = np.zeros_like(pairs)
    i = np.arange(32)
    expected[i, 0, i, 0] = expected[i, 1, i, 1] = phases.real
    expected[i, 1, i, 0] = phases.imag
    expected[i, 0, i, 1] = -phases.imag
    np.testing.assert_allclose(pairs, expected, atol=1e-13)


@given(st.sampled_from(LABELS), st.sampled_from(LABELS))
def test_commute(a: str, b: str) -> None:
    p, q = on(tuple(range(len(a))), string(a), 3), on(tuple(range(len(b))), string(b), 3)
    found = commute((a, tuple(range(len(a)))), (b, tuple(range(len(b)))))
    assert found == np.allclose(p @ q, q @ p)


def test_bad_shapes_are_refused() -> None:
    with pytest.raises(CellError, match="a superoperator has shape \\(4, 2\\): it must be square"):
        ptm_of_superoperator(np.ones((4, 2)))
    with pytest.raises(CellError, match="size 2, which is not a power of 4"):
        ptm_of_superoperator(np.eye(2))
    with pytest.raises(CellError, match="at least one square matrix"):
        ptm_of_kraus([])
    with pytest.raises(CellError, match="at least one square matrix"):
        ptm_of_unitary(np.ones((2, 4)))
    with pytest.raises(CellError, match="not a power of 2"):
        num_qubits_of(0, 2, "a matrix")
