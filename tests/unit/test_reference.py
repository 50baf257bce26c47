"""The reference itself, against closed forms, a golden vector and Aer's density matrices."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Parameter
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, amplitude_damping_error, depolarizing_error, pauli_error

from tests.reference import (
    PAULIS,
    Array,
    Bits,
    Matrix,
    amplitude_damping,
    depolarizing,
    joint_moments,
    reference_cell_joint,
    reference_joint,
    reference_outputs,
    repeat_cell,
    sixth_order_difference,
)

WEIGHTS = np.array([0.3, -0.7, 1.1, 0.9, -0.4, 0.6, 1.3])
FEATURES = np.array([0.5, -0.2, 0.8])
TARGETS = np.array([-0.2, 0.8, 0.1])


def golden_circuit(weights: Array) -> QuantumCircuit:
    """Three steps of the golden cell: io on qubit 0, two hidden qubits."""
    cell = QuantumCircuit(QuantumRegister(1, "io"), QuantumRegister(2, "hidden"))
    cell.add_register(ClassicalRegister(1, "readout"))
    w = [Parameter(f"w_{i}") for i in range(7)]
    angle = Parameter("angle")
    cell.ry(angle, 0)
    for qubit in range(3):
        cell.rx(w[qubit], qubit)
    cell.rzz(w[3], 0, 1)
    cell.rzz(w[4], 1, 2)
    cell.ry(w[5], 0)
    cell.ry(w[6], 1)
    cell.measure(0, 0)
    cell.reset(0)
    steps = [{angle: float(np.arccos(x))} for x in FEATURES]
    return repeat_cell(cell, dict(zip(w, weights, strict=True)), steps)


def golden_outputs(weights: Array) -> Array:
    return reference_outputs(golden_circuit(weights), {})[:, 0]


def test_one_rotation_and_a_measurement() -> None:
    theta = Parameter("theta")
    circuit = QuantumCircuit(1, 1)
    circuit.ry(theta, 0)
    circuit.measure(0, 0)
    assert reference_outputs(circuit, {theta: 0.7}) == pytest.approx(np.cos(0.7))
    joint = reference_joint(circuit, {theta: 0.7})
    assert joint == pytest.approx({(0,): np.cos(0.35) ** 2, (1,): np.sin(0.35) ** 2})


def test_without_a_reset_the_outcomes_are_a_markov_chain() -> None:
    angle = 0.9
    circuit = QuantumCircuit(QuantumRegister(1))
    for t in range(3):
        register = ClassicalRegister(1, f"step_{t}")
        circuit.add_register(register)
        circuit.rx(angle, 0)
        circuit.measure(0, register[0])
    powers = np.cos(angle) ** np.arange(1, 4)
    assert reference_outputs(circuit, {})[:, 0] == pytest.approx(powers)
    _, covariance = joint_moments(reference_joint(circuit, {}))
    assert covariance[0, 2] == pytest.approx(np.cos(angle) ** 2 - powers[0] * powers[2])


def test_golden_vector() -> None:
    mean = golden_outputs(WEIGHTS)
    assert mean == pytest.approx([0.0402869375, -0.5015140394, 0.4725749002], abs=5e-11)
    moments_mean, covariance = joint_moments(reference_joint(golden_circuit(WEIGHTS), {}))
    assert moments_mean == pytest.approx(mean, abs=1e-13)
    assert covariance[np.triu_indices(3, 1)] == pytest.approx(
        [0.0091406169, -0.0047506814, -0.0362490502], abs=5e-11
    )
    jacobian = sixth_order_difference(golden_outputs, WEIGHTS)
    assert jacobian.sum(axis=0) == pytest.approx(
        [
            -0.2625812700,
            -0.0180398887,
            0.0099240754,
            1.0171641656,
            0.0321737800,
            -1.8445378182,
            0.0062231013,
        ],
        abs=6e-11,
    )
    assert np.mean((mean - TARGETS) ** 2) == pytest.approx(0.6301628878, abs=5e-11)
    assert 2 / 3 * (mean - TARGETS) @ jacobian == pytest.approx(
        [
            -0.0937040652,
            -0.0256980045,
            -0.0020956296,
            -0.2751694431,
            0.0034139862,
            0.0517420558,
            0.0170880058,
        ],
        abs=6e-11,
    )


def test_sixth_order_difference_has_its_order() -> None:
    x = np.array([0.4, 1.3])

    def error(h: float) -> float:
        estimate = sixth_order_difference(lambda v: np.sin(v).sum(), x, h)
        return float(np.abs(estimate - np.cos(x)).max())

    order = np.log2(error(0.4) / error(0.2))
    assert order == pytest.approx(6, abs=0.1)
    assert error(2e-3) < 1e-12


def test_a_bit_measured_twice_keeps_the_later_value() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.ry(0.5, 0)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.measure(0, 0)
    assert reference_outputs(circuit, {}) == pytest.approx(-np.cos(0.5))
    joint = reference_joint(circuit, {})
    assert joint == pytest.approx({(0,): np.sin(0.25) ** 2, (1,): np.cos(0.25) ** 2})


def test_readout_flips() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.ry(0.5, 0)
    circuit.measure(0, 0)
    one = np.sin(0.25) ** 2
    read_one = (1 - one) * 0.1 + one * 0.7
    outputs = reference_outputs(circuit, {}, flips=lambda qubit: (0.1, 0.3))
    assert outputs == pytest.approx(1 - 2 * read_one)
    joint = reference_joint(circuit, {}, flips=lambda qubit: (0.1, 0.3))
    assert joint == pytest.approx({(0,): 1 - read_one, (1,): read_one})


def test_idle_qubits_cost_nothing_and_places_are_kept() -> None:
    small = golden_circuit(WEIGHTS)
    wide = QuantumCircuit(QuantumRegister(100), *small.cregs)
    wide.compose(small, [70, 3, 41], small.clbits, inplace=True)
    assert reference_outputs(wide, {}) == pytest.approx(reference_outputs(small, {}), abs=1e-14)


def test_transpiled_circuit_has_the_same_outputs() -> None:
    small = golden_circuit(WEIGHTS)
    basis = transpile(small, basis_gates=["rz", "sx", "x", "cz"], optimization_level=2)
    assert reference_outputs(basis, {}) == pytest.approx(reference_outputs(small, {}), abs=1e-12)


def test_refusals() -> None:
    theta = Parameter("theta")
    circuit = QuantumCircuit(1, 1)
    circuit.ry(theta, 0)
    circuit.measure(0, 0)
    with pytest.raises(ValueError, match=r"no value for \['theta'\]"):
        reference_outputs(circuit, {})
    uneven = QuantumCircuit(QuantumRegister(1), ClassicalRegister(1), ClassicalRegister(2))
    with pytest.raises(ValueError, match="all of one size"):
        reference_joint(uneven, {})
    branching = QuantumCircuit(1, 1)
    with branching.if_test((0, 1)):
        branching.x(0)
    with pytest.raises(ValueError, match="with feed-forward, take `reference_joint`"):
        reference_outputs(branching, {})


def test_feed_forward_and_memory_of_bits() -> None:
    """The qubit turns by 0.8 where the step before read 1, else by 0.3: a Markov chain."""
    cell = QuantumCircuit(QuantumRegister(1, "io"), ClassicalRegister(1, "readout"))
    with cell.if_test((0, 1)) as otherwise:
        cell.ry(0.8, 0)
    with otherwise:
        cell.ry(0.3, 0)
    cell.measure(0, 0)
    cell.reset(0)
    after = {1: np.sin(0.4) ** 2, 0: np.sin(0.15) ** 2}
    joint = reference_cell_joint(cell, {}, [{}, {}])
    for first in (0, 1):
        for second in (0, 1):
            here = after[0] if first else 1 - after[0]
            there = after[first] if second else 1 - after[first]
            assert joint[first, second] == pytest.approx(here * there, abs=1e-14)


def test_permutation_moves_states() -> None:
    cell = QuantumCircuit(QuantumRegister(3, "io"), ClassicalRegister(3, "readout"))
    cell.measure(range(3), range(3))
    cell.x(2)
    joint = reference_cell_joint(cell, {}, [{}, {}], [2, 0, 1])
    assert joint == pytest.approx({(0, 0, 0, 1, 0, 0): 1.0})


def two_noisy_steps() -> QuantumCircuit:
    """Two steps on 2 io and 1 hidden qubits, with every kind of instruction."""
    cell = QuantumCircuit(QuantumRegister(2, "io"), QuantumRegister(1, "hidden"))
    cell.add_register(ClassicalRegister(2, "readout"))
    cell.ry(0.7, 0)
    cell.crx(1.1, 2, 0)
    cell.rzz(0.4, 0, 1)
    cell.h(2)
    cell.cry(-0.8, 1, 2)
    cell.rxx(0.9, 1, 2)
    cell.barrier()
    cell.cp(0.6, 0, 2)
    cell.delay(100, 2)
    cell.sx(1)
    cell.measure([0, 1], [0, 1])
    cell.reset([0, 1])
    return repeat_cell(cell, {}, [{}, {}])


def deferred(circuit: QuantumCircuit) -> QuantumCircuit:
    """Each measurement copied to a qubit of its own by a cx, so that Aer is exact.

    An identity stands before each cx to take the measurement's noise; gates that Aer's density
    matrices lack become matrices.
    """
    copies = QuantumRegister(circuit.num_clbits, "copies")
    unitary = QuantumCircuit(*circuit.qregs, copies)
    for item in circuit.data:
        if item.operation.name == "measure":
            unitary.id(item.qubits[0])
            unitary.cx(item.qubits[0], copies[circuit.find_bit(item.clbits[0]).index])
        elif item.operation.name in ("crx", "cry"):
            unitary.unitary(item.operation.to_matrix(), item.qubits)
        else:
            unitary.append(item.operation, item.qubits)
    unitary.save_probabilities(list(copies))
    return unitary


NOISY = {"ry": 0.02, "h": 0.02, "sx": 0.02, "reset": 0.03, "rzz": 0.05, "rxx": 0.05, "cp": 0.05}


def gate_noise(name: str, qubits: tuple[int, ...]) -> list[Matrix]:
    if name == "measure":
        return amplitude_damping(0.1)
    return depolarizing(NOISY[name], len(qubits)) if name in NOISY else []


@pytest.mark.parametrize("noisy", [False, True])
def test_joint_distribution_agrees_with_aer(noisy: bool) -> None:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(amplitude_damping_error(0.1), "id")
    for name, strength in NOISY.items():
        num_qubits = 2 if name in ("rzz", "rxx", "cp") else 1
        model.add_all_qubit_quantum_error(depolarizing_error(strength, num_qubits), name)
    simulator = AerSimulator(method="density_matrix", noise_model=model if noisy else None)
    circuit = two_noisy_steps()
    probabilities = simulator.run(deferred(circuit)).result().data()["probabilities"]
    expected: dict[Bits, float] = {
        tuple((i >> bit) & 1 for bit in range(4)): float(p) for i, p in enumerate(probabilities)
    }
    noise = gate_noise if noisy else None
    joint = reference_joint(circuit, {}, noise=noise)
    assert joint == pytest.approx(expected, abs=1e-12)
    outputs = reference_outputs(circuit, {}, noise=noise)
    assert joint_moments(joint)[0] == pytest.approx(outputs.ravel(), abs=1e-13)


def test_noise_of_a_measurement_acts_before_it_as_in_aer() -> None:
    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(1), ClassicalRegister(1))
    circuit.measure([0, 0], [0, 1])
    model = NoiseModel()
    model.add_all_qubit_quantum_error(pauli_error([("X", 1.0)]), "measure")
    result = AerSimulator(noise_model=model).run(circuit, shots=10).result()
    assert result.get_counts() == {"0 1": 10}  # the first bit is the right one
    joint = reference_joint(circuit, {}, noise=lambda name, qubits: [PAULIS["X"]])
    assert {bits for bits, probability in joint.items() if probability} == {(1, 0)}
