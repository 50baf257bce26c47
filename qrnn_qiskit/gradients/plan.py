"""Evaluation plans: which rows to evaluate, and how to contract their outputs to a gradient.

Plain small arrays, never closures: a plan can be saved, inspected and resumed, and an executor
needs nothing else. Axes: R rows, Q weight points, P weights, B sequences, T steps, F features,
O occurrences, K output values per step, N terms, X further shifts of a row.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, fields, replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import AngleMap, Array, Index
from qrnn_qiskit.estimate import Estimate, Outputs

FORMAT: Final = 2
# The arrays of a plan with an entry for each row.
OF_ROWS: Final = (
    "point",
    "sequence",
    "occurrence",
    "shift",
    "others",
    "other_shifts",
    "repeats",
    "mask",
)


@final
@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """Rows and coefficients.

    The first B rows are the base rows: sequence b at weight point 0, nothing shifted. The
    gradient of a loss with cotangent w = dL/dy is, for weight p,

        g_p = sum over terms n of p:  coefficient_n * S_{row_n},
        S_r = sum over t, k:  w[sequence_r, t, k] * mask[mask_r, t] * y[r, t, k].

    Attributes:
        weights: `[Q, P]` weight points.
        features: `[B, T, F]`.
        point: `[R]` weight point of each row.
        sequence: `[R]` sequence of each row.
        occurrence: `[R]` the shifted occurrence, -1 for none.
        shift: `[R]` by how much, in rad.
        others, other_shifts: `[R, X]` occurrences shifted along with it, -1 for none, and by how
            much; X is 0 where rows shift one occurrence only.
        repeats: `[R]` each row is measured `repeats` times the plan's shots.
        masks: `[M, T]` distinct masks of steps.
        mask: `[R]` which mask holds for a row.
        term_row, term_weight, term_coefficient: `[N]` the contraction.
    """

    weights: Array
    features: Array
    point: Index
    sequence: Index
    occurrence: Index
    shift: Array
    others: Index
    other_shifts: Array
    repeats: NDArray[np.int64]
    masks: NDArray[np.bool_]
    mask: Index
    term_row: Index
    term_weight: Index
    term_coefficient: Array

    @property
    def num_rows(self) -> int:
        return len(self.point)

    @property
    def num_sequences(self) -> int:
        return len(self.features)

    @property
    def total_repeats(self) -> int:
        """Rows with their repeats: what one shot of the plan costs."""
        return int(self.repeats.sum())

    def repeats_by_weight(self) -> Array:
        """Repeats of the rows of each weight `[P]`; a row of several weights is shared evenly."""
        terms = np.bincount(self.term_row, minlength=self.num_rows)
        return self._scatter(self.repeats[self.term_row] / terms[self.term_row])

    def angles(self, angle_map: AngleMap, rows: slice) -> Array:
        """Dense angles `[rows, O]` of some rows, in rad."""
        angles = angle_map.angles(
            self.weights[self.point[rows]], self.features[self.sequence[rows]]
        )
        for occurrence, shift in (
            (self.occurrence[rows], self.shift[rows]),
            *zip(self.others[rows].T, self.other_shifts[rows].T, strict=True),
        ):
            shifted = np.flatnonzero(occurrence >= 0)
            angles[shifted, occurrence[shifted]] += shift[shifted]
        return angles

    def base_outputs(self, outputs: Outputs) -> Outputs:
        """Outputs `[B, T, K]` of the base rows."""
        return outputs.rows(slice(0, self.num_sequences))

    def without_base_rows(self) -> EvaluationPlan:
        """The plan without the base rows, for outputs that are known already.

        The same plan where a term reads a base row. Only for shots: exact executors work out
        shifted rows from base rows.
        """
        base = self.num_sequences
        if np.any(self.term_row < base):
            return self
        kept = {name: getattr(self, name)[base:] for name in OF_ROWS}
        return replace(self, **kept, term_row=self.term_row - base)

    def contract(self, outputs: Outputs, cotangent: Array) -> Estimate:
        """The gradient `[P]` with the standard error due to the shifted rows.

        Args:
            outputs: of all rows, `[R, T, K]`.
            cotangent: dL/dy `[B, T, K]`, independent of the shifted rows' shots.
        """
        weighted = self.weighted(cotangent)
        values = np.einsum("rtk,rtk->r", weighted, outputs.mean)
        gradient = self._scatter(self.term_coefficient * values[self.term_row])
        if outputs.count is None:
            return Estimate(gradient)
        variances = outputs.contracted_variance(weighted)
        variance = self._scatter(self.term_coefficient**2 * variances[self.term_row])
        return Estimate(gradient, np.sqrt(variance))

    def weighted(self, cotangent: Array) -> Array:
        """`[R, T, K]` what the outputs of each row are multiplied with; dL/dy is `[B, T, K]`."""
        # Rows of one sequence and mask are alike, and there are far fewer kinds than rows.
        kinds = cotangent[:, None] * self.masks[None, :, :, None]
        found: Array = kinds.reshape(-1, *cotangent.shape[1:])[
            self.sequence * len(self.masks) + self.mask
        ]
        return found

    def output_jacobian(self, outputs: Outputs) -> Array:
        """dy/d(weights) `[P, B, T, K]`, from the same rows."""
        return self._jacobian(outputs.mean, self.term_coefficient)

    def output_jacobian_variance(self, outputs: Outputs) -> Array:
        """Variance of each entry of `output_jacobian`, `[P, B, T, K]`."""
        if outputs.count is None or outputs.covariance is None:
            return self._jacobian(np.zeros_like(outputs.mean), self.term_coefficient)
        of_row = np.diagonal(outputs.covariance, axis1=1, axis2=2) / outputs.count[:, None]
        return self._jacobian(of_row.reshape(outputs.mean.shape), self.term_coefficient**2)

    def _jacobian(self, of_rows: Array, coefficient: Array) -> Array:
        """Sums over terms `[P, B, T, K]` of coefficients times rows' `[R, T, K]`."""
        shape = (self.weights.shape[1], self.num_sequences, *of_rows.shape[1:])
        entry = self.term_weight * shape[1] + self.sequence[self.term_row]
        order = np.argsort(entry, kind="stable")
        rows = self.term_row[order]
        parts = of_rows[rows] * self.masks[self.mask[rows]][:, :, None]
        parts *= coefficient[order, None, None]
        entries, starts = np.unique(entry[order], return_index=True)
        sums = np.zeros((shape[0] * shape[1], *shape[2:]))
        if len(starts):
            sums[entries] = np.add.reduceat(parts, starts, axis=0)
        return sums.reshape(shape)

    def with_repeats(self, repeats: NDArray[np.int64]) -> EvaluationPlan:
        """The same rows, measured more or less often; `repeats` is `[R]`."""
        return replace(self, repeats=repeats)

    def reordered(self, order: Index) -> EvaluationPlan:
        """The same plan with row `order[i]` at place i; `order` is `[R]`, base rows first."""
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        taken = {name: getattr(self, name)[order] for name in OF_ROWS}
        return replace(self, **taken, term_row=place[self.term_row])

    def _scatter(self, values: Array) -> Array:
        sums = np.bincount(self.term_weight, values, self.weights.shape[1])
        return sums.astype(np.float64)

    def to_bytes(self) -> bytes:
        """The plan as npz bytes, without pickle."""
        buffer = io.BytesIO()
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        np.savez(buffer, format=np.array(FORMAT), **arrays)
        return buffer.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> EvaluationPlan:
        """The plan that `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return EvaluationPlan(**{f.name: arrays[f.name] for f in fields(EvaluationPlan)})

    @property
    def digest(self) -> str:
        """SHA-256 over all arrays: the identity of the work."""
        state = hashlib.sha256()
        for f in fields(self):
            array = np.ascontiguousarray(getattr(self, f.name))
            state.update(f"{f.name}{array.dtype.str}{array.shape}".encode())
            state.update(array.tobytes())
        return state.hexdigest()


def forward_plan(weights: Array, features: Array) -> EvaluationPlan:
    """A plan of base rows only: the outputs at one weight point `[P]` for features `[B, T, F]`."""
    return build_plan(
        weights[None, :],
        features,
        rows=Rows.none(),
        masks=np.ones((1, features.shape[1]), dtype=bool),
        terms=(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)),
    )


@final
@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a plan that follow its base rows; arrays as in `EvaluationPlan`."""

    point: Index
    sequence: Index
    occurrence: Index
    shift: Array
    mask: Index
    others: Index | None = None
    other_shifts: Array | None = None

    @staticmethod
    def none() -> Rows:
        """No rows."""
        empty = np.empty(0, np.intp)
        return Rows(empty, empty, empty, np.empty(0), empty)


def build_plan(
    weights: Array,
    features: Array,
    *,
    rows: Rows,
    masks: NDArray[np.bool_],
    terms: tuple[Index, Index, Array],
) -> EvaluationPlan:
    """A plan from the rows of a rule, the base rows put before them.

    Args:
        weights: `[Q, P]`, point 0 the one to differentiate at.
        features: `[B, T, F]`.
        rows: the shifted rows.
        masks: `[M, T]`.
        terms: row (counted without the base rows), weight and coefficient of each term.
    """
    base = np.arange(len(features))
    zeros = np.zeros_like(base)
    term_row, term_weight, term_coefficient = terms
    count = len(rows.point)
    total = len(base) + count
    others = np.empty((count, 0), np.intp) if rows.others is None else rows.others
    other_shifts = np.empty((count, 0)) if rows.other_shifts is None else rows.other_shifts
    unshifted = (len(base), others.shape[1])
    if not len(masks):  # the base rows, too, point at one
        masks = np.ones((1, features.shape[1]), dtype=bool)
    return EvaluationPlan(
        weights=weights,
        features=features,
        point=np.concatenate([zeros, rows.point]),
        sequence=np.concatenate([base, rows.sequence]),
        occurrence=np.concatenate([zeros - 1, rows.occurrence]),
        shift=np.concatenate([np.zeros(len(base)), rows.shift]),
        others=np.concatenate([np.full(unshifted, -1, np.intp), others]),
        other_shifts=np.concatenate([np.zeros(unshifted), other_shifts]),
        repeats=np.ones(total, dtype=np.int64),
        masks=masks,
        mask=np.concatenate([zeros, rows.mask]),
        term_row=term_row + len(base),
        term_weight=term_weight,
        term_coefficient=term_coefficient,
    )
