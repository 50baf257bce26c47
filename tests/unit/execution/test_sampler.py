from __future__ import annotations

import numpy as np
import pytest
from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister

from qrnn_qiskit import ExactSampler
from qrnn_qiskit.errors import BackendError


def teleport() -> QuantumCircuit:
    """A rotated qubit sent by two bits of feed-forward."""
    circuit = QuantumCircuit(
        QuantumRegister(3), ClassicalRegister(2, "sent"), ClassicalRegister(9, "got")
    )
    circuit.ry(Parameter("a"), 0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.x(2)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.z(2)
    circuit.measure(2, circuit.clbits[10])
    return circuit


def test_shapes_and_order_of_bits() -> None:
    values = np.array([[0.0], [np.pi], [np.pi / 2]]).reshape(3, 1, 1)
    data = ExactSampler(seed=3).run([(teleport(), values)], shots=2000).result()[0].data
    assert data.shape == (3, 1)
    assert data.got.num_bits == 9
    assert data.got.num_shots == 2000
    assert data.got.get_counts((0, 0)) == {"000000000": 2000}
    assert data.got.get_counts((1, 0)) == {"100000000": 2000}
    ones = data.got.get_counts((2, 0))["100000000"]
    assert abs(ones - 1000) < 5 * np.sqrt(500)
    assert set(data.sent.get_counts((0, 0))) == {"00", "01", "10", "11"}


def test_the_same_seed_gives_the_same_bits() -> None:
    pub = (teleport(), [0.7], 300)
    first, second = (ExactSampler(seed=5) for _ in range(2))
    one, two = (s.run([pub, pub]).result() for s in (first, second))
    for i in (0, 1):
        np.testing.assert_array_equal(one[i].data.sent.array, two[i].data.sent.array)
    assert np.any(one[0].data.sent.array != one[1].data.sent.array)
    assert np.any(first.run([pub]).result()[0].data.sent.array != one[0].data.sent.array)


def test_qubits_are_used_again() -> None:
    """Thirty qubits, of which two are in use at a time; their last bit is a parity."""
    circuit = QuantumCircuit(QuantumRegister(31), ClassicalRegister(30, "c"), ClassicalRegister(1))
    for i in range(30):
        circuit.h(i)
        circuit.cx(i, 30)
        circuit.measure(i, i)
    circuit.measure(30, 30)
    data = ExactSampler(seed=1, max_qubits=3).run([circuit], shots=200).result()[0].data
    parity = data.c.to_bool_array().sum(axis=1) % 2
    name = circuit.cregs[1].name
    np.testing.assert_array_equal(parity, data[name].to_bool_array()[:, 0])
    assert parity.std() > 0.4


def test_what_cannot_be_sampled_is_refused() -> None:
    sampler = ExactSampler(max_qubits=4)
    wide = QuantumCircuit(5, 1)
    wide.h(range(5))
    wide.measure(0, 0)
    wide.cz(0, 4)
    wide.measure(4, 0)
    wide.h(range(5))
    wide.measure(3, 0)
    with pytest.raises(BackendError, match="more than 4 qubits in use at a time"):
        sampler.run([wide])
    with pytest.raises(BackendError, match="no classical register"):
        sampler.run([QuantumCircuit(1)])
    loop = QuantumCircuit(1, 1)
    with loop.while_loop((loop.clbits[0], 0)):
        loop.measure(0, 0)
    with pytest.raises(BackendError, match="cannot run 'while_loop'"):
        sampler.run([loop])
    inside = QuantumCircuit(1, 1)
    with inside.if_test((inside.clbits[0], 0)):
        inside.reset(0)
    with pytest.raises(BackendError, match="cannot run 'reset' inside of a condition"):
        sampler.run([inside])
