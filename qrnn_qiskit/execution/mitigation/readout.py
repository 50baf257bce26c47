"""Readout errors undone, bit by bit: assignment matrices stated by the device or measured.

With p = P(read 1 | 0) and q = P(read 0 | 1), a measured <Z> is (1 - p - q) z + (q - p), whatever
came before: each bit of each step is undone by the inverse line. Its error bars grow by
1 / (1 - p - q).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

Place = tuple[int, bool]
"""A physical qubit, and whether nothing is done to it after the measurement."""
# Of 1 - p - q: a bit that says next to nothing cannot be mended.
_LEAST_CONTRAST: Final = 0.05


def measured_places(isa: ISACircuit, num_steps: int, num_bits: int) -> list[list[Place]]:
    """Where bit k of step t is measured, `[T][K]`: qubit -1 if never.

    A device may read otherwise in the middle of a circuit than at its end.
    """
    place = {
        bit: (t, k)
        for t, register in enumerate(isa.circuit.cregs)
        for k, bit in enumerate(register)
    }
    places: list[list[Place]] = [[(-1, True)] * num_bits for _ in range(num_steps)]
    latest: dict[int, tuple[int, int]] = {}
    for item in isa.circuit.data:
        if item.operation.name in ("barrier", "delay"):
            continue
        for qubit in (isa.circuit.find_bit(q).index for q in item.qubits):
            if qubit in latest:
                t, k = latest.pop(qubit)
                places[t][k] = qubit, False
            if item.operation.name in MEASUREMENTS:
                t, k = latest[qubit] = place[item.clbits[0]]
                places[t][k] = qubit, True
    return places


def checked_flips(
    places: Sequence[Sequence[Place]], flips: Mapping[Place, tuple[float, float]]
) -> Array:
    """Readout errors `[T, K, 2]` of each bit; none of one never measured.

    Raises:
        BackendError: for a bit that cannot be mended.
    """
    pairs = np.array([[flips.get(place, (0.0, 0.0)) for place in step] for step in places])
    contrast = 1.0 - pairs.sum(axis=2)
    if np.any(contrast < _LEAST_CONTRAST):
        t, k = (int(i) for i in np.argwhere(contrast < _LEAST_CONTRAST)[0])
        up, down = pairs[t, k]
        raise BackendError(
            f"bit {k} of step {t} is read on qubit {places[t][k][0]} with errors {up:.3g} and "
            f"{down:.3g}: too unreliable to be mended; choose backend.initial_layout"
        )
    return pairs


def readout_correction(
    places: Sequence[Sequence[Place]],
    flips: Mapping[Place, tuple[float, float]],
    shots: int | None,
) -> AffineCorrection:
    """The inverse of the readout errors.

    Args:
        places: `[T][K]` as `measured_places` gives them.
        flips: by place: probabilities of reading 1 for 0, and 0 for 1.
        shots: of each of the two preparations they were measured with; None if they are exact.

    Raises:
        BackendError: for a bit that cannot be mended.
    """
    up, down = np.moveaxis(checked_flips(places, flips), -1, 0)
    contrast = 1.0 - up - down
    slope = 1.0 / contrast
    offset = (up - down) * slope
    variance = np.zeros_like(slope)
    if shots is not None:
        variance = (up * (1 - up) + down * (1 - down)) / shots
    # To first order; at y = 0 the errors of up and down enter with (1 ± offset) slope.
    return AffineCorrection(slope, offset, slope**4 * variance, slope**2 * variance)


def calibration_circuit(num_qubits: int, *, final: bool = True) -> UnrolledCircuit:
    """All qubits turned by one angle and measured in the first step: 0 and pi calibrate.

    Args:
        num_qubits: of the device, in use.
        final: measured at the end; else followed by resets and a second step, which is not used.
    """
    circuit = QuantumCircuit(
        QuantumRegister(num_qubits, "io"), ClassicalRegister(num_qubits, "readout")
    )
    angle = Parameter("angle")
    for qubit in range(num_qubits):
        circuit.rx(angle, qubit)
    circuit.measure(range(num_qubits), range(num_qubits))
    if not final:
        circuit.reset(range(num_qubits))
    cell = Cell.from_circuit(circuit, weights=[angle], features=[], name="calibration")
    return unroll(cell, 1 if final else 2)


def calibration_plans(*, final: bool = True) -> tuple[EvaluationPlan, EvaluationPlan]:
    """All qubits in 0, and all in 1."""
    features = np.zeros((1, 1 if final else 2, 0))
    return forward_plan(np.zeros(1), features), forward_plan(np.full(1, np.pi), features)


def flips_of_calibration(
    places: Sequence[Place], zeros: Outputs, ones: Outputs
) -> dict[Place, tuple[float, float]]:
    """Readout errors by place from outputs `[1, T, n]` of the two plans, of which step 0 counts."""
    up: Array = (1.0 - zeros.mean[0, 0]) / 2
    down: Array = (1.0 + ones.mean[0, 0]) / 2
    return {place: (float(up[i]), float(down[i])) for i, place in enumerate(places)}
