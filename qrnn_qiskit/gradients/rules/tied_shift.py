"""The generalised shift rule on the shared weight itself.

An output is a trigonometric polynomial in a weight w whose occurrences have angles s_o w + const:
each Pauli rotation contributes frequency 0 or |s_o|, so with u the greatest common divisor of the
|s_o| the frequencies are u, 2u, …, R u at most, R = sum |s_o| / u. The shift rule for these is
exact, with as many rows as shifting every occurrence by itself and, at equal shots, about 2T/3
times its variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qrnn_qiskit.angle_map import Array, Index, SparseJacobian
from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.gradients.points import plan_at_points, reached_steps
from qrnn_qiskit.gradients.problem import GradientProblem
from qrnn_qiskit.gradients.shift_rule import shift_rule

_TOLERANCE: Final = 1e-9
_MAX_MULTIPLE: Final = 12  # the smallest |s_o| is at most so many times the common divisor
_PROBE: Final = 0.7390851332151607  # any generic displacement, in rad


@final
@dataclass(frozen=True, slots=True)
class TiedShift:
    """2R rows for each sequence and weight, the weight shifted at all its occurrences.

    Attributes:
        frequencies: R' < R takes only the R' lowest frequencies u, …, R' u for granted, with 2R'
            rows. A component b_l sin(l u w) with l > R' then enters with u f(l) b_l instead of
            u l b_l, where f is the triangle wave through f(l) = l for |l| ≤ R' with period 4R'.
            So the bias of the derivative of S is at most sum_{l > R'} u (l + R') |b_l|, and at most
            u (R + R') max |S|; the standard error does not contain it. None: all, no bias.
    """

    frequencies: Annotated[int, Field(gt=0)] | None = None

    def plan(self, problem: GradientProblem) -> EvaluationPlan:
        """Rows ordered by weight, shift (+, -) and sequence.

        Raises:
            SpecError: for a weight whose angles are not affine in it, or whose scales have no
                common divisor (θ·x with arbitrary features).
        """
        jacobian = problem.angle_map.weight_jacobian(problem.weights, problem.features)
        influence: NDArray[np.bool_] = problem.occurrences.influence & problem.steps
        reaches = np.asarray(influence[jacobian.occurrence].any(axis=1))
        _check_affine(problem, jacobian, reaches)
        rules = [
            self._rule(p, np.abs(jacobian.values[:, reaches & (jacobian.column == p)]))
            for p in range(len(problem.weights))
        ]
        weight = np.repeat(np.arange(len(rules)), [len(shifts) for _, shifts in rules])
        coefficient, shift = np.concatenate([np.empty((2, 0)), *rules], axis=1)
        num_points = len(weight)
        displacements = np.zeros((num_points, len(problem.weights)))
        displacements[np.arange(num_points), weight] = shift
        reach = reached_steps(problem, jacobian)[weight]
        return plan_at_points(
            problem, displacements, reach, (np.arange(num_points), weight, coefficient)
        )

    def _rule(self, weight: int, scales: Array) -> tuple[Array, Array]:
        """Coefficients and shifts for a weight from its scales |s_o| `[B, E]`."""
        scales = np.where(scales > _TOLERANCE * scales.max(initial=0.0), scales, 0.0)
        found = np.unique(scales[scales > 0])
        if not len(found):
            return np.empty(0), np.empty(0)
        unit = _common_divisor(found)
        if unit is None:
            raise SpecError(
                f"gradient.method = 'tied_shift' has no rule for weight {weight} (counted from 0): "
                f"its scales, {found[0]:.6g} to {found[-1]:.6g}, have no common divisor, as "
                "where it is multiplied with a feature; use 'parameter_shift'"
            )
        count = int(np.rint(scales.sum(axis=1).max() / unit))
        count = min(count, self.frequencies or count)
        return shift_rule([unit * r for r in range(1, count + 1)])


def _common_divisor(scales: Array) -> float | None:
    """The largest u of which all `scales` (positive, sorted) are multiples; None if none is."""
    divisions = np.arange(1, _MAX_MULTIPLE + 1)
    multiples = divisions[:, None] * (scales / scales[0])
    fits = (np.abs(multiples - np.rint(multiples)) < _TOLERANCE).all(axis=1)
    return float(scales[0] / divisions[fits][0]) if fits.any() else None


def _check_affine(
    problem: GradientProblem, jacobian: SparseJacobian, reaches: NDArray[np.bool_]
) -> None:
    """Refuse weights whose angles' derivatives change when that weight alone is moved."""
    everywhere = np.full(len(problem.weights), _PROBE)
    # Where moving all weights together changes nothing, no single one needs to be tried.
    for p in _bent(problem, jacobian, reaches, everywhere):
        alone = np.where(np.arange(len(problem.weights)) == p, _PROBE, 0.0)
        if p in _bent(problem, jacobian, reaches, alone):
            raise SpecError(
                f"gradient.method = 'tied_shift' has no rule for weight {p} (counted from 0): the "
                "angle of a gate is not a multiple of it plus a constant; use 'parameter_shift'"
            )


def _bent(
    problem: GradientProblem,
    jacobian: SparseJacobian,
    reaches: NDArray[np.bool_],
    displacement: Array,
) -> Index:
    """Weights with derivatives that a displacement `[P]` of the weights changes."""
    moved = problem.angle_map.weight_jacobian(problem.weights + displacement, problem.features)
    same = np.isclose(moved.values, jacobian.values, rtol=_TOLERANCE, atol=1e-12).all(axis=0)
    return np.unique(jacobian.column[reaches & ~same])


PROVIDES = TiedShift
