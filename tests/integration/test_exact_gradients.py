"""Exact gradients through measurement and reset against a reference written independently.

The reference (`tests/reference.py`) works on dense density matrices and is differentiated by
central differences of sixth order; agreement to 1e-9 is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

import qrnn_qiskit
from qrnn_qiskit import (
    Adjoint,
    Cell,
    ExactExecutor,
    Noise,
    ParameterShift,
    UnrolledCircuit,
    named_device_noise,
    simple_noise,
    unroll,
)
from qrnn_qiskit.execution.isa import TranspileOptions
from tests.reference import Array, reference_outputs, repeat_cell, sixth_order_difference
from tests.strategies import DrawnCell, cells, features_of, weights_of
from tests.unit.execution.reference_noise import device_kraus, simple_kraus

TOLERANCE = 1e-9
LEVELS = (1, 2, 3)
NONE, STRONG = (0.0, 0.0, 0.0), (0.03, 0.06, 0.04)  # one-qubit, two-qubit, readout
FEWER = settings(max_examples=settings().max_examples // 4)

Model = Callable[[Array, Array], Array]
"""Outputs `[T, K]` of one sequence from weights `[P]` and features `[T, F]`."""


def cell_model(cell: Cell) -> Model:
    """The reference on the cell's own gates, which nothing has rewritten."""

    def outputs(weights: Array, features: Array) -> Array:
        values = dict(zip(cell.weights, weights, strict=True))
        steps = [dict(zip(cell.features, step, strict=True)) for step in features]
        return reference_outputs(repeat_cell(cell.circuit, values, steps), {})

    return outputs


def isa_model(unrolled: UnrolledCircuit, executor: ExactExecutor, **noise: Any) -> Model:
    """The reference on the circuit that the executor runs."""
    circuit = executor.isa(unrolled).circuit

    def outputs(weights: Array, features: Array) -> Array:
        angles = unrolled.angle_map.angles(weights, features)
        of = dict(zip(unrolled.occurrences.names, angles, strict=True))
        return reference_outputs(circuit, {p: of[p.name] for p in circuit.parameters}, **noise)

    return outputs


def check(
    model: Model,
    unrolled: UnrolledCircuit,
    executor: ExactExecutor,
    weights: Array,
    features: Array,
    seed: int = 0,
) -> None:
    """Loss and exact gradients, by weights and by features, against the reference.

    Differences are taken along one random direction each: an error in any entry shows in it.
    """
    random = np.random.default_rng(seed)
    targets = random.uniform(-1, 1, (len(features), unrolled.num_steps, unrolled.num_bits))
    along, across = random.normal(size=weights.shape), random.normal(size=features.shape)
    along /= float(np.linalg.norm(along))
    across /= float(np.linalg.norm(across)) if across.size else 1.0

    def loss(s: Array) -> float:
        moved = [
            model(weights + s[0] * along, sequence + s[1] * direction)
            for sequence, direction in zip(features, across, strict=True)
        ]
        return float(np.mean((np.array(moved) - targets) ** 2))

    here, slope = loss(np.zeros(2)), sixth_order_difference(loss, np.zeros(2))
    for rule in (Adjoint(), ParameterShift()):
        result = qrnn_qiskit.gradient(
            unrolled, weights, features, targets, executor=executor, rule=rule
        )
        assert float(result.loss.mean) == pytest.approx(here, abs=TOLERANCE)
        assert result.gradient.mean @ along == pytest.approx(slope[0], abs=TOLERANCE), rule
    angles = unrolled.angle_map.angles(weights, features)
    _, by_angles = executor.value_and_vjp(
        unrolled, angles, lambda y: 2 * (y - targets) / targets.size, "z"
    )
    by_features = unrolled.angle_map.pull_back_features(weights, features, by_angles)
    assert np.sum(by_features * across) == pytest.approx(slope[1], abs=TOLERANCE)


@st.composite
def problems(
    draw: st.DrawFn, max_steps: int, max_operations: int, num_sequences: int
) -> tuple[DrawnCell, Array, Array, int]:
    """A cell, weights, features, and a seed for targets and directions."""
    drawn = draw(cells(max_steps, max_operations))
    weights, features = draw(weights_of(drawn)), draw(features_of(drawn, num_sequences))
    return drawn, weights, features, draw(st.integers(0, 2**32 - 1))


def unrolled_cell(drawn: DrawnCell) -> UnrolledCircuit:
    cell = Cell.from_circuit(
        drawn.circuit, weights=drawn.weights, features=drawn.features, name="drawn"
    )
    return unroll(cell, drawn.num_steps)


@given(problems(max_steps=5, max_operations=8, num_sequences=2))
def test_ideal_gradients(problem: tuple[DrawnCell, Array, Array, int]) -> None:
    drawn, weights, features, seed = problem
    unrolled = unrolled_cell(drawn)
    check(cell_model(unrolled.cell), unrolled, ExactExecutor(), weights, features, seed)


@pytest.mark.parametrize("level", LEVELS)
@FEWER
@given(problem=problems(max_steps=5, max_operations=6, num_sequences=1))
def test_transpiling_alone_changes_nothing(
    level: int, problem: tuple[DrawnCell, Array, Array, int]
) -> None:
    drawn, weights, features, seed = problem
    unrolled = unrolled_cell(drawn)
    executor = ExactExecutor(simple_noise(*NONE), TranspileOptions(level))
    ops = executor.isa(unrolled).circuit.count_ops()
    assert set(ops) <= {"rz", "sx", "x", "cz", "measure", "reset", "barrier"}
    check(cell_model(unrolled.cell), unrolled, executor, weights, features, seed)


@pytest.mark.parametrize("level", LEVELS)
@FEWER
@given(problem=problems(max_steps=3, max_operations=6, num_sequences=1))
def test_gradients_with_depolarizing_noise(
    level: int, problem: tuple[DrawnCell, Array, Array, int]
) -> None:
    drawn, weights, features, seed = problem
    unrolled = unrolled_cell(drawn)
    executor = ExactExecutor(simple_noise(*STRONG), TranspileOptions(level))
    kraus, flips = simple_kraus(*STRONG)
    model = isa_model(unrolled, executor, noise=kraus, flips=flips)
    check(model, unrolled, executor, weights, features, seed)


@cache
def device(name: str) -> Noise:
    return named_device_noise(name, idle=False)


@pytest.mark.parametrize(
    ("name", "level"), [("fake_marrakesh", 1), ("fake_marrakesh", 2), ("fake_boston", 3)]
)
@FEWER
@given(problem=problems(max_steps=3, max_operations=6, num_sequences=1))
def test_gradients_with_the_noise_of_a_device(
    name: str, level: int, problem: tuple[DrawnCell, Array, Array, int]
) -> None:
    """Thermal relaxation is no Pauli noise: it damps, and undoes what ideal gates cancel."""
    drawn, weights, features, seed = problem
    unrolled = unrolled_cell(drawn)
    executor = ExactExecutor(device(name), TranspileOptions(level))
    kraus, flips = device_kraus(device(name))
    model = isa_model(unrolled, executor, noise=kraus, flips=flips)
    check(model, unrolled, executor, weights, features, seed)


def two_qubit_cell(build: Callable[[QuantumCircuit, list[Parameter]], None], count: int) -> Cell:
    """One io and one hidden qubit, gates by `build`, then measurement and reset."""
    io, hidden = QuantumRegister(1, "io"), QuantumRegister(1, "hidden")
    circuit = QuantumCircuit(io, hidden, ClassicalRegister(1, "readout"), name="two_qubits")
    weights = [Parameter(f"w_{i}") for i in range(count)]
    build(circuit, weights)
    circuit.measure(io, 0)
    circuit.reset(io)
    return Cell.from_circuit(circuit, weights=weights, features=[])


def controlled_phase(circuit: QuantumCircuit, w: list[Parameter]) -> None:
    circuit.ry(w[0], 0)
    circuit.h(1)
    circuit.cp(w[1], 0, 1)
    circuit.ry(w[2], 1)
    circuit.cp(-2 * w[1], 1, 0)
    circuit.rx(w[2], 0)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("strength", [NONE, STRONG])
def test_controlled_phase_in_a_cz_basis(level: int, strength: tuple[float, float, float]) -> None:
    """Undecomposed, its two-term rule would be off by per cents once there is noise."""
    unrolled = unroll(two_qubit_cell(controlled_phase, 3), 3)
    executor = ExactExecutor(simple_noise(*strength), TranspileOptions(level))
    kraus, flips = simple_kraus(*strength)
    model = isa_model(unrolled, executor, noise=kraus, flips=flips)
    weights, features = np.array([0.7, 1.9, -0.4]), np.zeros((1, 3, 0))
    check(model, unrolled, executor, weights, features)
    if strength == NONE:
        check(cell_model(unrolled.cell), unrolled, executor, weights, features)


def rz_before_the_measurement(circuit: QuantumCircuit, w: list[Parameter]) -> None:
    circuit.ry(w[0], 0)
    circuit.cry(w[1], 0, 1)
    circuit.crx(w[0], 1, 0)
    circuit.rz(w[2] + w[0], 0)


@pytest.mark.parametrize("strength", [NONE, STRONG])
@pytest.mark.parametrize(("level", "deleted"), [(1, False), (2, True), (3, True)])
def test_parameter_that_the_transpiler_deletes(
    level: int, deleted: bool, strength: tuple[float, float, float]
) -> None:
    cell = two_qubit_cell(rz_before_the_measurement, 3)
    unrolled = unroll(cell, 3)
    executor = ExactExecutor(simple_noise(*strength), TranspileOptions(level))
    isa = executor.isa(unrolled)
    gate = unrolled.occurrences.gate
    (last,) = np.nonzero(gate == gate.max())
    assert unrolled.occurrences.generator[last[0]] == "Z"
    assert set(last).isdisjoint(isa.columns) == deleted
    assert len(isa.circuit.parameters) == len(isa.columns)
    kraus, flips = simple_kraus(*strength)
    model = isa_model(unrolled, executor, noise=kraus, flips=flips)
    check(model, unrolled, executor, np.array([0.7, 1.9, -0.4]), np.zeros((1, 3, 0)))


def hidden_by_a_cancellation(circuit: QuantumCircuit, w: list[Parameter]) -> None:
    circuit.ry(w[0], 0)
    circuit.ry(w[1], 1)
    circuit.rzz(w[2], 1, 0)


def test_what_ideal_gates_hide_and_a_noisy_device_does_not() -> None:
    """RZZ commutes with the measured Z, but between its two CZ the hidden qubit is damped."""
    noise = named_device_noise("fake_marrakesh", idle=False)
    unrolled = unroll(two_qubit_cell(hidden_by_a_cancellation, 3), 1)
    executor = ExactExecutor(noise)
    weights, features = np.array([0.7, 1.9, -0.4]), np.zeros((1, 1, 0))
    angles = unrolled.angle_map.angles(weights, features)
    _, slope = executor.value_and_vjp(unrolled, angles, np.ones_like, "z")
    assert unrolled.occurrences.influence[:, 0].tolist() == [True, False, False]
    assert executor.occurrences(unrolled).influence[:, 0].tolist() == [True, True, False]
    assert abs(slope[0, 1]) > 1e-5
    kraus, flips = device_kraus(noise)
    model = isa_model(unrolled, executor, noise=kraus, flips=flips)
    check(model, unrolled, executor, weights, features)
