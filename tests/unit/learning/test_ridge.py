"""Ridge regression against the normal equations, its errors against repeated draws."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.learning.metrics import squared_correlation
from qrnn_qiskit.learning.plugins import OPTIMIZERS
from qrnn_qiskit.learning.ridge import PENALTIES, RidgeFit

Array = NDArray[np.float64]


def samples(seed: int, count: int = 40) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(count, 3)) * [1.0, 5.0, 0.2] + [0.0, 2.0, -1.0]
    return inputs, inputs @ random.normal(size=(3, 2)) + 0.3 * random.normal(size=(count, 2))


@pytest.mark.parametrize("penalty", [0.0, 1e-3, 2.0])
def test_solution_solves_the_normal_equations(penalty: float) -> None:
    inputs, targets = samples(0)
    scaled = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    centred = targets - targets.mean(axis=0)
    gram = scaled.T @ scaled / 40 + penalty * np.eye(3)
    coefficients = np.linalg.solve(gram, scaled.T @ centred / 40)
    fit = RidgeFit.of(inputs, targets)
    expected = scaled @ coefficients + targets.mean(axis=0)
    np.testing.assert_allclose(fit.predict(inputs, penalty), expected, atol=1e-12)
    hat = scaled @ np.linalg.solve(gram, scaled.T) / 40
    assert fit.freedom(penalty) == pytest.approx(1.0 + np.trace(hat), abs=1e-12)
    residual = np.mean((expected - targets) ** 2)
    found = fit.cross_validation(penalty)
    assert found == pytest.approx(residual / (1 - (1 + np.trace(hat)) / 40) ** 2, rel=1e-12)


def test_values_that_never_vary_or_repeat_are_no_problem() -> None:
    """Probabilities of an output sum to one, and some never happen."""
    inputs, targets = samples(1)
    more = np.column_stack([inputs, inputs.sum(axis=1), np.full(40, 0.7)])
    few, all_of_them = RidgeFit.of(inputs, targets), RidgeFit.of(more, targets)
    np.testing.assert_allclose(all_of_them.predict(more, 1e-8), few.predict(inputs, 0.0), atol=1e-5)
    assert all_of_them.freedom(0.0) == pytest.approx(4.0)
    assert np.all(np.isfinite(all_of_them.standard_errors(1e-8)[0]))


def test_standard_errors_are_the_scatter_over_repeated_draws() -> None:
    """4000 draws: the relative error of a spread is 1.1 %, five sigma of it are allowed."""
    random = np.random.default_rng(2)
    inputs, _ = samples(2)
    truth = inputs @ np.array([[0.4], [-0.2], [1.0]])
    found, claimed = [], []
    for _ in range(4000):
        fit = RidgeFit.of(inputs, truth + 0.3 * random.normal(size=(40, 1)))
        found.append(np.append(*fit.linear_map(0.05)))
        claimed.append(np.append(*fit.standard_errors(0.05)) ** 2)
    spread = np.std(found, axis=0)
    np.testing.assert_allclose(np.sqrt(np.mean(claimed, axis=0)), spread, rtol=0.06)
    unbiased = np.mean([np.append(*RidgeFit.of(inputs, truth).standard_errors(0.0))])
    assert unbiased == pytest.approx(0.0, abs=1e-7)


def test_penalty_is_the_best_on_held_out_samples_or_by_cross_validation() -> None:
    inputs, targets = samples(3, count=8)
    others = samples(3, count=200)
    solver = OPTIMIZERS.build("ridge", {})
    fit = RidgeFit.of(inputs, targets)
    best = min(PENALTIES, key=lambda p: np.mean((fit.predict(others[0], p) - others[1]) ** 2))
    assert solver.solve(inputs, targets, others).penalty == best
    alone = solver.solve(inputs, targets, None)
    assert alone.penalty == min(PENALTIES, key=fit.cross_validation)
    given = OPTIMIZERS.build("ridge", {"penalty": 0.5}).solve(inputs, targets, None)
    np.testing.assert_allclose(given.matrix, fit.linear_map(0.5)[0])
    with pytest.raises(SpecError, match=r"optimizer\.penalty = -1\.0: must be at least 0"):
        OPTIMIZERS.build("ridge", {"penalty": -1.0})


def test_squared_correlation() -> None:
    predictions, targets = samples(4)
    found = squared_correlation(predictions[:, :2], targets)
    expected = [np.corrcoef(predictions[:, m], targets[:, m])[0, 1] ** 2 for m in range(2)]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.isnan(squared_correlation(np.ones((5, 1)), np.arange(5.0)[:, None])[0])
