"""The rule on gates as they are written: its plan by hand, where it is exact, and where it is not.

Sampled gradients raise a false alarm once in 10^6 runs.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.library import XXPlusYYGate

import qrnn_qiskit
from qrnn_qiskit import (
    Cell,
    ExactExecutor,
    GateShift,
    ParameterShift,
    UnrolledCircuit,
    unroll,
)
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.gradients import EvaluationPlan, GradientProblem
from qrnn_qiskit.spec.noise import NoiseSpec
from tests.reference import sixth_order_difference
from tests.strategies import DrawnCell, cells, features_of, feed_forward_cells, weights_of

Array = NDArray[np.float64]
FALSE_ALARM = 1e-6


def cell_of(*gates: str, num_steps: int = 2, num_weights: int = 2) -> UnrolledCircuit:
    """Parametrized gates between an io and a hidden qubit; the weights take turns."""
    weights = [Parameter(f"w{i}") for i in range(num_weights)]
    x = Parameter("x")
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"), QuantumRegister(1, "hidden"), ClassicalRegister(1, "bit")
    )
    circuit.ry(x, 0)
    circuit.rx(0.6, 1)
    for i, gate in enumerate(gates):
        angle = weights[i % num_weights]
        if gate == "xx_plus_yy":
            circuit.append(XXPlusYYGate(angle, 2 * angle + x), [0, 1])
        elif gate in ("rx", "ry", "rz"):
            getattr(circuit, gate)(angle, 0)
        else:
            getattr(circuit, gate)(angle, 1, 0)
        circuit.ry(0.4, 0)
        circuit.rx(-0.9, 1)
    circuit.measure(0, 0)
    circuit.reset(0)
    used = [w for w in weights if w in circuit.parameters]
    return unroll(Cell.from_circuit(circuit, weights=used, features=[x]), num_steps)


def problem_of(
    unrolled: UnrolledCircuit, executor: ExactExecutor | None = None, batch: int = 2
) -> GradientProblem:
    random = np.random.default_rng(8)
    return GradientProblem(
        unrolled.angle_map,
        (executor or ExactExecutor()).occurrences(unrolled),
        random.uniform(0.3, 2.8, unrolled.angle_map.num_weights),
        random.uniform(-1, 1, (batch, unrolled.num_steps, unrolled.angle_map.num_features)),
        np.ones(unrolled.num_steps, dtype=bool),
    )


def contracted(
    unrolled: UnrolledCircuit, plan: EvaluationPlan, executor: ExactExecutor | None = None
) -> Array:
    outputs = (executor or ExactExecutor()).exact_outputs(unrolled, plan, "z")
    shape = (plan.num_sequences, *outputs.mean.shape[1:])
    cotangent = np.random.default_rng(3).normal(size=shape)
    return np.asarray(plan.contract(outputs, cotangent).mean)


def test_rows_and_coefficients_of_a_controlled_rotation() -> None:
    unrolled = cell_of("crx", num_steps=1, num_weights=1)
    problem = problem_of(unrolled, batch=1)
    plan = GateShift().plan(problem)
    near, far = 0.4267766953, 0.0732233047
    assert plan.term_coefficient == pytest.approx([near, -near, -far, far], abs=1e-10)
    # CRX(a) = RX(a/2) RZX(-a/2): both move by half the gate's shift.
    first, second = (problem.occurrences.generator.index(label) for label in ("X", "ZX"))
    moved = plan.angles(problem.angle_map, slice(1, 5)) - plan.angles(
        problem.angle_map, slice(0, 1)
    )
    shifts = np.array([np.pi / 2, -np.pi / 2, 3 * np.pi / 2, -3 * np.pi / 2])
    expected = np.zeros_like(moved)
    expected[:, first], expected[:, second] = shifts / 2, -shifts / 2
    assert moved == pytest.approx(expected, abs=1e-14)


def test_gates_of_one_frequency_have_two_terms() -> None:
    unrolled = cell_of("rx", "cp", "rzz", num_steps=1, num_weights=3)
    plan = GateShift().plan(problem_of(unrolled, batch=1))
    assert plan.num_rows == 1 + 2 * 3
    assert np.abs(plan.term_coefficient) == pytest.approx([0.5] * 6, abs=1e-14)
    assert (plan.others >= 0).sum(axis=1).tolist() == [0, 0, 0, 2, 2, 0, 0]


def test_a_controlled_rotation_costs_three_halves_the_variance() -> None:
    """At equal total shots, evenly shared, and with equal variances of one shot of each row.

    It then is the number of rows times the summed squares of coefficients.
    """
    unrolled = cell_of("crx", num_steps=1, num_weights=1)
    problem = problem_of(unrolled, batch=1)

    def price(plan: EvaluationPlan) -> float:
        return float((plan.num_rows - 1) * np.sum(plan.term_coefficient**2))

    gate, rotations = GateShift().plan(problem), ParameterShift().plan(problem)
    assert price(gate) / price(rotations) == pytest.approx(1.5, abs=1e-12)


@pytest.mark.parametrize(
    "gates",
    [
        ("crx", "rx"),
        ("crz", "cry"),
        ("cp", "ry"),
        ("xx_plus_yy", "rz"),
        ("cp", "crx", "xx_plus_yy"),
    ],
    ids=" ".join,
)
def test_every_kind_of_gate_exactly(gates: tuple[str, ...]) -> None:
    unrolled = cell_of(*gates)
    problem = problem_of(unrolled)
    found = contracted(unrolled, GateShift().plan(problem))
    wanted = contracted(unrolled, ParameterShift().plan(problem))
    assert np.all(np.abs(wanted) > 1e-3)
    assert found == pytest.approx(wanted, abs=1e-12)


@given(drawn=st.one_of(cells(max_steps=4), feed_forward_cells()), data=st.data())
def test_random_cells_exactly(drawn: DrawnCell, data: st.DataObject) -> None:
    cell = Cell.from_circuit(
        drawn.circuit,
        weights=drawn.weights,
        features=drawn.features,
        permutation=drawn.permutation or None,
    )
    unrolled = unroll(cell, drawn.num_steps)
    weights, features = data.draw(weights_of(drawn)), data.draw(features_of(drawn, 2))
    targets = np.random.default_rng(0).uniform(-1, 1, (2, drawn.num_steps, unrolled.num_bits))
    found, wanted = (
        qrnn_qiskit.gradient(
            unrolled, weights, features, targets, executor=ExactExecutor(), rule=rule
        ).gradient.mean
        for rule in (GateShift(), ParameterShift())
    )
    assert found == pytest.approx(wanted, abs=1e-10)


def test_rows_as_one_by_one() -> None:
    """Rows beside the row that they are shifted from, and each from start to end."""
    unrolled = cell_of("crx", "cp", "xx_plus_yy", "crz", num_steps=24, num_weights=4)
    plan = GateShift().plan(problem_of(unrolled, batch=3))
    angles = plan.angles(unrolled.angle_map, slice(None))
    executor = ExactExecutor()
    assert plan.num_rows * 24 * 4**2 > 2**18
    beside = executor.exact_outputs(unrolled, plan, "z").mean
    assert beside == pytest.approx(executor.forward(unrolled, angles, "z"), abs=1e-12)


DECAY = NoiseSpec(preset="bad")
OVER_ROTATED = NoiseSpec(preset="bad", over_rotation=0.3)
PAULI = NoiseSpec(depolarizing_1q=0.003, depolarizing_2q=0.05, readout=0.02)


@pytest.mark.parametrize(
    ("gate", "noise", "bias"),
    [
        ("cp", DECAY, 1e-4),
        ("cp", OVER_ROTATED, 0.01),
        ("cp", PAULI, 0.0),
        ("crx", OVER_ROTATED, 0.0),
        ("xx_plus_yy", OVER_ROTATED, 0.0),
    ],
)
def test_noise_inside_a_gate_may_give_it_frequencies(
    gate: str, noise: NoiseSpec, bias: float
) -> None:
    """On the transpiled circuit, where noise follows each CZ gate that a gate is made of.

    Without it the frequencies 1/2 and 3/2 of a controlled phase's three rotations cancel, with
    Pauli errors, too, but not with decay or coherent errors. A controlled rotation has every
    frequency that its two rotations can give it anyway.
    """
    unrolled = cell_of("rx", gate, gate, num_weights=3)
    executor = ExactExecutor(make_noise(noise))
    problem = problem_of(unrolled, executor)
    rotations = contracted(unrolled, ParameterShift().plan(problem), executor)
    found = contracted(unrolled, GateShift().plan(problem), executor)

    def contraction(weights: Array) -> float:
        angles = unrolled.angle_map.angles(np.tile(weights, (2, 1)), problem.features)
        outputs = executor.forward(unrolled, angles, "z")
        return float(np.sum(np.random.default_rng(3).normal(size=outputs.shape) * outputs))

    exact = sixth_order_difference(contraction, problem.weights)
    assert rotations == pytest.approx(exact, abs=1e-9)
    error = np.max(np.abs(found - exact))
    assert error > bias if bias else error < 1e-9


@pytest.mark.statistical
def test_sampled_gradient(seed: int) -> None:
    """Shots of rows with three shifted occurrences, against the exact gradient."""
    unrolled = cell_of("cp", "crx", "xx_plus_yy", num_weights=3)
    problem = problem_of(unrolled)
    plan = GateShift().plan(problem)
    cotangent = np.random.default_rng(3).normal(size=(2, 2, 1))
    exact = contracted(unrolled, plan)
    shots = 2000
    executor = ExactExecutor()
    bits = executor.fetch(executor.submit(unrolled, EvaluationRequest(plan, shots, seed)))
    sampled = plan.contract(bits.outputs(), cotangent).mean
    # Hoeffding: a shot of a row is worth between -W and W, W = sum_t |w_t|.
    worth = np.abs(cotangent).sum(axis=(1, 2))[plan.sequence[plan.term_row]]
    squares = np.bincount(plan.term_weight, (plan.term_coefficient * worth) ** 2, 3)
    radius = np.sqrt(2 * np.log(2 * 3 / FALSE_ALARM) * squares / shots)
    assert np.all(np.abs(sampled - exact) < radius)
