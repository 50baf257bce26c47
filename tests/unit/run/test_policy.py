"""What a training decides about its next gradient, and what it goes by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qrnn_qiskit import ExactExecutor, FiniteDifference, ParameterShift, unroll
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.gradients.allocation import MIN_SHOTS, shots_variance
from qrnn_qiskit.gradients.choice import LARGEST_STEP, choose
from qrnn_qiskit.learning.plugins import LOSSES
from qrnn_qiskit.learning.readout import Readout
from qrnn_qiskit.run.jobs import plan_job, run_job, status_run
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.gradient import Adjoint, GradientResult, measure_gradient
from qrnn_qiskit.run.measure.health import dead, in_noise, summary
from qrnn_qiskit.run.measure.objective import Objective
from qrnn_qiskit.run.measure.policy import (
    GROWTH,
    START,
    Memory,
    Policy,
    learn,
    spread_of,
    unbiased,
)
from qrnn_qiskit.run.measure.progress import MEMORY, PATIENCE, progress
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


def losses_of(*, first: float, slope: float, error: float, count: int = MEMORY) -> Array:
    """Losses on a straight line."""
    values = first + slope * np.arange(count)
    return np.stack([values, np.full(count, error**2)], axis=1)


def memory_of(
    *, gradient: float, variance: float, shots: int, losses: Array | None = None
) -> Memory:
    """A memory after very many equal gradients: all components alike."""
    size = len(WEIGHTS)
    return {
        "gradient": np.full(size, gradient),
        "variance": np.full(size, variance),
        "forward": np.asarray(1.0),
        "shifted": np.asarray(16.0),
        "spread": np.ones((2, STEPS, 1)),
        "seen": np.full(2, 1000.0),
        "steps": np.asarray(1000.0),
        "asked": np.asarray(float(shots)),
        "losses": np.empty((0, 2)) if losses is None else losses,
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
    assert decision.shots.total == START * DIFFERENCE_ROWS
    assert "fewest shots to start with" in decision.reason


def test_shots_are_raised_once_the_loss_rises() -> None:
    for slope, factor in ((-0.01, 1.0), (0.0, 1.0), (0.01, GROWTH)):
        losses = losses_of(first=0.5, slope=slope, error=0.01)
        memory = memory_of(gradient=1.0, variance=1.0, shots=5_000, losses=losses)
        decision = AUTO.decide(PROBLEM, memory)
        assert decision.shots.total == factor * 5_000
        if slope:
            assert f"loss {15 * slope:+.2g} ± " in decision.reason


def test_a_rise_lost_in_noise_or_in_the_scatter_of_minibatches_raises_nothing() -> None:
    rise = losses_of(first=0.5, slope=0.01, error=0.01)
    assert progress(rise)[0]
    assert not progress(rise[: PATIENCE - 1])[0]
    assert not progress(losses_of(first=0.5, slope=0.01, error=1.0))[0]
    scattered = rise.copy()
    scattered[:, 0] += np.resize([0.4, -0.4], MEMORY)
    assert not progress(scattered)[0]
    unknown = rise.copy()
    unknown[:, 1] = np.nan  # marginal shots
    assert progress(unknown)[0]


@pytest.mark.statistical
def test_how_often_shots_are_raised() -> None:
    """20,000 windows each: where the loss stands still the frequency is that of 0.3 sigma.

    Binomial with p = 0.382 at most (the scatter only adds to the error): above 0.399 with a
    probability below 1e-6. Power: a loss that rises by 3 sigma in the window is seen in most.
    """
    random = np.random.default_rng(7)
    noise = random.normal(size=(20_000, MEMORY))
    place = np.arange(MEMORY) - (MEMORY - 1) / 2
    sigma = float(1 / np.sqrt(place @ place))  # of the slope

    def frequency(slope: float) -> float:
        values = noise + slope * place
        ones = np.ones(MEMORY)
        return float(np.mean([progress(np.stack([v, ones], axis=1))[0] for v in values]))

    assert 0.3 < frequency(0.0) < 0.399
    assert frequency(3 * sigma) > 0.95
    assert frequency(-3 * sigma) < 0.001


def test_the_jobs_shots_are_the_ceiling() -> None:
    rise = losses_of(first=0.5, slope=0.01, error=0.01)
    lost = memory_of(gradient=0.0, variance=1.0, shots=99_000, losses=rise)
    assert AUTO.decide(PROBLEM, lost).shots.total == 100_000
    there = memory_of(gradient=0.0, variance=1.0, shots=100_000, losses=rise)
    decision = AUTO.decide(PROBLEM, there)
    assert decision.shots.total == 100_000
    assert decision.reason.endswith("; all shots")
    each = Policy(ParameterShift(), ShotPlan(100, allocation="optimal"), adaptive=True)
    assert each.decide(PROBLEM, lost).shots.total == 100 * SHIFT_ROWS
    short = Policy(None, ShotPlan(total=20, allocation="optimal"), adaptive=True)
    assert short.decide(PROBLEM, lost).shots.total == 20


def test_losses_are_seen_anew_with_another_number_of_shots() -> None:
    memory: Memory = {}
    result = measured(AUTO, {})
    for count in range(1, MEMORY + 4):
        memory = learn(memory, result, 100)
        assert len(memory["losses"]) == min(count, MEMORY)
    error = result.loss.standard_error
    assert error is not None
    assert memory["losses"][-1].tolist() == [float(result.loss.mean), float(error) ** 2]
    memory = learn(memory, result, 200)
    assert len(memory["losses"]) == 1


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
        memory = learn(memory, result)
    assert result.cost is not None
    assert result.gradient.standard_error is not None
    assert unbiased(memory, "gradient") == pytest.approx(result.gradient.mean)
    assert unbiased(memory, "variance") == pytest.approx(result.gradient.standard_error**2)
    assert spread_of(memory) == pytest.approx(result.cost.spread)
    spent = 3 * (result.shots_total - result.cost.forward_shots)
    assert memory["weight_shots"].sum() == pytest.approx(spent)
    # The same again, bit for bit, from the same results.
    again = learn(learn(learn({}, result), result), result)
    assert {k: v.tobytes() for k, v in again.items()} == {k: v.tobytes() for k, v in memory.items()}


def test_each_sequence_of_a_minibatch_has_its_own_spread() -> None:
    """Of five sequences 3 and 1, then 3 and 4 are measured; 0 and 2 get the mean of the others."""
    first, second = measured(AUTO, {}, seed=1), measured(AUTO, {}, seed=2)
    assert first.cost is not None
    assert second.cost is not None
    memory = learn({}, first, 500, np.array([3, 1]), 5)
    memory = learn(memory, second, 500, np.array([3, 4]), 5)
    found = spread_of(memory)
    one, other = first.cost.spread, second.cost.spread
    assert found[1] == pytest.approx(one[1])
    assert found[4] == pytest.approx(other[1])
    assert found[3] == pytest.approx((0.9 * one[0] + other[0]) / 1.9)
    for new in (0, 2):
        assert found[new] == pytest.approx((found[1] + found[3] + found[4]) / 3)
    decision = AUTO.decide(PROBLEM, memory, np.array([4, 2]))
    assert decision.shots.spread == pytest.approx(found[[4, 2]])


def test_shares_by_sequence_save_shots() -> None:
    """Where residuals differ fivefold between sequences, against shares by their mean."""
    rule = ParameterShift().plan(PROBLEM)
    spread = np.ones((2, STEPS, 1)) * np.array([1.0, 0.04])[:, None, None]

    def variance(known: Array) -> float:
        plan, shots = ShotPlan(total=50_000, allocation="optimal", spread=known).apply(rule)
        assert shots is not None
        return shots_variance(plan, shots, spread)

    # Sums of roots: (1 + 0.2)² against 2 (1 + 0.04).
    saved = variance(spread) / variance(spread.mean(axis=0))
    assert saved == pytest.approx(1.44 / 2.08, rel=0.08)


def test_the_range_of_a_trainings_shots() -> None:
    fewest, most = AUTO.total_range(PROBLEM, 20)
    floor = START * DIFFERENCE_ROWS
    assert fewest == 20 * floor
    assert most == floor * (8 * 1 + 8 * 2 + 4 * 4)
    short = Policy(None, ShotPlan(total=100, allocation="optimal"), adaptive=True)
    assert short.total_range(PROBLEM, 20) == (20 * floor, 8 * floor + 12 * 100)
    constant = Policy(None, ShotPlan(total=100, allocation="optimal"), adaptive=False)
    assert constant.total_range(PROBLEM, 20) == (2_000, 2_000)


def test_a_training_stays_in_its_range(tmp_path: Path) -> None:
    """At a minimum, with nothing left to fall, shots are raised and yet stay within."""
    job = write_job(
        tmp_path,
        gradient={"shots_total": 4_000},
        training={"steps": 30, "batch_size": 2, "validate_every": 99},
    )
    plan = plan_job(job)
    assert plan["shots_fewest"] < plan["shots_likely"] <= plan["shots_most"] <= plan["shots_total"]
    result = run_job(job, run_dir=tmp_path / "run")
    shots = status_run(result.run_dir)["shots"]
    assert 0.7 * plan["shots_fewest"] <= shots <= plan["shots_most"]  # shots of rows are rounded


def test_dead_weights_and_weights_in_noise() -> None:
    result = measured(Policy(ParameterShift(), OPTIMAL, adaptive=False), {})
    memory = learn({}, result)
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
    memory = learn({}, exact)
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
