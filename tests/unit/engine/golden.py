"""A three-qubit cell whose outputs, gradient and covariances are known to ten digits.

Worked out with independent programs: outputs and covariances by propagation of density matrices,
gradients by two shifted circuits for each rotation.
"""

from __future__ import annotations

import numpy as np

from qrnn_qiskit.engine.program import Measure, Operation, Program, Reset, Rotation
from qrnn_qiskit.estimate import Array

WEIGHTS = np.array([0.3, -0.7, 1.1, 0.9, -0.4, 0.6, 1.3])
FEATURES = np.array([0.5, -0.2, 0.8])
TARGETS = np.array([-0.2, 0.8, 0.1])
OUTPUTS = np.array([0.0402869375, -0.5015140394, 0.4725749002])
COVARIANCES = {(0, 1): 0.0091406169, (0, 2): -0.0047506814, (1, 2): -0.0362490502}
SQUARED_ERROR = 0.6301628878
GRADIENT = np.array(
    [
        -0.0937040652,
        -0.0256980045,
        -0.0020956296,
        -0.2751694431,
        0.0034139862,
        0.0517420558,
        0.0170880058,
    ]
)
GATES = [
    ("Y", (0,)),
    ("X", (0,)),
    ("X", (1,)),
    ("X", (2,)),
    ("ZZ", (0, 1)),
    ("ZZ", (1, 2)),
    ("Y", (0,)),
    ("Y", (1,)),
]


def golden_program(num_steps: int = 3) -> Program:
    """Angles of a step: arccos of the feature, then the weights."""
    operations: list[Operation] = []
    for step in range(num_steps):
        for i, (generator, qubits) in enumerate(GATES):
            operations.append(Rotation(generator, qubits, step * len(GATES) + i))
        operations += [Measure(0, step, 0), Reset(0)]
    return Program(3, num_steps, 1, num_steps * len(GATES), tuple(operations))


def golden_angles() -> Array:
    """`[1, A]`."""
    steps = [np.concatenate([[np.arccos(x)], WEIGHTS]) for x in FEATURES]
    return np.concatenate(steps)[None]
