"""Shots of dynamic cells on every backend against the independent reference.

Each test raises a false alarm with probability 1e-6 at most: exact binomial tails of every joint
outcome of all bits, divided by their number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from scipy import stats

from qrnn_qiskit import Cell, UnrolledCircuit, unroll
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest, Executor
from qrnn_qiskit.gradients.plan import forward_plan
from tests.reference import Bits, raw_values, reference_joint
from tests.statistical.test_outcomes import BACKENDS, FALSE_ALARM

SHOTS = 2000
FEATURES = np.array([[[0.4], [-0.9]]])
WEIGHTS = np.array([0.6, -1.3, 2.2])


def postselected_cell() -> Cell:
    """An output measured before a post-selected bit, and a hidden qubit reset halfway."""
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"),
        QuantumRegister(1, "hidden"),
        ClassicalRegister(1, "readout"),
        ClassicalRegister(1, "flag"),
        name="postselected",
    )
    a, b, c, x = (Parameter(name) for name in "abcx")
    circuit.ry(x, 0)
    circuit.rx(a, 0)
    circuit.crx(b, 0, 1)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.ry(b, 0)
    circuit.crx(c, 1, 0)
    circuit.measure(0, 1)
    circuit.reset(1)
    circuit.cry(a, 0, 1)
    return Cell.from_circuit(circuit, weights=[a, b, c], features=[x], postselected=["flag"])


CELLS = {"post-selection": postselected_cell}


def joint_of(
    executor: Executor, unrolled: UnrolledCircuit, weights: Array, noise: dict[str, Any]
) -> dict[Bits, float]:
    circuit = executor.isa(unrolled).circuit
    angles = unrolled.angle_map.angles(weights, FEATURES[0])
    of = dict(zip(unrolled.occurrences.names, angles, strict=True))
    return reference_joint(circuit, {p: of[p.name] for p in circuit.parameters}, **noise)


def surprise(joint: dict[Bits, float], bits: PackedBits) -> float:
    """Least two-sided tail probability of any joint outcome, times their number."""
    seen = bits.unpack(slice(None)).reshape(len(bits.packed), -1)
    tails = []
    for outcome in np.ndindex(*(2,) * seen.shape[1]):
        count = int(np.all(seen == outcome, axis=1).sum())
        drawn = stats.binom(len(seen), min(1.0, joint.get(outcome, 0.0)))
        tails.append(2 * min(drawn.cdf(count), drawn.sf(count - 1)))
    return float(min(tails)) * len(tails)


def measure(executor: Executor, unrolled: UnrolledCircuit, weights: Array, seed: int) -> PackedBits:
    request = EvaluationRequest(forward_plan(weights, FEATURES), SHOTS, seed)
    return executor.fetch(executor.submit(unrolled, request))


@pytest.mark.statistical
@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("kind", CELLS)
def test_joint_outcomes(kind: str, name: str, seed: int) -> None:
    executor, noise = BACKENDS[name]()
    unrolled = unroll(CELLS[kind](), 2)
    bits = measure(executor, unrolled, WEIGHTS, seed)
    assert surprise(joint_of(executor, unrolled, WEIGHTS, noise), bits) > FALSE_ALARM


@pytest.mark.statistical
@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("wrong", ["a weight", "no noise"])
def test_wrong_outcomes_are_noticed(kind: str, wrong: str, seed: int) -> None:
    executor, noise = BACKENDS["exact, noise"]()
    unrolled = unroll(CELLS[kind](), 2)
    bits = measure(executor, unrolled, WEIGHTS, seed)
    if wrong == "no noise":
        joint = joint_of(executor, unrolled, WEIGHTS, {})
    else:
        joint = joint_of(executor, unrolled, WEIGHTS + np.array([0.5, 0.0, 0.0]), noise)
    assert surprise(joint, bits) < FALSE_ALARM


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["exact", "aer", "fake_marrakesh"])
def test_raw_values_from_shots(name: str, seed: int) -> None:
    """Within Hoeffding's bound; ignoring the post-selection is outside of it."""
    executor, noise = BACKENDS[name]()
    unrolled = unroll(postselected_cell(), 2)
    outputs = measure(executor, unrolled, WEIGHTS, seed).outputs()
    joint = joint_of(executor, unrolled, WEIGHTS, noise)
    expected = raw_values(joint, (2, 2), unrolled.cell.postselected)
    radius = np.sqrt(2 * np.log(2 * expected.size / FALSE_ALARM) / SHOTS)
    assert outputs.mean.shape == (1, 2, 2)
    assert np.all(np.abs(outputs.mean[0] - expected) < radius)
    careless = raw_values(joint, (2, 2), ())[:, :1]
    assert np.any(np.abs(careless - expected[:, :1]) > 2 * radius)
