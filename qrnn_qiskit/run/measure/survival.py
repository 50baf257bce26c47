"""How many shots post-selection will leave, told before any of them is paid for."""

from __future__ import annotations

from typing import Final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.learning.postselection import LEAST_FOR_ERRORS, check_survival

MOST_QUBITS: Final = 8  # of the exact engine, in a moment
MOST_SEQUENCES: Final = 32


def check_expected_survival(
    unrolled: UnrolledCircuit, weights: Array, features: Array, shots: int | None
) -> None:
    """Refuse a post-selected circuit that keeps too few shots for error bars.

    Survival is that of the ideal circuit on the first sequences; circuits too large to simulate
    pass, and are checked by what is measured.

    Args:
        unrolled: the circuit.
        weights: `[P]`.
        features: `[B, T, F]`.
        shots: of each sequence; None for exact values.

    Raises:
        DataError: with the figures.
    """
    if not unrolled.postselected or unrolled.circuit.num_qubits > MOST_QUBITS:
        return
    angles = unrolled.angle_map.angles(weights, features[:MOST_SEQUENCES])
    raw = ExactExecutor().forward(unrolled, np.atleast_2d(angles), "z")
    check_survival(raw[:, :, -1], shots, LEAST_FOR_ERRORS)
