"""The generalised shift rule on each gate of the cell, as written, instead of on its rotations.

Such is the parameter-shift rule where gates are not decomposed: two terms for a gate of one
frequency, four for a controlled rotation (frequencies 1/2 and 1: Anselmetti et al., New J. Phys.
23, 113010 (2021)), 2R in general (Wierichs et al., Quantum 6, 677 (2022)). It is exact as long as
a gate's angle has no other frequencies, which noise inside a decomposed gate can give it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.gradients.plan import EvaluationPlan, Rows, build_plan
from qrnn_qiskit.gradients.problem import GradientProblem
from qrnn_qiskit.gradients.shift_rule import shift_rule
from qrnn_qiskit.occurrence import OccurrenceTable


@final
@dataclass(frozen=True, slots=True)
class GateShift:
    """2R rows for each sequence and gate angle with R frequencies, at each step by itself."""

    def plan(self, problem: GradientProblem) -> EvaluationPlan:
        """Rows ordered by sequence, gate angle and shift (+, -)."""
        table = problem.occurrences
        jacobian = problem.angle_map.weight_jacobian(problem.weights, problem.features)
        count = len(table.frequencies)
        reach = np.zeros((count, table.num_steps), dtype=bool)
        np.logical_or.at(reach, table.source, table.influence & problem.steps)

        # A gate angle's derivative is that of its first rotation over the factor.
        _, first = np.unique(table.source, return_index=True)
        source = table.source[jacobian.occurrence]
        leads = first[source] == jacobian.occurrence
        slopes = jacobian.values / table.factor[jacobian.occurrence]
        useful = leads & reach[source].any(axis=1) & (slopes != 0)
        sequence, entry = np.nonzero(useful)

        # A gate angle that depends on several weights is shifted once and used for each.
        used, use_of_entry = np.unique(sequence * count + source[entry], return_inverse=True)
        use_sequence, use_source = np.divmod(used, count)
        coefficient, shift, start, size = _rules(table)
        rows_of_use = size[use_source]
        use, within = _ragged(rows_of_use)
        gate = use_source[use]
        number = start[gate] + within
        members, factors = _members(table)
        shifts = shift[number, None] * factors[gate]
        masks, mask = np.unique(reach, axis=0, return_inverse=True)
        rows = Rows(
            point=np.zeros(len(use), dtype=np.intp),
            sequence=use_sequence[use],
            occurrence=members[gate, 0],
            shift=shifts[:, 0],
            mask=mask.reshape(-1)[gate],
            others=members[gate, 1:],
            other_shifts=shifts[:, 1:],
        )

        term, within = _ragged(rows_of_use[use_of_entry])
        first_row = np.cumsum(rows_of_use) - rows_of_use
        coefficients = coefficient[start[source[entry[term]]] + within]
        terms = (
            first_row[use_of_entry[term]] + within,
            jacobian.column[entry[term]],
            slopes[sequence[term], entry[term]] * coefficients,
        )
        return build_plan(
            problem.weights[None, :], problem.features, rows=rows, masks=masks, terms=terms
        )


def _rules(table: OccurrenceTable) -> tuple[Array, Array, Index, Index]:
    """All coefficients and shifts, and where each gate angle's begin and how many they are."""
    kinds = {frequencies: number for number, frequencies in enumerate(set(table.frequencies))}
    rules = [shift_rule(frequencies) for frequencies in kinds]
    sizes = np.array([len(shifts) for _, shifts in rules], dtype=np.intp)
    starts = np.cumsum(sizes) - sizes
    kind = np.array([kinds[frequencies] for frequencies in table.frequencies], dtype=np.intp)
    coefficient, shift = np.concatenate([np.empty((2, 0)), *rules], axis=1)
    return coefficient, shift, starts[kind], sizes[kind]


def _members(table: OccurrenceTable) -> tuple[Index, Array]:
    """Occurrences `[G, X + 1]` of each gate angle, -1 for none, and their factors."""
    order = np.argsort(table.source, kind="stable")
    sizes = np.bincount(table.source, minlength=len(table.frequencies))
    gate, place = _ragged(sizes)
    members: NDArray[np.intp] = np.full((len(sizes), max(sizes.max(initial=1), 1)), -1, np.intp)
    factors = np.zeros(members.shape)
    members[gate, place] = order
    factors[gate, place] = table.factor[order]
    return members, factors


def _ragged(sizes: Index) -> tuple[Index, Index]:
    """For groups of given sizes one after the other: the group and the place in it of each."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    return group, np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)


PROVIDES = GateShift
