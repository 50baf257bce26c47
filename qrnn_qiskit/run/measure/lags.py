"""How far back outputs depend on angles: mean squared derivatives by the lag between the two.

The rows of the parameter-shift rule hold the derivative of every output by every angle: a pair of
rows (+π/2, -π/2) of an occurrence of step s gives dy_t/da = (y_t⁺ - y_t⁻) / 2, whose square less
its variance is unbiased. The lag is t - s. Axes: R rows, T steps, K output values per step, O
occurrences, B sequences.
"""

from __future__ import annotations

import numpy as np

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.occurrence import OccurrenceTable
from qrnn_qiskit.run.measure.evaluator import Evaluator


def lags_of_rows(
    plan: EvaluationPlan, outputs: Outputs, occurrences: OccurrenceTable
) -> Array | None:
    """Mean of (dy/da)² and its variance by lag, `[T, 2]`, NaN where there is nothing to see.

    Args:
        plan: of a rule.
        outputs: of all its rows.
        occurrences: of the circuit.

    Returns:
        None if the plan does not shift single occurrences by ±π/2 in pairs.
    """
    steps = outputs.mean.shape[1]
    single = (plan.occurrence >= 0) & np.all(plan.others < 0, axis=1)
    place = plan.sequence * len(occurrences) + plan.occurrence
    signs = [np.flatnonzero(single & np.isclose(plan.shift, s * np.pi / 2)) for s in (1, -1)]
    plus, minus = (rows[np.argsort(place[rows], kind="stable")] for rows in signs)
    if not len(plus) or not np.array_equal(place[plus], place[minus]):
        return None
    slope = (outputs.mean[plus] - outputs.mean[minus]) / 2
    variance = np.zeros(slope.shape)
    if outputs.count is not None and outputs.covariance is not None:
        of_row = np.einsum("rii->ri", outputs.covariance) / outputs.count[:, None]
        variance = ((of_row[plus] + of_row[minus]) / 4).reshape(slope.shape)
    square = slope**2 - variance
    # Of the square of a normal number of mean m: 4 m² v + 2 v².
    error = 4 * np.maximum(square, 0.0) * variance + 2 * variance**2
    lag = np.arange(steps) - occurrences.step[plan.occurrence[plus], None]
    # What the masks leave out is zero for certain.
    mask = plan.masks[plan.mask[plus]]
    seen = plan.masks.any(axis=0) & (lag >= 0)
    count = np.bincount(lag[seen], minlength=steps) * slope.shape[2]
    squares, errors = ((part.sum(axis=2) * mask)[seen] for part in (square, error))
    return _means(lag[seen], squares, errors, count)


def lags_of_last_output(
    evaluator: Evaluator, executor: ExactExecutor, weights: Array, features: Array
) -> Array:
    """The same for the outputs of the last step alone, exactly, by reverse mode.

    Each output value is a row of its own, so with K values every K-th sequence is looked at: all of
    it costs about as much as one gradient.
    """
    unrolled, table = evaluator.unrolled, evaluator.unrolled.occurrences
    outputs = unrolled.num_bits if evaluator.kind == "z" else 2**unrolled.num_bits
    values = outputs + unrolled.postselected
    angles = unrolled.angle_map.angles(weights, features[::values])
    number = np.tile(np.arange(values), len(angles))

    def last(outputs: Array) -> Array:
        cotangent = np.zeros(outputs.shape)
        cotangent[np.arange(len(number)), -1, number] = 1.0
        return cotangent

    rows = np.repeat(angles, values, axis=0)
    _, slopes = executor.value_and_vjp(unrolled, rows, last, evaluator.kind)
    steps = table.num_steps
    seen = table.influence.any(axis=1)
    lag = np.broadcast_to(steps - 1 - table.step, rows.shape)[:, seen].ravel()
    total = slopes[:, seen].ravel() ** 2
    count = np.bincount(lag, minlength=steps)
    return _means(lag, total, np.zeros(total.size), count)


def _means(lag: Index, square: Array, error: Array, count: Index) -> Array:
    size = len(count)
    known = np.maximum(count, 1)
    mean = np.bincount(lag, square, size) / known
    variance = np.bincount(lag, error, size) / known**2
    found: Array = np.where(count[:, None] > 0, np.stack([mean, variance], axis=1), np.nan)
    return found


def far_over_near(lags: Array) -> tuple[float, float] | None:
    """Mean over the lags of half a sequence and more, over that of the others, and its error.

    Args:
        lags: `[T, 2]`.

    Returns:
        None where one of the two is unknown, or nothing depends on anything.
    """
    half = (len(lags) + 1) // 2
    parts = [part[np.isfinite(part).all(axis=1)] for part in (lags[:half], lags[half:])]
    if not all(len(part) for part in parts):
        return None
    (near, near_error), (far, far_error) = (
        (float(part[:, 0].mean()), float(part[:, 1].sum()) / len(part) ** 2) for part in parts
    )
    if near <= 0 or near**2 < 4 * near_error:
        return None
    ratio = far / near
    return ratio, float(np.sqrt(far_error + ratio**2 * near_error) / near)
