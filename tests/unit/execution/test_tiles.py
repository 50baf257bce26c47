"""Copies of a circuit on one device: where they are, what they are, what they measure."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit.library import CZGate, Measure
from qiskit.transpiler import InstructionProperties, Target
from scipy.stats import norm

from qrnn_qiskit import (
    Cell,
    IBMExecutor,
    ParameterShift,
    UnrolledCircuit,
    load_cell,
    unroll,
)
from qrnn_qiskit.emulator import DeviceRunner, RunRequest
from qrnn_qiskit.engine.forward import outputs as engine_outputs
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.backends.ibm import fake_device, fake_device_noise
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.flat import flat_operations
from qrnn_qiskit.execution.isa import (
    ISACircuit,
    TranspileOptions,
    isa_from_bytes,
    isa_to_bytes,
    to_isa,
)
from qrnn_qiskit.execution.layout import best_placement, predicted_error
from qrnn_qiskit.execution.program import compile_isa
from qrnn_qiskit.execution.tiles import by_tile, choose_tiles, from_tiles, suffix, tile_errors
from qrnn_qiskit.gradients.problem import GradientProblem
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.shots import ShotPlan
from tests.unit.run.small import write_cell

ALPHA = 1e-6
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Cell:
    return load_cell(write_cell(tmp_path_factory.mktemp("cell")))


@pytest.fixture(scope="module")
def circuit(cell: Cell) -> UnrolledCircuit:
    return unroll(cell, 2)


def line_circuit(size: int, qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(size, qubits)
    for q in range(qubits - 1):
        circuit.cz(q, q + 1)
    circuit.measure(range(qubits), range(qubits))
    return circuit


def grid(width: int, height: int, seed: int) -> Target:
    random = np.random.default_rng(seed)
    target = Target(num_qubits=width * height)
    readout = {
        (q,): InstructionProperties(1e-6, random.uniform(0.01, 0.1)) for q in range(width * height)
    }
    target.add_instruction(Measure(), readout)
    pairs = [(y * width + x, y * width + x + 1) for y in range(height) for x in range(width - 1)]
    pairs += [
        (y * width + x, y * width + x + width) for y in range(height - 1) for x in range(width)
    ]
    gates = {}
    for a, b in np.array(pairs).tolist():
        gates[a, b] = gates[b, a] = InstructionProperties(1e-7, random.uniform(0.001, 0.05))
    target.add_instruction(CZGate(), gates)
    return target


def check_guarded(tiles: tuple[tuple[int, ...], ...], target: Target) -> None:
    owner = {q: i for i, tile in enumerate(tiles) for q in tile}
    assert len(owner) == sum(len(tile) for tile in tiles)
    for a, b in target.build_coupling_map().get_edges():
        assert a not in owner or b not in owner or owner[a] == owner[b]


@pytest.mark.parametrize(("qubits", "least"), [(2, 48), (3, 36), (4, 27)])
def test_a_chip_is_filled_with_lines(qubits: int, least: int) -> None:
    """27 lines of four qubits are the most that fit, by an integer program."""
    target = fake_device("fake_marrakesh").target
    tiles = choose_tiles(line_circuit(156, qubits), target, "auto", worst=math.inf)
    assert len(tiles) >= least
    check_guarded(tiles, target)
    assert all(
        target.instruction_supported("cz", pair) for tile in tiles for pair in pairwise(tile)
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("qubits", [1, 2, 3])
def test_tiles_of_a_grid_are_apart_and_good(seed: int, qubits: int) -> None:
    target = grid(5, 4, seed)
    circuit, error = best_placement(line_circuit(20, qubits), target)
    tiles = choose_tiles(circuit, target, "auto")
    check_guarded(tiles, target)
    errors = tile_errors(circuit, target, tiles)
    assert errors == sorted(errors)
    assert -math.log1p(-errors[-1]) <= 3 * -math.log1p(-error) * (1 + 1e-9)
    few = choose_tiles(circuit, target, 2)
    check_guarded(few, target)
    assert len(few) == 2
    assert tile_errors(circuit, target, few)[0] == pytest.approx(error)
    fixed = choose_tiles(line_circuit(20, qubits), target, 2, fixed=True, worst=math.inf)
    assert fixed[0] == tuple(range(qubits))
    check_guarded(fixed, target)


def test_more_tiles_than_fit_are_refused() -> None:
    with pytest.raises(BackendError, match=r"backend.tiles = 9: only \d copies .* take backend"):
        choose_tiles(line_circuit(12, 2), grid(4, 3, 0), 9)


def relabelled(
    circuit: QuantumCircuit, qubits: tuple[int, ...], ending: str
) -> list[tuple[Any, ...]]:
    """Operations on some qubits, these numbered from 0, bits by register without the ending."""
    names = {
        bit: (register.name.removesuffix(ending), i)
        for register in circuit.cregs
        if register.name.endswith(ending)
        for i, bit in enumerate(register)
    }
    local = {q: i for i, q in enumerate(qubits)}
    found = []
    for item in flat_operations(circuit):
        if set(item.qubits) & local.keys():
            asked = item.asked
            found.append(
                (
                    item.operation.name,
                    tuple(str(p) for p in item.operation.params),
                    tuple(local[q] for q in item.qubits),
                    None if item.bit is None else names[item.bit],
                    asked and (tuple(names[b] for b in asked.bits), asked.value, asked.otherwise),
                )
            )
    return found


@pytest.mark.parametrize("reset", ["reset", "conditional_x"])
def test_each_copy_is_the_circuit(circuit: UnrolledCircuit, reset: Any) -> None:
    target = fake_device("fake_marrakesh").target
    options = TranspileOptions(tiles=5, reset=reset, layout_trials=1)
    isa = to_isa(circuit, target, options)
    assert isa.num_tiles == 5
    assert isa.tiles[0] == isa.qubits
    check_guarded(isa.tiles, target)
    single = relabelled(isa.circuit, isa.qubits, "")
    assert any(part[4] for part in single) == (reset == "conditional_x")
    for i, tile in enumerate(isa.tiles):
        assert relabelled(isa.executed, tile, suffix(i)) == single
        alone = isa.tile(i)
        assert relabelled(alone.circuit, tile, "") == single
        assert predicted_error(alone.circuit, target) == pytest.approx(
            tile_errors(isa.circuit, target, isa.tiles)[i]
        )
    assert len(list(flat_operations(isa.executed))) == 5 * len(single)
    assert isa.executed.parameters == isa.circuit.parameters
    again = isa_from_bytes(circuit, isa_to_bytes(isa))
    assert again.tiles == isa.tiles
    assert relabelled(again.executed, isa.tiles[3], suffix(3)) == relabelled(
        isa.executed, isa.tiles[3], suffix(3)
    )


def exact_by_tile(circuit: UnrolledCircuit, isa: ISACircuit, angles: Array) -> Array:
    """Outputs `[tiles, R, T, K]` under the device's noise."""
    noise = fake_device_noise("fake_marrakesh")
    found = []
    for i in range(isa.num_tiles):
        compiled = compile_isa(circuit, isa.tile(i), noise)
        found.append(engine_outputs(compiled.program, compiled.angles(angles)))
    return np.array(found)


def excess(values: Array, exact: Array, shots: int) -> float:
    """Largest deviation of means of ±1, over what false alarms of rate ALPHA allow.

    By Hoeffding's inequality, for all values together.
    """
    allowed = math.sqrt(2 * math.log(2 * values.size / ALPHA) / shots)
    return float(np.abs(values - exact).max() / allowed)


def test_tiles_measure_what_single_circuits_do(circuit: UnrolledCircuit) -> None:
    """All copies in one simulation, one of them far worse than the other."""
    target = fake_device("fake_marrakesh").target
    isa = to_isa(circuit, target, TranspileOptions(tiles=1, layout_trials=1))
    both = choose_tiles(isa.circuit, target, "auto", fixed=True, worst=30.0)
    isa = ISACircuit(isa.circuit, isa.columns, isa.qubits, (both[0], both[-1]))
    angles = np.random.default_rng(1).uniform(-2, 2, (4, len(circuit.occurrences)))
    shots = 2000
    request = RunRequest(isa.executed, isa.parameter_values(angles), shots, 5, "fake_marrakesh")
    bits = DeviceRunner()(request)
    values = np.array(
        [[1 - 2 * bits[f"step_{t}{suffix(i)}"].mean(axis=1) for t in range(2)] for i in range(2)]
    ).transpose(0, 2, 1, 3)
    exact = exact_by_tile(circuit, isa, angles)
    assert excess(values, exact, shots) < 1
    assert excess(values, exact[::-1], shots) > 1  # power: the tiles are told apart
    first, second = (bits[f"step_0{suffix(i)}"][0, :, 0] - 0.5 for i in (0, 1))
    covariance = np.mean((first - first.mean()) * (second - second.mean()))
    correlation = covariance / (first.std() * second.std())
    assert abs(correlation) < -norm.ppf(ALPHA / 2) / math.sqrt(shots)


@pytest.fixture(scope="module")
def tiled_executor() -> IBMExecutor:
    return IBMExecutor("fake_marrakesh", TranspileOptions(tiles=2, layout_trials=1))


def problem(circuit: UnrolledCircuit, executor: IBMExecutor) -> GradientProblem:
    random = np.random.default_rng(4)
    return GradientProblem(
        circuit.angle_map,
        executor.occurrences(circuit),
        random.uniform(-2, 2, circuit.cell.num_weights),
        random.uniform(-0.9, 0.9, (1, 2, 1)),
        np.ones(2, dtype=bool),
    )


def test_the_gradient_is_that_of_the_tiles_average(
    circuit: UnrolledCircuit, tiled_executor: IBMExecutor
) -> None:
    isa = tiled_executor.isa(circuit)
    plan = ParameterShift().plan(problem(circuit, tiled_executor))
    angles = plan.angles(circuit.angle_map, slice(0, plan.num_rows))
    cotangent = np.array([[[1.0], [-0.7]]])
    exact = plan.contract(engine_mean(exact_by_tile(circuit, isa, angles)), cotangent).mean
    evaluator = Evaluator(circuit, tiled_executor, seed=8)
    outputs = evaluator.raw_outputs(plan, 3999, Call("gradient", (0,)))
    assert outputs.count is not None
    assert set(outputs.count) == {4000}  # rounded up to a multiple of the tiles
    found = plan.contract(outputs, cotangent)
    assert found.standard_error is not None
    bound = -norm.ppf(ALPHA / 2 / len(exact))
    assert np.all(np.abs(found.mean - exact) < bound * found.standard_error)
    # Power: the gradient at weights beside these is told apart.
    given = problem(circuit, tiled_executor)
    beside = ParameterShift().plan(replace(given, weights=given.weights + 0.3))
    angles = beside.angles(circuit.angle_map, slice(0, beside.num_rows))
    other = beside.contract(engine_mean(exact_by_tile(circuit, isa, angles)), cotangent).mean
    assert np.any(np.abs(found.mean - other) > bound * found.standard_error)


def engine_mean(by_tile: Array) -> Outputs:
    return Outputs(by_tile.mean(axis=0))


def test_outcomes_of_tiles_come_apart_again(
    circuit: UnrolledCircuit, tiled_executor: IBMExecutor
) -> None:
    plan = ParameterShift().plan(problem(circuit, tiled_executor))
    repeats = np.ones(plan.num_rows, dtype=np.int64)
    repeats[0] = 3
    plan = plan.with_repeats(repeats)
    request = EvaluationRequest(plan, 200, 3)
    bits = tiled_executor.fetch(tiled_executor.submit(circuit, request))
    assert bits.count.tolist() == (200 * repeats).tolist()
    parts = by_tile(bits, 200, 2)
    assert [part.count.tolist() for part in parts] == [(100 * repeats).tolist()] * 2
    joined = from_tiles(parts, 100)
    assert np.array_equal(joined.packed, bits.packed)
    angles = plan.angles(circuit.angle_map, slice(0, plan.num_rows))
    exact = exact_by_tile(circuit, tiled_executor.isa(circuit), angles)
    for part, expected in zip(parts, exact, strict=True):
        assert excess(part.outputs().mean, expected, 100) < 1
    assert not np.array_equal(parts[0].packed, parts[1].packed)
    with pytest.raises(ValueError, match="outcomes are not those of 200 on 3 tiles"):
        by_tile(bits, 200, 3)
    with pytest.raises(BackendError, match="5 shots of a row are not a multiple of 2 tiles"):
        tiled_executor.submit(circuit, EvaluationRequest(plan, 5, 3))


def test_shots_of_each_tile_stand_together() -> None:
    def packed(values: list[int], count: list[int]) -> PackedBits:
        bits = np.array(values, dtype=np.uint8)[:, None]
        return PackedBits(bits, np.array(count), 1, 8)

    joined = from_tiles(
        [packed([0, 1, 2, 3, 4, 5], [4, 2]), packed(list(range(10, 16)), [4, 2])], 2
    )
    assert joined.packed[:, 0].tolist() == [0, 1, 10, 11, 2, 3, 12, 13, 4, 5, 14, 15]
    assert joined.count.tolist() == [8, 4]


def test_shots_are_counted_in_multiples_of_the_tiles(
    circuit: UnrolledCircuit, tiled_executor: IBMExecutor
) -> None:
    plan = ParameterShift().plan(problem(circuit, tiled_executor))
    assert ShotPlan(per_row=1000, tiles=48).apply(plan)[1] == 21 * 48
    total = 100 * plan.num_rows + 7
    shared, shots = ShotPlan(total=total, tiles=4).apply(plan)
    assert shots == 100
    assert shared.total_repeats * 100 <= total
    best, unit = ShotPlan(total=total, tiles=4, allocation="optimal").apply(plan)
    assert unit is not None
    assert unit % 4 == 0
    assert 0.9 * total < best.total_repeats * unit <= total
    with pytest.raises(BackendError, match="too few .* each of which brings 48 shots"):
        ShotPlan(total=48 * plan.num_rows, tiles=48).apply(plan)
