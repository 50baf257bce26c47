"""SPSA, tied shifts, the forms of finite differences and random occurrences.

Exact statements where there are any; sampled ones raise a false alarm once in 10^6 runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import factorial, prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from scipy.stats import norm

import qrnn_qiskit
from qrnn_qiskit import Adjoint, Cell, ExactExecutor, FiniteDifference, UnrolledCircuit, unroll
from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.gradients import RULES, EvaluationPlan, GradientProblem, GradientRule
from qrnn_qiskit.gradients.rules import spsa
from qrnn_qiskit.gradients.rules.gate_shift import GateShift
from qrnn_qiskit.gradients.rules.parameter_shift import ParameterShift
from qrnn_qiskit.gradients.rules.random_occurrences import (
    RandomOccurrences,
    select_pairs,
    selection_probabilities,
    variance_with_selection,
)
from qrnn_qiskit.gradients.rules.spsa import SPSA
from qrnn_qiskit.gradients.rules.tied_shift import TiedShift
from qrnn_qiskit.run.jobs import gradient_job, run_job
from qrnn_qiskit.run.measure.known import LARGEST, baseline_of, remembered
from tests.strategies import CONSTANTS, ROTATIONS, DrawnOperation, build, weights_of
from tests.unit.run.small import history, write_job

Array = NDArray[np.float64]
AFFINE = ("w", "-w", "2 w", "w/2 - pi/4", "x", "0.7")
FALSE_ALARM = 1e-6
W, X = [Parameter(f"w{i}") for i in range(4)], Parameter("x")


def small_cell(angles: dict[str, Any] | None = None, num_steps: int = 3) -> UnrolledCircuit:
    """One io and one hidden qubit; the angles of four gates, by default four weights."""
    made_of = {"rx": W[0], "ry": W[1], "crx": W[2], "rzz": W[3], **(angles or {})}
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"), QuantumRegister(1, "hidden"), ClassicalRegister(1, "bit")
    )
    circuit.ry(X, 0)
    circuit.rx(made_of["rx"], 0)
    circuit.ry(made_of["ry"], 1)
    circuit.crx(made_of["crx"], 1, 0)
    circuit.rzz(made_of["rzz"], 0, 1)
    circuit.rx(0.4, 1)
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    circuit.reset(0)
    weights = [w for w in W if w in circuit.parameters]
    return unroll(Cell.from_circuit(circuit, weights=weights, features=[X]), num_steps)


def problem_of(unrolled: UnrolledCircuit, batch: int = 2, **changes: Any) -> GradientProblem:
    random = np.random.default_rng(5)
    problem = GradientProblem(
        unrolled.angle_map,
        unrolled.occurrences,
        random.uniform(0.3, 2.8, unrolled.angle_map.num_weights),
        random.uniform(-1, 1, (batch, unrolled.num_steps, unrolled.angle_map.num_features)),
        np.ones(unrolled.num_steps, dtype=bool),
    )
    return replace(problem, **changes)


def targets_of(problem: GradientProblem, width: int = 1) -> Array:
    shape = (*problem.features.shape[:2], width)
    return np.random.default_rng(6).uniform(-1, 1, shape)


def exact(unrolled: UnrolledCircuit, plan: EvaluationPlan) -> Outputs:
    return ExactExecutor().exact_outputs(unrolled, plan, "z")


def gradient(
    unrolled: UnrolledCircuit, problem: GradientProblem, rule: Any, **options: Any
) -> Array:
    """Of the mean squared error, exact values."""
    result = qrnn_qiskit.gradient(
        unrolled,
        problem.weights,
        problem.features,
        targets_of(problem, unrolled.num_bits),
        executor=ExactExecutor(),
        rule=rule,
        **options,
    )
    return np.asarray(result.gradient.mean)


# SPSA


def test_spsa_is_the_gradient_in_expectation(monkeypatch: pytest.MonkeyPatch) -> None:
    unrolled = small_cell()
    problem = problem_of(unrolled)
    every = np.array(list(product([1.0, -1.0], repeat=4)))
    monkeypatch.setattr(spsa, "random_signs", lambda seed, directions, size: every)
    assert gradient(unrolled, problem, SPSA(directions=16)) == pytest.approx(
        gradient(unrolled, problem, Adjoint()), abs=1e-9
    )


def test_spsa_of_one_direction_is_the_derivative_along_it() -> None:
    unrolled = small_cell()
    problem = problem_of(unrolled, seed=3)
    plan = SPSA().plan(problem)
    displacement = plan.weights[1] - plan.weights[0]
    assert np.allclose(plan.weights[2] - plan.weights[0], -displacement, atol=1e-15)
    signs = np.sign(displacement)
    cotangent = np.ones((2, 3, 1))
    shift = ParameterShift().plan(problem)
    wanted = shift.contract(exact(unrolled, shift), cotangent).mean
    found = plan.contract(exact(unrolled, plan), cotangent).mean
    assert found == pytest.approx(signs * (signs @ wanted), abs=1e-9)


def test_spsa_step() -> None:
    unrolled = small_cell()
    problem = problem_of(unrolled, shots_total=10**6)
    for rule, size in (
        (SPSA(), (18 * 4 / 1e6) ** (1 / 6) / 2),
        (SPSA(directions=5), (18 * 4 / 1e6) ** (1 / 6) / 2),
        (SPSA(step=0.2), 0.2),
    ):
        plan = rule.plan(problem)
        assert np.abs(plan.weights[1:] - plan.weights[0]) == pytest.approx(size)
        assert plan.num_rows == 2 * (1 + 2 * rule.directions)
    few = SPSA().plan(replace(problem, shots_total=1))
    assert np.abs(few.weights[1:] - few.weights[0]) == pytest.approx(np.pi / 4)


@pytest.mark.statistical
def test_spsa_signs_are_fair_and_independent(seed: int) -> None:
    """Hoeffding's bound on means of products of signs, over all pairs and means."""
    size, count = 6, 20_000
    signs = spsa.random_signs(seed, count, size)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    extended = np.column_stack([np.ones(count), signs])
    means = (extended.T @ extended / count)[np.triu_indices(size + 1, 1)]
    assert np.abs(means).max() < np.sqrt(2 * np.log(2 * len(means) / FALSE_ALARM) / count)


# Tied shifts


@st.composite
def affine_cells(draw: st.DrawFn) -> tuple[UnrolledCircuit, Array, Array]:
    """Cells whose angles are affine in each weight, with weights and features."""
    num_io, num_hidden = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    operations = []
    for i in range(draw(st.integers(1, 6))):
        arity = draw(st.sampled_from([1, 2]))
        qubits = tuple(draw(st.permutations(range(num_io + num_hidden)))[:arity])
        if i and draw(st.sampled_from([False, False, True])):
            operations.append(DrawnOperation(draw(st.sampled_from(CONSTANTS[arity])), qubits))
            continue
        angle = draw(st.sampled_from(AFFINE)) if i else "w"
        gate = draw(st.sampled_from(ROTATIONS[arity]))
        indices = {"w": draw(st.integers(0, 2)), "x": draw(st.integers(0, 1))}
        operations.append(DrawnOperation(gate, qubits, angle, **indices))
    drawn = build(num_io, num_hidden, operations, draw(st.integers(1, 4)))
    cell = Cell.from_circuit(drawn.circuit, weights=drawn.weights, features=drawn.features)
    weights = draw(weights_of(drawn))
    seed = draw(st.integers(0, 2**32 - 1))
    shape = (2, drawn.num_steps, len(drawn.features))
    features = np.random.default_rng(seed).uniform(-1, 1, shape)
    return unroll(cell, drawn.num_steps), weights, features


@given(affine_cells(), st.booleans())
def test_tied_shift_is_exact(drawn: tuple[UnrolledCircuit, Array, Array], only_last: bool) -> None:
    unrolled, weights, features = drawn
    problem = problem_of(unrolled, weights=weights, features=features)
    last = 1 if only_last else None
    assert gradient(unrolled, problem, TiedShift(), last=last) == pytest.approx(
        gradient(unrolled, problem, Adjoint(), last=last), abs=1e-10
    )


def test_tied_shift_of_controlled_rotations() -> None:
    """Frequencies 1/2, 1, …, T: 2T pairs of shifts; of a plain rotation T pairs."""
    unrolled = small_cell()
    problem = problem_of(unrolled)
    plan = TiedShift().plan(problem)
    points = np.bincount(np.nonzero(plan.weights - plan.weights[0])[1])
    assert points.tolist() == [6, 6, 12, 4]  # the last step's RZZ comes too late for its output
    assert plan.num_rows == 2 * (1 + points.sum())
    assert gradient(unrolled, problem, TiedShift()) == pytest.approx(
        gradient(unrolled, problem, Adjoint()), abs=1e-12
    )


def test_tied_shift_of_a_product_of_weights_and_of_features_of_one_size() -> None:
    w, b = W[:2]
    unrolled = small_cell({"rx": w * X, "ry": w * b, "crx": w * b, "rzz": -w * b})
    signs = np.array([[[1.0], [-1.0], [0.0]], [[-1.0], [-1.0], [1.0]]])
    problem = problem_of(unrolled, features=signs, weights=np.array([0.8, 0.25]))
    assert gradient(unrolled, problem, TiedShift()) == pytest.approx(
        gradient(unrolled, problem, Adjoint()), abs=1e-11
    )


def test_tied_shift_refuses_what_it_cannot_do() -> None:
    w = W
    for angles in ({"ry": w[1] * X}, {"rzz": w[1] + np.sqrt(2) * w[3], "ry": w[3], "rx": w[1]}):
        with pytest.raises(SpecError, match=r"for weight \d .* no common divisor.*parameter_shift"):
            TiedShift().plan(problem_of(small_cell(angles)))
    for angle in (w[2] * w[2], w[2].sin()):
        with pytest.raises(SpecError, match=r"for weight 2 .* plus a constant; .*parameter_shift"):
            TiedShift().plan(problem_of(small_cell({"crx": angle})))


def test_truncated_tied_shift_is_biased_within_its_bound() -> None:
    unrolled = small_cell(num_steps=4)
    problem = problem_of(unrolled)
    cotangent = np.random.default_rng(1).normal(size=(2, 4, 1))
    full = ParameterShift().plan(problem)
    wanted = full.contract(exact(unrolled, full), cotangent).mean
    size = np.abs(cotangent).sum()  # max |S|
    errors = []
    for kept in range(1, 9):
        plan = TiedShift(frequencies=kept).plan(problem)
        errors.append(np.abs(plan.contract(exact(unrolled, plan), cotangent).mean - wanted))
        unit, most = np.array([1, 1, 0.5, 1]), np.array([4, 4, 8, 3])
        bound = unit * (most + np.minimum(kept, most)) * size
        assert np.all(errors[-1] <= bound)
    assert np.all(errors[0] > 1e-3)
    assert np.all(errors[-1] < 1e-12)
    assert errors[3][2] > 1e-6  # four of eight frequencies are not enough for the CRX


# Finite differences


@pytest.mark.parametrize(
    ("form", "order", "steps"),
    [("forward", 1, (1e-4, 1e-2)), ("central", 2, (1e-3, 1e-1)), ("fourth", 4, (3e-2, 3e-1))],
)
def test_orders_of_finite_differences(form: Any, order: int, steps: tuple[float, float]) -> None:
    unrolled = small_cell()
    problem = problem_of(unrolled)
    wanted = gradient(unrolled, problem, Adjoint())
    sizes = np.geomspace(*steps, 6)
    errors = [
        np.linalg.norm(gradient(unrolled, problem, FiniteDifference(step=h, form=form)) - wanted)
        for h in sizes
    ]
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize(
    ("form", "tolerance"), [("forward", 1e-6), ("central", 1e-9), ("fourth", 1e-10)]
)
def test_exact_steps_of_finite_differences(form: Any, tolerance: float) -> None:
    unrolled = small_cell()
    problem = problem_of(unrolled)
    for last in (None, 1):
        found = gradient(unrolled, problem, FiniteDifference(form=form), last=last)
        wanted = gradient(unrolled, problem, Adjoint(), last=last)
        assert found == pytest.approx(wanted, abs=tolerance)


@pytest.mark.parametrize(
    ("form", "factor", "root"), [("forward", 8, 4), ("central", 18, 6), ("fourth", 812.5, 10)]
)
def test_automatic_steps_of_finite_differences(form: Any, factor: float, root: int) -> None:
    problem = problem_of(small_cell(), shots_total=10**6)
    for shots, wanted in ((10**6, (factor * 4 / 1e6) ** (1 / root)), (1, np.pi / 2)):
        plan = FiniteDifference(form=form).plan(replace(problem, shots_total=shots))
        moved = np.abs(plan.weights - plan.weights[0])
        assert moved[moved > 0].min() == pytest.approx(wanted)


def test_forward_differences_have_their_own_unshifted_rows() -> None:
    unrolled = small_cell()
    plan = FiniteDifference(form="forward").plan(problem_of(unrolled))
    assert plan.term_row.min() >= plan.num_sequences
    unshifted = (plan.weights[plan.point] == plan.weights[0]).all(axis=1)
    masks = len(np.unique(plan.masks[plan.mask[~unshifted]], axis=0))
    assert unshifted.sum() == 2 * (1 + masks)
    # Both terms of a difference read the same steps, else its mean would not be a derivative.
    sums = np.zeros((4, plan.masks.shape[1]))
    np.add.at(sums, plan.term_weight, plan.term_coefficient[:, None] * _mask_of(plan))
    assert sums == pytest.approx(0.0)


def _mask_of(plan: EvaluationPlan) -> NDArray[np.bool_]:
    return plan.masks[plan.mask[plan.term_row]]


@pytest.mark.parametrize("form", ["forward", "central", "fourth"])
def test_variance_of_finite_differences(form: Any) -> None:
    """Of one component with steps of the same variance, against the table of the docstring."""
    unrolled = small_cell(num_steps=1)
    problem = problem_of(unrolled, batch=1)
    plan = FiniteDifference(form=form, step=0.1).plan(problem)
    total, weights = 10**6, 3  # the RZZ reaches no output
    shots = total / (plan.num_rows - 1)
    rows = plan.num_rows
    outputs = Outputs(
        np.zeros((rows, 1, 1)), np.full(rows, round(shots)), 0.25 * np.ones((rows, 1, 1))
    )
    errors = plan.contract(outputs, np.ones((1, 1, 1))).standard_error
    factor = {"forward": 2 * (weights + 1) / weights, "central": 1.0, "fourth": 65 / 18}[form]
    assert errors is not None
    assert errors[:3] ** 2 == pytest.approx(factor * weights * 0.25 / (total * 0.01), rel=1e-5)


# Random occurrences


def draws_of(pairs: int, count: int, probabilities: Array) -> Iterator[tuple[float, Any]]:
    """All outcomes of `count` draws from `pairs`, with their multinomial probabilities."""
    for chosen in product(range(count + 1), repeat=pairs):
        if sum(chosen) == count:
            ways = factorial(count) / prod(factorial(k) for k in chosen)
            yield ways * float(np.prod(probabilities ** np.array(chosen))), np.array(chosen)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_random_occurrences_are_unbiased_and_so_is_their_variance(count: int) -> None:
    """Over all possible draws: the mean is the full rule, and the spread is what is estimated."""
    unrolled = small_cell(num_steps=2)
    problem = problem_of(unrolled, batch=1, steps=np.array([False, True]))
    full = ParameterShift().plan(problem)
    probabilities = selection_probabilities(full)
    cotangent = np.ones((1, 2, 1))
    outputs = exact(unrolled, full)
    wanted = full.contract(outputs, cotangent).mean
    mean, square, estimated = np.zeros((3, 4))
    for chance, draws in draws_of(len(probabilities), count, probabilities):
        plan = select_pairs(full, draws, probabilities)
        assert plan.total_repeats == 1 + 2 * count
        kept = outputs.rows(np.flatnonzero(np.append([1], np.repeat(draws, 2))))
        found = plan.contract(kept, cotangent).mean
        mean += chance * found
        square += chance * (found - wanted) ** 2
        estimated += chance * np.nan_to_num(
            variance_with_selection(plan, kept, cotangent), posinf=0
        )
    assert mean == pytest.approx(wanted, abs=1e-12)
    if count > 1:
        assert estimated == pytest.approx(square, rel=1e-9)


@pytest.mark.parametrize("nearness", [0.0, 0.8, 1.0])
def test_a_baseline_leaves_random_occurrences_unbiased(nearness: float) -> None:
    """Over all draws, with known outputs at random, near the truth, or true.

    Power: without what the baseline adds, or with the variance of no baseline, both are wrong.
    """
    unrolled = small_cell(num_steps=2)
    problem = problem_of(unrolled, batch=1, steps=np.array([False, True]))
    full = ParameterShift().plan(problem)
    rule, probabilities = RandomOccurrences(rows=4), selection_probabilities(full)
    cotangent = np.full((1, 2, 1), 0.7)
    outputs = exact(unrolled, full)
    wanted = full.contract(outputs, cotangent).mean
    truth = np.nan_to_num(rule.differences(full, outputs, len(unrolled.occurrences)))
    other = np.random.default_rng(5).uniform(-1, 1, truth.shape)
    known = nearness * truth + (1 - nearness) * other
    mean, square, plain, estimated, careless = np.zeros((5, 4))
    for chance, draws in draws_of(len(probabilities), 2, probabilities):
        plan = select_pairs(full, draws, probabilities)
        kept = outputs.rows(np.flatnonzero(np.append([1], np.repeat(draws, 2))))
        alone = plan.contract(kept, cotangent).mean
        found = alone + rule.baseline(problem, plan, cotangent, known)
        mean += chance * found
        square += chance * (found - wanted) ** 2
        plain += chance * (alone - wanted) ** 2
        estimated += chance * rule.variance(plan, kept, cotangent, known)
        careless += chance * rule.variance(plan, kept, cotangent)
    assert mean == pytest.approx(wanted, abs=1e-12)
    assert estimated == pytest.approx(square, rel=1e-9, abs=1e-12)
    assert careless == pytest.approx(plain, rel=1e-9, abs=1e-12)
    if nearness == 1.0:
        assert square == pytest.approx(np.zeros(4), abs=1e-12)
    if nearness == 0.8:
        assert square.sum() < 0.2 * plain.sum()


def test_what_is_known_of_pairs() -> None:
    found = np.full((2, 1, 1, 1), np.nan)
    found[0] = 4.0
    known = remembered(None, found, np.array([2, 0]), 3)
    assert known is not None
    assert np.array_equal(known[:, 0, 0, 0], [np.nan, np.nan, 4.0], equal_nan=True)
    again = remembered(known, np.array([2.0, 6.0]).reshape(2, 1, 1, 1), np.array([2, 1]), 3)
    assert again is not None
    assert again[:, 0, 0, 0].tolist()[1:] == [6.0, 3.0]
    assert baseline_of(again, None)[0] == 0
    assert baseline_of(again, np.array([1, 2])).ravel().tolist() == [6.0, 3.0]
    assert remembered(None, np.zeros((1, 1, LARGEST + 1, 1)), None, None) is None


def test_probabilities_of_random_occurrences() -> None:
    """Size of the coefficients times the root of the number of steps reached."""
    unrolled = small_cell(num_steps=2)
    problem = problem_of(unrolled, batch=2)
    table = unrolled.occurrences
    size = np.array([0.0, 1.0, 1.0, 0.5, 0.5, 1.0])  # the feature's gate, rx, ry, crx (2), rzz
    sizes = size[table.gate] * np.sqrt(table.influence.sum(axis=1))
    wanted = np.tile(sizes[sizes > 0], 2)
    found = selection_probabilities(ParameterShift().plan(problem))
    assert found == pytest.approx(wanted / wanted.sum())


@pytest.mark.statistical
def test_random_occurrences_through_the_public_gradient(seed: int) -> None:
    """Mean over seeds, draws and shots included, against the exact gradient."""
    unrolled = small_cell()
    problem = problem_of(unrolled)
    wanted = gradient(unrolled, problem, Adjoint())
    repetitions = 300
    found = np.array(
        [
            gradient(unrolled, problem, RandomOccurrences(rows=12), shots=50, seed=seed + i)
            for i in range(repetitions)
        ]
    )
    scores = (found.mean(axis=0) - wanted) / (found.std(axis=0, ddof=1) / np.sqrt(repetitions))
    # 8 % above the normal quantile: the tails of Student's t with 299 degrees of freedom.
    assert np.abs(scores).max() < 1.08 * norm.isf(FALSE_ALARM / (2 * len(wanted)))


def test_a_training_uses_what_it_has_measured(tmp_path: Path) -> None:
    """Errors of later steps are far below those of the first, which knows nothing."""
    job = write_job(
        tmp_path,
        gradient={"method": "random_occurrences", "rows": 12},
        backend={"name": "exact", "shots": 4_000},
        optimizer={"learning_rate": 0.001},
        training={"steps": 25, "batch_size": 2, "validate_every": 99},
    )
    result = run_job(job, run_dir=tmp_path / "run")
    errors = [line["gradient"]["error"] for line in history(result.run_dir)]
    assert np.mean(errors[-5:]) < 0.5 * errors[0]


@pytest.mark.statistical
def test_variance_of_random_occurrences_with_shots(seed: int) -> None:
    """The estimate, from draws and shots, against the observed spread."""
    unrolled = small_cell()
    problem = problem_of(unrolled, batch=1)
    full = ParameterShift().plan(problem)
    probabilities = selection_probabilities(full)
    truth = exact(unrolled, full).mean
    cotangent = np.array([[[0.5], [-1.0], [0.8]]])
    random = np.random.default_rng(seed)
    repetitions, shots = 4000, 20
    found, estimated = np.empty((2, repetitions, 4))
    for i in range(repetitions):
        draws = random.multinomial(6, probabilities)
        plan = select_pairs(full, draws, probabilities)
        rows = np.flatnonzero(np.append([1], np.repeat(draws, 2)))
        count = shots * plan.repeats
        noise = 0.5 * random.normal(size=(len(rows), 3, 1)) / np.sqrt(count)[:, None, None]
        covariance = np.tile(0.25 * np.eye(3), (len(rows), 1, 1))
        outputs = Outputs(truth[rows] + noise, count, covariance)
        found[i] = plan.contract(outputs, cotangent).mean
        estimated[i] = variance_with_selection(plan, outputs, cotangent)
    wanted = full.contract(exact(unrolled, full), cotangent).mean
    excess = estimated - (found - wanted) ** 2
    scores = excess.mean(axis=0) / (excess.std(axis=0) / np.sqrt(repetitions))
    assert np.abs(scores).max() < norm.isf(FALSE_ALARM / 8)


def test_a_single_draw_shows_no_spread() -> None:
    unrolled = small_cell()
    problem = problem_of(unrolled)
    plan = RandomOccurrences(rows=2).plan(problem)
    cotangent = np.ones((2, 3, 1))
    assert np.all(np.isinf(variance_with_selection(plan, exact(unrolled, plan), cotangent)))


# All of them

OTHERS: tuple[GradientRule, ...] = (
    SPSA(directions=2),
    TiedShift(),
    TiedShift(frequencies=1),
    GateShift(),
    RandomOccurrences(rows=10),
    FiniteDifference(form="forward"),
    FiniteDifference(form="fourth"),
)


@pytest.mark.parametrize("rule", OTHERS, ids=repr)
def test_plans_are_reproducible_and_survive_a_file(rule: GradientRule) -> None:
    problem = problem_of(small_cell(), shots=100, seed=9)
    plan = rule.plan(problem)
    assert rule.plan(problem).digest == plan.digest
    assert EvaluationPlan.from_bytes(plan.to_bytes()).digest == plan.digest
    changed = rule.plan(replace(problem, seed=10)).digest != plan.digest
    assert changed == isinstance(rule, SPSA | RandomOccurrences)


@pytest.mark.parametrize("rule", OTHERS, ids=repr)
def test_base_rows_come_first_and_belong_to_no_term(rule: GradientRule) -> None:
    plan = rule.plan(problem_of(small_cell()))
    assert plan.point[:2].tolist() == [0, 0]
    assert plan.sequence[:2].tolist() == [0, 1]
    assert plan.repeats[:2].tolist() == [1, 1]
    assert plan.term_row.min() >= 2
    assert plan.term_row.max() == plan.num_rows - 1
    assert np.all(plan.sequence[plan.term_row] < 2)


@pytest.mark.parametrize("rule", OTHERS, ids=repr)
def test_weights_that_cannot_matter_cost_nothing(rule: GradientRule) -> None:
    """With one step the RZZ, which commutes with the measurement, is all that is left out."""
    problem = problem_of(small_cell(num_steps=1))
    plan = rule.plan(problem)
    assert np.all(plan.weights[:, 3] == problem.weights[3])
    assert 3 not in plan.term_weight
    unread = rule.plan(replace(problem, steps=np.zeros(1, dtype=bool)))
    assert unread.num_rows == 2
    assert not len(unread.term_row)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("spsa", ["gradient.directions=4"]),
        ("spsa", ["gradient.step=0.1"]),
        ("tied_shift", []),
        ("tied_shift", ["gradient.frequencies=2"]),
        ("gate_shift", []),
        ("random_occurrences", ["gradient.rows=40"]),
        ("finite_difference", ['gradient.form="forward"']),
        ("finite_difference", ["gradient.form=fourth", "gradient.step=0.3"]),
    ],
)
def test_from_a_job_file(method: str, options: list[str]) -> None:
    common = [f"gradient.method={method}", *options]
    answer = gradient_job("gradient_parity2", [*common, "backend.shots=20"])
    assert answer["method"] == method
    assert np.all(np.isfinite(answer["gradient"]))
    assert np.all(np.isfinite(answer["standard_errors"]))
    assert answer["shots_total"] >= 20 * answer["rows"]
    total = [*common, "gradient.shots_total=100000"]
    assert gradient_job("gradient_parity2", total) == gradient_job("gradient_parity2", total)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("spsa", {"directions": 0}, "gradient.directions"),
        ("spsa", {"step": -0.1}, "gradient.step"),
        ("tied_shift", {"frequencies": 0}, "gradient.frequencies"),
        ("random_occurrences", {"rows": 7}, "gradient.rows"),
        ("random_occurrences", {"rows": 0}, "gradient.rows"),
        ("random_occurrences", {}, "gradient.rows"),
        ("finite_difference", {"form": "backward"}, "gradient.form"),
    ],
)
def test_bad_options_are_refused(method: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        RULES.build(method, options)
