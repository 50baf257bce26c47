"""Loss, gradient and readout gradient scatter around the exact values as their errors say.

Brute force: the same gradient measured again and again with other seeds on the exact engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit import Adjoint, ExactExecutor, FiniteDifference, ParameterShift, build_cell, unroll
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.execution.bits import OutputKind, PackedBits
from qrnn_qiskit.gradients import GradientRule
from qrnn_qiskit.learning.plugins import LOSSES
from qrnn_qiskit.learning.readout import Head, Readout
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.gradient import GradientResult, measure_gradient
from qrnn_qiskit.run.measure.objective import Objective
from qrnn_qiskit.run.measure.shots import ShotPlan

REPEATS = 500
# 60 comparisons in all, each with a false-alarm rate of 1.5e-8 (two-sided, normal): 1e-6 together.
SIGMA = 5.66
CALL = Call("gradient", (2, 0))
UNROLLED = unroll(build_cell("parity2"), 2)
EXACT = ExactExecutor()


@dataclass(frozen=True)
class Problem:
    """A gradient of the parity cell over two steps, on two sequences."""

    objective: Objective
    kind: OutputKind
    weights: Array
    readout: Array
    features: Array
    targets: Array

    def measure(
        self, rule: GradientRule | Adjoint, shots: ShotPlan, seed: int = 0
    ) -> GradientResult:
        return measure_gradient(
            Evaluator(UNROLLED, EXACT, kind=self.kind, seed=seed),
            rule,
            self.objective,
            weights=self.weights,
            readout=self.readout,
            features=self.features,
            targets=self.targets,
            shots=shots,
            call=CALL,
        )

    def predictions(self) -> Array:
        angles = UNROLLED.angle_map.angles(self.weights, self.features)
        return self.objective.readout.predict(
            self.readout, EXACT.forward(UNROLLED, angles, self.kind)
        )


def make_problem(
    head: Head, kind: OutputKind, readout: list[float], *, distance: float, num_targets: int = 1
) -> Problem:
    """Targets lie about `distance` from the predictions."""
    random = np.random.default_rng(11)
    values = 1 if kind == "z" else 2
    problem = Problem(
        Objective(
            Readout(head, values, num_targets), LOSSES.build("mse", {}), np.ones(2, dtype=bool)
        ),
        kind,
        np.array([0.7, 1.9, 0.4, 2.6]),
        np.array(readout),
        random.integers(0, 2, (2, 2, 1)).astype(float),
        np.zeros((2, 2, num_targets)),
    )
    predictions = problem.predictions()
    targets = predictions + distance * random.choice([-1.0, 1.0], predictions.shape)
    return Problem(
        problem.objective,
        kind,
        problem.weights,
        problem.readout,
        problem.features,
        targets,
    )


CASES: dict[str, tuple[Problem, GradientRule, ShotPlan]] = {
    "few shots": (
        make_problem("scale", "z", [1.5, 0.1], distance=0.8),
        ParameterShift(),
        ShotPlan(20),
    ),
    "more shots for the base rows": (
        make_problem("scale", "z", [1.5, 0.1], distance=0.8),
        ParameterShift(),
        ShotPlan(20, forward=60),
    ),
    "a total": (
        make_problem("scale", "z", [1.5, 0.1], distance=0.8),
        ParameterShift(),
        ShotPlan(total=700, forward=50),
    ),
    "probabilities through a matrix": (
        make_problem(
            "linear", "probabilities", [0.9, -0.4, 0.3, 1.2, 0.1, -0.2], distance=0.6, num_targets=2
        ),
        ParameterShift(),
        ShotPlan(20),
    ),
    "finite difference": (
        make_problem("scale", "z", [1.5, 0.1], distance=0.8),
        FiniteDifference(step=0.05),
        ShotPlan(400),
    ),
}
AT_MINIMUM = (
    make_problem("scale", "z", [1.5, 0.1], distance=0.0),
    ParameterShift(),
    ShotPlan(40),
)


@dataclass(frozen=True)
class Sample:
    """One quantity measured N times: means and standard errors `[N, n]`, and its truth."""

    mean: Array
    error: Array
    truth: Array

    @property
    def off(self) -> Array:
        """How far the mean over all repeats is from the truth, in its standard errors."""
        spread = self.mean.std(axis=0, ddof=1) / np.sqrt(len(self.mean))
        off: Array = (self.mean.mean(axis=0) - self.truth) / np.where(spread > 0, spread, 1.0)
        return off

    @property
    def ratio(self) -> Array:
        """Scatter of the means by the stated error; 1 where both are zero (a dead weight)."""
        scatter, stated = self.mean.std(axis=0, ddof=1), np.sqrt((self.error**2).mean(axis=0))
        dead = (scatter == 0) & (stated == 0)
        ratio: Array = np.where(dead, 1.0, scatter / np.where(dead, 1.0, stated))
        return ratio

    @property
    def tolerance(self) -> Array:
        """SIGMA times the error of `ratio`."""
        centred = self.mean - self.mean.mean(axis=0)
        square = (centred**2).mean(axis=0)
        kurtosis = (centred**4).mean(axis=0) / np.where(square > 0, square, 1.0) ** 2
        of_scatter = np.maximum(kurtosis - 1.0, 2.0) / (4 * len(self.mean))
        stated = self.error**2
        level = np.where(stated.mean(axis=0) > 0, stated.mean(axis=0), 1.0)
        of_stated = stated.var(axis=0) / level**2 / (4 * len(self.mean))
        tolerance: Array = SIGMA * np.sqrt(of_scatter + of_stated)
        return tolerance


def sample(problem: Problem, rule: GradientRule, shots: ShotPlan, seed: int) -> dict[str, Sample]:
    exact = problem.measure(Adjoint(), ShotPlan())
    results = [
        problem.measure(rule, shots, int(each))
        for each in np.random.SeedSequence(seed).generate_state(REPEATS)
    ]

    def of(name: str) -> Sample:
        estimates: list[Any] = [getattr(result, name) for result in results]
        return Sample(
            np.array([np.atleast_1d(e.mean) for e in estimates]),
            np.array([np.atleast_1d(e.standard_error) for e in estimates]),
            np.atleast_1d(getattr(exact, name).mean),
        )

    return {name: of(name) for name in ("loss", "gradient", "readout_gradient")}


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_estimates_are_unbiased_and_their_errors_true(name: str, seed: int) -> None:
    problem, rule, shots = CASES[name]
    for quantity, found in sample(problem, rule, shots, seed).items():
        # A central difference of step 0.05 is off by some 1e-4 of the gradient, far below.
        assert np.all(np.abs(found.off) < SIGMA), (quantity, found.off)
        # Each error is first order in the shots: 6 % beside the sampling error of the ratio.
        assert np.all(np.abs(found.ratio - 1.0) < 0.06 + found.tolerance), (quantity, found.ratio)


@pytest.mark.statistical
def test_at_a_minimum_nothing_is_biased_and_no_error_too_small(seed: int) -> None:
    for quantity, found in sample(*AT_MINIMUM, seed).items():
        assert np.all(np.abs(found.off) < SIGMA), (quantity, found.off)
        assert np.all(found.ratio < 1.06 + found.tolerance), (quantity, found.ratio)


@pytest.mark.statistical
@pytest.mark.parametrize(("distance", "lowest"), [(0.0, 0.75), (0.05, 0.8), (0.5, 0.94)])
def test_the_error_of_the_loss_near_a_minimum(distance: float, lowest: float, seed: int) -> None:
    # Bits drawn here, 4000 times, each repetition a sequence of its own: with the first order
    # alone the ratio would be 0.58 at 0.
    problem = CASES["few shots"][0]
    random, repeats, shots = np.random.default_rng(seed), 4000, 30
    probability = np.array([0.2, 0.6])
    mean = (1.0 - 2.0 * probability)[None, :, None]
    targets = problem.objective.readout.predict(problem.readout, mean) + distance
    bits = random.random((repeats * shots, 2, 1)) < probability[:, None]
    outputs = PackedBits.from_bits(bits.astype(np.uint8), np.full(repeats, shots)).outputs()
    spread = problem.objective.estimate(
        problem.readout, outputs, np.broadcast_to(targets, outputs.mean.shape)
    ).value
    assert spread.first is not None
    assert spread.second is not None
    variance = np.maximum(spread.first - spread.second, spread.second)
    found = Sample(
        repeats * spread.value[:, None],
        repeats * np.sqrt(variance)[:, None],
        np.array([distance**2]),
    )
    assert np.all(np.abs(found.off) < SIGMA), found.off
    assert np.all(found.ratio < 1.06 + found.tolerance), found.ratio
    assert np.all(found.ratio > lowest - found.tolerance), found.ratio


def test_exact_values_have_no_errors() -> None:
    problem, *_ = CASES["few shots"]
    for rule in (Adjoint(), ParameterShift(), FiniteDifference()):
        result = problem.measure(rule, ShotPlan())
        assert result.loss.standard_error is None
        assert result.gradient.standard_error is None
        assert result.readout_gradient.standard_error is None
        assert result.shots_total == 0


def test_the_readout_gradient_is_the_derivative_of_the_loss() -> None:
    for problem, *_ in CASES.values():
        exact = problem.measure(Adjoint(), ShotPlan()).readout_gradient.mean
        step = 1e-5
        for i, value in enumerate(exact):
            losses = []
            for sign in (1, -1):
                moved = problem.readout.copy()
                moved[i] += sign * step
                predictions = problem.objective.readout.predict(
                    moved,
                    EXACT.forward(
                        UNROLLED,
                        UNROLLED.angle_map.angles(problem.weights, problem.features),
                        problem.kind,
                    ),
                )
                losses.append(np.mean((predictions - problem.targets) ** 2))
            assert value == pytest.approx((losses[0] - losses[1]) / (2 * step), abs=1e-9)
