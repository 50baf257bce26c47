"""Zero-noise extrapolation: gates folded to raise the noise, outputs extrapolated to none.

After Temme et al., PRL 119, 180509 (2017), and Giurgica-Tiron et al. (arXiv:2005.10921), gate by
gate: U becomes U (U^-1 U)^m on two-qubit gates, whose errors dominate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qiskit.circuit import QuantumCircuit

from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Array, Outputs

_SELF_INVERSE = ("cz", "cx", "ecr")


def fold(circuit: QuantumCircuit, factor: int) -> QuantumCircuit:
    """The transpiled circuit with each two-qubit gate `factor` times in a row.

    Args:
        circuit: whose two-qubit gates are their own inverses.
        factor: odd.

    Raises:
        BackendError: for an even factor, or a gate that is not its own inverse.
    """
    if factor < 1 or factor % 2 == 0:
        raise BackendError(f"a gate folded {factor} times is another gate: give odd numbers")
    if factor == 1:
        return circuit
    folded = circuit.copy_empty_like()
    for item in circuit.data:
        name = item.operation.name
        double = len(item.qubits) == 2 and name != "barrier"
        if double and name not in _SELF_INVERSE:
            raise BackendError(f"{name} is not its own inverse and cannot be folded")
        for repeat in range(factor if double else 1):
            if repeat:
                folded.barrier(item.qubits)
            folded.append(item)
    return folded


def weights(factors: Sequence[float], order: int = 1) -> Array:
    """Coefficients of outputs at noise factors whose sum is the value at zero noise.

    The intercept of a least-squares polynomial: `order` 1 is a line, one below the number of
    factors is Richardson's.

    Raises:
        BackendError: for too few different factors.
    """
    if len(set(factors)) <= order:
        raise BackendError(f"extrapolation of order {order} needs {order + 1} different factors")
    powers = np.vander(np.asarray(factors, dtype=np.float64), order + 1, increasing=True)
    coefficients: Array = np.linalg.pinv(powers)[0]
    return coefficients


def extrapolate(outputs: Sequence[Outputs], factors: Sequence[float], order: int = 1) -> Outputs:
    """Outputs at zero noise of rows measured at several noise factors.

    Args:
        outputs: `[R, T, K]` for each factor, independent of each other.
        factors: of the noise.
        order: of the polynomial.
    """
    coefficients = weights(factors, order)
    mean = sum((c * o.mean for c, o in zip(coefficients, outputs, strict=True)), np.zeros(()))
    count = outputs[0].count
    if count is None:
        return Outputs(np.asarray(mean))
    covariance = np.zeros(())
    for c, each in zip(coefficients, outputs, strict=True):
        if each.covariance is None or each.count is None:
            continue
        covariance = covariance + c**2 * each.covariance * (count / each.count)[:, None, None]
    return Outputs(np.asarray(mean), count, covariance)
