"""Weights that cannot influence any output, with the kind of proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.execution.backends.exact import ExactExecutor

EXACT: Final = "exact: light cone and commutation"
NUMERICAL: Final = "numerical: zero derivative at 3 random points"
MAX_QUBITS: Final = 6  # above, density matrices are too slow for a look
POINTS: Final = 3
ZERO: Final = 1e-10


@final
@dataclass(frozen=True, slots=True)
class DeadWeight:
    """A weight's name, and how it is known to be dead."""

    weight: str
    proof: str


def dead_weights(unrolled: UnrolledCircuit) -> list[DeadWeight]:
    """Weights without influence on any output of any step.

    First by the exact argument behind `OccurrenceTable.influence`; for the rest, on small
    circuits, by derivatives of random combinations of all outputs at random points.
    """
    cell, angle_map = unrolled.cell, unrolled.angle_map
    random = np.random.default_rng(0)
    features = random.uniform(-0.9, 0.9, (POINTS, unrolled.num_steps, cell.num_features))
    weights = random.uniform(0, 2 * np.pi, (POINTS, cell.num_weights))
    reach = np.zeros(cell.num_weights, dtype=bool)
    jacobian = angle_map.weight_jacobian(weights, features)
    np.logical_or.at(
        reach, jacobian.column, unrolled.occurrences.influence[jacobian.occurrence].any(axis=1)
    )
    dead = [
        DeadWeight(name, EXACT)
        for name, live in zip(cell.weight_names, reach, strict=True)
        if not live
    ]
    if unrolled.circuit.num_qubits > MAX_QUBITS:
        return dead
    slope = np.zeros(cell.num_weights)
    executor = ExactExecutor()
    for point, sequence in zip(weights, features, strict=True):
        angles = angle_map.angles(point, sequence[None])
        _, by_angles = executor.value_and_vjp(
            unrolled, angles, lambda y: random.normal(size=y.shape), "z"
        )
        slope = np.maximum(
            slope, np.abs(angle_map.pull_back_weights(point, sequence[None], by_angles))
        )
    found = [
        DeadWeight(name, NUMERICAL)
        for name, live, size in zip(cell.weight_names, reach, slope, strict=True)
        if live and size < ZERO
    ]
    return dead + found
