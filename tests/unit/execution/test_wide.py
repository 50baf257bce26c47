"""Wide registers: trajectories draw the shots; too wide for the engine, Aer does; it is said."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases import ring_cell
from qrnn_qiskit import ExactExecutor, unroll
from qrnn_qiskit.engine import sample
from qrnn_qiskit.execution.backends import exact
from qrnn_qiskit.execution.backends.aer import AerExecutor
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.gradients.plan import forward_plan
from qrnn_qiskit.spec.noise import NoiseSpec


@pytest.mark.parametrize("noisy", [False, True])
def test_aer_draws_the_shots_of_wide_registers(
    noisy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "WIDEST", 2)
    noise = make_noise(NoiseSpec(depolarizing_2q=0.02)) if noisy else None
    unrolled = unroll(ring_cell(3), 2)
    plan = forward_plan(np.linspace(0, 1, 12), np.zeros((1, 2, 1)))
    request = EvaluationRequest(plan, 50, 3)
    executor = ExactExecutor(noise)
    assert executor.shots_from(unrolled) == "aer"
    assert executor.simulation(unrolled, shots=True) == "Aer, 3 qubits"
    assert executor.simulation(unrolled, shots=False) == "density matrices, 3 qubits"
    with pytest.warns(UserWarning, match="3 qubits .* are drawn by Aer"):
        bits = executor.fetch(executor.submit(unrolled, request))
    aer = AerExecutor(noise)
    expected = aer.fetch(aer.submit(unrolled, request))
    np.testing.assert_array_equal(bits.packed, expected.packed)
    assert ExactExecutor(noise, sampling="marginal").shots_from(unrolled) == "exact"


@pytest.mark.statistical
@pytest.mark.parametrize("noise", [None, NoiseSpec(device="fake_boston")])
def test_trajectories_draw_the_shots_of_wide_registers(
    noise: NoiseSpec | None, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Means of two steps against exact ones: 4 deviates beyond 5.2 sigma, false alarms 1e-6."""
    monkeypatch.setattr(sample, "PURE_QUBITS_FEW_BITS", 2)
    monkeypatch.setattr(sample, "MIXED_QUBITS", 2)
    executor = ExactExecutor(None if noise is None else make_noise(noise))
    unrolled = unroll(ring_cell(3), 2)
    assert executor.simulation(unrolled, shots=True).startswith("trajectories, ")
    plan = forward_plan(np.linspace(0, 1, 12), np.zeros((1, 2, 1)))
    request = EvaluationRequest(plan, 20_000, seed)
    found = executor.fetch(executor.submit(unrolled, request)).outputs().mean
    expected = executor.exact_outputs(unrolled, plan, "z").mean
    assert np.all(np.abs(found - expected) < 5.2 * np.sqrt((1 - expected**2) / 20_000))


def test_exact_values_of_wide_density_matrices_are_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exact, "EXACT_QUBITS", 2)
    plan = forward_plan(np.linspace(0, 1, 12), np.zeros((1, 2, 1)))
    with pytest.warns(UserWarning, match=r"exact values of 3 qubits are density matrices"):
        ExactExecutor().exact_outputs(unroll(ring_cell(3), 2), plan, "z")


def test_narrow_registers_are_the_engines() -> None:
    assert ExactExecutor().shots_from(unroll(ring_cell(3), 2)) == "exact"
