"""Published and independently derived numbers, through the public functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister
from scipy import stats

import qrnn_qiskit as qrnn
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.learning.datasets.dectriang import DecTriang

# A vector for the EMCZ2 cell on dectriang: the additive bias, then the 25 weights.
DECTRIANG = [
    *[0.016446, 3.148515, 6.453922, 0.488447, 5.846907, 2.195045, 2.583408, 5.613498, 2.285595],
    *[2.982422, 0.207534, 5.6084, 2.95575, 1.962998, 5.406486, 1.604174, 2.875216, 0.705459],
    *[2.423159, 1.674719, 2.53497, 4.540475, 1.638884, 2.848765, 6.234503, 5.768241],
]
EXECUTORS: dict[str, Callable[[], Executor]] = {
    "exact": qrnn.ExactExecutor,
    "aer": qrnn.AerExecutor,
}


def golden_cell() -> qrnn.Cell:
    """Three qubits: RY(arccos x), RX on each, RZZ chain, RY on two; measure and reset of io."""
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"), QuantumRegister(2, "hidden"), ClassicalRegister(1, "readout")
    )
    weights = [Parameter(f"t_{i}") for i in range(7)]
    signal = Parameter("signal")
    circuit.ry(signal, 0)
    for qubit in range(3):
        circuit.rx(weights[qubit], qubit)
    circuit.rzz(weights[3], 0, 1)
    circuit.rzz(weights[4], 1, 2)
    circuit.ry(weights[5], 0)
    circuit.ry(weights[6], 1)
    circuit.measure(0, 0)
    circuit.reset(0)
    return qrnn.Cell.from_circuit(
        circuit, weights=weights, features=[signal], encodings={"signal": "arccos"}
    )


@pytest.mark.parametrize("rule", [qrnn.Adjoint(), qrnn.ParameterShift(), qrnn.TiedShift()])
def test_three_qubit_vector(rule: qrnn.Adjoint | qrnn.ParameterShift | qrnn.TiedShift) -> None:
    """Outputs, loss and gradient to ten digits."""
    unrolled = qrnn.unroll(golden_cell(), 3)
    weights = [0.3, -0.7, 1.1, 0.9, -0.4, 0.6, 1.3]
    features = np.array([0.5, -0.2, 0.8]).reshape(1, 3, 1)
    targets = np.array([-0.2, 0.8, 0.1]).reshape(1, 3, 1)
    executor = qrnn.ExactExecutor()
    outputs = qrnn.evaluate(unrolled, weights, features, executor=executor)
    expected = [0.0402869375, -0.5015140394, 0.4725749002]
    np.testing.assert_allclose(outputs.mean.ravel(), expected, atol=1e-10)
    result = qrnn.gradient(unrolled, weights, features, targets, executor=executor, rule=rule)
    assert float(result.loss.mean) == pytest.approx(0.6301628878, abs=1e-10)
    np.testing.assert_allclose(
        result.gradient.mean,
        [
            *[-0.0937040652, -0.0256980045, -0.0020956296, -0.2751694431],
            *[0.0034139862, 0.0517420558, 0.0170880058],
        ],
        atol=1e-10,
    )


def dectriang_rmse(executor: str, sequences: int | None, shots: int | None, seed: int) -> float:
    """RMSE of the last five outputs on the test part, with the golden vector."""
    data = DecTriang().load(0).test
    unrolled = qrnn.unroll(qrnn.build_cell("viqueira_emcz2"), 20)
    outputs = qrnn.evaluate(
        unrolled,
        DECTRIANG[1:],
        data.features[:sequences],
        executor=EXECUTORS[executor](),
        shots=shots,
        seed=seed,
    )
    error = outputs.mean + DECTRIANG[0] - data.targets[:sequences]
    return float(np.sqrt(np.mean(error[:, -5:] ** 2)))


def test_dectriang_vector() -> None:
    """The exact test error, given to six digits for weights rounded to six decimals."""
    assert dectriang_rmse("exact", None, None, 0) == pytest.approx(0.005907, abs=1e-5)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("executor", "shots", "reported"),
    [
        ("exact", 1_000, 0.0295),
        ("exact", 10_000, 0.012),
        ("aer", 1_000, 0.0295),
        ("aer", 10_000, 0.012),
    ],
)
def test_dectriang_with_shots(executor: str, shots: int, reported: float, seed: int) -> None:
    """The mean square error is that of the exact outputs plus the shot variance (1 - z²) / n.

    The 50 outputs have normal errors, so 50 times the ratio to its expectation scatters at most as
    chi-square with 50 degrees of freedom; quantiles of 5e-7 on either side: false alarm 1e-6. The
    middle of the range that was reported for this vector lies inside as well.
    """
    data = DecTriang().load(0).test
    unrolled = qrnn.unroll(qrnn.build_cell("viqueira_emcz2"), 20)
    mean = qrnn.evaluate(
        unrolled, DECTRIANG[1:], data.features, executor=qrnn.ExactExecutor()
    ).mean[:, -5:]
    bias = mean + DECTRIANG[0] - data.targets[:, -5:]
    expected = np.mean(bias**2 + (1 - mean**2) / shots)
    low, high = np.sqrt(expected * stats.chi2.ppf([5e-7, 1 - 5e-7], 50) / 50)
    assert low < dectriang_rmse(executor, None, shots, seed) < high
    assert low < reported < high
