"""The table of gate occurrences of an unrolled circuit: plain arrays that every room shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@final
class Reach:
    """The mask `[O, T]` of `OccurrenceTable.influence`, made when it is first asked for.

    It grows with the square of T, and exact values and derivatives need none of it.
    """

    def __init__(self, make: Callable[[], Mask]) -> None:
        """Take what makes the mask."""
        self._make = make
        self._mask: Mask | None = None

    @property
    def mask(self) -> Mask:
        """The mask."""
        if self._mask is None:
            self._mask = self._make()
        return self._mask


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
        num_steps: T.
        reach: what makes `influence`.
    """

    names: tuple[str, ...]
    step: NDArray[np.intp]
    gate: NDArray[np.intp]
    generator: tuple[str, ...]
    qubits: tuple[tuple[int, ...], ...]
    source: NDArray[np.intp]
    factor: NDArray[np.float64]
    frequencies: tuple[tuple[float, ...], ...]
    num_steps: int
    reach: Reach

    @property
    def influence(self) -> Mask:
        """`[O, T]` False where the outputs of a step provably do not depend on the occurrence.

        That is for an earlier step, or outside of its light cone; True otherwise.
        """
        return self.reach.mask

    def __len__(self) -> int:
        return len(self.names)
