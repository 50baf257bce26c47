"""Turns under the control of an ancilla that is post-selected, as one map of their target.

A qubit q in state 0 turns by a sum h_1 of angles, is the control of RY(+-pi) on a qubit o, turns
by h_2 and is found in state 0: with c = cos(h / 2) and s = sin(h / 2), qubit o then has passed
c_1 c_2 - s_1 s_2 RY(+-pi). That is a turn of o whose cosine is C = c_1 c_2 and whose sine is
S = +-s_1 s_2, not normalised; so two such maps, around a control again, make one more, with the
products over all of their sums. The quantum neuron of Bausch (arXiv:2006.14619), of any order, is
one map of its target in this way.

Axes: R rows, D sums of the controls' states, N factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from qrnn_qiskit.engine.pauli import Complex
from qrnn_qiskit.engine.vectors.entries import State, Turn
from qrnn_qiskit.estimate import Array


@final
@dataclass(frozen=True, slots=True)
class Blend:
    """A map as above in its place.

    Attributes:
        kernel: how it pairs components, and its sums, which all factors share.
        columns: `[N, J]` of the angles of each factor.
        sign: of S.
    """

    kernel: Turn
    columns: tuple[tuple[int, ...], ...]
    sign: float

    @property
    def size(self) -> int:
        return self.kernel.size

    @property
    def slopes(self) -> tuple[tuple[int, ...], ...]:
        """Where the derivatives go: all angles have one."""
        return self.columns


def half_turn(matrix: Complex) -> float | None:
    """1 or -1 for a gate `[4, 4]` that does RY(pi) or RY(-pi) where its first qubit is 1, or None.

    A sign of the whole gate does not matter.
    """
    if matrix.shape != (4, 4):
        return None
    whole = matrix * matrix[0, 0]
    for sign in (1.0, -1.0):
        wanted = np.eye(4)
        wanted[2:, 2:] = [[0.0, -sign], [sign, 0.0]]
        if np.array_equal(whole, wanted):
            return sign
    return None


def products(cos: Array, sin: Array, signs: Array) -> tuple[Array, Array]:
    """C and S `[G, D, R]` from cosines and sines `[G, N, D, R]` and the signs `[G]`."""
    return cos.prod(axis=1), sin.prod(axis=1) * signs[:, None, None]


def slopes_of_products(cos: Array, sin: Array, signs: Array, slopes: Array) -> Array:
    """dL/d(half sums) `[G, N, D, R]` from dL/dC and dL/dS, `[G, 2, D, R]`."""
    result = np.empty((*cos.shape[:3], slopes.shape[3]))
    by_s = slopes[:, 1] * signs[:, None, None]
    for i in range(cos.shape[1]):
        others = [j for j in range(cos.shape[1]) if j != i]
        result[:, i] = by_s * cos[:, i] * sin[:, others].prod(axis=1)
        result[:, i] -= slopes[:, 0] * sin[:, i] * cos[:, others].prod(axis=1)
    return result


def blend_backward(
    kernel: Turn, state: State, adjoint: State, before: State, cos: Array, sin: Array
) -> tuple[Array, Array]:
    """Fill `before` with the adjoint of the state before; returns dL/dC and dL/dS, `[D, R]`.

    Args:
        kernel: of the map.
        state: before it.
        adjoint: of the state behind it.
        before: gets the adjoint of the state before.
        cos: C, `[D, R]` or `[D, 1]`.
        sin: S, likewise.
    """
    cos, sin = (wave.reshape(*kernel.sum_shape, -1) for wave in (cos, sin))
    a, b = kernel.halves(state, whole=not kernel.fresh)
    l_a, l_b = kernel.halves(adjoint, whole=not kernel.projected)
    old_a, old_b = kernel.halves(before, whole=not kernel.fresh)
    # new_a = C a + S b and new_b = C b - S a.
    np.multiply(l_a, cos, out=old_a)
    by_c, by_s = l_a * a, None if b is None else l_a * b
    if l_b is not None:
        old_a -= l_b * sin
        part = l_b * a
        by_s = -part if by_s is None else np.subtract(by_s, part, out=part)
    if old_b is not None:
        np.multiply(l_a, sin, out=old_b)
        if l_b is not None and b is not None:
            old_b += l_b * cos
            by_c += l_b * b
    if by_s is None:
        by_s = np.zeros_like(by_c)
    return kernel.summed(by_c), kernel.summed(by_s)
