"""Fixed-point oblivious amplitude amplification of an operation that ancillas herald."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qiskit.circuit import QuantumCircuit, Qubit


def fixed_point_angles(rounds: int, tolerance: float) -> list[tuple[float, float]]:
    """Phases (alpha_j, beta_j) of each round: Yoder, Low and Chuang, PRL 113, 210501 (2014).

    With L = 2 rounds + 1 uses of an operation that succeeds with probability p, the success is
    1 - tolerance² T_L(T_1/L(1/tolerance) sqrt(1 - p))², T the Chebyshev polynomials: at least
    1 - tolerance² for all p above a threshold that falls as 1/L², whatever p is.
    """
    length = 2 * rounds + 1
    gamma = 1.0 / math.cosh(math.acosh(1.0 / tolerance) / length)
    root = math.sqrt(1.0 - gamma**2)
    alpha = [
        2.0 * math.atan2(1.0, math.tan(2.0 * math.pi * j / length) * root)
        for j in range(1, rounds + 1)
    ]
    return [(alpha[j], -alpha[rounds - 1 - j]) for j in range(rounds)]


def amplify(
    circuit: QuantumCircuit,
    operation: QuantumCircuit,
    ancillas: Sequence[Qubit],
    rounds: int,
    tolerance: float,
) -> None:
    """Append `operation` (on the circuit's qubits) and rounds of amplification of all-0 ancillas.

    Where the operation applies one unitary to the other qubits whenever the ancillas end in 0, the
    reflection about its start needs only the ancillas: the rounds need not know the state
    (oblivious; Berry et al., arXiv:1312.1414, Guerreschi, arXiv:1808.02900).
    """
    inverse = operation.inverse()
    circuit.compose(operation, inplace=True)
    for alpha, beta in fixed_point_angles(rounds, tolerance):
        _phase_of_zero(circuit, ancillas, beta)
        circuit.compose(inverse, inplace=True)
        _phase_of_zero(circuit, ancillas, -alpha)
        circuit.compose(operation, inplace=True)


def _phase_of_zero(circuit: QuantumCircuit, qubits: Sequence[Qubit], phase: float) -> None:
    """exp(i phase) where all qubits are 0, up to a phase of everything.

    The projector is the mean of the products of Z over all sets of the qubits; those whose last
    qubit is q are rotations of q behind a Gray code of CX.
    """
    angle = -phase * 2.0 ** (1 - len(qubits))
    for place, last in enumerate(qubits):
        reached = 0
        for number in range(1 << place):
            code = number ^ (number >> 1)
            _toggle(circuit, qubits, reached ^ code, last)
            circuit.rz(angle, last)
            reached = code
        _toggle(circuit, qubits, reached, last)


def _toggle(circuit: QuantumCircuit, qubits: Sequence[Qubit], mask: int, last: Qubit) -> None:
    for i, qubit in enumerate(qubits):
        if mask >> i & 1:
            circuit.cx(qubit, last)
