"""Readout errors undone, bit by bit: assignment matrices stated by the device or measured.

With p = P(read 1 | 0) and q = P(read 0 | 1), a measured <Z> is (1 - p - q) z + (q - p), whatever
came before: each bit of each step is undone by the inverse line. Its error bars grow by
1 / (1 - p - q).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.unroll import UnrolledCircuit, unroll
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Array, Outputs
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.execution.mitigation.affine import AffineCorrection
from qrnn_qiskit.execution.noise.model import MEASUREMENTS
from qrnn_qiskit.gradients.plan import EvaluationPlan, forward_plan

# Of 1 - p - q: a bit that says next to nothing cannot be mended.
_LEAST_CONTRAST: Final = 0.05


def measured_qubits(isa: ISACircuit, num_steps: int, num_bits: int) -> list[list[int]]:
    """Physical qubit that bit k of step t is measured on, `[T][K]`; -1 if never measured."""
    place = {
        bit: (t, k)
        for t, register in enumerate(isa.circuit.cregs)
        for k, bit in enumerate(register)
    }
    qubits = [[-1] * num_bits for _ in range(num_steps)]
    for item in isa.circuit.data:
        if item.operation.name in MEASUREMENTS:
            t, k = place[item.clbits[0]]
            qubits[t][k] = isa.circuit.find_bit(item.qubits[0]).index
    return qubits


def readout_correction(
    qubits: list[list[int]], flips: dict[int, tuple[float, float]], shots: int | None
) -> AffineCorrection:
    """The inverse of the readout errors.

    Args:
        qubits: `[T][K]` as `measured_qubits` gives them.
        flips: by physical qubit: probabilities of reading 1 for 0, and 0 for 1.
        shots: of each of the two preparations they were measured with; None if they are exact.

    Raises:
        BackendError: for a bit that cannot be mended.
    """
    pairs = np.array([[flips.get(q, (0.0, 0.0)) for q in step] for step in qubits])
    up, down = pairs[..., 0], pairs[..., 1]
    contrast = 1.0 - up - down
    if np.any(contrast < _LEAST_CONTRAST):
        t, k = (int(i) for i in np.argwhere(contrast < _LEAST_CONTRAST)[0])
        raise BackendError(
            f"bit {k} of step {t} is read on qubit {qubits[t][k]} with errors {up[t, k]:.3g} and "
            f"{down[t, k]:.3g}: too unreliable to be mended; choose backend.initial_layout"
        )
    slope = 1.0 / contrast
    offset = (up - down) * slope
    variance = np.zeros_like(slope)
    if shots is not None:
        variance = (up * (1 - up) + down * (1 - down)) / shots
    # To first order; at y = 0 the errors of up and down enter with (1 ± offset) slope.
    return AffineCorrection(slope, offset, slope**4 * variance, slope**2 * variance)


def calibration_circuit(num_qubits: int) -> UnrolledCircuit:
    """One step in which all qubits are turned by one angle and measured: 0 and pi calibrate."""
    circuit = QuantumCircuit(
        QuantumRegister(num_qubits, "io"), ClassicalRegister(num_qubits, "readout")
    )
    angle = Parameter("angle")
    for qubit in range(num_qubits):
        circuit.rx(angle, qubit)
    circuit.measure(range(num_qubits), range(num_qubits))
    return unroll(Cell.from_circuit(circuit, weights=[angle], features=[], name="calibration"), 1)


def calibration_plans() -> tuple[EvaluationPlan, EvaluationPlan]:
    """All qubits in 0, and all in 1."""
    features = np.zeros((1, 1, 0))
    return forward_plan(np.zeros(1), features), forward_plan(np.full(1, np.pi), features)


def flips_of_calibration(
    qubits: tuple[int, ...], zeros: Outputs, ones: Outputs
) -> dict[int, tuple[float, float]]:
    """Readout errors by physical qubit from outputs `[1, 1, n]` of the two plans."""
    up: Array = (1.0 - zeros.mean[0, 0]) / 2
    down: Array = (1.0 + ones.mean[0, 0]) / 2
    return {q: (float(up[i]), float(down[i])) for i, q in enumerate(qubits)}
