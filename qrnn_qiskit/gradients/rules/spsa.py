"""Simultaneous perturbation: central differences along random directions (Spall 1992)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, final

import numpy as np
from pydantic import Field

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.gradients.points import plan_at_points, reached_steps
from qrnn_qiskit.gradients.problem import GradientProblem

EXACT_LENGTH: Final = 1e-5  # of a displacement: rounding and truncation error balance near it


@final
@dataclass(frozen=True, slots=True)
class SPSA:
    """All weights moved at once: g ≈ mean over directions d of d [S(w + h d) - S(w - h d)] / 2h.

    Every entry of d is +1 or -1 at random, so the mean over directions is the gradient up to
    O(h²), from 2 rows for each direction and sequence whatever the number P of weights. K
    directions leave a relative mean squared error of (P - 1) / K however many shots are taken; the
    standard error has neither this nor the bias in it.

    Attributes:
        directions: K, drawn anew for each gradient.
        step: h in rad, or "auto": with N shots min((18 P / N)^(1/6), π/2) / √P, without shots
            1e-5 / √P: the displacement is as long as that of a central difference by one weight.
    """

    directions: Annotated[int, Field(gt=0)] = 1
    step: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"

    def plan(self, problem: GradientProblem) -> EvaluationPlan:
        """Rows ordered by direction, sign (+, -) and sequence."""
        jacobian = problem.angle_map.weight_jacobian(problem.weights, problem.features)
        reach = reached_steps(problem, jacobian)
        live = np.flatnonzero(reach.any(axis=1))
        signs = random_signs(problem.seed, self.directions if len(live) else 0, len(live))
        num_points = 2 * len(signs)
        num_rows = len(problem.features) * (num_points + 1)
        step = self._step(problem, num_rows=num_rows, live=len(live))

        moves = (np.array([1.0, -1.0])[:, None] * signs[:, None, :]).reshape(num_points, len(live))
        displacements = np.zeros((num_points, len(problem.weights)))
        displacements[:, live] = step * moves
        terms = (
            np.repeat(np.arange(num_points), len(live)),
            np.tile(live, num_points),
            moves.reshape(-1) / (2 * step * max(1, len(signs))),
        )
        masks = np.broadcast_to(reach.any(axis=0), (num_points, len(problem.steps)))
        return plan_at_points(problem, displacements, masks, terms)

    def _step(self, problem: GradientProblem, *, num_rows: int, live: int) -> float:
        if self.step != "auto":
            return float(self.step)
        size = max(1, live)
        shots = problem.total_shots(num_rows)
        length = EXACT_LENGTH if shots is None else min((18 * size / shots) ** (1 / 6), np.pi / 2)
        return float(length / np.sqrt(size))


def random_signs(seed: int, directions: int, size: int) -> Array:
    """Random +1 and -1, `[directions, size]`."""
    return np.random.default_rng(seed).choice([1.0, -1.0], size=(directions, size))


PROVIDES = SPSA
