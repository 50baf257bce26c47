"""Shots shared out by predicted variance, and base outputs from all rows that have them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_qiskit import Adjoint, ExactExecutor, ParameterShift, RandomOccurrences, unroll
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.gradients import EvaluationPlan
from qrnn_qiskit.gradients.allocation import MIN_SHOTS, row_spread, shots_variance
from qrnn_qiskit.gradients.free_forward import free_forward, shared_shots_variance
from qrnn_qiskit.gradients.plan import Rows, build_plan
from qrnn_qiskit.learning.plugins import LOSSES
from qrnn_qiskit.learning.readout import Readout
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.gradient import GradientResult, measure_gradient
from qrnn_qiskit.run.measure.objective import Objective
from qrnn_qiskit.run.measure.shots import ShotPlan
from tests.reference import joint_moments, reference_joint
from tests.unit.gradients.problems import WEIGHTS, problem_of, random_outputs, small_cell

STEPS = 3
UNROLLED = unroll(small_cell(), STEPS)
RANDOM = np.random.default_rng(1)
FEATURES = RANDOM.uniform(0.1, 0.9, (2, STEPS, 1))
TARGETS = RANDOM.uniform(-1, 1, (2, STEPS, 1))
EXACT = ExactExecutor()
MEANS = EXACT.forward(UNROLLED, UNROLLED.angle_map.angles(WEIGHTS, FEATURES), "z")
COTANGENT = 2 * (MEANS - TARGETS) / MEANS.size
SPREAD = COTANGENT**2 * (1 - MEANS**2)
REPEATS = 300
SIGMA = 5.3  # 16 two-sided normal comparisons: 1e-6 together


def shift_plan() -> EvaluationPlan:
    return ParameterShift().plan(problem_of(UNROLLED, FEATURES))


def weighted(plan: EvaluationPlan) -> Array:
    """`[R, T*K]` what a row's outputs are multiplied with."""
    through = plan.masks[plan.mask][:, :, None]
    flat: Array = (COTANGENT[plan.sequence] * through).reshape(plan.num_rows, -1)
    return flat


def true_variances(plan: EvaluationPlan) -> Array:
    """`[R]` variance of one shot of each row's contribution, from all joint outcomes."""
    order = {name: i for i, name in enumerate(UNROLLED.occurrences.names)}
    angles = plan.angles(UNROLLED.angle_map, slice(None))
    found = []
    for row, cotangent in zip(angles, weighted(plan), strict=True):
        values = {p: row[order[p.name]] for p in UNROLLED.circuit.parameters}
        _, covariance = joint_moments(reference_joint(UNROLLED.circuit, values))
        found.append(cotangent @ covariance @ cotangent)
    return np.array(found)


def test_optimal_allocation_lowers_the_true_variance_as_predicted() -> None:
    total, forward = 20_000, 300
    uniform, _ = ShotPlan(total=total, forward=forward).apply(shift_plan())
    variances = true_variances(uniform)
    squares = np.bincount(uniform.term_row, uniform.term_coefficient**2, uniform.num_rows)
    identity = {key: i for i, key in enumerate(_keys(uniform))}

    def of(shots: ShotPlan) -> tuple[float, float]:
        plan, each = shots.apply(shift_plan())
        assert each is not None
        assert plan.total_repeats * each <= total
        same = [identity[key] for key in _keys(plan)]
        true = float(np.sum((squares * variances)[same] / (plan.repeats * each)))
        return true, shots_variance(plan, each, SPREAD)

    plain = of(ShotPlan(total=total, forward=forward))
    blind = of(ShotPlan(total=total, forward=forward, allocation="optimal"))
    informed = of(ShotPlan(total=total, forward=forward, allocation="optimal", spread=SPREAD))
    # The prediction takes the outputs of unshifted rows, and none of the steps' correlations.
    for true, predicted in (plain, blind, informed):
        assert true == pytest.approx(predicted, rel=0.5)
    assert informed[0] < 0.75 * plain[0]
    assert informed[0] < blind[0] < 0.82 * plain[0]
    assert informed[0] / plain[0] == pytest.approx(informed[1] / plain[1], rel=0.12)
    # The bound: shots in exact proportion to the true standard deviations of all shifted rows.
    bound = np.sum(np.sqrt(squares * variances)) ** 2 / (total - 2 * forward)
    assert bound <= informed[0] < 1.2 * bound


def _keys(plan: EvaluationPlan) -> list[tuple[float, ...]]:
    """What makes a row, whatever its place."""
    return list(
        zip(plan.sequence.tolist(), plan.occurrence.tolist(), plan.shift.tolist(), strict=True)
    )


@given(
    coefficients=st.lists(st.floats(0.0, 10.0), min_size=1, max_size=30),
    sequences=st.integers(1, 3),
    total=st.integers(1, 50_000),
    forward=st.none() | st.integers(1, 500),
)
def test_shares_are_few_affordable_and_better_than_uniform(
    coefficients: list[float], sequences: int, total: int, forward: int | None
) -> None:
    count = len(coefficients)
    zeros = np.zeros(count, dtype=np.intp)
    original = build_plan(
        np.zeros((1, 1)),
        np.zeros((sequences, 1, 1)),
        rows=Rows(zeros, zeros, zeros, np.arange(count, dtype=float), zeros),
        masks=np.ones((1, 1), dtype=bool),
        terms=(np.arange(count), zeros, np.array(coefficients)),
    )
    plan = ShotPlan(total=total, forward=forward, allocation="optimal")
    needed = MIN_SHOTS * count + sequences * (forward or max(1, total // 10 // sequences))
    if total < max(needed, MIN_SHOTS * (count + sequences)):
        return
    applied, shots = plan.apply(original)
    assert shots is not None
    assert shots >= MIN_SHOTS
    assert applied.total_repeats * shots <= total
    assert len(set(applied.repeats[sequences:].tolist())) <= 4
    # Nothing of a row is lost when rows are ordered anew.
    order = applied.shift[sequences:].astype(int)
    assert sorted(order.tolist()) == list(range(count))
    assert applied.term_coefficient.tolist() == coefficients
    assert order[applied.term_row - sequences].tolist() == list(range(count))
    # As many shots for the shifted rows, shared out evenly, do not do better.
    spent = int(applied.repeats[sequences:].sum()) * shots
    squares = np.square(coefficients)
    optimal = np.sum(row_spread(applied, None)[sequences:] ** 2 / applied.repeats[sequences:])
    if spent // count >= MIN_SHOTS:
        assert optimal / shots <= squares.sum() / (spent // count) * (1 + 1e-9)


def test_shots_of_each_row_are_shared_out_too() -> None:
    plan, shots = ShotPlan(100, allocation="optimal").apply(shift_plan())
    assert shots is not None
    total = 100 * shift_plan().num_rows
    assert 0.95 * total < plan.total_repeats * shots <= total
    assert len(set(plan.repeats.tolist())) > 1


def test_too_few_shots_for_shares_are_spread_evenly() -> None:
    rows = shift_plan().num_rows
    assert ShotPlan(total=3 * rows, allocation="optimal").apply(shift_plan())[1] == 3


@pytest.mark.parametrize("rows", [200, 4])  # of few draws none comes twice
def test_a_random_rule_keeps_its_repeats(rows: int) -> None:
    original = RandomOccurrences(rows).plan(problem_of(UNROLLED, FEATURES))
    plan, shots = ShotPlan(total=20_000, allocation="optimal").apply(original, drawn=True)
    assert shots is not None
    assert (original.repeats.max() == 1) == (rows == 4)
    assert np.array_equal(plan.repeats[2:], original.repeats[2:])
    assert np.array_equal(plan.occurrence, original.occurrence)
    assert plan.repeats[0] * shots > 900


def test_free_forward_outputs_are_those_of_the_unshifted_circuit() -> None:
    plan, shots = ShotPlan(total=20_000, allocation="optimal").apply(shift_plan())
    assert shots is not None
    exact = EXACT.exact_outputs(UNROLLED, plan, "z").mean
    size = exact[0].size
    made_up = Outputs(exact, plan.repeats * shots, np.ones((plan.num_rows, size, size)))
    free = free_forward(plan, made_up)
    assert np.max(np.abs(free.outputs.mean - exact[:2])) < 1e-12
    # Most of the shots are those of other rows; even at the last step, where light cones end.
    assert np.all(free.share[:2] < 0.5)


def test_free_forward_outputs_by_hand() -> None:
    plan = shift_plan()
    outputs = random_outputs(plan, 1)
    free = free_forward(plan, outputs)
    assert outputs.count is not None
    assert outputs.covariance is not None
    assert free.outputs.covariance is not None
    assert free.outputs.count is not None
    for b in range(2):
        rows = [
            [
                r
                for r in range(plan.num_rows)
                if plan.sequence[r] == b and (r < 2 or not plan.masks[plan.mask[r], t])
            ]
            for t in range(STEPS)
        ]
        for t in range(STEPS):
            counts = outputs.count[rows[t]]
            mean = np.average(outputs.mean[rows[t], t, 0], weights=counts)
            assert free.outputs.mean[b, t, 0] == pytest.approx(mean)
            for u in range(STEPS):
                both = [r for r in rows[t] if r in rows[u]]
                covariance = sum(outputs.covariance[r, t, u] * outputs.count[r] for r in both)
                covariance /= counts.sum() * outputs.count[rows[u]].sum()
                found = free.outputs.covariance[b, t, u] / free.outputs.count[b]
                assert found == pytest.approx(covariance)


def test_without_masks_nothing_is_free() -> None:
    plan = ParameterShift(causal=False).plan(problem_of(UNROLLED, FEATURES))
    outputs = random_outputs(plan, 1)
    assert np.array_equal(free_forward(plan, outputs).outputs.mean, outputs.mean[:2])


def test_shots_that_serve_both_factors_by_hand() -> None:
    # g = sum_t w_t J_t is linear in each row's outputs, through J and through w, which free
    # forward outputs are in: the variance is that of the sum of both parts, row by row.
    plan = shift_plan()
    outputs = random_outputs(plan, 1)
    assert outputs.count is not None
    assert outputs.covariance is not None
    free = free_forward(plan, outputs)
    slope = np.random.default_rng(4).normal(size=(len(WEIGHTS), 2, STEPS))
    coefficient = np.zeros((plan.num_rows, len(WEIGHTS)))
    np.add.at(coefficient, (plan.term_row, plan.term_weight), plan.term_coefficient)
    through_j = coefficient.T[:, :, None] * weighted(plan)
    through_w = slope[:, plan.sequence] * free.share
    per_shot = outputs.covariance / outputs.count[:, None, None]

    def variance(part: Array) -> Array:
        found: Array = np.einsum("pri,rij,prj->p", part, per_shot, part)
        return found

    both = variance(through_j + through_w) - variance(through_j) - variance(through_w)
    assert np.max(np.abs(both)) > 1e-3
    shared = shared_shots_variance(plan, outputs, COTANGENT, slope, free.share)
    assert np.max(np.abs(shared - both)) < 1e-12


def measured(shots: ShotPlan, seed: int) -> GradientResult:
    return measure_gradient(
        Evaluator(UNROLLED, EXACT, seed=seed),
        ParameterShift() if shots.total else Adjoint(),
        Objective(Readout("identity", 1, 1), LOSSES.build("mse", {}), np.ones(STEPS, dtype=bool)),
        weights=WEIGHTS,
        readout=np.empty(0),
        features=FEATURES[:1],
        targets=TARGETS[:1],
        shots=shots,
        call=Call("gradient", (2, 0)),
    )


@pytest.fixture(scope="module")
def results() -> dict[str, list[GradientResult]]:
    """The same gradient measured `REPEATS` times, with both allocations."""
    seeds = np.random.SeedSequence(20).generate_state(REPEATS)
    return {
        "uniform": [measured(ShotPlan(total=1500), int(seed)) for seed in seeds],
        "optimal": [
            measured(ShotPlan(total=1500, spread=SPREAD[:1], allocation="optimal"), int(seed))
            for seed in seeds
        ],
    }


@pytest.mark.statistical
@pytest.mark.parametrize("allocation", ["uniform", "optimal"])
def test_gradients_are_unbiased_and_their_errors_true(
    allocation: str, results: dict[str, list[GradientResult]]
) -> None:
    exact = measured(ShotPlan(), 0)
    for name in ("loss", "gradient"):
        truth = np.atleast_1d(getattr(exact, name).mean)
        live = truth != 0
        estimates = [getattr(result, name) for result in results[allocation]]
        found = np.array([np.atleast_1d(e.mean) for e in estimates])[:, live]
        errors = np.array([np.atleast_1d(e.standard_error) for e in estimates])[:, live]
        scatter = found.std(axis=0, ddof=1)
        off = (found.mean(axis=0) - truth[live]) / (scatter / np.sqrt(REPEATS))
        assert np.all(np.abs(off) < SIGMA), (name, off)
        # A standard deviation from n values scatters by 1 / sqrt(2 n) of itself.
        ratio = scatter / np.sqrt((errors**2).mean(axis=0))
        assert np.all(np.abs(ratio - 1) < 0.03 + SIGMA / np.sqrt(2 * REPEATS)), (name, ratio)
