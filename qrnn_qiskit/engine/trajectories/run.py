"""Trajectories side by side: state vectors that pass blocks and are measured.

A trajectory has a mass, the probability of what has happened since it was last measured, and a
position in [0, mass) drawn for each block. If the mass left by the product of the likeliest Kraus
operators is above the position, nothing has gone wrong. The few trajectories where something has
are taken through the block once more, operation by operation: one position decides which operator
each channel applies, and is uniform in the mass of what it decides.

Axes: G groups of trajectories of one row each, W trajectories of a group, L of those that go one by
one, n qubits, D components of a block, X other components.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.histories import Bits
from qrnn_qiskit.engine.segments import Index
from qrnn_qiskit.engine.trajectories.blocks import Block, Chance, Collapse, Plan, Turn
from qrnn_qiskit.estimate import Array

States = NDArray[Any]
# States of one trajectory that a run holds at its peak.
STATES: Final = 5
_WALKING: Final = 4  # of these trajectories one in so many goes one by one at a time


@final
class Run:
    """One run of some groups.

    Args:
        plan: of the program.
        angles: `[G, A]` in rad.
        width: W.
        dtype: of states, complex.
        uniforms: numbers in [0, 1) `[G, W]` for the i-th draw of each trajectory.
        bits: `[G, W, slots]`, filled.
    """

    def __init__(
        self,
        plan: Plan,
        angles: Array,
        width: int,
        dtype: np.dtype[Any],
        uniforms: Callable[[int], Array],
        bits: Bits,
    ) -> None:
        self._plan = plan
        self._cos, self._sin = np.cos(angles / 2.0), np.sin(angles / 2.0)
        self._dtype = dtype
        self._uniforms = uniforms
        self._bits = bits
        self._groups, self._width = len(angles), width
        shape = (self._groups, 2**plan.num_qubits, width)
        self._state: States = np.zeros(shape, dtype=dtype)
        self._state[:, 0] = 1.0
        self._other: States = np.empty(shape, dtype=dtype)
        self._mass: Array = np.ones((self._groups, width))
        self._drawn = 0
        self._constant: dict[Block, States] = {}

    def run(self) -> None:
        """Fill the bits."""
        for item in self._plan.items:
            if isinstance(item, Block):
                self._pass(item)
            else:
                self._collapse(item)

    def _position(self) -> Array:
        position: Array = self._uniforms(self._drawn) * self._mass
        self._drawn += 1
        return position

    def _pass(self, block: Block) -> None:
        source, target = self._state, self._other
        if block.axes is not None:
            n = self._plan.num_qubits
            cube = (self._groups, *(2,) * n, self._width)
            order = (0, *(i + 1 for i in block.axes), n + 1)
            np.copyto(target.reshape(cube), source.reshape(cube).transpose(order))
            source, target = target, source
        shape = (self._groups, block.before, block.size, -1)
        np.matmul(self._matrix(block)[:, None], source.reshape(shape), out=target.reshape(shape))
        self._state, self._other = target, source
        if not block.noisy:
            return
        position = self._position()
        if block.survival is None:
            after = _squares(target.reshape(self._groups, 1, -1, self._width))
        else:
            after = self._mass * block.survival
        group, lane = np.nonzero(position >= after)
        before, self._mass = self._mass, after
        step = -(-after.size // _WALKING)
        for start in range(0, group.size, step):
            g, w = group[start : start + step], lane[start : start + step]
            self._walk(block, g, w, position[g, w] / before[g, w], before[g, w])

    def _matrix(self, block: Block) -> States:
        """`[G, D, D]`, or `[1, D, D]` where it is the same for all rows."""
        if block in self._constant:
            return self._constant[block]
        matrix: States = np.eye(block.size, dtype=np.complex128)[None]
        for operation in block.operations:
            if isinstance(operation, Turn):
                cos = self._cos[:, operation.column, None, None]
                sin = self._sin[:, operation.column, None, None]
                gate = operation.gate
                matrix = cos * matrix + sin * (gate.factor[:, None] * matrix[:, gate.index])
            else:
                part = matrix[:, operation.index].reshape(len(matrix), len(operation.index), -1)
                part = operation.kraus.operators[0] @ part
                matrix = np.empty_like(matrix)
                matrix[:, operation.index] = part.reshape(
                    len(matrix), *operation.index.shape, block.size
                )
        matrix = matrix.astype(self._dtype, copy=False)
        if not block.turning:
            self._constant[block] = matrix
        return matrix

    def _walk(self, block: Block, group: Index, lane: Index, position: Array, mass: Array) -> None:
        """Take some trajectories through a block operation by operation.

        Args:
            block: the state before it is in `_other`, without what went wrong in `_state`.
            group: `[L]` where they are.
            lane: `[L]` likewise.
            position: `[L]` in [0, 1).
            mass: `[L]` before the block; it is 1 behind it.
        """
        shape = (self._groups, block.before, block.size, -1, self._width)
        parts = self._other.reshape(shape)[group, :, :, :, lane]  # [L, before, D, after]
        before, after = parts.shape[1], parts.shape[3]
        state = parts.transpose(2, 0, 1, 3).reshape(block.size, group.size, -1)  # [D, L, X]
        real = _real(self._dtype)
        state = state / np.sqrt(mass).astype(real)[:, None]
        for operation in block.operations:
            if isinstance(operation, Turn):
                gate = operation.gate
                cos = self._cos[group, operation.column, None].astype(real)
                sin = self._sin[group, operation.column, None].astype(real)
                factor = gate.factor[:, None, None].astype(self._dtype)
                state = state * cos + (state[gate.index] * factor) * sin
            else:
                state, position = _applied(operation, state, position)
        new = state.reshape(block.size, group.size, before, after).transpose(1, 2, 0, 3)
        self._state.reshape(shape)[group, :, :, :, lane] = new
        self._mass[group, lane] = 1.0

    def _collapse(self, item: Collapse) -> None:
        parts = self._state.reshape(self._groups, item.before, 2, -1, self._width)
        masses = [_squares(parts[:, :, bit]) for bit in (0, 1)]
        self._mass = masses[0] + masses[1]
        position = self._position()
        bit = position >= masses[0]
        mass = np.where(bit, masses[1], masses[0])
        if item.slot >= 0:
            wrong = position - np.where(bit, masses[0], 0.0)
            right = np.where(bit, 1.0 - item.flip[1], 1.0 - item.flip[0])
            self._bits[:, :, item.slot] = bit ^ (wrong >= mass * right)
        scale = 1.0 / np.sqrt(mass)
        for value in (0, 1):
            own = np.where(bit == value, scale, 0.0).astype(_real(self._dtype))
            parts[:, :, value] *= own[:, None, None]
        if item.reset:
            parts[:, :, 0] += parts[:, :, 1]
            parts[:, :, 1] = 0.0
        self._mass = np.ones_like(mass)


def _applied(chance: Chance, state: States, position: Array) -> tuple[States, Array]:
    """One operator of a channel on each of `[D, L, X]`, of norm 1, and positions `[L]` in [0, 1).

    Both are scaled to be so again.
    """
    kraus, index = chance.kraus, chance.index
    mixed = state[index]  # [d, D / d, L, X]
    lanes = np.arange(position.size)
    chosen, mass = np.zeros_like(lanes), np.ones(lanes.size)
    if not kraus.unitary:
        if kraus.chances is None:
            amplitudes = np.moveaxis(mixed, 2, 0).reshape(lanes.size, len(index), -1)
            density = amplitudes @ amplitudes.conj().transpose(0, 2, 1)
            # Tr(effect rho) is never below 0 but for rounding.
            masses = np.einsum("jab,lba->lj", kraus.effects, density).real.clip(0.0)
        else:
            masses = np.broadcast_to(kraus.chances, (lanes.size, kraus.chances.size))
        ends = np.cumsum(masses, axis=1)
        position = np.minimum(position, np.nextafter(ends[:, -1], 0.0))
        chosen = (position[:, None] >= ends[:, :-1]).sum(axis=1)
        mass = masses[lanes, chosen]
        position = (position - np.where(chosen > 0, ends[lanes, chosen - 1], 0.0)) / mass
    scale = (1.0 / np.sqrt(mass)).astype(_real(state.dtype))[:, None]
    after = np.empty_like(mixed)
    for j in np.unique(chosen).tolist():
        these = np.flatnonzero(chosen == j)
        operator = kraus.operators[j].astype(state.dtype)
        part = mixed[:, :, these] * scale[these]
        after[:, :, these] = (operator @ part.reshape(len(index), -1)).reshape(part.shape)
    result = np.empty_like(state)
    result[index] = after
    return result, position


def _squares(parts: States) -> Array:
    """Summed squares `[G, W]` of `[G, a, b, W]`."""
    real = parts.view(parts.real.dtype)
    squares = np.square(real).sum(axis=(1, 2), dtype=np.float64)
    summed: Array = squares.reshape(len(parts), -1, 2).sum(axis=2)
    return summed


def _real(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float32 if dtype == np.complex64 else np.float64)
