"""Post-selected cells against a reference written independently.

Exact values, gradients by reverse mode and by parameter shift are held against brute-force density
matrices with a branch for every outcome (`tests/reference.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrnn_qiskit import (
    Cell,
    ExactExecutor,
    ParameterShift,
    UnrolledCircuit,
    named_device_noise,
    simple_noise,
    unroll,
)
from qrnn_qiskit.execution.bits import OutputKind
from qrnn_qiskit.execution.isa import TranspileOptions
from qrnn_qiskit.gradients import GradientProblem
from tests.reference import (
    Array,
    raw_values,
    reference_joint,
    repeat_cell,
    sixth_order_difference,
)
from tests.strategies import DrawnCell, features_of, postselected_cells, weights_of
from tests.unit.execution.reference_noise import device_kraus, simple_kraus

VALUES, SLOPES = 1e-10, 1e-9  # differences of sixth order are not better
STRONG = (0.03, 0.06, 0.04)  # one-qubit, two-qubit, readout
KINDS: tuple[OutputKind, ...] = ("z", "probabilities")
FEW = settings(max_examples=settings().max_examples // 3)
FEWER = settings(max_examples=settings().max_examples // 8)


def cell_of(drawn: DrawnCell) -> Cell:
    return Cell.from_circuit(
        drawn.circuit,
        weights=drawn.weights,
        features=drawn.features,
        name="drawn",
        postselected=drawn.postselected,
    )


def logical_model(cell: Cell, kind: OutputKind) -> Any:
    """Raw values from weights and features, on the cell's own gates."""

    def values(weights: Array, features: Array) -> Array:
        bound = dict(zip(cell.weights, weights, strict=True))
        steps = [dict(zip(cell.features, step, strict=True)) for step in features]
        joint = reference_joint(repeat_cell(cell.circuit, bound, steps), {})
        return raw_values(joint, (len(features), cell.num_clbits), cell.postselected, kind)

    return values


def isa_model(
    unrolled: UnrolledCircuit, executor: ExactExecutor, kind: OutputKind, **noise: Any
) -> Any:
    """The same on the circuit that the executor runs."""
    circuit = executor.isa(unrolled).circuit

    def values(weights: Array, features: Array) -> Array:
        angles = unrolled.angle_map.angles(weights, features)
        of = dict(zip(unrolled.occurrences.names, angles, strict=True))
        joint = reference_joint(circuit, {p: of[p.name] for p in circuit.parameters}, **noise)
        shape = (unrolled.num_steps, unrolled.num_clbits)
        return raw_values(joint, shape, unrolled.cell.postselected, kind)

    return values


def check(
    model: Any,
    unrolled: UnrolledCircuit,
    executor: ExactExecutor,
    weights: Array,
    features: Array,
    kind: OutputKind,
    seed: int,
) -> None:
    """Raw values, and the slope of a random combination of them along a random direction."""
    random = np.random.default_rng(seed)
    angles = unrolled.angle_map.angles(weights, features[None])
    expected = model(weights, features)
    assert executor.forward(unrolled, angles, kind)[0] == pytest.approx(expected, abs=VALUES)
    cotangent, along = random.normal(size=expected.shape), random.normal(size=weights.shape)
    along /= float(np.linalg.norm(along))
    (slope,) = sixth_order_difference(
        lambda s: float(np.sum(cotangent * model(weights + s[0] * along, features))), np.zeros(1)
    )
    mean, by_angles = executor.value_and_vjp(unrolled, angles, lambda _: cotangent[None], kind)
    assert mean[0] == pytest.approx(expected, abs=VALUES)
    adjoint = unrolled.angle_map.pull_back_weights(weights, features[None], by_angles)
    assert adjoint @ along == pytest.approx(slope, abs=SLOPES)
    plan = ParameterShift().plan(
        GradientProblem(
            unrolled.angle_map,
            executor.occurrences(unrolled),
            weights,
            features[None],
            np.ones(unrolled.num_steps, dtype=bool),
        )
    )
    shifted = plan.contract(executor.exact_outputs(unrolled, plan, kind), cotangent[None])
    assert shifted.mean == pytest.approx(adjoint, abs=VALUES)


@st.composite
def problems(
    draw: st.DrawFn, cells: st.SearchStrategy[DrawnCell]
) -> tuple[DrawnCell, Array, Array, OutputKind, int]:
    """A cell, weights, features of one sequence, kind of outputs, and a seed."""
    drawn = draw(cells)
    weights, features = draw(weights_of(drawn)), draw(features_of(drawn, 1))[0]
    return drawn, weights, features, draw(st.sampled_from(KINDS)), draw(st.integers(0, 2**32 - 1))


Problem = tuple[DrawnCell, Array, Array, OutputKind, int]


@FEW
@given(problems(postselected_cells()))
def test_raw_values_and_gradients(problem: Problem) -> None:
    drawn, weights, features, kind, seed = problem
    unrolled = unroll(cell_of(drawn), drawn.num_steps)
    model = logical_model(unrolled.cell, kind)
    check(model, unrolled, ExactExecutor(), weights, features, kind, seed)


@pytest.mark.parametrize("level", [1, 3])
@FEWER
@given(problem=problems(postselected_cells(max_steps=2, max_operations=4)))
def test_transpiling_alone_changes_nothing(level: int, problem: Problem) -> None:
    drawn, weights, features, kind, seed = problem
    unrolled = unroll(cell_of(drawn), drawn.num_steps)
    executor = ExactExecutor(simple_noise(0, 0, 0), TranspileOptions(level))
    model = logical_model(unrolled.cell, kind)
    check(model, unrolled, executor, weights, features, kind, seed)


@FEWER
@given(problem=problems(postselected_cells(max_steps=2, max_operations=4)))
def test_depolarizing_noise(problem: Problem) -> None:
    drawn, weights, features, kind, seed = problem
    unrolled = unroll(cell_of(drawn), drawn.num_steps)
    executor = ExactExecutor(simple_noise(*STRONG))
    kraus, flips = simple_kraus(*STRONG)
    model = isa_model(unrolled, executor, kind, noise=kraus, flips=flips)
    check(model, unrolled, executor, weights, features, kind, seed)


@FEWER
@given(problem=problems(postselected_cells(max_steps=2, max_operations=4)))
def test_noise_of_a_device(problem: Problem) -> None:
    drawn, weights, features, kind, seed = problem
    unrolled = unroll(cell_of(drawn), drawn.num_steps)
    noise = named_device_noise("fake_marrakesh")
    executor = ExactExecutor(noise)
    kraus, flips = device_kraus(noise)
    model = isa_model(unrolled, executor, kind, noise=kraus, flips=flips)
    check(model, unrolled, executor, weights, features, kind, seed)
