"""Which rule a gradient of so many shots should use: predicted variance and bias of each.

With N shots on the shifted rows, shared out optimally, a rule has the summed variance V = U / N,
U = (sum_r v_r)² (see `allocation`). For central differences U = U_1 / h², and the squared bias is
h⁴ K / 36, K the summed square of the third derivatives. The h of least variance + bias² is

    h = (18 U_1 / (N K))^(1/6),

and the error there is 3/2 of the variance. K is not known; over cells, steps and points K P / U_1
has been found between 0.06 and 77 with a median of 0.7, and h depends on its sixth root: 1 is
assumed, so that h = (18 P / N)^(1/6). In a training noise is averaged over many steps and bias is
not: N is then counted over `averaged` steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.gradients.allocation import MIN_SHOTS, row_spread
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.gradients.problem import GradientProblem, GradientRule
from qrnn_qiskit.gradients.rules.finite_difference import FiniteDifference
from qrnn_qiskit.gradients.rules.parameter_shift import ParameterShift

LARGEST_STEP: Final = 1.2  # in rad; beyond it the leading order of the bias means nothing


@final
@dataclass(frozen=True, slots=True)
class Costs:
    """What a rule's plan takes, whatever the shots.

    Attributes:
        rows: without base rows.
        unit: U, variance times shots on those rows.
        live: weights with a row.
    """

    rows: int
    unit: float
    live: int

    @classmethod
    def of(cls, plan: EvaluationPlan, spread: Array | None) -> Costs:
        """Of a rule's plan; `spread` as for `row_spread`."""
        base = plan.num_sequences
        unit = float(row_spread(plan, spread)[base:].sum() ** 2)
        return cls(plan.num_rows - base, unit, len(np.unique(plan.term_weight)))


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """A rule for one gradient.

    Attributes:
        rule: the rule.
        reason: in a few words.
    """

    rule: GradientRule
    reason: str


def choose(
    problem: GradientProblem, shots: int, *, spread: Array | None = None, averaged: float = 1.0
) -> Choice:
    """Parameter shift, or a central difference with the step of least predicted error.

    Args:
        problem: the point and data.
        shots: for the shifted rows together.
        spread: what is known of the outputs' variances, as for `row_spread`.
        averaged: over how many gradients noise is going to be averaged.
    """
    shift = Costs.of(ParameterShift().plan(problem), spread)
    if shift.rows == 0:
        return Choice(ParameterShift(), "no weight reaches the loss")
    if shots < MIN_SHOTS * shift.rows:
        step = _step(shift.live, shots * averaged)
        return Choice(
            FiniteDifference(step=step), f"{shots} shots are too few for {shift.rows} shifted rows"
        )
    difference = Costs.of(FiniteDifference(step=1.0).plan(problem), spread)
    step = _step(difference.live, shots * averaged)
    third = difference.unit / difference.live
    noise = difference.unit / (step**2 * shots * averaged)
    biased = np.sqrt(noise + step**4 * third / 36)
    unbiased = np.sqrt(shift.unit / (shots * averaged))
    if unbiased <= biased:
        return Choice(ParameterShift(), f"error {unbiased:.2g}, difference {biased:.2g} with bias")
    return Choice(
        FiniteDifference(step=step), f"error {biased:.2g} with bias, unbiased {unbiased:.2g}"
    )


def _step(live: int, shots: float) -> float:
    return float(np.round(min((18 * live / shots) ** (1 / 6), LARGEST_STEP), 3))
