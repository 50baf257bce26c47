"""Circuits run by the service, against the independent reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Parameter
from scipy import stats

from qrnn_qiskit.emulator import AerRunner, RunRequest, snapshots
from qrnn_qiskit.emulator.program import Bits
from qrnn_qiskit.execution.backends.ibm import fake_device, fake_device_noise
from tests.emulated import ANGLES, isa_circuit
from tests.reference import reference_joint
from tests.unit.execution.reference_noise import device_kraus

FALSE_ALARM = 1e-6
SHOTS = 4300  # three of Aer's runs
MARRAKESH = "fake_marrakesh"


def two_registers() -> QuantumCircuit:
    """An ISA circuit with one bit a step, as the reference wants it.

    Pairs of CZ do nothing but gather noise, enough to be noticed.
    """
    circuit = QuantumCircuit(156)
    circuit.add_register(ClassicalRegister(1, "step_0"), ClassicalRegister(1, "step_1"))
    a, b = Parameter("a"), Parameter("b")
    for qubit, angle in ((3, a), (2, b)):
        circuit.sx(qubit)
        circuit.rz(angle, qubit)
        circuit.sx(qubit)
    for _ in range(81):
        circuit.cz(3, 2)
    circuit.measure(3, 0)
    circuit.reset(3)
    circuit.sx(2)
    circuit.cz(3, 2)
    circuit.sx(3)
    circuit.cz(3, 2)
    circuit.measure(2, 1)
    return circuit


def surprise(bits: dict[str, Bits], circuit: QuantumCircuit, **noise: Any) -> float:
    """Least two-sided tail of the counts of joint outcomes, times their number."""
    tails = []
    for row, angles in enumerate(ANGLES):
        values = dict(zip(circuit.parameters, angles.tolist(), strict=True))
        joint = reference_joint(circuit, values, **noise)
        for outcome, probability in joint.items():
            first, second = (bits[f"step_{t}"][row, :, 0] == outcome[t] for t in (0, 1))
            count = int(np.sum(first & second))
            of = stats.binom(SHOTS, probability)
            tails.append(2 * min(of.cdf(count), of.sf(count - 1)))
    return float(min(tails)) * len(tails)


@pytest.mark.statistical
def test_the_noise_of_the_device(seed: int) -> None:
    """False alarm 1e-6; its power is that the ideal reference is noticed."""
    circuit = two_registers()
    noise, flips = device_kraus(fake_device_noise(MARRAKESH))
    bits = AerRunner()(RunRequest(circuit, ANGLES, SHOTS, seed, MARRAKESH))
    assert bits["step_0"].shape == (3, SHOTS, 1)
    assert surprise(bits, circuit, noise=noise, flips=flips) > FALSE_ALARM
    assert surprise(bits, circuit) < FALSE_ALARM


@pytest.mark.statistical
def test_without_noise(seed: int) -> None:
    """False alarm 1e-6; its power is that the device's noise is noticed."""
    circuit = two_registers()
    noise, flips = device_kraus(fake_device_noise(MARRAKESH))
    bits = AerRunner(noise=False)(RunRequest(circuit, ANGLES, SHOTS, seed, MARRAKESH))
    assert surprise(bits, circuit) > FALSE_ALARM
    assert surprise(bits, circuit, noise=noise, flips=flips) < FALSE_ALARM


def test_fractional_gates_have_noise() -> None:
    noise = snapshots.noise(MARRAKESH)
    assert noise.transfer_matrix("rx", (3,)) is not None
    assert noise.transfer_matrix("rzz", (2, 3)) is not None
    assert noise.transfer_matrix("rz", (3,)) is None


def test_rows_and_pieces_share_no_random_numbers() -> None:
    """Equal rows of more shots than one Aer run may have: no two stretches of shots agree."""
    rows: NDArray[np.float64] = np.ones((3, 2))
    bits = AerRunner(noise=False)(RunRequest(isa_circuit(), rows, SHOTS, 5, MARRAKESH))
    shots = bits["step_1"].reshape(3, SHOTS, 2)[..., 0]
    window = 60
    stretches = {
        row[start : start + window].tobytes() for row in shots for start in range(SHOTS - window)
    }
    assert len(stretches) == 3 * (SHOTS - window)


def test_a_circuit_without_parameters() -> None:
    circuit = isa_circuit().assign_parameters([np.pi, 0.0])
    rows: NDArray[np.float64] = np.empty((2, 0))
    bits = AerRunner(noise=False)(RunRequest(circuit, rows, 5, 1, MARRAKESH))
    assert bits["step_0"].shape == (2, 5, 1)
    assert bits["step_0"].all()
    assert (bits["step_1"] == [False, True]).all()


def test_measure_2_and_reset_2_of_the_device() -> None:
    target = fake_device("fake_boston").target
    circuit = QuantumCircuit(156)
    circuit.add_register(ClassicalRegister(1, "step_0"), ClassicalRegister(1, "step_1"))
    circuit.x(0)
    circuit.append(target.operation_from_name("measure_2"), [0], [0])
    circuit.append(target.operation_from_name("reset_2"), [0])
    circuit.append(target.operation_from_name("measure_2"), [0], [1])
    rows: NDArray[np.float64] = np.empty((1, 0))
    bits = AerRunner(noise=False)(RunRequest(circuit, rows, 20, 1, "fake_boston"))
    assert bits["step_0"].all()
    assert not bits["step_1"].any()
