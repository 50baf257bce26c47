"""What a gradient rule is given: numbers only, no circuit and no backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import AngleMap, Array
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.occurrence import OccurrenceTable


@final
@dataclass(frozen=True, slots=True)
class GradientProblem:
    """The point and data at which a gradient is wanted.

    Attributes:
        angle_map: weights and features to angles.
        occurrences: the table of occurrences.
        weights: `[P]`.
        features: `[B, T, F]`.
        steps: `[T]` True where the loss reads the outputs.
        shots: shots of each row; None if exact, or if `shots_total` is given.
        shots_total: shots of the whole gradient, base rows included; None if not given.
        seed: of the rule's own random choices, such as directions.
    """

    angle_map: AngleMap
    occurrences: OccurrenceTable
    weights: Array
    features: Array
    steps: NDArray[np.bool_]
    shots: int | None = None
    shots_total: int | None = None
    seed: int = 0

    def total_shots(self, num_rows: int) -> int | None:
        """Shots that `num_rows` rows will get together; None if exact."""
        if self.shots_total is not None:
            return self.shots_total
        return None if self.shots is None else self.shots * num_rows


class GradientRule(Protocol):
    """A way to a gradient by evaluations: a frozen dataclass whose fields are its options."""

    def plan(self, problem: GradientProblem) -> EvaluationPlan:
        """The rows to evaluate and their contraction."""
        ...


@runtime_checkable
class HasVariance(Protocol):
    """A rule with random choices of its own, which `EvaluationPlan.contract` knows nothing of."""

    def variance(
        self, plan: EvaluationPlan, outputs: Outputs, cotangent: Array, known: Array | None = None
    ) -> Array:
        """Variance of the gradient `[P]` from shots and the rule's choices together."""
        ...

    def baseline(
        self, problem: GradientProblem, plan: EvaluationPlan, cotangent: Array, known: Array
    ) -> Array:
        """What outputs known before the choice add to the contraction, `[P]`; 0 on average."""
        ...

    def differences(self, plan: EvaluationPlan, outputs: Outputs, num_occurrences: int) -> Array:
        """What a later gradient may know of this one's outputs, `[B, O, T, K]`; NaN: nothing."""
        ...
