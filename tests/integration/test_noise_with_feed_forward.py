"""Feed-forward under noise: the exact engine against Aer without a measurement.

By deferred measurement a bit is a qubit of its own that the measured one is copied to, its readout
errors a channel on that qubit, and a branch the same operations under its control: no sampling.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import IfElseOp, Parameter
from qiskit.quantum_info import Kraus, Operator, SuperOp
from qiskit_aer import AerSimulator

from qrnn_qiskit import Cell, ExactExecutor, unroll
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.execution.noise.insert import noisy_circuit
from qrnn_qiskit.spec.noise import NoiseSpec

Matrix = NDArray[np.complex128]
ZERO, ONE = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])


def feed_forward_cell() -> Cell:
    """The bit decides how the hidden qubit turns, while the measured one is reset."""
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"), QuantumRegister(1, "hidden"), ClassicalRegister(1, "readout")
    )
    a, b, x = (Parameter(name) for name in "abx")
    circuit.ry(x, 0)
    circuit.rx(a, 1)
    circuit.cz(0, 1)
    circuit.ry(b, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.sx(1)
        circuit.x(1)
    with otherwise:
        circuit.sx(1)
    circuit.reset(0)
    return Cell.from_circuit(circuit, weights=[a, b], features=[x], name="feed_forward")


def kraus_of(operation: object) -> list[Matrix]:
    error = getattr(operation, "_quantum_error", None)
    if error is not None:
        return [*Kraus(SuperOp(error)).data]
    return [Operator(operation).data]


def controlled(branches: Sequence[tuple[Matrix, list[Matrix]]]) -> Kraus:
    """Kraus operators on (target, control): each branch where its projector holds."""
    return Kraus([np.kron(projector, k) for projector, kraus in branches for k in kraus])


def deferred_outputs(
    circuit: QuantumCircuit, flips: dict[int, tuple[float, float]]
) -> NDArray[np.float64]:
    """<Z> of every bit in order of the registers, by Aer's density matrix."""
    count = circuit.num_qubits
    deferred = QuantumCircuit(count + circuit.num_clbits)
    for item in circuit.data:
        qubits = [circuit.find_bit(q).index for q in item.qubits]
        operation = item.operation
        if operation.name in ("barrier", "delay"):
            continue
        if operation.name in ("measure", "measure_2"):
            bit = count + circuit.find_bit(item.clbits[0]).index
            up, down = flips[qubits[0]]
            deferred.cx(qubits[0], bit)
            for_bit = [
                np.sqrt(1 - up) * ZERO,
                np.sqrt(up) * np.array([[0, 0], [1, 0]]),
                np.sqrt(1 - down) * ONE,
                np.sqrt(down) * np.array([[0, 1], [0, 0]]),
            ]
            deferred.append(SuperOp(Kraus([k.astype(complex) for k in for_bit])), [bit])
        elif operation.name in ("reset", "reset_2"):
            deferred.reset(qubits)
        elif isinstance(operation, IfElseOp):
            asked, value = operation.condition
            bit = count + circuit.find_bit(asked).index
            for place, block in enumerate(operation.blocks):
                acts = ONE if bool(value) == (place == 0) else ZERO
                for inner in block.data:
                    on = [qubits[block.find_bit(q).index] for q in inner.qubits]
                    idle = np.eye(2 ** len(on), dtype=complex)
                    branches = [(acts, kraus_of(inner.operation)), (np.eye(2) - acts, [idle])]
                    deferred.append(SuperOp(controlled(branches)), [*on, bit])
        elif operation.name == "quantum_channel":
            deferred.append(SuperOp(operation._quantum_error), qubits)
        else:
            deferred.append(operation, qubits)
    for bit in range(circuit.num_clbits):
        deferred.save_probabilities([count + bit], label=str(bit))
    data = AerSimulator(method="density_matrix").run(deferred, shots=1).result().data()
    return np.array([data[str(bit)][0] - data[str(bit)][1] for bit in range(circuit.num_clbits)])


SPECS = {
    "bad": NoiseSpec(preset="bad"),
    "slow feed-forward": NoiseSpec(preset="bad", feedforward_ns=20_000.0, readout=(0.02, 0.1)),
    "fake_marrakesh": NoiseSpec(device="fake_marrakesh"),
    "fake_boston": NoiseSpec(device="fake_boston", scale=3.0),
}


@pytest.mark.parametrize("name", SPECS)
def test_feed_forward_under_noise(name: str) -> None:
    made = unroll(feed_forward_cell(), 3)
    noise = make_noise(SPECS[name])
    assert noise is not None
    executor = ExactExecutor(noise)
    isa = executor.isa(made)
    angles = np.random.default_rng(3).uniform(-3, 3, (1, len(made.occurrences)))
    values = dict(zip(isa.circuit.parameters, isa.parameter_values(angles)[0], strict=True))
    circuit = noisy_circuit(isa, noise).assign_parameters(values)
    assert circuit.count_ops()["if_else"] >= 2
    flips = {i: noise.flips(q) for i, q in enumerate(isa.qubits)}
    places = [circuit.find_bit(r[0]).index for r in circuit.cregs]
    expected = deferred_outputs(circuit, flips)[places]
    seen = executor.forward(made, angles, "z")[0, :, 0]
    assert seen == pytest.approx(expected, abs=1e-9)


def test_latency_costs_coherence() -> None:
    """Power: 20 us of waiting are seen."""
    made = unroll(feed_forward_cell(), 3)
    angles = np.random.default_rng(3).uniform(-3, 3, (1, len(made.occurrences)))
    quick, slow = (
        ExactExecutor(make_noise(NoiseSpec(preset="bad", feedforward_ns=ns))).forward(
            made, angles, "z"
        )
        for ns in (500.0, 20_000.0)
    )
    assert np.max(np.abs(quick - slow)) > 0.005
