"""The benchmark's executor: exact moments, and shots with these moments."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.trainings import Instance
from qrnn_qiskit import FiniteDifference, ParameterShift
from qrnn_qiskit.execution.executor import EvaluationRequest

CELLS = ("parity2", "crx", "takaki_1_2")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("noisy", [False, True])
def test_means_are_those_of_the_engine(cell: str, noisy: bool) -> None:
    instance = Instance(cell, 3, noisy, 0)
    for rule in (ParameterShift(), FiniteDifference(step=0.5)):
        plan = rule.plan(instance.problem(instance.start))
        mean, covariance = instance.gaussian.moments(instance.unrolled, plan)
        exact = instance.exact.exact_outputs(instance.unrolled, plan, "z").mean[:, :, 0]
        np.testing.assert_allclose(mean, exact, atol=1e-12)
        np.testing.assert_allclose(np.einsum("rtt->rt", covariance), 1 - exact**2, atol=1e-12)


@pytest.mark.statistical
def test_covariances_are_those_of_sampled_outcomes() -> None:
    """Sums over rows of covariance times any signs: each false alarm below 1e-6 (5 sigma).

    Power: without the steps' covariance, the sum weighted with the exact one is off by far more.
    """
    instance = Instance("crx", 4, True, 0)
    plan = ParameterShift().plan(instance.problem(instance.start))
    shots = 500
    _, exact = instance.gaussian.moments(instance.unrolled, plan)
    job = instance.exact.submit(instance.unrolled, EvaluationRequest(plan, shots, 3))
    sampled = instance.exact.fetch(job).outputs("z")
    assert sampled.covariance is not None
    above = np.triu(np.ones((4, 4), dtype=bool), 1)
    # A product of two outcomes is ±1: its mean has a variance of 1/shots at most; rows are
    # independent. The plug-in product of means adds (1/shots) of that, and a bias of 1/shots.
    found = np.sum((sampled.covariance * exact)[:, above])
    expected = np.sum((exact**2)[:, above])
    sigma = np.sqrt(np.sum((np.abs(exact)[:, above].sum(axis=1)) ** 2) / shots)
    assert abs(found - expected) < 5 * sigma + 2 * expected / shots
    assert expected > 20 * sigma


@pytest.mark.statistical
def test_drawn_means_have_their_moments() -> None:
    """Chi-squared of whitened means, 20 draws of 468: 5.1 sigma, so a false alarm below 1e-6."""
    instance = Instance("crx", 4, False, 0)
    plan = ParameterShift().plan(instance.problem(instance.start))
    mean, covariance = instance.gaussian.moments(instance.unrolled, plan)
    inverse = np.linalg.inv(covariance / 50)
    squares = 0.0
    for seed in range(20):
        job = instance.gaussian.submit(instance.unrolled, EvaluationRequest(plan, 50, seed))
        away = instance.gaussian.fetch(job).outputs("z").mean[:, :, 0] - mean
        squares += float(np.einsum("ri,rij,rj->", away, inverse, away))
    degrees = 20 * mean.size
    tolerance = 5.1 * np.sqrt(2 * degrees)
    assert abs(squares - degrees) < tolerance
    # Power: a variance wrong by a sixth is caught.
    assert abs(7 / 6 * squares - degrees) > tolerance
