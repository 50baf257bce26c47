"""What a training decides about its next gradient, and what it goes by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qrnn_qiskit import ExactExecutor, FiniteDifference, ParameterShift, unroll
from qrnn_qiskit.gradients.allocation import MIN_SHOTS, shots_variance
from qrnn_qiskit.gradients.choice import LARGEST_STEP, choose
from qrnn_qiskit.learning.plugins import LOSSES
from qrnn_qiskit.learning.readout import Readout
from qrnn_qiskit.run.jobs import run_job, status_run
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.gradient import Adjoint, GradientResult, measure_gradient
from qrnn_qiskit.run.measure.health import dead, in_noise, summary
from qrnn_qiskit.run.measure.objective import Objective
from qrnn_qiskit.run.measure.policy import DECAY, GROWTH, NOISE, Memory, Policy, learn, unbiased
from qrnn_qiskit.run.measure.shots import ShotPlan
from tests.unit.gradients.problems import WEIGHTS, problem_of, small_cell
from tests.unit.run.small import history, write_job

STEPS = 3
UNROLLED = unroll(small_cell(), STEPS)
RANDOM = np.random.default_rng(1)
FEATURES = RANDOM.uniform(0.1, 0.9, (2, STEPS, 1))
TARGETS = RANDOM.uniform(-1, 1, (2, STEPS, 1))
PROBLEM = problem_of(UNROLLED, FEATURES)
LIVE = 3
SHIFT_ROWS = ParameterShift().plan(PROBLEM).num_rows
DIFFERENCE_ROWS = FiniteDifference().plan(PROBLEM).num_rows
OPTIMAL = ShotPlan(total=100_000, allocation="optimal")
AUTO = Policy(None, OPTIMAL, adaptive=True)


def measured(policy: Policy, memory: Memory, seed: int = 0) -> GradientResult:
    decision = policy.decide(PROBLEM, memory)
    return measure_gradient(
        Evaluator(UNROLLED, ExactExecutor(), seed=seed),
        decision.rule,
        Objective(Readout("identity", 1, 1), LOSSES.build("mse", {}), np.ones(STEPS, dtype=bool)),
        weights=WEIGHTS,
        readout=np.empty(0),
        features=FEATURES,
        targets=TARGETS,
        shots=decision.shots,
        call=Call("gradient", (2, 0)),
    )


def memory_of(*, gradient: float, variance: float, shots: int) -> Memory:
    """A memory after very many equal gradients: all components alike."""
    size = len(WEIGHTS)
    return {
        "gradient": np.full(size, gradient),
        "variance": np.full(size, variance),
        "work": np.asarray(size * variance * shots),
        "forward": np.asarray(1.0),
        "shifted": np.asarray(16.0),
        "spread": np.ones((2, STEPS, 1)),
        "steps": np.asarray(1000.0),
        "last_shots": np.asarray(float(shots)),
        "weight_shots": np.full(size, 10.0),
    }


def test_few_shots_make_a_wide_difference_and_many_the_unbiased_rule() -> None:
    rules = [choose(PROBLEM, shots).rule for shots in (10, 200, 2_000, 10**7)]
    steps = [rule.step for rule in rules if isinstance(rule, FiniteDifference)]
    assert isinstance(rules[-1], ParameterShift)
    assert len(steps) == 3
    numbers = [step for step in steps if step != "auto"]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] == LARGEST_STEP
    assert numbers[1] == pytest.approx((18 * LIVE / 200) ** (1 / 6), abs=1e-3)
    # Noise that averages out over more gradients lets bias count for more.
    averaged = choose(PROBLEM, 20, averaged=10).rule
    assert isinstance(averaged, FiniteDifference)
    assert averaged.step == numbers[1]


def test_the_rule_changes_where_predicted_errors_cross() -> None:
    """Bisection for the change, and both predictions there from the plans themselves."""
    low, high = 2_000, 10**7
    while high - low > 1:
        middle = (low + high) // 2
        if isinstance(choose(PROBLEM, middle).rule, ParameterShift):
            high = middle
        else:
            low = middle
    rule = choose(PROBLEM, low).rule
    assert isinstance(rule, FiniteDifference)
    assert rule.step != "auto"
    difference = rule.plan(PROBLEM)
    shots = low // (difference.num_rows - 2)
    variance = shots_variance(difference, shots, None)
    third = variance * low * rule.step**2 / LIVE
    biased = variance + rule.step**4 * third / 36
    assert biased == pytest.approx(1.5 * variance, rel=0.02)
    shift = ParameterShift().plan(PROBLEM)
    applied, each = ShotPlan(total=low, forward=1, allocation="optimal").apply(shift)
    assert each is not None
    # Shares are rounded, so the plan is a little worse than the prediction.
    assert biased == pytest.approx(shots_variance(applied, each, None), rel=0.1)


def test_too_few_shots_for_the_rows_of_parameter_shift() -> None:
    shots = MIN_SHOTS * (SHIFT_ROWS - 2) - 1
    choice = choose(PROBLEM, shots, averaged=1e6)
    assert isinstance(choice.rule, FiniteDifference)
    assert "too few for 48 shifted rows" in choice.reason
    assert isinstance(choose(PROBLEM, shots + 1, averaged=1e6).rule, ParameterShift)


def test_a_training_starts_with_the_fewest_shots() -> None:
    decision = AUTO.decide(PROBLEM, {})
    assert isinstance(decision.rule, FiniteDifference)
    assert decision.shots.total is not None
    assert MIN_SHOTS * DIFFERENCE_ROWS <= decision.shots.total < 10 * DIFFERENCE_ROWS
    assert "fewest shots to start with" in decision.reason


@pytest.mark.parametrize(
    ("gradient", "variance", "factor"),
    [
        (1.0, 1e-3, 1 / GROWTH),  # clear: fewer
        (0.1, 1.0, GROWTH),  # lost in noise: more
        (0.1, 0.065, None),  # nearly as wanted: variance = NOISE times the square
    ],
)
def test_shots_follow_signal_to_noise(
    gradient: float, variance: float, factor: float | None
) -> None:
    memory = memory_of(gradient=gradient, variance=variance, shots=5_000)
    decision = AUTO.decide(PROBLEM, memory)
    if factor is None:  # the square of the mean has its own noise, (1 - DECAY) / (1 + DECAY) of it
        own = (1 - DECAY) / (1 + DECAY) * variance
        factor = variance / (NOISE * (gradient**2 - own))
    assert decision.shots.total == pytest.approx(5_000 * factor, abs=2)
    assert "signal² / noise" in decision.reason


def test_the_jobs_shots_are_the_ceiling() -> None:
    lost = memory_of(gradient=0.0, variance=1.0, shots=99_000)
    assert AUTO.decide(PROBLEM, lost).shots.total == 100_000
    each = Policy(ParameterShift(), ShotPlan(100, allocation="optimal"), adaptive=True)
    assert each.decide(PROBLEM, lost).shots.total == 100 * SHIFT_ROWS
    short = Policy(None, ShotPlan(total=20, allocation="optimal"), adaptive=True)
    assert short.decide(PROBLEM, lost).shots.total == 20


def test_a_fixed_rule_without_adaptive_shots_is_left_alone() -> None:
    policy = Policy(ParameterShift(), ShotPlan(100), adaptive=False)
    decision = policy.decide(PROBLEM, memory_of(gradient=1.0, variance=1.0, shots=100))
    assert (decision.rule, decision.shots, decision.reason) == (policy.rule, policy.shots, "")


def test_base_rows_get_the_share_that_their_variance_asks_for() -> None:
    policy = Policy(ParameterShift(), OPTIMAL, adaptive=False)
    memory = memory_of(gradient=1.0, variance=1.0, shots=1_000)
    assert policy.decide(PROBLEM, memory).shots.share == pytest.approx(1 / (1 + 4))
    assert policy.decide(PROBLEM, {}).shots.share == 0.1


def test_what_is_learned_is_what_was_measured() -> None:
    policy = Policy(ParameterShift(), ShotPlan(total=20_000, allocation="optimal"), adaptive=False)
    memory: Memory = {}
    for _ in range(3):  # the same seed: the same gradient
        result = measured(replace(policy, rule=ParameterShift()), {})
        memory = learn(memory, result, same_sequences=True)
    assert result.cost is not None
    assert result.gradient.standard_error is not None
    assert unbiased(memory, "gradient") == pytest.approx(result.gradient.mean)
    assert unbiased(memory, "variance") == pytest.approx(result.gradient.standard_error**2)
    assert unbiased(memory, "spread") == pytest.approx(result.cost.spread)
    spent = 3 * (result.shots_total - result.cost.forward_shots)
    assert memory["weight_shots"].sum() == pytest.approx(spent)
    assert memory["last_shots"] == result.shots_total
    # The same again, bit for bit, from the same results.
    again = learn(learn(learn({}, result, True), result, True), result, True)
    assert {k: v.tobytes() for k, v in again.items()} == {k: v.tobytes() for k, v in memory.items()}


def test_sequences_that_change_share_what_is_known() -> None:
    result = measured(AUTO, {})
    assert learn({}, result, same_sequences=False)["spread"].shape == (STEPS, 1)
    memory = learn({}, result, same_sequences=False)
    AUTO.decide(problem_of(UNROLLED, FEATURES[:1]), memory)  # another number of sequences


def test_dead_weights_and_weights_in_noise() -> None:
    result = measured(Policy(ParameterShift(), OPTIMAL, adaptive=False), {})
    memory = learn({}, result, same_sequences=True)
    assert dead(memory).tolist() == [False, False, False, True]
    error = np.array([0.0, 0.1, 0.1, 0.0])
    memory = {
        **memory_of(gradient=0.02, variance=0.0, shots=10),
        "variance": error**2,
        "gradient": np.array([0.02, 0.02, 0.03, 0.0]),
        "weight_shots": np.array([5.0, 6.0, 7.0, 0.0]),
    }
    # The mean over recent steps has 0.23 of the error of one.
    assert in_noise(memory).tolist() == [False, True, False, False]
    assert summary("abcd", memory) == {
        "dead_weights": ["d"],
        "weights_in_noise": ["b"],
        "shots_of_weights": [
            {"weight": "a", "shots": 5},
            {"weight": "b", "shots": 6},
            {"weight": "c", "shots": 7},
            {"weight": "d", "shots": 0},
        ],
    }


def test_exact_gradients_have_health_too() -> None:
    policy = Policy(ParameterShift(), OPTIMAL, adaptive=False)
    result = replace(measured(policy, {}), cost=None, shots_total=0)
    exact = replace(result, gradient=replace(result.gradient, standard_error=None))
    memory = learn({}, exact, same_sequences=True)
    assert dead(memory).tolist() == [False, False, False, True]
    assert not in_noise(memory).any()
    assert "shots_of_weights" not in summary("abcd", memory)
    assert Adjoint() is not None


def test_history_and_status_say_how_each_gradient_was_measured(tmp_path: Path) -> None:
    job = write_job(
        tmp_path,
        gradient={"shots_total": 4_000},
        training={"steps": 6, "batch_size": 2, "validate_every": 9},
    )
    result = run_job(job, run_dir=tmp_path / "run")
    lines = history(result.run_dir)
    shots = [line["gradient"]["shots"] for line in lines]
    assert all(0 < n <= 4_000 for n in shots)
    assert shots[0] < 400
    first = lines[0]["gradient"]
    assert first["method"] == "finite_difference"
    assert first["step"] > 0.5
    assert first["rows"] == 14
    assert first["error"] > 0
    assert "fewest shots to start with" in first["reason"]
    assert first["dead"] == []
    status = status_run(result.run_dir)
    assert status["method"] == "auto"
    assert sum(entry["shots"] for entry in status["shots_of_weights"]) < status["shots"]
    assert status["dead_weights"] == []
