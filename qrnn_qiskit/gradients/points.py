"""Plans whose rows are weight points: the shared weight itself is moved, at all its occurrences.

Axes: Q displaced weight points, P weights, B sequences, T steps, N terms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array, Index, SparseJacobian
from qrnn_qiskit.gradients.plan import EvaluationPlan, Rows, build_plan
from qrnn_qiskit.gradients.problem import GradientProblem


def reached_steps(problem: GradientProblem, jacobian: SparseJacobian) -> NDArray[np.bool_]:
    """`[P, T]`: True where the loss reads outputs that a weight can influence."""
    reach = np.zeros((len(problem.weights), len(problem.steps)), dtype=bool)
    np.logical_or.at(reach, jacobian.column, problem.occurrences.influence[jacobian.occurrence])
    return reach & problem.steps


def plan_at_points(
    problem: GradientProblem,
    displacements: Array,
    reach: NDArray[np.bool_],
    terms: tuple[Index, Index, Array],
) -> EvaluationPlan:
    """Every sequence at every displaced point; rows ordered by point, then sequence.

    Args:
        problem: the point and data.
        displacements: `[Q, P]`, added to the weights.
        reach: `[Q, T]` steps of a point's rows that count.
        terms: point, weight and coefficient `[N]` of each term of one sequence.
    """
    batch, num_points = len(problem.features), len(displacements)
    if num_points:
        masks, mask = np.unique(reach, axis=0, return_inverse=True)
    else:
        masks, mask = problem.steps[None, :], np.empty(0, np.intp)
    num_rows = num_points * batch
    rows = Rows(
        point=np.repeat(np.arange(1, num_points + 1), batch),
        sequence=np.tile(np.arange(batch), num_points),
        occurrence=np.full(num_rows, -1),
        shift=np.zeros(num_rows),
        mask=np.repeat(mask.reshape(-1), batch),
    )
    point, weight, coefficient = terms
    return build_plan(
        np.concatenate([problem.weights[None, :], problem.weights + displacements]),
        problem.features,
        rows=rows,
        masks=masks,
        terms=(
            (point[:, None] * batch + np.arange(batch)).reshape(-1),
            np.repeat(weight, batch),
            np.repeat(coefficient, batch),
        ),
    )
