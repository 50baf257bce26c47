"""Placement by predicted error."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import CZGate, Measure, SXGate
from qiskit.providers import QubitProperties
from qiskit.transpiler import InstructionProperties, Target

from qrnn_qiskit import ExactExecutor, build_cell, unroll
from qrnn_qiskit.execution.backends.ibm import fake_device
from qrnn_qiskit.execution.isa import TranspileOptions
from qrnn_qiskit.execution.layout import best_placement, predicted_error
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.spec.noise import NoiseSpec

T1, T2 = 50e-6, 40e-6


def line(sx: list[float], cz: list[float], readout: list[float]) -> Target:
    count = len(sx)
    target = Target(num_qubits=count, qubit_properties=[QubitProperties(T1, T2)] * count)
    target.add_instruction(
        SXGate(), {(q,): InstructionProperties(1e-8, sx[q]) for q in range(count)}
    )
    target.add_instruction(
        Measure(), {(q,): InstructionProperties(1e-6, readout[q]) for q in range(count)}
    )
    pairs = [(q, q + 1, e) for q, e in enumerate(cz)]
    both = {(a, b): e for p, q, e in pairs for a, b in ((p, q), (q, p))}
    target.add_instruction(CZGate(), {p: InstructionProperties(1e-7, e) for p, e in both.items()})
    return target


def small() -> QuantumCircuit:
    """On qubits 0 and 1 of five; qubit 1 idles while 0 is measured."""
    circuit = QuantumCircuit(5, 2)
    circuit.sx(0)
    circuit.sx(1)
    circuit.cz(0, 1)
    circuit.measure(0, 0)
    circuit.cz(0, 1)
    circuit.measure(1, 1)
    return circuit


def test_predicted_error_by_hand() -> None:
    target = line([0.01, 0.02, 0, 0, 0], [0.03, 0, 0, 0], [0.04, 0.05, 0, 0, 0])
    idle = 0.5 + np.exp(-1e-6 / T1) / 6 + np.exp(-1e-6 / T2) / 3
    # The measured qubit, too, waits for the second CZ from the moment it was measured.
    success = 0.99 * 0.98 * 0.97**2 * 0.96 * 0.95 * idle**2
    assert predicted_error(small(), target) == pytest.approx(1 - success, abs=1e-12)


def test_best_placement_is_found_in_either_direction() -> None:
    target = line([0.01] * 5, [0.03, 0.03, 0.03, 0.002], [0.1, 0.1, 0.1, 0.1, 0.001])
    placed, error = best_placement(small(), target)
    qubits = {placed.find_bit(q).index for item in placed.data for q in item.qubits}
    assert qubits == {3, 4}
    assert error == pytest.approx(predicted_error(placed, target), abs=1e-12)
    assert error < predicted_error(small(), target)
    assert placed.count_ops() == small().count_ops()
    again, same = best_placement(placed, target)
    assert again is placed
    assert same == pytest.approx(error)


@pytest.mark.parametrize("device", ["fake_boston", "fake_marrakesh", "fake_kingston"])
def test_search_lessens_the_error_of_the_outputs(device: str) -> None:
    """Not only the predicted one: outputs under the device's noise come nearer to the ideal."""
    circuit = unroll(build_cell("viqueira_emcz2", {"layers": 1}), 4)
    angles = np.random.default_rng(0).uniform(-3, 3, (20, len(circuit.occurrences)))
    ideal = ExactExecutor().forward(circuit, angles, "z")
    noise = make_noise(NoiseSpec(device=device))
    target = fake_device(device).target
    errors, predicted = [], []
    for trials in (0, 2):
        executor = ExactExecutor(noise, TranspileOptions(layout_trials=trials))
        outputs = executor.forward(circuit, angles, "z")
        errors.append(float(np.sqrt(np.mean((outputs - ideal) ** 2))))
        predicted.append(predicted_error(executor.isa(circuit).circuit, target))
    assert predicted[1] < predicted[0]
    assert errors[1] < 0.8 * errors[0]
