"""Readout errors undone in joint outcomes: post-selected bits, and probabilities of a step's bits.

With P(read b | true z) = A[b, z] for each bit by itself, an indicator of true bits is estimated
without bias by a product of inverse elements: 1[z = v] by A^-1[v, b]. A shot then counts with a
weight, product over all post-selected bits so far, instead of 1 or 0. The joint matrix of all bits
is never made, and no subspace of frequent outcomes, as mthree takes it, is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Array, Outputs
from qrnn_qiskit.execution.bits import OutputKind, PackedBits
from qrnn_qiskit.execution.mitigation.readout import Place, checked_flips

_STEP: Final = 1e-4  # of a readout error, for derivatives of outputs


@final
@dataclass(frozen=True, slots=True)
class JointReadout:
    """Readout errors of all bits of a shot.

    Attributes:
        places: `[T][K]` where each bit is read.
        flips: by place: probabilities of reading 1 for 0, and 0 for 1.
        shots: of each of the two preparations they were measured with; None if they are exact.
    """

    places: Sequence[Sequence[Place]]
    flips: Mapping[Place, tuple[float, float]]
    shots: int | None

    def outputs(self, bits: PackedBits, kind: OutputKind) -> Outputs:
        """Outputs as `PackedBits.outputs` has them, with the readout errors undone.

        The uncertainty of the errors themselves is added to each row, as if rows had calibrations
        of their own.

        Raises:
            BackendError: for a bit that cannot be mended.
        """
        made = bits.outputs(kind, self.inverse(self.flips))
        if self.shots is None or made.covariance is None or made.count is None:
            return made
        covariance = made.covariance
        for place, pair in self.flips.items():
            for side in (0, 1):
                variance = pair[side] * (1 - pair[side]) / self.shots
                if variance:
                    slope = self._slope(bits, kind, place, side).reshape(len(made.mean), -1)
                    added = slope[:, :, None] * slope[:, None, :]
                    covariance = covariance + added * variance * made.count[:, None, None]
        return Outputs(made.mean, made.count, covariance)

    def inverse(self, flips: Mapping[Place, tuple[float, float]]) -> Array:
        """Inverse assignment matrices `[T, K, true, read]`.

        Raises:
            BackendError: for a bit that cannot be mended.
        """
        up, down = np.moveaxis(checked_flips(self.places, flips), -1, 0)
        rows = [[1 - down, -down], [-up, 1 - up]]
        adjugate = np.moveaxis(np.array(rows), (0, 1), (2, 3))
        inverse: Array = adjugate / (1 - up - down)[..., None, None]
        return inverse

    def left_over(
        self, true: Callable[[int], tuple[float, float]]
    ) -> dict[int, tuple[float, float]]:
        """What is left of true readout errors by qubit: the readout of exact values.

        Numbers, not always probabilities: what is measured holds errors of preparation as well.
        """
        left = {}
        for (qubit, _), pair in self.flips.items():
            known, assigned = (
                np.array([[1 - up, down], [up, 1 - down]]) for up, down in (pair, true(qubit))
            )
            both = np.linalg.solve(known, assigned).round(14)
            left[qubit] = float(both[1, 0]), float(both[0, 1])
        return left

    def _slope(self, bits: PackedBits, kind: OutputKind, place: Place, side: int) -> Array:
        def mean(change: float) -> Array:
            pair = list(self.flips[place])
            pair[side] += change
            moved = {**self.flips, place: (pair[0], pair[1])}
            return bits.outputs(kind, self.inverse(moved)).mean

        return (mean(_STEP) - mean(-_STEP)) / (2 * _STEP)


def check_no_conditions(count_ops: Mapping[str, int]) -> None:
    """Refuse circuits in which bits decide what is done next.

    Raises:
        BackendError: there a wrong reading changes the state too, which no inverse undoes.
    """
    if count_ops.get("if_else"):
        raise BackendError(
            "mitigation.readout of joint bits (post-selection, probabilities): the circuit has "
            "conditions, and a bit read wrong changes the state too, which cannot be undone; "
            "remove it, or choose a backend.reset other than 'conditional_x'"
        )
