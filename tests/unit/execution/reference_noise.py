"""Noise for the reference: the same channels as the package's, as Kraus operators."""

from __future__ import annotations

from collections.abc import Sequence

from qiskit.quantum_info import Kraus, SuperOp

from qrnn_qiskit.execution.noise import Noise
from tests.reference import Flips, Matrix, depolarizing
from tests.reference import Noise as ReferenceNoise


def simple_kraus(one: float, two: float, readout: float) -> tuple[ReferenceNoise, Flips]:
    """Depolarising noise after sx, x and cz and symmetric flips, from the definitions."""
    after_one, after_two = depolarizing(one, 1), depolarizing(two, 2)

    def noise(name: str, qubits: tuple[int, ...]) -> Sequence[Matrix]:
        if name in ("sx", "x"):
            return after_one if one else []
        return after_two if name == "cz" and two else []

    return noise, lambda qubit: (readout, readout)


def device_kraus(noise: Noise) -> tuple[ReferenceNoise, Flips]:
    """Aer's errors for a device, converted by Qiskit."""
    known: dict[tuple[str, tuple[int, ...]], list[Matrix]] = {}

    def kraus(name: str, qubits: tuple[int, ...]) -> Sequence[Matrix]:
        key = name, qubits
        if key not in known:
            error = noise.gate_errors.get(key)
            known[key] = [] if error is None else [*Kraus(SuperOp(error)).data]
        return known[key]

    return kraus, lambda qubit: noise.readout[qubit]
