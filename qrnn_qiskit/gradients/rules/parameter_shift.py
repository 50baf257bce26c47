"""The parameter-shift rule, occurrence by occurrence.

For a rotation exp(-i a P / 2) inside any linear map (measurement, reset, feed-forward, noise that
does not depend on a), an output is A + B cos a + C sin a, so dy/da = [y(a+π/2) - y(a-π/2)] / 2
exactly (Mitarai et al. 2018; Schuld et al. 2019). A weight shared by many occurrences gets the sum
over them, each times d(angle)/d(weight). Shifting the weight itself by ±π/2 at all occurrences at
once is no derivative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import SparseJacobian
from qrnn_qiskit.gradients.plan import EvaluationPlan, Rows, build_plan
from qrnn_qiskit.gradients.problem import GradientProblem


@final
@dataclass(frozen=True, slots=True)
class ParameterShift:
    """Two rows for each sequence and occurrence that can influence the loss.

    Attributes:
        causal: drop what an occurrence provably cannot influence: outputs of earlier steps, and
            rows outside every light cone. False only adds shot noise; for study.
    """

    causal: bool = True

    def plan(self, problem: GradientProblem) -> EvaluationPlan:
        """Rows ordered by sequence, occurrence and sign (+, -)."""
        jacobian = problem.angle_map.weight_jacobian(problem.weights, problem.features)
        return self.plan_for(problem, jacobian)

    def plan_for(self, problem: GradientProblem, jacobian: SparseJacobian) -> EvaluationPlan:
        """The plan for derivatives by anything that angles depend on.

        Args:
            problem: the point and data.
            jacobian: d(angle)/d(input); its columns become the plan's `term_weight`.
        """
        influence: NDArray[np.bool_] = problem.occurrences.influence & problem.steps
        if not self.causal:
            influence = np.broadcast_to(problem.steps, influence.shape)
        reaches = influence[jacobian.occurrence].any(axis=1)
        useful = reaches & (jacobian.values != 0)
        sequence, entry = np.nonzero(useful)
        occurrence = jacobian.occurrence[entry]

        # An occurrence that depends on several weights is measured once and used for each.
        count = len(problem.occurrences)
        pairs, pair_of_entry = np.unique(sequence * count + occurrence, return_inverse=True)
        masks, mask_of_occurrence = np.unique(influence, axis=0, return_inverse=True)
        pair_sequence, pair_occurrence = np.divmod(pairs, count)
        rows = Rows(
            point=np.zeros(2 * len(pairs), dtype=np.intp),
            sequence=np.repeat(pair_sequence, 2),
            occurrence=np.repeat(pair_occurrence, 2),
            shift=np.tile([np.pi / 2, -np.pi / 2], len(pairs)),
            mask=np.repeat(mask_of_occurrence.reshape(-1)[pair_occurrence], 2),
        )
        half = jacobian.values[sequence, entry] / 2
        terms = (
            np.concatenate([2 * pair_of_entry, 2 * pair_of_entry + 1]),
            np.tile(jacobian.column[entry], 2),
            np.concatenate([half, -half]),
        )
        return build_plan(
            problem.weights[None, :], problem.features, rows=rows, masks=masks, terms=terms
        )


PROVIDES = ParameterShift
