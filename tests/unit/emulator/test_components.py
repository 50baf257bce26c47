"""Independent parts of a circuit."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit

from qrnn_qiskit import build_cell, unroll
from qrnn_qiskit.emulator import AerRunner, RunRequest
from qrnn_qiskit.emulator.components import components
from qrnn_qiskit.execution.backends.ibm import fake_device, fake_device_noise
from qrnn_qiskit.execution.isa import TranspileOptions, to_isa
from qrnn_qiskit.execution.tiles import suffix
from tests.reference import reference_joint
from tests.unit.execution.reference_noise import device_kraus

JAKARTA = "fake_jakarta"


def two_parts() -> QuantumCircuit:
    circuit = QuantumCircuit(5)
    circuit.add_register(ClassicalRegister(2, "left"), ClassicalRegister(1, "right"))
    circuit.ry(Parameter("b"), 0)
    circuit.cx(0, 1)
    circuit.barrier()
    circuit.measure(0, 0)
    circuit.rx(Parameter("a"), 3)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    circuit.measure(3, 2)
    return circuit


def test_parts_have_their_own_registers_and_parameters() -> None:
    left, right = components(two_parts())
    assert [register.name for register in left.cregs] == ["left"]
    assert [register.name for register in right.cregs] == ["right"]
    assert [p.name for p in left.parameters] == ["b"]
    assert [p.name for p in right.parameters] == ["a"]
    assert left.count_ops() == {"ry": 1, "cx": 1, "measure": 2, "if_else": 1}
    assert right.count_ops() == {"rx": 1, "measure": 1}
    assert left.num_qubits == right.num_qubits == 5


def test_what_hangs_together_stays_in_one_piece() -> None:
    circuit = two_parts()
    assert components(components(circuit)[0])[0].count_ops()["ry"] == 1
    with circuit.if_test((circuit.clbits[2], 1)):
        circuit.x(0)
    assert components(circuit) == [circuit]
    shared = QuantumCircuit(2, 2)  # one register for both
    shared.measure([0, 1], [0, 1])
    assert components(shared) == [shared]


def test_tiles_are_parts() -> None:
    unrolled = unroll(build_cell("parity2"), 2)
    isa = to_isa(
        unrolled, fake_device(JAKARTA).target, TranspileOptions(2, layout_trials=1, tiles=2)
    )
    parts = components(isa.executed)
    assert len(parts) == 2
    total: Counter[str] = Counter()
    for number, part in enumerate(parts):
        assert {register.name for register in part.cregs} == {
            f"step_{step}{suffix(number)}" for step in range(2)
        }
        total += Counter(part.count_ops())
    assert total == Counter(isa.executed.count_ops()) - Counter(["barrier"] * 99)


@pytest.mark.statistical
def test_each_part_has_the_noise_of_its_own_qubits() -> None:
    """Two X gates on two qubits far apart: each is read with its own qubit's errors."""
    circuit = QuantumCircuit(7)
    circuit.add_register(ClassicalRegister(1, "step_0"), ClassicalRegister(1, "step_1"))
    angle = Parameter("a")
    for place, qubit in enumerate((0, 6)):
        circuit.rz(angle, qubit)
        circuit.x(qubit)
        circuit.measure(qubit, place)
    shots = 60_000
    bits = AerRunner()(RunRequest(circuit, np.array([[0.1]]), shots, 3, JAKARTA))
    noise, flips = device_kraus(fake_device_noise(JAKARTA))
    joint = reference_joint(circuit, {angle: 0.1}, noise=noise, flips=flips)
    for place in (0, 1):
        expected = sum(p for outcome, p in joint.items() if outcome[place] == 1)
        found = bits[f"step_{place}"].mean()
        # Two binomials at five sigma: false alarms below 1e-6.
        assert abs(found - expected) < 5.2 * np.sqrt(expected * (1 - expected) / shots)
    # Independent: the product of the parts.
    both = np.mean(bits["step_0"] & bits["step_1"])
    assert abs(both - bits["step_0"].mean() * bits["step_1"].mean()) < 5.2 * 0.5 / np.sqrt(shots)
