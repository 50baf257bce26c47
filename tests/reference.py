"""Exact outputs of a circuit by dense density matrices, written from the definitions alone.

Nothing of the package under test and no simulator is used here: everything else is measured
against these functions. Slow and simple on purpose; meant for a handful of qubits.

Axes: T steps (one `ClassicalRegister` each, in the order of the registers), K bits of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Barrier, Delay, Gate, Measure, Parameter, Reset
from qiskit.quantum_info import Operator

Array = NDArray[np.float64]
Matrix = NDArray[np.complex128]
Bits = tuple[int, ...]

Noise = Callable[[str, tuple[int, ...]], Sequence[Matrix]]
"""Kraus operators of an instruction, given its name and its qubits (indices in the circuit, the
first one least significant). They act right after a gate, a reset or a delay, and right before a
measurement (as in Aer). An empty sequence means none."""

Flips = Callable[[int], tuple[float, float]]
"""Readout errors of a qubit: probabilities of reading 1 in state 0, and of reading 0 in state 1."""

_ZERO = np.diag([1.0, 0.0]).astype(np.complex128)
_ONE = np.diag([0.0, 1.0]).astype(np.complex128)
_LOWER = np.array([[0.0, 1.0], [0.0, 0.0]], dtype=np.complex128)
_PAULIS = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.diag([1, -1]).astype(np.complex128),
}


def reference_outputs(
    circuit: QuantumCircuit,
    values: Mapping[Parameter, float],
    *,
    noise: Noise | None = None,
    flips: Flips | None = None,
) -> Array:
    """<Z> of every classical bit, `[T, K]`: a measurement only dephases what comes after it."""
    index = _bit_index(circuit)
    outputs = np.zeros(len(index))
    system = _System(circuit, values, noise)
    state = system.initial()
    for name, kraus, qubit, bit in system.instructions():
        if name == "measure":
            one = np.trace(_conjugate(system.embed(_ONE, [qubit]), state)).real
            outputs[index[bit]] = sum(
                sign * probability
                for probability, outcome in ((1.0 - one, 0), (one, 1))
                for _, sign, probability in _readings(probability, outcome, flips, qubit)
            )
        state = sum((_conjugate(operator, state) for operator in kraus), np.zeros_like(state))
    return outputs.reshape(len(circuit.cregs), -1)
