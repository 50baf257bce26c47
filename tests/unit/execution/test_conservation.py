"""Conservation under any noise: channels are physical, probabilities positive with sum one."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.quantum_info import Choi, SuperOp

from qrnn_qiskit import Cell, ExactExecutor, UnrolledCircuit, unroll
from qrnn_qiskit.execution.isa import TranspileOptions
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.execution.noise.insert import noisy_circuit
from qrnn_qiskit.spec.noise import NoiseSpec

small = st.floats(0.0, 0.3)
times = st.floats(1.0, 500.0)


@st.composite
def specs(draw: st.DrawFn) -> NoiseSpec:
    """Any noise by keys, mild or absurd."""
    t1 = draw(times)
    return NoiseSpec(
        preset=draw(st.sampled_from([None, "good", "typical", "bad"])),
        depolarizing_1q=draw(small),
        depolarizing_2q=draw(small),
        readout=(draw(small), draw(small)),
        t1_us=t1,
        t2_us=draw(st.floats(0.01, 2.0)) * t1,
        reset_error=draw(small),
        measurement_disturbance=draw(small),
        measurement_dephasing=draw(small),
        over_rotation=draw(st.floats(-1, 1)),
        over_rotation_proportional=draw(small),
        detuning_khz=draw(st.floats(-100, 100)),
    )


@cache
def all_qubits_read() -> UnrolledCircuit:
    """Two steps; at the end of each both qubits are turned and read, one of them is reset."""
    circuit = QuantumCircuit(QuantumRegister(2, "io"), ClassicalRegister(2, "readout"))
    a, b, c, d = (Parameter(name) for name in "abcd")
    circuit.rx(a, 0)
    circuit.ry(b, 1)
    circuit.cz(0, 1)
    circuit.ry(c, 0)
    circuit.rx(d, 1)
    circuit.measure([0, 1], [0, 1])
    circuit.reset(0)
    return unroll(Cell.from_circuit(circuit, weights=[a, b, c, d], features=[], name="all"), 2)


@settings(max_examples=8, deadline=None)
@given(spec=specs(), seed=st.integers(0, 2**20))
def test_probabilities_in_any_basis_sum_to_one_and_are_not_negative(
    spec: NoiseSpec, seed: int
) -> None:
    """The last turns choose the basis: a state is positive if its diagonal is in every basis."""
    made = all_qubits_read()
    executor = ExactExecutor(make_noise(spec), TranspileOptions(optimization_level=0))
    angles = np.random.default_rng(seed).uniform(-4, 4, (8, len(made.occurrences)))
    found = executor.forward(made, angles, "probabilities")
    assert found.sum(axis=2) == pytest.approx(np.ones((8, 2)), abs=1e-12)
    assert found.min() > -1e-12


@settings(max_examples=5, deadline=None)
@given(spec=specs())
def test_every_error_preserves_the_trace_and_is_completely_positive(spec: NoiseSpec) -> None:
    noise = make_noise(spec)
    assert noise is not None
    made = all_qubits_read()
    isa = ExactExecutor(noise, TranspileOptions(decoupling="xx")).isa(made)
    seen = set[int]()
    for item in noisy_circuit(isa, noise).data:
        error = getattr(item.operation, "_quantum_error", None)
        if error is not None and id(error) not in seen:
            seen.add(id(error))
            check_physical(np.asarray(Choi(SuperOp(error)).data))
    assert seen


@pytest.mark.parametrize("device", ["fake_boston", "fake_torino", "fake_sherbrooke"])
def test_every_error_of_a_device_is_physical(device: str) -> None:
    noise = make_noise(NoiseSpec(device=device, scale=3.0))
    assert noise is not None
    random = np.random.default_rng(1)
    keys = [key for key in noise.gate_errors if key[0] in ("sx", "cz", "ecr", "cx")]
    for k in random.choice(len(keys), 15, replace=False):
        error = noise.gate_errors[keys[int(k)]]
        check_physical(np.asarray(Choi(SuperOp(error)).data))


def check_physical(choi: NDArray[np.complex128]) -> None:
    size = round(np.sqrt(len(choi)))
    assert np.linalg.eigvalsh(choi).min() > -1e-9
    # Qiskit's Choi matrix is sum |i><j| x E(|i><j|): the trace over the outputs is the identity.
    reduced = np.einsum("aibi->ab", choi.reshape(size, size, size, size))
    assert reduced == pytest.approx(np.eye(size), abs=1e-9)


def test_a_measurement_disturbs_neighbours_alone() -> None:
    """On a line of three of a device, the middle's measurement reaches both, an end's only it."""
    for measured, disturbed in ((1, {0, 2}), (0, {1})):
        circuit = QuantumCircuit(QuantumRegister(3, "io"), ClassicalRegister(1, "readout"))
        a = Parameter("a")
        for q in range(3):
            circuit.rx(a, q)
        circuit.measure(measured, 0)
        circuit.cz(0, 1)
        circuit.cz(1, 2)
        made = unroll(Cell.from_circuit(circuit, weights=[a], features=[], name="line"), 2)
        options = TranspileOptions(initial_layout=(0, 1, 2), optimization_level=0)
        counts = []
        for probability in (0.0, 0.1):
            spec = NoiseSpec(device="fake_lima", idle=False, measurement_disturbance=probability)
            noise = make_noise(spec)
            assert noise is not None
            isa = ExactExecutor(noise, options).isa(made)
            noisy = noisy_circuit(isa, noise)
            on = [
                isa.qubits[noisy.find_bit(item.qubits[0]).index]
                for item in noisy.data
                if item.operation.name == "quantum_channel" and len(item.qubits) == 1
            ]
            counts.append(np.bincount(on, minlength=3))
        extra = counts[1] - counts[0]
        assert extra.tolist() == [2 * (q in disturbed) for q in range(3)]
