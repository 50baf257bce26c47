"""Long lists of angles that are sums of inputs times constants, evaluated as one sparse matrix.

A cell of quantum neurons has thousands of such angles: as straight-line code they take longer than
the state vector that they turn. Axes: P weights, F features, G angles, E entries of the matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from qrnn_qiskit.angle_map import Operation

Array = NDArray[np.float64]
Index = NDArray[np.intp]
_Sum = tuple[dict[int, float], float]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Angle g is `offset[g]` plus `factor[e]` times input `column[e]` over entries with `row` g.

    Attributes:
        row: `[E]` in ascending order.
        column: `[E]` inputs: weights, then features.
        factor: `[E]`.
        offset: `[G]`.
    """

    row: Index
    column: Index
    factor: Array
    offset: Array

    def values(self, weights: Array, features: Array) -> Array:
        """Angles `[..., G]` for weights `[..., P]`, features `[..., F]`; other axes broadcast."""
        shape = np.broadcast_shapes(weights.shape[:-1], features.shape[:-1])
        angles = np.empty((*shape, len(self.offset)))
        angles[...] = self.offset
        split = weights.shape[-1]
        of_weights = self.column < split
        for inputs, chosen, first in ((weights, of_weights, 0), (features, ~of_weights, split)):
            if np.any(chosen):
                terms = inputs[..., self.column[chosen] - first] * self.factor[chosen]
                rows, starts = np.unique(self.row[chosen], return_index=True)
                angles[..., rows] += np.add.reduceat(terms, starts, axis=-1)
        return angles

    def pulled_back(self, cotangent: Array, num_weights: int) -> Array:
        """dL/d(weights) `[P]` from dL/d(angles) `[..., G]`, summed over all other axes."""
        per_angle = cotangent.reshape(-1, len(self.offset)).sum(axis=0)
        chosen = self.column < num_weights
        per_entry = self.factor[chosen] * per_angle[self.row[chosen]]
        return np.bincount(self.column[chosen], per_entry, num_weights).astype(np.float64)


def affine_form(
    num_inputs: int, operations: Sequence[Operation], outputs: Sequence[int]
) -> Affine | None:
    """A tape's angles as sums; None if one of them is something else."""
    slots: list[_Sum | None] = [({i: 1.0}, 0.0) for i in range(num_inputs)]
    for operation in operations:
        if operation.name == "const":
            slots.append(({}, operation.value))
            continue
        parts = [part for part in (slots[i] for i in operation.arguments) if part is not None]
        known = len(parts) == len(operation.arguments)
        slots.append(_combined(operation.name, parts) if known else None)
    sums = [found for found in (slots[slot] for slot in outputs) if found is not None]
    if len(sums) < len(outputs):
        return None
    return Affine(
        np.array([g for g, (factors, _) in enumerate(sums) for _ in factors], dtype=np.intp),
        np.array([i for factors, _ in sums for i in factors], dtype=np.intp),
        np.array([f for factors, _ in sums for f in factors.values()], dtype=np.float64),
        np.array([offset for _, offset in sums], dtype=np.float64),
    )


def _combined(name: str, parts: Sequence[_Sum]) -> _Sum | None:
    if name == "add":
        factors = dict(parts[0][0])
        for i, factor in parts[1][0].items():
            factors[i] = factors.get(i, 0.0) + factor
        return factors, parts[0][1] + parts[1][1]
    if name not in ("mul", "neg"):
        return None
    constant, other = (({}, -1.0), parts[0]) if name == "neg" else parts
    if constant[0]:
        constant, other = other, constant
    if constant[0]:
        return None
    return {i: f * constant[1] for i, f in other[0].items()}, other[1] * constant[1]
