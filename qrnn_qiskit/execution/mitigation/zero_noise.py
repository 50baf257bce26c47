"""Zero-noise extrapolation: gates folded to raise the noise, outputs extrapolated to none.

After Temme et al., PRL 119, 180509 (2017), and Giurgica-Tiron et al. (arXiv:2005.10921), gate by
gate: U becomes U (U^-1 U)^m. In a recurrent circuit hidden qubits decay most while others are
measured and reset, so these windows are lengthened by as much, with delays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Delay, QuantumCircuit

from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Array, Outputs
from qrnn_qiskit.execution.noise.model import MEASUREMENTS, RESETS

_SELF_INVERSE: Final = ("x", "cz", "cx", "ecr")
Seconds = Callable[[str, tuple[int, ...]], float]
"""(instruction, physical qubits) to its duration in s, 0 where nobody knows."""
_LEFT_ALONE: Final = ("rz", "barrier", "delay", "if_else", *MEASUREMENTS, *RESETS)


def fold(circuit: QuantumCircuit, factor: int) -> QuantumCircuit:
    """The transpiled circuit with each SX, X and two-qubit gate `factor` times in its place.

    SX is undone by itself between two virtual Z, X and two-qubit gates by themselves.

    Args:
        circuit: transpiled.
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
        if name not in (*_LEFT_ALONE, *_SELF_INVERSE, "sx"):
            raise BackendError(f"{name} is not its own inverse and cannot be folded")
        for repeat in range(1 if name in _LEFT_ALONE else factor):
            if repeat:
                folded.barrier(item.qubits)
            if repeat and name == "sx":
                folded.rz(np.pi, item.qubits)
            folded.append(item)
    return folded


def stretch(
    circuit: QuantumCircuit, factor: int, seconds: Seconds, dt: float | None
) -> QuantumCircuit:
    """The transpiled circuit with each measurement and reset made `factor` times as long.

    The delay is on the qubit that was measured or reset, where it does no harm: in |0> nothing
    decays. The hidden qubits, which wait for it, decay so much longer.

    Args:
        circuit: transpiled.
        factor: at least 1.
        seconds: duration of each measurement and reset.
        dt: s of one time unit of the device; None for delays in s.
    """
    stretched = circuit.copy_empty_like()
    for item in circuit.data:
        stretched.append(item)
        name = item.operation.name
        if factor > 1 and name in (*MEASUREMENTS, *RESETS):
            place = tuple(circuit.find_bit(q).index for q in item.qubits)
            duration = seconds(name, place)
            if duration:
                stretched.append(_delay((factor - 1) * duration, dt), item.qubits)
    return stretched


def _delay(seconds: float, dt: float | None) -> Delay:
    return Delay(seconds, "s") if dt is None else Delay(round(seconds / dt), "dt")


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


def shared(shots: int, factors: Sequence[float], order: int = 1) -> list[int]:
    """Shots of a row at each noise factor, together `shots`, at least 2 each.

    In proportion to the size of the coefficients: the least variance of the extrapolated value.

    Raises:
        BackendError: for too few shots.
    """
    if shots < 2 * len(factors):
        raise BackendError(
            f"{shots} shots of a row are too few for {len(factors)} mitigation.noise_factors: at "
            f"least {2 * len(factors)}"
        )
    size = np.abs(weights(factors, order))
    parts = 2 + np.floor((shots - 2 * len(factors)) * size / size.sum()).astype(int)
    parts[int(np.argmax(size))] += shots - int(parts.sum())
    return [int(part) for part in parts]


def extrapolate(outputs: Sequence[Outputs], factors: Sequence[float], order: int = 1) -> Outputs:
    """Outputs at zero noise of rows measured at several noise factors.

    Args:
        outputs: `[R, T, K]` for each factor, independent of each other.
        factors: of the noise.
        order: of the polynomial.

    Returns:
        As if measured with the shots of all factors together.
    """
    coefficients = weights(factors, order)
    mean = sum((c * o.mean for c, o in zip(coefficients, outputs, strict=True)), np.zeros(()))
    counts = [each.count for each in outputs if each.count is not None]
    if len(counts) < len(outputs):
        return Outputs(np.asarray(mean))
    count: NDArray[np.int64] = np.sum(counts, axis=0)
    covariance = np.zeros(())
    for c, each in zip(coefficients, outputs, strict=True):
        of_mean = each.covariance_of_mean
        if of_mean is not None:
            covariance = covariance + c**2 * of_mean * count[:, None, None]
    return Outputs(np.asarray(mean), count, covariance)
