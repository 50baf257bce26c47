"""Second derivatives by shifting twice: plans of rows with one or two shifted occurrences.

An output is A + B cos a + C sin a in the angle a of each occurrence, the others fixed. So, exactly,

    d²y/da db = [y(+,+) - y(+,-) - y(-,+) + y(-,-)] / 4,
    d²y/da²   = y(a+π) - [y(a+π/2) + y(a-π/2)] / 2

with shifts of π/2 (Mari, Bromley, Killoran, Phys. Rev. A 103, 012405 (2021)); the second form
leaves the unshifted rows to the loss's derivatives alone. The four rows of a pair serve d²y/da db
and d²y/db da alike, and the rows with one shift give the first derivatives too. The chain rule over
occurrences o with angles a_o(θ) is

    d²y/dθ_p dθ_q = sum_{o,o'} (da_o/dθ_p) (da_o'/dθ_q) d²y/da_o da_o'
                    + sum_o (d²a_o/dθ_p dθ_q) dy/da_o.

Axes: B sequences, T steps, P weights, V directions, G numbers, O occurrences, E entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.errors import DataError
from qrnn_qiskit.gradients.contraction import Contraction
from qrnn_qiskit.gradients.plan import EvaluationPlan, Rows, build_plan
from qrnn_qiskit.gradients.problem import GradientProblem

HessianForm = Literal["full", "diagonal", "product"]

_HALF: Final = np.pi / 2


@final
@dataclass(frozen=True, slots=True)
class HessianPlan:
    """Rows, and their contractions to first and second derivatives.

    Attributes:
        plan: the rows; base rows first.
        first: to the derivatives by the P weights.
        second: to the second derivatives of the outputs, G numbers.
        left: `[G]` weight of each number.
        right: `[G]` direction of each number.
        directions: `[V, P]`: number g is left' d² directions[right].
    """

    plan: EvaluationPlan
    first: Contraction
    second: Contraction
    left: Index
    right: Index
    directions: Array


@final
@dataclass(frozen=True, slots=True)
class HessianRows:
    """Which rows a Hessian needs, before any of them is made.

    Attributes:
        single: occurrences shifted by ±π/2.
        double: occurrences shifted by π.
        pairs: `[n, 2]` occurrences shifted together, four rows each.
        num_sequences: B.
    """

    single: Index
    double: Index
    pairs: Index
    num_sequences: int

    @property
    def per_sequence(self) -> int:
        """Rows of a sequence beside its base row."""
        return 2 * len(self.single) + len(self.double) + 4 * len(self.pairs)

    @property
    def total(self) -> int:
        """All rows."""
        return self.num_sequences * (1 + self.per_sequence)


@final
@dataclass(frozen=True, slots=True)
class _Products:
    """Products of two first derivatives of angles that a number is made of.

    Attributes:
        one, other: `[E]` occurrences.
        number: `[E]`.
        values: `[B, E]`.
    """

    one: Index
    other: Index
    number: Index
    values: Array


def hessian_plan(
    problem: GradientProblem, form: HessianForm = "full", direction: Array | None = None
) -> HessianPlan:
    """The plan of a Hessian at a point.

    Args:
        problem: the point and data.
        form: "full": all pairs of weights; "diagonal": each weight with itself; "product": the
            Hessian times `direction`.
        direction: `[P]`, of "product" only.
    """
    left, right, directions = _numbers(len(problem.weights), form, direction)
    products = _products(problem, left, right, directions)
    rows = _rows(problem, products)
    plan = _plan(problem, rows)
    place = _Places(rows, len(problem.features))
    return HessianPlan(
        plan,
        _first(problem, place),
        _second(problem, place, products, left, right, directions),
        left,
        right,
        directions,
    )


def hessian_rows(
    problem: GradientProblem, form: HessianForm = "full", direction: Array | None = None
) -> HessianRows:
    """The rows that `hessian_plan` would have."""
    return _rows(problem, _products(problem, *_numbers(len(problem.weights), form, direction)))


def _numbers(
    num_weights: int, form: HessianForm, direction: Array | None
) -> tuple[Index, Index, Array]:
    if form == "product":
        if direction is None:
            raise DataError("form = 'product' needs a direction, a number for each weight")
        each = np.arange(num_weights)
        return each, np.zeros_like(each), direction[None, :]
    if form == "diagonal":
        each = np.arange(num_weights)
        return each, each, np.eye(num_weights)
    first, second = np.triu_indices(num_weights)
    return first, second, np.eye(num_weights)


def _products(problem: GradientProblem, left: Index, right: Index, directions: Array) -> _Products:
    """All ordered products that do not vanish, of occurrences with a common output."""
    jacobian = problem.angle_map.weight_jacobian(problem.weights, problem.features)
    count = len(problem.occurrences)
    batch = len(problem.features)
    table = np.full((len(problem.weights), len(directions)), -1)
    table[left, right] = np.arange(len(left))
    along = np.zeros((batch, count, len(directions)))
    for v, each in enumerate(directions):
        weighted = jacobian.values * each[jacobian.column]
        np.add.at(along[:, :, v].T, jacobian.occurrence, weighted.T)
    other, direction = np.nonzero(np.any(along != 0, axis=0))
    entry, mate = (index.ravel() for index in np.indices((len(jacobian.occurrence), len(other))))
    number = table[jacobian.column[entry], direction[mate]]
    reach = problem.occurrences.influence & problem.steps
    seen = (reach.astype(np.int64) @ reach.T) > 0
    useful = (number >= 0) & seen[jacobian.occurrence[entry], other[mate]]
    entry, mate, number = entry[useful], mate[useful], number[useful]
    values = jacobian.values[:, entry] * along[:, other[mate], direction[mate]]
    kept = np.flatnonzero(np.any(values != 0, axis=0))
    return _Products(
        jacobian.occurrence[entry[kept]], other[mate[kept]], number[kept], values[:, kept]
    )


def _rows(problem: GradientProblem, products: _Products) -> HessianRows:
    jacobian = problem.angle_map.weight_jacobian(problem.weights, problem.features)
    reach: NDArray[np.bool_] = np.any(problem.occurrences.influence & problem.steps, axis=1)
    live = np.flatnonzero(np.any(jacobian.values != 0, axis=0) & reach[jacobian.occurrence])
    apart = products.one != products.other
    ordered = np.sort(np.stack([products.one, products.other], axis=1)[apart], axis=1)
    return HessianRows(
        np.unique(jacobian.occurrence[live]),
        np.unique(products.one[~apart]),
        np.unique(ordered, axis=0),
        len(problem.features),
    )


def _plan(problem: GradientProblem, rows: HessianRows) -> EvaluationPlan:
    """Rows of a sequence: ± of each single, the doubles, then ++, +-, -+, -- of each pair."""
    single, double, pairs = rows.single, rows.double, rows.pairs
    none = np.full(2 * len(single) + len(double), -1)
    occurrence = np.concatenate([np.repeat(single, 2), double, np.repeat(pairs[:, 0], 4)])
    second = np.concatenate([none, np.repeat(pairs[:, 1], 4)])
    shift = np.concatenate(
        [
            np.tile([_HALF, -_HALF], len(single)),
            np.full(len(double), np.pi),
            np.tile([_HALF, _HALF, -_HALF, -_HALF], len(pairs)),
        ]
    )
    second_shift = np.concatenate(
        [np.zeros(len(none)), np.tile([_HALF, -_HALF, _HALF, -_HALF], len(pairs))]
    )
    reach = problem.occurrences.influence & problem.steps
    reached = reach[occurrence] & np.where(second[:, None] >= 0, reach[second], True)
    masks, mask = np.unique(reached, axis=0, return_inverse=True)
    batch = len(problem.features)
    every = len(occurrence) * batch
    return build_plan(
        problem.weights[None, :],
        problem.features,
        rows=Rows(
            point=np.zeros(every, dtype=np.intp),
            sequence=np.repeat(np.arange(batch), len(occurrence)),
            occurrence=np.tile(occurrence, batch),
            shift=np.tile(shift, batch),
            mask=np.tile(mask.reshape(-1), batch),
            others=np.tile(second, batch)[:, None],
            other_shifts=np.tile(second_shift, batch)[:, None],
        ),
        masks=masks,
        terms=(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)),
    )


@final
@dataclass(frozen=True, slots=True)
class _Places:
    """Where the rows of a plan are: `[B, n]` indices, for occurrences or pairs `[n]`."""

    rows: HessianRows
    batch: int

    def single(self, occurrence: Index, sign: int) -> Index:
        """Shifted by ±π/2."""
        local = 2 * np.searchsorted(self.rows.single, occurrence) + (sign < 0)
        return self._all(local)

    def double(self, occurrence: Index) -> Index:
        """Shifted by π."""
        return self._all(2 * len(self.rows.single) + np.searchsorted(self.rows.double, occurrence))

    def pair(self, one: Index, other: Index, which: int) -> Index:
        """Shifted together; `which` counts ++, +-, -+, --."""
        size = 1 + max(int(self.rows.pairs.max(initial=0)), 0)
        key = np.minimum(one, other) * size + np.maximum(one, other)
        known = self.rows.pairs[:, 0] * size + self.rows.pairs[:, 1]
        first = 2 * len(self.rows.single) + len(self.rows.double)
        return self._all(first + 4 * np.searchsorted(known, key) + which)

    def _all(self, local: Index) -> Index:
        start = self.batch + np.arange(self.batch)[:, None] * self.rows.per_sequence
        return start + local


def _first(problem: GradientProblem, place: _Places) -> Contraction:
    jacobian = problem.angle_map.weight_jacobian(problem.weights, problem.features)
    live = np.isin(jacobian.occurrence, place.rows.single)
    occurrence, column = jacobian.occurrence[live], jacobian.column[live]
    values = jacobian.values[:, live] / 2
    return _gathered(
        [
            (place.single(occurrence, sign), np.broadcast_to(column, values.shape), sign * values)
            for sign in (1, -1)
        ],
        len(problem.weights),
    )


def _second(
    problem: GradientProblem,
    place: _Places,
    products: _Products,
    left: Index,
    right: Index,
    directions: Array,
) -> Contraction:
    return _gathered(
        [*_of_products(place, products), *_of_curvature(problem, place, left, right, directions)],
        len(left),
    )


def _of_products(place: _Places, products: _Products) -> Iterator[tuple[Index, Index, Array]]:
    apart = products.one != products.other
    number = np.broadcast_to(products.number, products.values.shape)
    one, values = products.one[~apart], products.values[:, ~apart]
    yield place.double(one), number[:, ~apart], values
    for sign in (1, -1):
        yield place.single(one, sign), number[:, ~apart], -values / 2
    for which, sign in enumerate((1, -1, -1, 1)):
        rows = place.pair(products.one[apart], products.other[apart], which)
        yield rows, number[:, apart], sign * products.values[:, apart] / 4


def _of_curvature(
    problem: GradientProblem, place: _Places, left: Index, right: Index, directions: Array
) -> Iterator[tuple[Index, Index, Array]]:
    """Where an angle is not linear in the weights."""
    bent = problem.angle_map.weight_curvature(problem.weights, problem.features)
    live = np.isin(bent.occurrence, place.rows.single)
    for v in np.unique(right):
        mine = np.flatnonzero(right == v)
        number_of = np.full(len(problem.weights), -1)
        number_of[left[mine]] = mine
        used = live & (number_of[bent.first] >= 0) & (directions[v, bent.second] != 0)
        values = bent.values[:, used] * directions[v, bent.second[used]] / 2
        number = np.broadcast_to(number_of[bent.first[used]], values.shape)
        for sign in (1, -1):
            yield place.single(bent.occurrence[used], sign), number, sign * values


def _gathered(parts: list[tuple[Index, Index, Array]], size: int) -> Contraction:
    """One term for each row and number, those of the same added up."""
    row = np.concatenate([part[0].ravel() for part in parts])
    number = np.concatenate([part[1].ravel() for part in parts])
    coefficient = np.concatenate([part[2].ravel() for part in parts])
    keys, where = np.unique(row * size + number, return_inverse=True)
    sums = np.bincount(where.ravel(), coefficient, len(keys)).astype(np.float64)
    kept: NDArray[np.bool_] = sums != 0
    return Contraction(keys[kept] // size, keys[kept] % size, sums[kept], size)
