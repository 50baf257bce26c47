"""The map from weights and features to the angles of all gate occurrences, and its Jacobian.

Axes: B sequences, T steps, F features, P weights, O occurrences, G angles of one step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.affine import Affine, affine_form
from qrnn_qiskit.errors import CellError, DataError

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Pair = tuple[Array, Array]

_IMAGINARY_STEP: Final = 1e-30
_LONG: Final = 500  # operations from which a form of sums pays

# Partial derivatives of each operation with respect to its arguments, given the arguments and the
# value; None marks a partial that no cell needs (a power's exponent is a constant).
UNARY: Final[dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]]] = {
    "neg": (lambda a: -a, lambda a, y: -np.ones_like(a)),
    "sin": (np.sin, lambda a, y: np.cos(a)),
    "cos": (np.cos, lambda a, y: -np.sin(a)),
    "tan": (np.tan, lambda a, y: 1.0 + y * y),
    "arcsin": (np.arcsin, lambda a, y: 1.0 / np.sqrt(1.0 - a * a)),
    "arccos": (np.arccos, lambda a, y: -1.0 / np.sqrt(1.0 - a * a)),
    "arctan": (np.arctan, lambda a, y: 1.0 / (1.0 + a * a)),
    "tanh": (np.tanh, lambda a, y: 1.0 - y * y),
    "exp": (np.exp, lambda a, y: y),
    "log": (np.log, lambda a, y: 1.0 / a),
}
BINARY: Final[
    dict[str, tuple[Callable[[Array, Array], Array], Callable[[Array, Array, Array], Pair]]]
] = {
    "add": (np.add, lambda a, b, y: (np.ones_like(y), np.ones_like(y))),
    "mul": (np.multiply, lambda a, b, y: (b, a)),
    "pow": (np.power, lambda a, b, y: (b * np.power(a, b - 1.0), np.zeros_like(y))),
}


@final
@dataclass(frozen=True, slots=True)
class Operation:
    """One line of a tape: `name` applied to earlier slots, or the constant `value`."""

    name: str
    arguments: tuple[int, ...] = ()
    value: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Tape:
    """Expressions of weights and features as straight-line code, evaluated on whole arrays.

    Slots 0 … P-1 are the weights, P … P+F-1 the features of the step; operation i fills slot
    P+F+i. `outputs` names the slots of the G angles. Long tapes of sums alone are also kept as
    such, which is faster.
    """

    num_weights: int
    num_features: int
    operations: tuple[Operation, ...]
    outputs: tuple[int, ...]
    affine: Affine | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        found = None
        if len(self.operations) >= _LONG:
            inputs = self.num_weights + self.num_features
            found = affine_form(inputs, self.operations, self.outputs)
        object.__setattr__(self, "affine", found)

    def _slots(self, weights: Array, features: Array) -> list[Array]:
        slots = [weights[..., p] for p in range(self.num_weights)]
        slots += [features[..., f] for f in range(self.num_features)]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            for operation in self.operations:
                arguments = [slots[i] for i in operation.arguments]
                if operation.name == "const":
                    slots.append(np.asarray(operation.value))
                elif operation.name in UNARY:
                    slots.append(np.asarray(UNARY[operation.name][0](arguments[0])))
                else:
                    left, right = arguments
                    slots.append(np.asarray(BINARY[operation.name][0](left, right)))
        return slots

    def values(self, weights: Array, features: Array) -> Array:
        """Angles `[..., G]` for weights `[..., P]`, features `[..., F]`; other axes broadcast."""
        if self.affine is not None and not np.iscomplexobj(weights):
            return self.affine.values(weights, features)
        shape = np.broadcast_shapes(weights.shape[:-1], features.shape[:-1])
        slots = self._slots(weights, features)
        angles = np.empty((*shape, len(self.outputs)))
        for g, slot in enumerate(self.outputs):
            angles[..., g] = slots[slot]
        return angles

    def pulled_back(self, weights: Array, features: Array, cotangent: Array) -> list[Array | None]:
        """Reverse accumulation: dL/d(slot) of the P weights and F features.

        Args:
            weights: `[..., P]`.
            features: `[..., F]`.
            cotangent: dL/d(angles) `[..., G]`, in the shape that both broadcast to.

        Returns:
            For each input an array `[...]`, or None where no angle depends on it.
        """
        slots = self._slots(weights, features)
        slopes: list[Array | None] = [None] * len(slots)
        for g, slot in enumerate(self.outputs):
            own, present = cotangent[..., g], slopes[slot]
            slopes[slot] = own if present is None else present + own
        inputs = self.num_weights + self.num_features
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            for i in range(len(self.operations) - 1, -1, -1):
                operation, slope = self.operations[i], slopes[inputs + i]
                if slope is None or operation.name == "const":
                    continue
                arguments = [slots[a] for a in operation.arguments]
                terms: tuple[Array, ...]
                if operation.name in UNARY:
                    terms = (slope * UNARY[operation.name][1](arguments[0], slots[inputs + i]),)
                elif operation.name == "add":
                    terms = (slope, slope)
                else:
                    partials = BINARY[operation.name][1](
                        arguments[0], arguments[1], slots[inputs + i]
                    )
                    terms = (slope * partials[0], slope * partials[1])
                for a, term in zip(operation.arguments, terms, strict=True):
                    if a >= inputs and self.operations[a - inputs].name == "const":
                        continue
                    present = slopes[a]
                    slopes[a] = term if present is None else present + term
        return slopes[:inputs]

    def jacobian(self, weights: Array, features: Array, *, of: str) -> list[tuple[int, int, Array]]:
        """Non-zero partial derivatives `(angle g, input index, values)` by forward accumulation.

        Args:
            weights: `[..., P]`.
            features: `[..., F]`.
            of: `"weights"` or `"features"`: the inputs to differentiate by.
        """
        slots = self._slots(weights, features)
        first = 0 if of == "weights" else self.num_weights
        count = self.num_weights if of == "weights" else self.num_features
        one = np.ones(())
        tangents: list[dict[int, Array]] = [
            {i - first: one} if first <= i < first + count else {}
            for i in range(self.num_weights + self.num_features)
        ]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            for i, operation in enumerate(self.operations):
                value = slots[self.num_weights + self.num_features + i]
                tangent: dict[int, Array] = {}
                if any(tangents[a] for a in operation.arguments):
                    arguments = [slots[a] for a in operation.arguments]
                    partials: tuple[Array, ...]
                    if operation.name in UNARY:
                        partials = (UNARY[operation.name][1](arguments[0], value),)
                    else:
                        left, right = arguments
                        partials = BINARY[operation.name][1](left, right, value)
                    for partial, a in zip(partials, operation.arguments, strict=True):
                        for j, inner in tangents[a].items():
                            term = partial * inner
                            tangent[j] = tangent[j] + term if j in tangent else term
                tangents.append(tangent)
        return [
            (g, j, value)
            for g, slot in enumerate(self.outputs)
            for j, value in sorted(tangents[slot].items())
        ]


@final
@dataclass(frozen=True, slots=True)
class SparseJacobian:
    """Non-zero entries of d(angle)/d(input), for a batch of sequences.

    Attributes:
        occurrence: `[E]` occurrence of each entry.
        column: `[E]` weight index, or feature index within the occurrence's step.
        values: `[B, E]` the derivatives.
    """

    occurrence: Index
    column: Index
    values: Array


@final
@dataclass(frozen=True, slots=True)
class SparseCurvature:
    """Non-zero second derivatives d²(angle)/d(weight)d(weight), for a batch of sequences.

    Attributes:
        occurrence: `[E]` occurrence of each entry.
        first, second: `[E]` weight indices; an entry and its mirror image are both there.
        values: `[B, E]` the derivatives.
    """

    occurrence: Index
    first: Index
    second: Index
    values: Array


@final
@dataclass(frozen=True, slots=True)
class AngleMap:
    """Angles of all occurrences of an unrolled circuit, batched over sequences.

    Occurrences are ordered by step: the G angles of step 0, those of step 1, …; after the last
    step come the angles of the gates that only the last step has (`last`).
    """

    cell: Tape
    last: Tape
    num_steps: int

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise CellError(f"num_steps = {self.num_steps}: a sequence has at least one step")

    @property
    def num_weights(self) -> int:
        return self.cell.num_weights

    @property
    def num_features(self) -> int:
        return self.cell.num_features

    @property
    def num_occurrences(self) -> int:
        return self.num_steps * len(self.cell.outputs) + len(self.last.outputs)

    def _checked(self, weights: Array, features: Array) -> tuple[Array, Array]:
        weights = np.asarray(weights, dtype=np.float64)
        features = np.asarray(features, dtype=np.float64)
        if weights.shape[-1:] != (self.num_weights,):
            raise DataError(
                f"weights have shape {weights.shape}, but the cell has {self.num_weights} weights: "
                f"the last axis must be {self.num_weights}"
            )
        if features.ndim < 2 or features.shape[-2:] != (self.num_steps, self.num_features):
            raise DataError(
                f"features have shape {features.shape}, but the unrolled circuit needs "
                f"[..., T={self.num_steps}, F={self.num_features}]"
            )
        return weights, features

    def angles(self, weights: Array, features: Array) -> Array:
        """All angles in rad.

        Args:
            weights: `[..., P]`.
            features: `[..., T, F]`; leading axes broadcast against those of `weights`.

        Returns:
            `[..., O]`.

        Raises:
            DataError: on a wrong shape, or where an encoding is undefined (arccos of 1.2).
        """
        weights, features = self._checked(weights, features)
        body = self.cell.values(weights[..., None, :], features)
        tail = self.last.values(weights, features[..., -1, :])
        angles = np.concatenate([body.reshape(*body.shape[:-2], -1), tail], axis=-1)
        if not np.all(np.isfinite(angles)):
            self._refuse(angles, weights, features)
        return angles

    def _refuse(self, angles: Array, weights: Array, features: Array) -> None:
        if not np.all(np.isfinite(weights)):
            raise DataError("weights hold NaN or infinity")
        if not np.all(np.isfinite(features)):
            raise DataError("features hold NaN or infinity: remove or fill those entries")
        where = np.argwhere(~np.isfinite(angles))[0]
        step = min(int(where[-1]) // max(1, len(self.cell.outputs)), self.num_steps - 1)
        used = features[..., step, :]
        raise DataError(
            f"the angle of a gate in step {step} is not a number: an encoding such as arccos needs "
            f"features in [-1, 1], but they reach from {used.min():.6g} to {used.max():.6g}; "
            'scale them (data.scale = "minmax")'
        )

    def _jacobian(self, weights: Array, features: Array, of: str) -> SparseJacobian:
        weights, features = self._checked(weights, features)
        batch = features.shape[0]
        gates = len(self.cell.outputs)
        steps = np.arange(self.num_steps)
        occurrence: list[Index] = []
        column: list[Index] = []
        values: list[Array] = []
        for g, j, value in self.cell.jacobian(weights[..., None, :], features, of=of):
            occurrence.append(steps * gates + g)
            column.append(np.full(self.num_steps, j))
            values.append(np.broadcast_to(value, (batch, self.num_steps)))
        for g, j, value in self.last.jacobian(weights, features[:, -1, :], of=of):
            occurrence.append(np.array([self.num_steps * gates + g]))
            column.append(np.array([j]))
            values.append(np.broadcast_to(np.asarray(value)[..., None], (batch, 1)))
        if not values:
            return SparseJacobian(np.empty(0, np.intp), np.empty(0, np.intp), np.empty((batch, 0)))
        return SparseJacobian(
            np.concatenate(occurrence), np.concatenate(column), np.concatenate(values, axis=1)
        )

    def weight_jacobian(self, weights: Array, features: Array) -> SparseJacobian:
        """d(angle)/d(weight) for weights `[P]` (or `[B, P]`) and features `[B, T, F]`."""
        return self._jacobian(weights, features, "weights")

    def weight_curvature(self, weights: Array, features: Array) -> SparseCurvature:
        """d²(angle)/d(weight)² for weights `[P]` and features `[B, T, F]`.

        The derivative of the Jacobian by a complex step: exact to rounding, since the imaginary
        step can be as small as one likes (Squire, Trapp, SIAM Review 40, 110 (1998)).
        """
        weights, features = self._checked(weights, features)
        batch, gates = len(features), len(self.cell.outputs)
        steps = np.arange(self.num_steps)
        entries: list[tuple[Index, int, int, Array]] = []
        for q in range(self.num_weights):
            moved: Any = weights + 1j * _IMAGINARY_STEP * np.eye(self.num_weights)[q]
            for g, p, slope in self.cell.jacobian(moved[..., None, :], features, of="weights"):
                bent = np.broadcast_to(np.imag(slope) / _IMAGINARY_STEP, (batch, self.num_steps))
                entries.append((steps * gates + g, p, q, bent))
            for g, p, slope in self.last.jacobian(moved, features[:, -1, :], of="weights"):
                bent = np.broadcast_to(np.imag(slope)[..., None] / _IMAGINARY_STEP, (batch, 1))
                entries.append((np.array([self.num_steps * gates + g]), p, q, bent))
        entries = [entry for entry in entries if np.any(entry[3])]
        if not entries:
            empty = np.empty(0, np.intp)
            return SparseCurvature(empty, empty, empty, np.empty((batch, 0)))
        return SparseCurvature(
            np.concatenate([occurrence for occurrence, *_ in entries]),
            np.concatenate([np.full(len(entry[0]), entry[1]) for entry in entries]),
            np.concatenate([np.full(len(entry[0]), entry[2]) for entry in entries]),
            np.concatenate([bent for *_, bent in entries], axis=1),
        )

    def feature_jacobian(self, weights: Array, features: Array) -> SparseJacobian:
        """d(angle)/d(feature of the same step); columns are feature indices within the step."""
        return self._jacobian(weights, features, "features")

    def pull_back_weights(self, weights: Array, features: Array, cotangent: Array) -> Array:
        """Chain rule: dL/d(weights) `[P]` from dL/d(angles) `[B, O]`, summed over sequences."""
        weights, features = self._checked(weights, features)
        if self.cell.affine is not None and not self.last.outputs:
            return self.cell.affine.pulled_back(cotangent, self.num_weights)
        body, tail = self._pulled_back(weights, features, cotangent)
        gradient = np.zeros(self.num_weights)
        for p in range(self.num_weights):
            for slope in (body[p], tail[p]):
                if slope is not None:
                    gradient[p] += slope.sum()
        return gradient

    def _pulled_back(
        self, weights: Array, features: Array, cotangent: Array
    ) -> tuple[list[Array | None], list[Array | None]]:
        """dL/d(inputs): arrays `[B, T]` for the angles of every step, `[B]` for the last ones."""
        gates = self.num_steps * len(self.cell.outputs)
        by_step = cotangent[:, :gates].reshape(len(cotangent), self.num_steps, -1)
        body = self.cell.pulled_back(weights[..., None, :], features, by_step)
        return body, self.last.pulled_back(weights, features[:, -1, :], cotangent[:, gates:])

    def pull_back_features(self, weights: Array, features: Array, cotangent: Array) -> Array:
        """Chain rule: dL/d(features) `[B, T, F]` from dL/d(angles) `[B, O]`."""
        weights, features = self._checked(weights, features)
        body, tail = self._pulled_back(weights, features, cotangent)
        gradient = np.zeros(features.shape)
        for f in range(self.num_features):
            slope, last = body[self.num_weights + f], tail[self.num_weights + f]
            if slope is not None:
                gradient[:, :, f] += slope
            if last is not None:
                gradient[:, -1, f] += last
        return gradient
