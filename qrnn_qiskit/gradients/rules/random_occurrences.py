"""Parameter shift on a random subset of the occurrences, unbiased.

Every pair of rows (+π/2, -π/2) of the parameter-shift rule is drawn with a probability p_i, with
replacement, n times; a drawn pair's coefficients are divided by n p_i, so that the expectation over
the draws is the full rule. It bounds the number of circuits, not that of shots.

Where outputs of pairs are known from before (measured at earlier weights of a training), they
are a baseline: with C_i a pair's contribution from them and the present cotangent, and G_i that
from the new ones,

    sum_i C_i + sum_drawn k_i (G_i - C_i) / (n p_i)

has the same expectation whatever C, and the less variance the nearer C is to G.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.gradients.plan import OF_ROWS, EvaluationPlan
from qrnn_qiskit.gradients.problem import GradientProblem
from qrnn_qiskit.gradients.rules.parameter_shift import ParameterShift


@final
@dataclass(frozen=True, slots=True)
class RandomOccurrences:
    """A random `rows` of the parameter-shift rule's rows, drawn in pairs, anew for each gradient.

    A pair's probability is proportional to the root of the summed squares of its coefficients
    times the root of the number of steps that it influences. A pair drawn k times is one pair of
    rows with k repeats. The standard error of `EvaluationPlan.contract` covers the shots alone;
    `variance`, which gradients report, has the random choice in it.

    Attributes:
        rows: shifted rows to measure, repeats counted, base rows not; even.
    """

    rows: Annotated[int, Field(ge=2, multiple_of=2)]

    def plan(self, problem: GradientProblem) -> EvaluationPlan:
        """Rows in the order of the parameter-shift rule."""
        full = ParameterShift().plan(problem)
        probabilities = selection_probabilities(full)
        if not len(probabilities):
            return full
        random = np.random.default_rng(problem.seed)
        return select_pairs(full, random.multinomial(self.rows // 2, probabilities), probabilities)

    def variance(
        self, plan: EvaluationPlan, outputs: Outputs, cotangent: Array, known: Array | None = None
    ) -> Array:
        """Variance of the gradient `[P]`, from the random choice of pairs and from shots."""
        return variance_with_selection(plan, outputs, cotangent, known)

    def baseline(
        self, problem: GradientProblem, plan: EvaluationPlan, cotangent: Array, known: Array
    ) -> Array:
        """What a baseline adds to the contraction of the drawn rows, `[P]`; 0 on average.

        Args:
            problem: of the plan.
            plan: of this rule.
            cotangent: dL/dy `[B, T, K]`.
            known: `[B, O, T, K]` y(+π/2) - y(-π/2) of each occurrence from before the draw.
        """
        full = ParameterShift().plan(problem)
        return _from_known(full, cotangent, known) - _from_known(plan, cotangent, known)

    def differences(self, plan: EvaluationPlan, outputs: Outputs, num_occurrences: int) -> Array:
        """y(+π/2) - y(-π/2) of each drawn occurrence, `[B, O, T, K]`; NaN for the others."""
        base = plan.num_sequences
        found = np.full((base, num_occurrences, *outputs.mean.shape[1:]), np.nan)
        plus = slice(base, None, 2)
        place = plan.sequence[plus], plan.occurrence[plus]
        found[place] = outputs.mean[plus] - outputs.mean[base + 1 :: 2]
        return found


def selection_probabilities(full: EvaluationPlan) -> Array:
    """Probability of each pair of rows of a parameter-shift plan, `[pairs]`."""
    base = full.num_sequences
    squares = np.bincount(
        (full.term_row - base) // 2, full.term_coefficient**2, (full.num_rows - base) // 2
    )
    steps = full.masks.sum(axis=1)[full.mask[base::2]]
    sizes = np.sqrt(squares * steps)
    probabilities: Array = sizes / sizes.sum()
    return probabilities


def select_pairs(
    full: EvaluationPlan, draws: NDArray[np.int64], probabilities: Array
) -> EvaluationPlan:
    """The plan of a draw.

    Args:
        full: of the parameter-shift rule.
        draws: `[pairs]` how often each pair was drawn.
        probabilities: `[pairs]`.
    """
    base = full.num_sequences
    repeats = np.concatenate([np.ones(base, dtype=np.int64), np.repeat(draws, 2)])
    scale = draws / (draws.sum() * probabilities)
    rows = np.flatnonzero(repeats)
    terms = repeats[full.term_row] > 0
    new_row = np.cumsum(repeats > 0) - 1
    term_row = full.term_row[terms]
    return replace(
        full,
        **{name: getattr(full, name)[rows] for name in OF_ROWS} | {"repeats": repeats[rows]},
        term_row=new_row[term_row],
        term_weight=full.term_weight[terms],
        term_coefficient=full.term_coefficient[terms] * scale[(term_row - base) // 2],
    )


def _from_known(plan: EvaluationPlan, cotangent: Array, known: Array) -> Array:
    """The contraction `[P]` of a plan's pairs with known outputs instead of new ones."""
    values = np.zeros(plan.num_rows)
    plus = slice(plan.num_sequences, None, 2)
    values[plus] = _known_values(plan, plan.weighted(cotangent), known)
    products = plan.term_coefficient * values[plan.term_row]
    return np.bincount(plan.term_weight, products, plan.weights.shape[1]).astype(np.float64)


def _known_values(plan: EvaluationPlan, weighted: Array, known: Array) -> Array:
    """S(+) - S(-) of each pair `[pairs]`, from known outputs."""
    plus = slice(plan.num_sequences, None, 2)
    of_pairs = known[plan.sequence[plus], plan.occurrence[plus]]
    found: Array = np.einsum("rtk,rtk->r", weighted[plus], of_pairs)
    return found


def variance_with_selection(
    plan: EvaluationPlan, outputs: Outputs, cotangent: Array, known: Array | None = None
) -> Array:
    """Variance of the gradient `[P]`, from the random choice of pairs and from shots together.

    With G_i a pair's contribution to a component g, v_i its variance from shots, k_i its repeats
    and n draws in all, [n sum_i (G_i² + (k_i - 1) v_i) / k_i - g²] / (n - 1): never negative, and
    without bias over draws and shots. The shots' part alone, that of `contract`, is sum_i v_i.

    Args:
        plan: of `RandomOccurrences`, the repeats of its shifted rows unchanged.
        outputs: of all rows, `[R, T, K]`.
        cotangent: dL/dy `[B, T, K]`, independent of the shifted rows' shots.
        known: of the baseline, which is subtracted from G_i; None without one.

    Returns:
        Infinity where a single pair was drawn and no spread can be seen.
    """
    base, num_weights = plan.num_sequences, plan.weights.shape[1]
    repeats = plan.repeats[base::2]
    draws = int(repeats.sum())
    if draws < 2:
        return np.full(num_weights, np.inf)
    weighted = plan.weighted(cotangent)
    values = np.einsum("rtk,rtk->r", weighted, outputs.mean)
    if known is not None:
        values[base::2] -= _known_values(plan, weighted, known)
    values = values[plan.term_row]
    spreads = outputs.contracted_variance(weighted)[plan.term_row]

    # One cell for each pair and weight: a pair's two rows belong together.
    pair = (plan.term_row - base) // 2
    cells, cell = np.unique(pair * num_weights + plan.term_weight, return_inverse=True)
    contribution = np.bincount(cell, plan.term_coefficient * values, len(cells))
    shots = np.bincount(cell, plan.term_coefficient**2 * spreads, len(cells))
    times = repeats[cells // num_weights]
    weight = cells % num_weights

    together = np.bincount(weight, (contribution**2 + (times - 1) * shots) / times, num_weights)
    gradient = np.bincount(weight, contribution, num_weights)
    variance: Array = (draws * together - gradient**2) / (draws - 1)
    return np.maximum(variance, 0.0)  # rounding


PROVIDES = RandomOccurrences
