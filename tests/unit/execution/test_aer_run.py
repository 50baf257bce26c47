"""Shots from Aer: no two rows share random numbers.

On the mid-circuit path Aer draws row k, shot j from seed + 2113 k + j.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import qrnn_qiskit as qrnn
from qrnn_qiskit.execution import aer_run
from qrnn_qiskit.execution.backends.aer import AerRun
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.gradients import forward_plan

WEIGHTS = np.array([0.7, 1.9, 0.4, 2.3])


def unrolled_parity() -> qrnn.UnrolledCircuit:
    return qrnn.unroll(qrnn.build_cell("parity2"), 3)


def request(rows: int, shots: int, seed: int) -> EvaluationRequest:
    """The same sequence `rows` times."""
    return EvaluationRequest(forward_plan(WEIGHTS, np.ones((rows, 3, 1))), shots, seed)


def record(seen: list[tuple[int, int, int]]) -> aer_run.Sampler:
    """A stand-in for Aer that notes (rows, shots, seed) and returns zeros."""

    def sampler(angles: NDArray[np.float64], shots: int, seed: int) -> NDArray[np.uint8]:
        seen.append((len(angles), shots, seed))
        return np.zeros((len(angles), shots, 3, 1), dtype=np.uint8)

    return sampler


@pytest.mark.parametrize("shots", [1, 2113, 2114, 5000, 6341])
def test_no_run_has_too_many_shots_of_a_row(shots: int) -> None:
    """Every row gets its shots, in pieces of at most 2113, from disjoint random numbers."""
    seen: list[tuple[int, int, int]] = []
    unrolled = unrolled_parity()
    bits = aer_run.sample_rows(request(3, shots, 11), unrolled, record(seen))
    assert bits.count.tolist() == [shots] * 3
    assert sum(rows * each for rows, each, _ in seen) == 3 * shots
    used = [np.arange(each) + seed + 2113 * row for rows, each, seed in seen for row in range(rows)]
    assert max(each for _, each, _ in seen) <= 2113
    streams = np.concatenate(used)
    assert len(np.unique(streams)) == len(streams)


def lagged_agreement(first: NDArray[np.uint8], second: NDArray[np.uint8], lag: int) -> float:
    """Fraction of shots j for which row 0 at j + lag has the outcome of row 1 at j."""
    return float(np.mean(first[lag:] == second[: len(first) - lag]))


def test_rows_share_no_random_numbers() -> None:
    """Asked naively for 3000 shots, two equal rows are copies at lag 2113; ours are not."""
    unrolled = unrolled_parity()
    executor = qrnn.AerExecutor()
    isa = executor.isa(unrolled)
    angles = unrolled.angle_map.angles(WEIGHTS, np.ones((2, 3, 1)))
    from qiskit_aer import AerSimulator

    naive = AerRun(AerSimulator(), isa.compact).bits(
        isa.parameter_values(angles), 3000, 17, (3, 1)
    )[..., 0]
    assert lagged_agreement(naive[0], naive[1], 2113) == 1.0
    ours = executor.fetch(executor.submit(unrolled, request(2, 3000, 17)))
    rows = ours.unpack(slice(None)).reshape(2, 3000, 3)
    for lag in (0, 613, 1500, 2113):
        assert lagged_agreement(rows[0], rows[1], lag) < 0.95
