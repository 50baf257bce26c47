"""Sequences of thousands of steps: exact values and derivatives, within a stated memory."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases import ring_cell
from qrnn_qiskit import ExactExecutor, unroll
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit import light_cone
from qrnn_qiskit.engine.reverse import value_and_vjp
from tests.unit.engine.dense import Matrix, on, rotation

QUBITS = 3


def step_matrices(weights: Array, feature: float) -> tuple[Matrix, Matrix]:
    """What a step of the ring cell does to the two hidden qubits, for each outcome."""
    unitary = on((0,), rotation("Y", feature), QUBITS)
    angle = iter(weights)
    gates: list[tuple[str, tuple[int, ...]]] = []
    for q in range(QUBITS):
        gates += [("X", (q,)), ("Z", (q,))]
    gates += [("ZZ", (q, (q + 1) % QUBITS)) for q in range(QUBITS)]
    gates += [("X", (q,)) for q in range(QUBITS)]
    for label, qubits in gates:
        unitary = on(qubits, rotation(label, float(next(angle))), QUBITS) @ unitary
    columns = unitary[:, : 2 ** (QUBITS - 1)]
    return columns[: len(columns) // 2], columns[len(columns) // 2 :]


def last_mean(weights: Array, feature: float, num_steps: int) -> float:
    """<Z> of the last step by powers of the step's superoperator."""
    zero, one = step_matrices(weights, feature)
    step = np.kron(zero, zero.conj()) + np.kron(one, one.conj())
    state = np.zeros(len(step), dtype=np.complex128)
    state[0] = 1.0
    state = np.linalg.matrix_power(step, num_steps - 1) @ state
    rho = state.reshape(zero.shape[1], -1)
    return float(np.trace(zero @ rho @ zero.conj().T - one @ rho @ one.conj().T).real)


def check(num_steps: int, memory_limit: int) -> None:
    weights = np.random.default_rng(4).uniform(-0.4, 0.4, 4 * QUBITS)
    unrolled = unroll(ring_cell(QUBITS), num_steps)
    executor = ExactExecutor()
    features = np.full((1, num_steps, 1), 0.3)
    angles = unrolled.angle_map.angles(weights, features)
    compiled = executor._programs(unrolled)

    def last(y: Array) -> Array:
        slope = np.zeros_like(y)
        slope[0, -1, 0] = 1.0
        return slope

    mean, slopes = value_and_vjp(
        compiled.program, compiled.angles(angles), last, memory_limit=memory_limit
    )
    by_angle = compiled.pull_back(slopes, angles.shape[1])
    gradient = unrolled.angle_map.pull_back_weights(weights, features, by_angle)
    assert mean.shape == (1, num_steps, 1)
    assert mean[0, -1, 0] == pytest.approx(last_mean(weights, 0.3, num_steps), abs=1e-9)
    for p in (0, 5, 11):
        moves = np.eye(len(weights))[p] * 1e-4
        near, far = (
            last_mean(weights + k * moves, 0.3, num_steps)
            - last_mean(weights - k * moves, 0.3, num_steps)
            for k in (1, 2)
        )
        assert gradient[p] == pytest.approx((8 * near - far) / 12e-4, abs=1e-7)


def test_exact_values_need_no_mask_of_all_pairs_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(light_cone, "_walk", refused)
    check(400, 2**22)


@pytest.mark.slow
def test_ten_thousand_steps_in_64_mebibytes() -> None:
    check(10_000, 2**26)
