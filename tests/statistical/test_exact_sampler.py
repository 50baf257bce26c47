"""The exact sampler against Aer on random dynamic circuits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import SamplerV2
from scipy import stats

from qrnn_qiskit import ExactSampler
from qrnn_qiskit.engine import sample

SHOTS = 2000  # Aer's rows share random numbers from 2113 shots on
CIRCUITS = 10
FALSE_ALARM = 1e-6


def random_circuit(rng: np.random.Generator) -> QuantumCircuit:
    """Rotations, gates, measurement, reset and conditions of all kinds, bits overwritten too."""
    c, d = ClassicalRegister(2, "c"), ClassicalRegister(1, "d")
    circuit = QuantumCircuit(QuantumRegister(3, "q"), c, d)
    a, b = Parameter("a"), Parameter("b")
    for _ in range(14):
        p, q = (int(i) for i in rng.permutation(3)[:2])
        bit = circuit.clbits[int(rng.integers(3))]
        kind = rng.integers(9)
        if kind == 0:
            circuit.h(p)
            circuit.cx(p, q)
        elif kind == 1:
            circuit.ry(a * float(rng.normal()), p)
        elif kind == 2:
            circuit.crx(2 * b + a, p, q)
        elif kind in (3, 4):
            circuit.measure(p, bit)
        elif kind == 5:
            circuit.reset(p)
        elif kind == 6:
            with circuit.if_test((bit, int(rng.integers(2)))) as otherwise:
                circuit.x(p)
                circuit.rx(b, q)
            with otherwise:
                circuit.sx(q)
        elif kind == 7:
            with circuit.if_test((c, int(rng.integers(4)))):
                circuit.rzz(a, p, q)
                with circuit.if_test((d, 1)):
                    circuit.h(p)
        else:
            with circuit.if_test(expr.bit_xor(c[0], expr.bit_not(d[0]))):
                circuit.ryy(a * b, p, q)
    circuit.measure([0, 1, 2], [*c, *d])
    return circuit


def outcomes(data: object) -> NDArray[np.intp]:
    """Counts `[rows, 8]` of the joint outcomes of both registers."""
    values = []
    for name in ("c", "d"):
        bits = getattr(data, name).to_bool_array(order="little")
        values.append(bits @ (1 << np.arange(bits.shape[-1])))
    joint = np.atleast_2d(values[0] + 4 * values[1])
    return np.stack([np.bincount(row, minlength=8) for row in joint])


def similarity(first: NDArray[np.intp], second: NDArray[np.intp]) -> float:
    """p-value of equal distributions: Fisher's chi-square, outcomes below 20 counts pooled."""
    table = np.stack([first, second])
    rare = table.sum(axis=0) < 20
    table = np.concatenate([table[:, ~rare], table[:, rare].sum(axis=1, keepdims=True)], axis=1)
    table = table[:, table.sum(axis=0) > 0]
    return 1.0 if table.shape[1] < 2 else float(stats.chi2_contingency(table)[1])


@pytest.mark.statistical
def test_random_dynamic_circuits_as_aer_has_them(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By histories and by trajectories. False alarms: 1e-6 altogether."""
    rng = np.random.default_rng(seed)
    pubs, bound = [], []
    for _ in range(CIRCUITS):
        circuit = random_circuit(rng)
        values = rng.uniform(-3, 3, (2, circuit.num_parameters))
        pubs.append((circuit, values))
        # Aer 0.18 gives wrong results when it binds parameters of controlled rotations itself.
        bound += [circuit.assign_parameters(row) for row in values]
    shared = ExactSampler(seed=seed).run(pubs, shots=SHOTS).result()
    monkeypatch.setattr(sample, "PURE_QUBITS_FEW_BITS", 0)
    monkeypatch.setattr(sample, "PURE_QUBITS", 0)
    single = ExactSampler(seed=seed).run(pubs, shots=SHOTS).result()
    assert np.any(outcomes(shared[0].data) != outcomes(single[0].data))
    theirs = SamplerV2.from_backend(AerSimulator(), seed=seed).run(bound, shots=SHOTS).result()
    worst = min(
        similarity(outcomes(our.data)[row], outcomes(theirs[2 * i + row].data)[0])
        for ours in (shared, single)
        for i, our in enumerate(ours)
        for row in (0, 1)
    )
    assert worst * 4 * CIRCUITS > FALSE_ALARM


@pytest.mark.statistical
def test_a_condition_left_out_is_noticed(seed: int) -> None:
    """Power of the comparison above: an angle off by 0.4 behind a condition."""
    counts = []
    for shift in (0.0, 0.4):
        circuit = QuantumCircuit(
            QuantumRegister(1), ClassicalRegister(2, "c"), ClassicalRegister(1, "d")
        )
        circuit.h(0)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.rx(0.8 + shift, 0)
        circuit.measure(0, 1)
        data = ExactSampler(seed=seed + int(shift > 0)).run([circuit], shots=SHOTS).result()[0].data
        flat = data.c.to_bool_array(order="little") @ [1, 2]
        counts.append(np.bincount(flat, minlength=4))
    assert similarity(*counts) < FALSE_ALARM
