"""Noise models: what they say of gates and readout, for the exact engine and for Aer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.library import RXGate
from qiskit.quantum_info import PTM, Kraus, SuperOp
from qiskit_aer.noise.device import basic_device_gate_errors, basic_device_readout_errors

from qrnn_qiskit import ExactExecutor, build_cell, named_device_noise, simple_noise, unroll
from qrnn_qiskit.errors import BackendError, SpecError
from qrnn_qiskit.execution.backends.ibm import fake_device
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.execution.noise import device_noise
from qrnn_qiskit.execution.noise.insert import noisy_circuit
from qrnn_qiskit.spec.noise import NoiseSpec
from tests.reference import depolarizing


def test_simple_noise_is_depolarizing_after_sx_x_and_cz() -> None:
    noise = simple_noise(0.03, 0.06, 0.04)
    for name, qubits, strength in (("sx", (7,), 0.03), ("x", (0,), 0.03), ("cz", (3, 1), 0.06)):
        expected = np.real(PTM(Kraus(depolarizing(strength, len(qubits)))).data)
        assert noise.transfer_matrix(name, qubits) == pytest.approx(expected, abs=1e-14)
    for name in ("rz", "reset", "measure", "id"):
        assert noise.transfer_matrix(name, (0,)) is None
    assert noise.flips(5) == (0.04, 0.04)


def test_no_noise_makes_no_errors() -> None:
    noise = simple_noise(0, 0, 0)
    assert len(noise.gate_errors) == 0
    assert noise.aer_model([0, 1], local=True).is_ideal()


def test_aer_model_of_simple_noise() -> None:
    model = simple_noise(0.03, 0, 0.04).aer_model([0, 1], local=True)
    assert set(model.noise_instructions) == {"sx", "x", "measure"}
    assert sorted(model.noise_qubits) == [0, 1]


@pytest.fixture(scope="module")
def small_device() -> str:
    return "fake_manila"


def test_errors_made_one_by_one_are_those_aer_makes_at_once(small_device: str) -> None:
    target = fake_device(small_device).target
    noise = device_noise(target)
    expected = {
        (name, tuple(qubits)): error
        for name, qubits, error in basic_device_gate_errors(target=target)
    }
    assert set(noise.gate_errors) == set(expected)
    assert len(noise.gate_errors) == len(expected)
    for key, error in expected.items():
        assert np.array_equal(SuperOp(noise.gate_errors[key]).data, SuperOp(error).data)
    for (qubit,), readout in basic_device_readout_errors(target=target):
        wrong = (readout.probabilities[0][1], readout.probabilities[1][0])
        assert noise.flips(qubit) == pytest.approx(wrong)


def test_device_noise_damps(small_device: str) -> None:
    """Thermal relaxation: the transfer matrix has a shift towards |0>, unlike Pauli noise."""
    matrix = named_device_noise(small_device, idle=False).transfer_matrix("sx", (0,))
    assert matrix is not None
    assert matrix[0].tolist() == [1, 0, 0, 0]
    assert matrix[3, 0] > 1e-6
    assert np.all(np.abs(np.linalg.eigvals(matrix)) <= 1 + 1e-12)


@pytest.mark.parametrize("local", [True, False])
def test_aer_model_is_cut_to_the_qubits_in_use(small_device: str, local: bool) -> None:
    noise = named_device_noise(small_device, idle=False)
    model = noise.aer_model([1, 2], local=local)
    places = {1: 0, 2: 1} if local else {1: 1, 2: 2}
    assert sorted(model.noise_qubits) == sorted(places.values())
    errors = {
        (entry["operations"][0], tuple(entry["gate_qubits"][0]))
        for entry in model.to_dict()["errors"]
        if "gate_qubits" in entry and entry["type"] == "qerror"
    }
    expected = {
        (name, tuple(places[q] for q in qubits))
        for name, qubits in noise.gate_errors
        if set(qubits) <= {1, 2}
    }
    assert errors == expected
    assert any(len(qubits) == 2 for _, qubits in errors)


def test_refusals() -> None:
    with pytest.raises(BackendError, match="device 'fake_marakesh' is unknown.*fake_marrakesh"):
        named_device_noise("fake_marakesh")
    with pytest.raises(BackendError, match="the device has no error properties"):
        device_noise(simple_noise(0, 0, 0).target)


def channels(circuit: QuantumCircuit) -> list[tuple[str, tuple[int, ...]]]:
    """Names and qubits of all instructions, those of nested blocks in brackets."""
    found: list[tuple[str, tuple[int, ...]]] = []
    for item in circuit.data:
        qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
        found.append((item.operation.name, qubits))
        for block in getattr(item.operation, "blocks", ()):
            found += [(f"({name})", q) for name, q in channels(block)]
    return found


def test_branches_decay_for_the_same_time() -> None:
    """The branch that does nothing, and one that is shorter, idle until the longer one is done."""
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(1, "step_0"))
    circuit.x(1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    noise = make_noise(NoiseSpec(t1_us=50.0, t2_us=40.0, feedforward_ns=300.0))
    assert noise is not None
    seen = channels(noisy_circuit(ISACircuit(circuit, np.zeros(0, dtype=np.intp), (0, 1)), noise))
    assert seen == [
        ("x", (1,)),
        ("quantum_channel", (1,)),
        ("measure", (0,)),
        ("quantum_channel", (1,)),
        ("if_else", (1,)),
        ("(x)", (0,)),
        ("(quantum_channel)", (0,)),
        ("(quantum_channel)", (0,)),
    ]


def test_qubits_in_the_ground_state_have_no_decay() -> None:
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(1, "step_0"))
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.x(1)
    circuit.cz(0, 1)
    noise = make_noise(NoiseSpec(t1_us=50.0, gate_1q_ns=0.0, gate_2q_ns=0.0))
    assert noise is not None
    seen = channels(noisy_circuit(ISACircuit(circuit, np.zeros(0, dtype=np.intp), (0, 1)), noise))
    names = [name for name, _ in seen]
    assert sorted(names) == sorted(["measure", "reset", "x", "quantum_channel", "cz"])
    assert seen[-2:] == [("quantum_channel", (1,)), ("cz", (0, 1))]


def test_over_rotation_of_a_trained_gate_is_refused() -> None:
    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(1, "step_0"))
    circuit.rx(Parameter("a"), 0)
    noise = dataclasses.replace(simple_noise(0, 0, 0), over_rotations={"rx": RXGate(0.1)})
    with pytest.raises(BackendError, match="changes the frequency, and parameter shift"):
        noisy_circuit(ISACircuit(circuit, np.zeros(1, dtype=np.intp), (0,)), noise)


def test_over_rotation_of_a_device_without_cz_is_refused() -> None:
    with pytest.raises(SpecError, match="noise.over_rotation is known for SX, X and CZ"):
        make_noise(NoiseSpec(device="fake_manila", over_rotation=0.1))


def test_number_of_listed_values() -> None:
    executor = ExactExecutor(make_noise(NoiseSpec(reset_error=(0.1, 0.2, 0.3))))
    with pytest.raises(SpecError, match=r"noise.reset_error has 3 values, but .* qubits 0 to 1"):
        executor.isa(unroll(build_cell("parity2"), 2))
