"""Registers too wide for the engine: Aer draws the shots, and it is said."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases import ring_cell
from qrnn_qiskit import ExactExecutor, unroll
from qrnn_qiskit.engine import sample
from qrnn_qiskit.execution.backends.aer import AerExecutor
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.gradients.plan import forward_plan
from qrnn_qiskit.spec.noise import NoiseSpec


@pytest.mark.parametrize("noisy", [False, True])
def test_aer_draws_the_shots_of_wide_registers(
    noisy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "PURE_QUBITS", 2)
    monkeypatch.setattr(sample, "MIXED_QUBITS", 2)
    noise = make_noise(NoiseSpec(depolarizing_2q=0.02)) if noisy else None
    unrolled = unroll(ring_cell(3), 2)
    plan = forward_plan(np.linspace(0, 1, 12), np.zeros((1, 2, 1)))
    request = EvaluationRequest(plan, 50, 3)
    executor = ExactExecutor(noise)
    assert executor.shots_from(unrolled) == "aer"
    with pytest.warns(UserWarning, match="3 qubits .* are drawn by Aer"):
        bits = executor.fetch(executor.submit(unrolled, request))
    aer = AerExecutor(noise)
    expected = aer.fetch(aer.submit(unrolled, request))
    np.testing.assert_array_equal(bits.packed, expected.packed)
    assert ExactExecutor(noise, sampling="marginal").shots_from(unrolled) == "exact"


def test_narrow_registers_are_the_engines() -> None:
    assert ExactExecutor().shots_from(unroll(ring_cell(3), 2)) == "exact"
