"""Pieces of circuits on the exact engine: the distribution, and what is drawn from it."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Parameter
from qiskit_aer import AerSimulator
from scipy import stats

from qrnn_qiskit import build_cell, unroll
from qrnn_qiskit.emulator import AerRunner, DeviceRunner, RunRequest, snapshots
from qrnn_qiskit.emulator.components import components
from qrnn_qiskit.engine.forward import outputs as engine_outputs
from qrnn_qiskit.execution.any_circuit import compile_circuit
from qrnn_qiskit.execution.backends.ibm import fake_device, fake_device_noise
from qrnn_qiskit.execution.isa import ISACircuit, TranspileOptions, to_isa
from qrnn_qiskit.execution.layout import used_qubits
from qrnn_qiskit.execution.noise import Noise
from tests.reference import reference_joint
from tests.unit.execution.reference_noise import device_kraus

JAKARTA = "fake_jakarta"
FALSE_ALARM = 1e-6
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def noise() -> Noise:
    return snapshots.noise(JAKARTA)


@pytest.fixture(scope="module")
def tiles() -> ISACircuit:
    """Two steps of a cell of two qubits, twice on seven qubits."""
    options = TranspileOptions(2, layout_trials=1, tiles=2)
    return to_isa(unroll(build_cell("parity2"), 2), fake_device(JAKARTA).target, options)


def engine_joint(circuit: QuantumCircuit, noise: Noise | None, values: Array) -> Array:
    """Probabilities `[2^bits]`, bit 0 of the circuit the least significant."""
    compiled = compile_circuit(circuit, 7, noise)
    angles = compiled.values(circuit, values[None])
    joint: Array = engine_outputs(compiled.program, angles, kind="probabilities")[0, 0]
    return joint


def aer_joint(circuit: QuantumCircuit, noise: Noise, values: Array) -> Array:
    """The same from Aer's density matrix: each measurement is a CNOT on a qubit of its own."""
    qubits = used_qubits(circuit)
    place = {q: i for i, q in enumerate(qubits)}
    bits = circuit.num_clbits
    deferred = QuantumCircuit(len(qubits) + bits)
    flips = [(0.0, 0.0)] * bits
    for item in circuit.assign_parameters(values).data:
        on = [circuit.find_bit(q).index for q in item.qubits]
        local = [place[q] for q in on]
        if item.operation.name == "measure":
            bit = circuit.find_bit(item.clbits[0]).index
            flips[bit] = noise.flips(on[0])
            deferred.cx(local[0], len(qubits) + bit)  # on qubits without errors
        else:
            deferred.append(item.operation, local)
    deferred.save_probabilities([*range(len(qubits), len(qubits) + bits)])
    model = noise.aer_model(qubits, local=True)
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    exact = simulator.run(deferred).result().data()["probabilities"]
    readings = [np.array([[1 - up, down], [up, 1 - down]]) for up, down in flips]
    found: Array = reduce(np.kron, reversed(readings)) @ exact
    return found


def some_values(circuit: QuantumCircuit, seed: int) -> Array:
    values: Array = np.random.default_rng(seed).uniform(-2, 2, circuit.num_parameters)
    return values


def test_each_tile_has_the_distribution_of_aers_density_matrix(
    tiles: ISACircuit, noise: Noise
) -> None:
    found = []
    for part in components(tiles.executed):
        for seed in range(3):
            values = some_values(part, seed)
            joint = engine_joint(part, noise, values)
            found.append(joint)
            np.testing.assert_allclose(joint, aer_joint(part, noise, values), rtol=0, atol=1e-9)
            assert np.abs(joint - engine_joint(part, None, values)).max() > 1e-3
    # The tiles' qubits have errors of their own.
    assert np.abs(found[0] - found[3]).max() > 1e-3


def branching() -> QuantumCircuit:
    """Gates with errors on conditions, one of them on a bit that is read wrongly now and then."""
    first, second = ClassicalRegister(2, "step_0"), ClassicalRegister(2, "step_1")
    circuit = QuantumCircuit(QuantumRegister(7, "q"), first, second)
    for qubit, name in ((0, "a"), (1, "b")):
        circuit.sx(qubit)
        circuit.rz(Parameter(name), qubit)
        circuit.sx(qubit)
    circuit.cx(0, 1)
    circuit.measure([0, 1], first)
    with circuit.if_test((first[0], 1)) as otherwise:
        circuit.cx(1, 0)
        circuit.x(1)
    with otherwise:
        circuit.sx(0)
    circuit.reset(1)
    with circuit.if_test((first, 2)):
        circuit.sx(1)
    circuit.measure([0, 1], second)
    return circuit


def test_errors_on_conditions(noise: Noise) -> None:
    circuit = branching()
    values = np.array([0.4, 1.1])
    kraus, flips = device_kraus(fake_device_noise(JAKARTA))
    expected = reference_joint(
        circuit, dict(zip(circuit.parameters, values, strict=True)), noise=kraus, flips=flips
    )
    found = engine_joint(circuit, noise, values)
    for bits, probability in expected.items():
        index = sum(bit << i for i, bit in enumerate(bits))
        assert found[index] == pytest.approx(probability, abs=1e-9)
    assert found.sum() == pytest.approx(1, abs=1e-9)


def surprise(bits: dict[str, Any], circuit: QuantumCircuit, joint: Array, row: int) -> float:
    """Least two-sided tail of the counts of joint outcomes, times their number."""
    columns = np.concatenate([bits[register.name][row] for register in circuit.cregs], axis=1)
    outcomes = columns @ (1 << np.arange(columns.shape[1]))
    counts = np.bincount(outcomes, minlength=joint.size)
    of = stats.binom(len(outcomes), np.clip(joint, 0, 1))
    return float((2 * np.minimum(of.cdf(counts), of.sf(counts - 1))).min() * joint.size)


@pytest.mark.statistical
def test_shots_of_each_tile(tiles: ISACircuit, noise: Noise, seed: int) -> None:
    """False alarm 1e-6 over all; its power is that the tiles and the ideal are told apart."""
    angles = np.array([some_values(tiles.executed, row) for row in range(2)])
    bits = DeviceRunner()(RunRequest(tiles.executed, angles, 1_000_000, seed, JAKARTA))
    parts = components(tiles.executed)
    joints = [[aer_joint(part, noise, values) for values in angles] for part in parts]
    swapped, ideal = [], []
    for tile, part in enumerate(parts):
        for row in range(2):
            assert surprise(bits, part, joints[tile][row], row) * 4 > FALSE_ALARM
            swapped.append(surprise(bits, part, joints[1 - tile][row], row))
            ideal.append(surprise(bits, part, engine_joint(part, None, angles[row]), row))
    assert min(swapped) < FALSE_ALARM
    assert max(ideal) < FALSE_ALARM


def test_the_same_request_gives_the_same_bits(tiles: ISACircuit) -> None:
    """Whether or not the program is known from a circuit of other objects."""
    angles = np.array([some_values(tiles.executed, 1)])
    runner = DeviceRunner()
    first = runner(RunRequest(tiles.executed, angles, 50, 3, JAKARTA))
    again = tiles.executed.copy()
    again = again.assign_parameters({p: Parameter(p.name) for p in again.parameters})
    for other in (runner, DeviceRunner()):
        second = other(RunRequest(again, angles, 50, 3, JAKARTA))
        assert all(np.array_equal(first[name], second[name]) for name in first)
    halves = [name for name in first if name.startswith("step_0")]
    assert not np.array_equal(first[halves[0]], first[halves[1]])


def test_what_is_too_wide_is_run_by_aer() -> None:
    device = "fake_marrakesh"
    circuit = QuantumCircuit(156, 9)
    circuit.x(0)
    for qubit in range(8):
        circuit.cz(qubit, qubit + 1)
    circuit = transpile(circuit, fake_device(device), optimization_level=0)
    circuit.measure(range(9), range(9))
    request = RunRequest(circuit, np.empty((1, 0)), 30, 4, device)
    bits, expected = DeviceRunner()(request), AerRunner()(request)
    assert all(np.array_equal(bits[name], expected[name]) for name in expected)
