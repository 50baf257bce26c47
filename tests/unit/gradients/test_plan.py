"""Evaluation plans: bytes, identity, dense angles, and their contraction against slow loops."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.gradients import EvaluationPlan, GradientRule, forward_plan
from qrnn_qiskit.gradients.rules.finite_difference import FiniteDifference
from qrnn_qiskit.gradients.rules.parameter_shift import ParameterShift
from tests.unit.gradients.problems import WEIGHTS, random_outputs, small_problem

RULES: list[GradientRule] = [
    ParameterShift(),
    ParameterShift(causal=False),
    FiniteDifference(step=0.3),
    FiniteDifference(step=0.3, form="forward"),
]


def plans() -> list[EvaluationPlan]:
    problem = small_problem()
    return [rule.plan(problem) for rule in RULES]


@pytest.mark.parametrize("plan", plans(), ids=[str(rule) for rule in RULES])
class TestEveryRule:
    def test_round_trip_through_bytes(self, plan: EvaluationPlan) -> None:
        again = EvaluationPlan.from_bytes(plan.to_bytes())
        assert again.digest == plan.digest
        for field in fields(plan):
            first, second = getattr(plan, field.name), getattr(again, field.name)
            assert first.dtype == second.dtype
            assert np.array_equal(first, second)

    def test_plans_are_small(self, plan: EvaluationPlan) -> None:
        """Nothing of the size of rows times occurrences is kept."""
        most = max(getattr(plan, field.name).size for field in fields(plan))
        assert most <= 3 * plan.num_rows

    def test_base_rows_come_first(self, plan: EvaluationPlan) -> None:
        base = slice(0, plan.num_sequences)
        assert plan.num_sequences == 2
        assert plan.sequence[base].tolist() == [0, 1]
        assert plan.occurrence[base].tolist() == [-1, -1]
        assert plan.point[base].tolist() == [0, 0]
        assert np.array_equal(plan.weights[0], WEIGHTS)
        assert plan.term_row.min() >= 2

    def test_angles_row_by_row(self, plan: EvaluationPlan) -> None:
        angle_map = small_problem().angle_map
        for r in range(plan.num_rows):
            expected = angle_map.angles(
                plan.weights[plan.point[r]], plan.features[plan.sequence[r]]
            ).copy()
            if plan.occurrence[r] >= 0:
                expected[plan.occurrence[r]] += plan.shift[r]
            assert np.array_equal(plan.angles(angle_map, slice(r, r + 1))[0], expected)
        everything = plan.angles(angle_map, slice(0, plan.num_rows))
        chunks = [plan.angles(angle_map, slice(i, i + 7)) for i in range(0, plan.num_rows, 7)]
        assert np.array_equal(everything, np.concatenate(chunks))

    def test_contraction_against_loops(self, plan: EvaluationPlan) -> None:
        outputs = random_outputs(plan, 2)
        assert outputs.covariance is not None
        assert outputs.count is not None
        cotangent = np.random.default_rng(3).normal(size=(2, 3, 2))
        gradient, variance = np.zeros(4), np.zeros(4)
        jacobian, spread = np.zeros((4, 2, 3, 2)), np.zeros((4, 2, 3, 2))
        terms = zip(plan.term_row, plan.term_weight, plan.term_coefficient, strict=True)
        for r, p, coefficient in terms:
            b = plan.sequence[r]
            for t in range(3):
                if not plan.masks[plan.mask[r], t]:
                    continue
                for k in range(2):
                    gradient[p] += coefficient * cotangent[b, t, k] * outputs.mean[r, t, k]
                    jacobian[p, b, t, k] += coefficient * outputs.mean[r, t, k]
                    i = 2 * t + k
                    single = outputs.covariance[r, i, i] / outputs.count[r]
                    spread[p, b, t, k] += coefficient**2 * single
                    for u in range(3):
                        for m in range(2):
                            if plan.masks[plan.mask[r], u]:
                                of_pair = outputs.covariance[r, i, 2 * u + m] / outputs.count[r]
                                weight = cotangent[b, t, k] * cotangent[b, u, m]
                                variance[p] += coefficient**2 * weight * of_pair
        estimate = plan.contract(outputs, cotangent)
        assert estimate.mean == pytest.approx(gradient, abs=1e-12)
        assert estimate.standard_error == pytest.approx(np.sqrt(variance), abs=1e-12)
        assert plan.output_jacobian(outputs) == pytest.approx(jacobian, abs=1e-12)
        assert plan.output_jacobian_variance(outputs) == pytest.approx(spread, abs=1e-12)

    def test_exact_outputs_have_no_error(self, plan: EvaluationPlan) -> None:
        outputs = Outputs(random_outputs(plan, 1).mean)
        assert plan.contract(outputs, np.ones((2, 3, 1))).standard_error is None
        assert not plan.output_jacobian_variance(outputs).any()

    def test_contraction_is_linear(self, plan: EvaluationPlan) -> None:
        outputs = Outputs(random_outputs(plan, 1).mean)
        first, second = np.random.default_rng(4).normal(size=(2, 2, 3, 1))

        def gradient(cotangent: Array) -> Array:
            return plan.contract(outputs, cotangent).mean

        assert gradient(2 * first - second) == pytest.approx(
            2 * gradient(first) - gradient(second), abs=1e-12
        )


def test_every_array_counts_in_the_digest() -> None:
    plan = ParameterShift().plan(small_problem())
    shape = (plan.num_rows, 2)
    plan = replace(plan, others=np.full(shape, -1), other_shifts=np.zeros(shape))
    digests = {plan.digest}
    for field in fields(plan):
        array = getattr(plan, field.name).copy()
        array.flat[-1] = not array.flat[-1] if array.dtype == bool else array.flat[-1] + 1
        digests.add(replace(plan, **{field.name: array}).digest)
    assert len(digests) == 1 + len(fields(plan))


def test_equal_work_has_equal_digests() -> None:
    first, second = (ParameterShift().plan(small_problem()) for _ in range(2))
    assert first.digest == second.digest


def test_forward_plan_has_base_rows_only() -> None:
    problem = small_problem(num_steps=4, num_sequences=3)
    plan = forward_plan(problem.weights, problem.features)
    assert plan.num_rows == plan.num_sequences == plan.total_repeats == 3
    angles = plan.angles(problem.angle_map, slice(0, 3))
    assert np.array_equal(angles, problem.angle_map.angles(WEIGHTS, problem.features))
    assert plan.contract(random_outputs(plan, 1), np.ones((3, 4, 1))).mean.tolist() == [0.0] * 4


def test_repeats_are_counted_and_leave_the_rest() -> None:
    plan = ParameterShift().plan(small_problem())
    repeats = np.arange(1, plan.num_rows + 1)
    more = plan.with_repeats(repeats)
    assert more.total_repeats == repeats.sum()
    assert np.array_equal(more.shift, plan.shift)
    outputs = random_outputs(more, 1)
    assert outputs.count is not None
    assert outputs.count.tolist() == (50 * repeats).tolist()
    base = more.base_outputs(outputs)
    assert np.array_equal(base.mean, outputs.mean[:2])
    assert base.count is not None
    assert base.count.tolist() == [50, 100]
