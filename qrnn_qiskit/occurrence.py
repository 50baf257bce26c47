"""The table of gate occurrences of an unrolled circuit: plain arrays that every room shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray


@final
@dataclass(frozen=True, slots=True)
class OccurrenceTable:
    """One entry for each parametrized Pauli rotation of the unrolled circuit.

    Attributes:
        names: circuit parameter of each occurrence, `[O]`; identifier-safe and in order.
        step: `[O]` time step, 0-based.
        gate: `[O]` index of the rotation within its step.
        generator: Pauli label of the rotation exp(-i angle P / 2), `[O]`, such as `"ZZ"`.
        qubits: qubits of the unrolled circuit that the generator acts on, in label order, `[O]`.
        source: `[O]` the gate angle that the rotation's angle comes from, 0 … G - 1: a gate such as
            CRX(a) becomes several rotations, whose angles all follow from a.
        factor: `[O]` d(rotation's angle) / d(gate angle).
        frequencies: of the circuit's probabilities in each gate angle, `[G]`, in ascending order
            and in 1/rad, whatever surrounds the gate if the gate itself is without noise.
        influence: `[O, T]` False where the outputs of a step provably do not depend on the
            occurrence (an earlier step, or outside its light cone); True otherwise.
    """

    names: tuple[str, ...]
    step: NDArray[np.intp]
    gate: NDArray[np.intp]
    generator: tuple[str, ...]
    qubits: tuple[tuple[int, ...], ...]
    source: NDArray[np.intp]
    factor: NDArray[np.float64]
    frequencies: tuple[tuple[float, ...], ...]
    influence: NDArray[np.bool_]

    @property
    def num_steps(self) -> int:
        return int(self.influence.shape[1])

    def __len__(self) -> int:
        return len(self.names)


def with_influence_of(table: OccurrenceTable, others: Iterable[OccurrenceTable]) -> OccurrenceTable:
    """The table with the influence that its occurrences have in any of several tables."""
    influence = table.influence
    for other in others:
        influence = influence | other.influence
    return replace(table, influence=influence)
