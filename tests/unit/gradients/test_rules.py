"""The two first rules: which rows they ask for, and that exact rows give the exact gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit import Cell, unroll
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.gradients import EvaluationPlan, GradientProblem
from qrnn_qiskit.gradients.rules.finite_difference import FiniteDifference
from qrnn_qiskit.gradients.rules.parameter_shift import ParameterShift
from tests.unit.gradients.problems import WEIGHTS, problem_of, small_cell, small_problem

T, B = 3, 2
LIVE = 4  # occurrences of a step that weights reach and outputs see: 1, 2, 3, 4


def shifted(plan: EvaluationPlan) -> list[tuple[int, int, float]]:
    """(sequence, occurrence, shift in units of pi/2) of the rows after the base rows."""
    after = slice(plan.num_sequences, None)
    units = (plan.shift[after] / (np.pi / 2)).tolist()
    return list(
        zip(plan.sequence[after].tolist(), plan.occurrence[after].tolist(), units, strict=True)
    )


def exact_gradient(problem: GradientProblem, plan: EvaluationPlan, cotangent: Array) -> Array:
    unrolled = unroll(small_cell(), len(problem.steps))
    outputs = ExactExecutor().exact_outputs(unrolled, plan, "z")
    return plan.contract(outputs, cotangent).mean


def adjoint(problem: GradientProblem, cotangent: Array) -> Array:
    """By reverse mode; a loss that reads some steps has a cotangent of zeros elsewhere."""
    unrolled = unroll(small_cell(), len(problem.steps))
    angles = problem.angle_map.angles(WEIGHTS, problem.features)
    seen = cotangent * problem.steps[:, None]
    _, by_angles = ExactExecutor().value_and_vjp(unrolled, angles, lambda y: seen, "z")
    return problem.angle_map.pull_back_weights(WEIGHTS, problem.features, by_angles)


def random_cotangent(problem: GradientProblem) -> Array:
    shape = (*problem.features.shape[:2], 1)
    return np.random.default_rng(5).normal(size=shape)


def test_two_rows_for_each_live_occurrence() -> None:
    plan = ParameterShift().plan(small_problem())
    assert plan.num_rows == B + 2 * B * LIVE * T
    live = [6 * t + g for t in range(T) for g in (1, 2, 3, 4)]
    assert shifted(plan) == [(b, o, s) for b in range(B) for o in live for s in (1.0, -1.0)]


def test_an_occurrence_without_a_weight_or_a_derivative_gets_no_rows() -> None:
    """RY(x) has no weight, the last RZ no influence; RZ(v x) at x = 0 does not move with v."""
    unrolled = unroll(small_cell(), 2)
    features = np.array([[[0.0], [0.5]]])
    plan = ParameterShift().plan(problem_of(unrolled, features))
    assert sorted({o for _, o, _ in shifted(plan)}) == [1, 3, 4, 7, 8, 9, 10]


def test_an_occurrence_of_several_weights_is_measured_once() -> None:
    plan = ParameterShift().plan(small_problem(num_steps=1, num_sequences=1))
    rows = [r for r in range(plan.num_rows) if plan.occurrence[r] == 1]
    assert len(rows) == 2
    x = plan.features[0, 0, 0]
    terms = [
        (int(plan.term_weight[n]), float(plan.term_coefficient[n]))
        for n in range(len(plan.term_row))
        if plan.term_row[n] == rows[0]
    ]
    assert dict(terms) == pytest.approx({0: x / 2, 1: 0.5})
    doubled = [n for n in range(len(plan.term_row)) if plan.occurrence[plan.term_row[n]] == 4]
    assert plan.term_coefficient[doubled].tolist() == [1.0, -1.0]


def test_earlier_outputs_are_dropped_not_estimated() -> None:
    problem = small_problem()
    plan = ParameterShift().plan(problem)
    influence = problem.occurrences.influence
    assert plan.num_rows > B
    for r in range(B, plan.num_rows):
        occurrence, mask = plan.occurrence[r], plan.masks[plan.mask[r]]
        assert mask.tolist() == influence[occurrence].tolist()
        assert not mask[: occurrence // 6].any()
        assert mask[occurrence // 6]
    # Outputs of earlier steps may hold anything.
    unrolled = unroll(small_cell(), T)
    outputs = ExactExecutor().exact_outputs(unrolled, plan, "z")
    garbage = outputs.mean.copy()
    for r in range(B, plan.num_rows):
        garbage[r, : plan.occurrence[r] // 6] = 1e6
    cotangent = random_cotangent(problem)
    assert plan.contract(type(outputs)(garbage), cotangent).mean == pytest.approx(
        plan.contract(outputs, cotangent).mean
    )


def test_without_causality_every_occurrence_counts_for_every_step() -> None:
    problem = small_problem()
    plan = ParameterShift(causal=False).plan(problem)
    assert plan.num_rows == B + 2 * B * 5 * T
    assert plan.masks.tolist() == [[True] * T]


@pytest.mark.parametrize("last", [1, 2, 3])
@pytest.mark.parametrize("causal", [True, False])
def test_parameter_shift_is_exact(last: int, causal: bool) -> None:
    problem = small_problem(last=last)
    plan = ParameterShift(causal=causal).plan(problem)
    assert not plan.masks[:, : T - last].any()
    cotangent = random_cotangent(problem)
    expected = adjoint(problem, cotangent)
    assert np.abs(expected[:3]).min() > 1e-3
    assert exact_gradient(problem, plan, cotangent) == pytest.approx(expected, abs=1e-13)


def test_a_late_loss_skips_what_cannot_reach_it() -> None:
    """RX of the io qubit commutes with all that carries it on: it reaches its own step alone."""
    problem = small_problem(last=1)
    plan = ParameterShift().plan(problem)
    kept = sorted({int(o) for o in plan.occurrence[B:]})
    assert kept == [2, 3, 4, 8, 9, 10, 13, 14, 15, 16]
    assert plan.masks[plan.mask[B:]].tolist() == [[False, False, True]] * (plan.num_rows - B)


def test_shifting_the_shared_weight_everywhere_is_another_number() -> None:
    """The mistake that the rule must not make: ±pi/2 on the weight at all its occurrences."""
    problem = small_problem()
    cotangent = random_cotangent(problem)
    unrolled = unroll(small_cell(), T)
    wrong = []
    for unit in np.eye(4):
        values = [
            ExactExecutor().forward(
                unrolled, problem.angle_map.angles(WEIGHTS + sign * unit, problem.features), "z"
            )
            for sign in (np.pi / 2, -np.pi / 2)
        ]
        wrong.append(np.sum(cotangent * (values[0] - values[1])) / 2)
    assert np.abs(np.array(wrong) - adjoint(problem, cotangent))[:3].max() > 0.1


def test_finite_difference_points() -> None:
    problem = small_problem()
    plan = FiniteDifference(step=0.25).plan(problem)
    live = 3  # the dead weight is not moved
    assert plan.num_rows == B * (1 + 2 * live)
    expected = [WEIGHTS]
    for p in range(live):
        for sign in (1, -1):
            moved = WEIGHTS.copy()
            moved[p] += sign * 0.25
            expected.append(moved)
    assert np.array_equal(plan.weights, np.array(expected))
    assert plan.point.tolist() == [q for q in range(7) for _ in range(B)]
    assert plan.sequence.tolist() == [0, 1] * 7
    assert plan.occurrence.tolist() == [-1] * plan.num_rows
    by_row = dict(zip(plan.term_row.tolist(), plan.term_coefficient.tolist(), strict=True))
    assert by_row == {r: 2.0 if plan.point[r] % 2 else -2.0 for r in range(B, plan.num_rows)}
    by_weight = dict(zip(plan.term_row.tolist(), plan.term_weight.tolist(), strict=True))
    assert by_weight == {r: (plan.point[r] - 1) // 2 for r in range(B, plan.num_rows)}


def test_finite_difference_is_the_derivative_up_to_its_order() -> None:
    problem = small_problem()
    cotangent = random_cotangent(problem)
    expected = adjoint(problem, cotangent)
    exact = exact_gradient(problem, FiniteDifference().plan(problem), cotangent)
    assert exact == pytest.approx(expected, abs=1e-8)
    coarse, fine = (
        np.abs(
            exact_gradient(problem, FiniteDifference(step=h).plan(problem), cotangent) - expected
        ).max()
        for h in (0.2, 0.1)
    )
    assert np.log2(coarse / fine) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("options", "step"),
    [
        ({}, 1e-5),
        ({"shots": 1000}, (18 * 3 / (1000 * 14)) ** (1 / 6)),
        ({"shots_total": 54000}, (18 * 3 / 54000) ** (1 / 6)),
        ({"shots_total": 20}, (18 * 3 / 20) ** (1 / 6)),
        ({"shots_total": 3}, np.pi / 2),
    ],
)
def test_automatic_step(options: dict[str, int], step: float) -> None:
    """(18 P / N)^(1/6), at most pi/2, with N shots in all for the P = 3 live weights."""
    plan = FiniteDifference().plan(small_problem(**options))
    assert plan.weights[1, 0] - WEIGHTS[0] == pytest.approx(step, rel=1e-9)
    assert plan.term_coefficient[0] == pytest.approx(1 / (2 * step), rel=1e-9)


@pytest.mark.parametrize(
    "rule", [ParameterShift(), ParameterShift(causal=False), FiniteDifference()]
)
def test_nothing_to_differentiate(rule: Any) -> None:
    """A cell whose only weight no gate uses: base rows, and a gradient of zero."""
    circuit = QuantumCircuit(QuantumRegister(1, "io"), ClassicalRegister(1, "readout"))
    circuit.h(0)
    circuit.measure(0, 0)
    cell = Cell.from_circuit(circuit, weights=[Parameter("idle")], features=[], name="constant")
    unrolled = unroll(cell, 2)
    problem = GradientProblem(
        unrolled.angle_map,
        unrolled.occurrences,
        np.zeros(1),
        np.zeros((3, 2, 0)),
        np.ones(2, dtype=bool),
    )
    plan = rule.plan(problem)
    assert plan.num_rows == 3
    outputs = ExactExecutor().exact_outputs(unrolled, plan, "z")
    assert plan.contract(outputs, np.ones((3, 2, 1))).mean.tolist() == [0.0]
    assert EvaluationPlan.from_bytes(plan.to_bytes()).digest == plan.digest
