"""Central finite differences of the outputs by the shared weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, final

import numpy as np
from pydantic import Field

from qrnn_qiskit.gradients.plan import EvaluationPlan, Rows, build_plan
from qrnn_qiskit.gradients.problem import GradientProblem

EXACT_STEP = 1e-5  # rounding and truncation error balance near the cube root of 1e-16


@final
@dataclass(frozen=True, slots=True)
class FiniteDifference:
    """dy/dw ≈ [y(w+h) - y(w-h)] / 2h, contracted with the loss's cotangent.

    Attributes:
        step: h in rad, or "auto": 1e-5 without shots; with N shots for P weights
            min((18 P / N)^(1/6), π/2), which balances a bias h² |f'''| / 6 against shot noise for
            outputs whose third derivative is as large as one shot's standard deviation.
    """

    step: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"

    def plan(self, problem: GradientProblem) -> EvaluationPlan:
        """Rows ordered by weight, sign (+, -) and sequence."""
        jacobian = problem.angle_map.weight_jacobian(problem.weights, problem.features)
        batch, num_weights = len(problem.features), len(problem.weights)
        reach = np.zeros((num_weights, len(problem.steps)), dtype=bool)
        np.logical_or.at(reach, jacobian.column, problem.occurrences.influence[jacobian.occurrence])
        reach &= problem.steps
        live = np.flatnonzero(reach.any(axis=1))
        masks, mask_of_weight = np.unique(reach, axis=0, return_inverse=True)
        step = self._step(problem, num_rows=batch * (2 * len(live) + 1), num_live=len(live))

        signs = np.tile([1.0, -1.0], len(live))
        points = np.repeat(problem.weights[None, :], 2 * len(live) + 1, axis=0)
        points[np.arange(1, len(points)), np.repeat(live, 2)] += signs * step
        num_rows = 2 * len(live) * batch
        rows = Rows(
            point=np.repeat(np.arange(1, len(points)), batch),
            sequence=np.tile(np.arange(batch), 2 * len(live)),
            occurrence=np.full(num_rows, -1),
            shift=np.zeros(num_rows),
            mask=np.repeat(mask_of_weight.reshape(-1)[live], 2 * batch),
        )
        terms = (
            np.arange(num_rows),
            np.repeat(live, 2 * batch),
            np.repeat(signs / (2 * step), batch),
        )
        return build_plan(points, problem.features, rows=rows, masks=masks, terms=terms)

    def _step(self, problem: GradientProblem, *, num_rows: int, num_live: int) -> float:
        if self.step != "auto":
            return float(self.step)
        shots = problem.total_shots(num_rows)
        if shots is None:
            return EXACT_STEP
        return float(min((18 * max(1, num_live) / shots) ** (1 / 6), np.pi / 2))


PROVIDES = FiniteDifference
