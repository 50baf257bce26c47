"""Timetables, by hand and against Qiskit's own schedule where there is one."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Delay
from qiskit.transpiler import PassManager
from qiskit.transpiler.passes import ASAPScheduleAnalysis

from qrnn_qiskit import build_cell, unroll
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.backends.ibm import fake_device
from qrnn_qiskit.execution.isa import TranspileOptions, to_isa
from qrnn_qiskit.execution.timetable import femtoseconds, timetable

LENGTH = {"x": 10, "cz": 30, "measure": 100, "reset": 50, "rz": 0}


def durations(name: str, qubits: tuple[int, ...]) -> int:
    return LENGTH[name]


def starts(circuit: QuantumCircuit, latency: int = 0) -> list[int]:
    return [slot.start for slot in timetable(circuit, durations, latency).slots]


def test_as_soon_as_qubits_are_free() -> None:
    circuit = QuantumCircuit(3, 1)
    circuit.x(0)
    circuit.cz(0, 1)
    circuit.rz(0.1, 1)
    circuit.measure(0, 0)
    circuit.x(2)
    circuit.x(1)
    circuit.reset(0)
    circuit.barrier()
    circuit.x(2)
    assert starts(circuit) == [0, 10, 40, 40, 0, 40, 140, 190, 190]
    assert timetable(circuit, durations, 0).length == 200


def test_feed_forward_waits_for_its_bit_and_takes_the_longer_branch() -> None:
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(2))
    circuit.measure(0, 0)
    circuit.x(1)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.x(1)
        circuit.x(1)
        circuit.x(2)
    with otherwise:
        circuit.cz(1, 2)
    circuit.x(1)
    circuit.x(0)
    circuit.measure(1, 0)
    table = timetable(circuit, durations, latency=7)
    assert [slot.start for slot in table.slots] == [0, 0, 107, 137, 100, 147]
    assert table.slots[2].end == 137
    assert table.length == 247


def test_a_bit_is_not_overwritten_before_it_is_read() -> None:
    circuit = QuantumCircuit(3, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(2, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    assert starts(circuit, latency=5) == [0, 105, 115, 220]


def test_delays() -> None:
    circuit = QuantumCircuit(1)
    circuit.append(Delay(3, "ns"), [0])
    circuit.x(0)
    assert starts(circuit) == [0, femtoseconds(3e-9)] == [0, 3_000_000]
    in_dt = QuantumCircuit(1)
    in_dt.append(Delay(3, "dt"), [0])
    assert timetable(in_dt, durations, 0, dt=2e-9).length == 6_000_000
    with pytest.raises(BackendError, match="a delay of 3 dt: the backend has no dt"):
        timetable(in_dt, durations, 0)


def test_loops_are_refused() -> None:
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(3)):
        circuit.x(0)
    with pytest.raises(BackendError, match="'for_loop' has no timetable: use if_test"):
        starts(circuit)


@pytest.mark.parametrize("device", ["fake_boston", "fake_manila"])
def test_without_feed_forward_it_is_that_of_qiskit(device: str) -> None:
    target = fake_device(device).target
    cell = build_cell("viqueira_emcz2", {"layers": 1, "reuploads": 1})
    circuit = to_isa(unroll(cell, 4), target, TranspileOptions()).circuit

    def of_target(name: str, qubits: tuple[int, ...]) -> int:
        return femtoseconds(target[name][qubits].duration or 0)

    manager = PassManager(ASAPScheduleAnalysis(target=target))
    manager.run(circuit)
    expected = {
        (node.name, tuple(circuit.find_bit(q).index for q in node.qargs), start)
        for node, start in manager.property_set["node_start_time"].items()
    }
    slots = timetable(circuit, of_target, 0).slots
    ours = {
        (
            item.operation.name,
            tuple(circuit.find_bit(q).index for q in item.qubits),
            int(np.rint(slot.start / femtoseconds(target.dt))),
        )
        for item, slot in zip(circuit.data, slots, strict=True)
    }
    assert ours == expected
