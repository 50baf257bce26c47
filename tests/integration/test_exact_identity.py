"""Parameter shift, occurrence by occurrence, is the gradient: an identity, to 1e-10.

The rows of the rule's plan are evaluated by an independent dense reference and contracted; reverse
mode on the exact engine must give the same numbers, in random cells of up to six steps. Cells with
feed-forward and post-selected bits follow the reference for fewer steps, whose joint distribution
grows exponentially, and the engine's own rows for six.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrnn_qiskit import ExactExecutor, ParameterShift, UnrolledCircuit, build_cell, unroll
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.bits import OutputKind
from qrnn_qiskit.gradients import GradientProblem
from qrnn_qiskit.gradients.plan import EvaluationPlan
from tests.integration.test_dynamic_cells import (
    Problem,
    cell_of,
    dynamic_cells,
    logical_model,
    problems,
)
from tests.reference import Array, raw_values, reference_joint, reference_outputs
from tests.strategies import cells

IDENTITY = 1e-10
FEW = settings(max_examples=max(1, settings().max_examples // 3))


def plan_of(unrolled: UnrolledCircuit, weights: Array, features: Array) -> EvaluationPlan:
    executor = ExactExecutor()
    return ParameterShift().plan(
        GradientProblem(
            unrolled.angle_map,
            executor.occurrences(unrolled),
            weights,
            features[None],
            np.ones(unrolled.num_steps, dtype=bool),
        )
    )


def by_reverse_mode(
    unrolled: UnrolledCircuit, weights: Array, features: Array, kind: OutputKind, cotangent: Array
) -> Array:
    angles = unrolled.angle_map.angles(weights, features[None])
    _, by_angles = ExactExecutor().value_and_vjp(unrolled, angles, lambda _: cotangent[None], kind)
    return unrolled.angle_map.pull_back_weights(weights, features[None], by_angles)


def rows_of_reference(unrolled: UnrolledCircuit, plan: EvaluationPlan, values: Any) -> Array:
    """Of each row `[R, T, K]`, on the unrolled circuit with the row's own angles."""
    names = unrolled.occurrences.names
    rows = plan.angles(unrolled.angle_map, slice(None))
    found = []
    for row in rows:
        of = dict(zip(names, row, strict=True))
        found.append(values({p: of[p.name] for p in unrolled.circuit.parameters}))
    return np.array(found)


@FEW
@given(problems(st.one_of(cells(6, 6), cells(6, 3))))
def test_rows_on_the_reference(problem: Problem) -> None:
    drawn, weights, features, _, seed = problem
    unrolled = unroll(cell_of(drawn), drawn.num_steps)
    plan = plan_of(unrolled, weights, features)
    rows = rows_of_reference(unrolled, plan, lambda of: reference_outputs(unrolled.circuit, of))
    cotangent = np.random.default_rng(seed).normal(size=rows.shape[1:])
    shifted = plan.contract(Outputs(rows), cotangent[None]).mean
    adjoint = by_reverse_mode(unrolled, weights, features, "z", cotangent)
    assert shifted == pytest.approx(adjoint, abs=IDENTITY)


@FEW
@given(problems(dynamic_cells(3, 4)))
def test_rows_of_dynamic_cells_on_the_reference(problem: Problem) -> None:
    drawn, weights, features, kind, seed = problem
    unrolled = unroll(cell_of(drawn), drawn.num_steps)
    plan = plan_of(unrolled, weights, features)
    shape = (unrolled.num_steps, unrolled.num_clbits)

    def values(of: Any) -> Array:
        joint = reference_joint(unrolled.circuit, of)
        return raw_values(joint, shape, unrolled.cell.postselected, kind)

    rows = rows_of_reference(unrolled, plan, values)
    expected = logical_model(unrolled.cell, kind)(weights, features)
    assert rows[0] == pytest.approx(expected, abs=IDENTITY)
    cotangent = np.random.default_rng(seed).normal(size=rows.shape[1:])
    shifted = plan.contract(Outputs(rows), cotangent[None]).mean
    adjoint = by_reverse_mode(unrolled, weights, features, kind, cotangent)
    assert shifted == pytest.approx(adjoint, abs=IDENTITY)


@given(problems(dynamic_cells(6, 5)))
def test_six_steps_of_dynamic_cells(problem: Problem) -> None:
    drawn, weights, features, kind, seed = problem
    unrolled = unroll(cell_of(drawn), drawn.num_steps)
    plan = plan_of(unrolled, weights, features)
    rows = ExactExecutor().exact_outputs(unrolled, plan, kind)
    cotangent = np.random.default_rng(seed).normal(size=rows.mean.shape[1:])
    shifted = plan.contract(rows, cotangent[None]).mean
    adjoint = by_reverse_mode(unrolled, weights, features, kind, cotangent)
    assert shifted == pytest.approx(adjoint, abs=IDENTITY)


@pytest.mark.parametrize("fault", ["coefficient", "occurrence"])
def test_faults_show(fault: str) -> None:
    """The power of the comparison: a coefficient off by a millionth, an occurrence left out."""
    unrolled = unroll(build_cell("viqueira_emcz2"), 6)
    random = np.random.default_rng(5)
    weights = random.uniform(0, 2 * np.pi, unrolled.cell.num_weights)
    features = random.uniform(-1, 1, (6, unrolled.cell.num_features))
    plan = plan_of(unrolled, weights, features)
    rows = ExactExecutor().exact_outputs(unrolled, plan, "z")
    cotangent = random.normal(size=rows.mean.shape[1:])
    adjoint = by_reverse_mode(unrolled, weights, features, "z", cotangent)
    assert plan.contract(rows, cotangent[None]).mean == pytest.approx(adjoint, abs=IDENTITY)
    coefficient = plan.term_coefficient.copy()
    middle = len(coefficient) // 2
    if fault == "coefficient":
        coefficient[middle] *= 1 + 1e-6
    else:
        coefficient[plan.occurrence[plan.term_row] == plan.occurrence[plan.term_row[middle]]] = 0.0
    wrong = replace(plan, term_coefficient=coefficient).contract(rows, cotangent[None]).mean
    assert np.max(np.abs(wrong - adjoint)) > 10 * IDENTITY
