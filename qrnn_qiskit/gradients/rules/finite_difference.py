"""Finite differences of the outputs by the shared weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, final

import numpy as np
from pydantic import Field

from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.gradients.points import plan_at_points, reached_steps
from qrnn_qiskit.gradients.problem import GradientProblem


@final
@dataclass(frozen=True, slots=True)
class _Stencil:
    """dy/dw ≈ sum_i coefficients_i [y(w + offsets_i h) - y(w)] / h.

    Attributes:
        offsets, coefficients: of the displaced points; central forms need no y(w).
        exact_step: h in rad without shots, where rounding and truncation error balance.
        factor, root: with shots h = (factor P / N)^(1/root).
    """

    offsets: tuple[float, ...]
    coefficients: tuple[float, ...]
    exact_step: float
    factor: float
    root: int


_STENCILS: Final = {
    "forward": _Stencil((1.0,), (1.0,), 1e-8, 8.0, 4),
    "central": _Stencil((1.0, -1.0), (1 / 2, -1 / 2), 1e-5, 18.0, 6),
    "fourth": _Stencil((1.0, -1.0, 2.0, -2.0), (2 / 3, -2 / 3, -1 / 12, 1 / 12), 1e-3, 812.5, 10),
}


@final
@dataclass(frozen=True, slots=True)
class FiniteDifference:
    """Differences of the outputs, contracted with the loss's cotangent.

    | form | dy/dw ≈ | bias | variance × N h² / P σ² |
    | --- | --- | --- | --- |
    | forward | [y(w+h) - y(w)] / h | h f'' / 2 | 2 |
    | central | [y(w+h) - y(w-h)] / 2h | h² f''' / 6 | 1 |
    | fourth | [8 y(w+h) - 8 y(w-h) - y(w+2h) + y(w-2h)] / 12h | -h⁴ f⁽⁵⁾ / 30 | 65/18 |

    Bias and variance are those of one weight's component to leading order, with N shots in all
    spread evenly over the rows of P weights, and σ² the variance of one shot. The reported
    standard error has no bias in it.

    Attributes:
        step: h in rad, or "auto": without shots 1e-8, 1e-5, 1e-3 (forward, central, fourth); with
            shots the h at which bias² + variance is least if the derivative in the bias is as
            large as σ: (8 P/N)^(1/4), (18 P/N)^(1/6), (812.5 P/N)^(1/10), at most π/2. P counts
            the weights that can influence the loss.
        form: which difference. The unshifted rows of "forward" are its own and shared by all
            weights: the base rows stay independent, since the cotangent comes from them.
    """

    step: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    form: Literal["central", "forward", "fourth"] = "central"

    def plan(self, problem: GradientProblem) -> EvaluationPlan:
        """Rows ordered by weight, offset and sequence; then the unshifted ones of "forward"."""
        jacobian = problem.angle_map.weight_jacobian(problem.weights, problem.features)
        reach = reached_steps(problem, jacobian)
        live = np.flatnonzero(reach.any(axis=1))
        stencil = _STENCILS[self.form]
        size = len(stencil.offsets)
        weight = np.repeat(live, size)
        coefficient = np.tile(stencil.coefficients, len(live))
        points = np.arange(len(weight))
        columns = weight
        of_points = reach[weight]
        unshifted = 0
        if self.form == "forward" and len(live):
            # Steps out of a weight's reach must be left out of both terms of its difference.
            masks, mask_of_weight = np.unique(reach[live], axis=0, return_inverse=True)
            unshifted = len(masks)
            of_points = np.concatenate([of_points, masks])
            points = np.concatenate([points, len(weight) + mask_of_weight.reshape(-1)])
            columns = np.concatenate([weight, live])
            coefficient = np.concatenate([coefficient, np.full(len(live), -1.0)])

        num_points = len(weight) + unshifted
        step = self._step(
            problem, num_rows=len(problem.features) * (num_points + 1), live=len(live)
        )
        displacements = np.zeros((num_points, len(problem.weights)))
        displacements[np.arange(len(weight)), weight] = np.tile(stencil.offsets, len(live)) * step
        return plan_at_points(
            problem, displacements, of_points, (points, columns, coefficient / step)
        )

    def _step(self, problem: GradientProblem, *, num_rows: int, live: int) -> float:
        if self.step != "auto":
            return float(self.step)
        stencil = _STENCILS[self.form]
        shots = problem.total_shots(num_rows)
        if shots is None:
            return stencil.exact_step
        return float(min((stencil.factor * max(1, live) / shots) ** (1 / stencil.root), np.pi / 2))


PROVIDES = FiniteDifference
