"""The density matrix through the stretches of a program, and its adjoint back.

Axes: R rows, N stretches of a kind, s dimension of the qubits that stay, e of those that are reset,
c of the columns. A stretch with matrix L takes rho `[c, c]` to the sum over e of L_e rho L_e^†.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.engine.steps.cut import Kind, Steps
from qrnn_qiskit.engine.vectors.entries import State
from qrnn_qiskit.engine.vectors.run import Run
from qrnn_qiskit.estimate import Array

Matrices = NDArray[Any]


@final
class _Built:
    """The matrices of one kind."""

    def __init__(self, kind: Kind, angles: Array, *, keep: bool) -> None:
        self.kind = kind
        self.rows = len(angles)
        count = len(kind.columns)
        # One line for each stretch of each row, stretch by stretch.
        lines = angles[:, kind.columns].transpose(1, 0, 2).reshape(count * self.rows, -1)
        unit = np.eye(kind.carried).reshape(-1)
        self.run = Run(kind.real, kind.piece.entries, lines, start=unit)
        self.states: list[State] = []
        if keep:
            self.states = self.run.kept(kind.piece)
        else:
            self.run.forward(kind.piece)
        built = self.run.state.reshape(*kind.shape, count, self.rows)
        last = len(kind.order)
        # `[N, R, s, e, c]`
        axes = (last, last + 1, *kind.order)
        shape = (count, self.rows, kind.stays, kind.resets, kind.carried)
        self.matrices = np.ascontiguousarray(built.transpose(axes)).reshape(shape)
        self.after = np.empty_like(self.matrices)  # L rho
        self.back = np.empty_like(self.matrices)  # M L, with M the adjoint of what follows

    def gradient(self, states: Matrices) -> Array:
        """dL/d(angles) `[N, R, J]`, given the density matrix `[N, R, c, c]` before each."""
        kind, count = self.kind, len(self.kind.columns)
        flat = self.back.reshape(count, self.rows, -1, kind.carried)
        slope = 2.0 * np.matmul(flat, states)
        last = len(kind.order)
        sizes = [kind.shape[axis] for axis in kind.order]
        axes = np.argsort((last, last + 1, *kind.order))
        adjoint = slope.reshape(count, self.rows, *sizes).transpose(axes)
        adjoint = np.ascontiguousarray(adjoint).reshape(self.run.state.shape)
        num_angles = self.run.angles.shape[0]
        gradient = np.zeros((num_angles + 1, count * self.rows))
        self.run.backward(kind.piece, self.states, adjoint, np.empty(0), gradient)
        return gradient[:-1].reshape(num_angles, count, self.rows).transpose(1, 2, 0)


@final
class Chain:
    """One batch of rows."""

    def __init__(self, steps: Steps, angles: Array, *, keep: bool = False) -> None:
        """Build all matrices.

        Args:
            steps: the program.
            angles: `[R, A]` in rad.
            keep: whether `backward` is going to be called.
        """
        self.steps = steps
        self.rows = len(angles)
        self.built = [_Built(kind, angles, keep=keep) for kind in steps.kinds]
        self.states: list[Matrices] = []

    def forward(self, start: Array) -> Array:
        """Records `[slots, R]`; `start` holds those that no stretch makes."""
        records = np.repeat(start[:, None], self.rows, axis=1)
        built, rows = self.built, self.rows
        carried = self.steps.kinds[self.steps.chain[0][0]].carried
        rho: Matrices = np.zeros((rows, carried, carried))
        rho[:, 0, 0] = 1.0
        flat = [b.matrices.reshape(*b.matrices.shape[:2], -1, b.kind.carried) for b in built]
        wide = [
            np.ascontiguousarray(
                b.matrices.reshape(*b.matrices.shape[:3], -1).conj().transpose(0, 1, 3, 2)
            )
            for b in built
        ]
        for kind, number in self.steps.chain:
            self.states.append(rho)
            after = np.matmul(flat[kind][number], rho)
            built[kind].after[number] = after.reshape(built[kind].after.shape[1:])
            stays = built[kind].kind.stays
            rho = np.matmul(after.reshape(rows, stays, -1), wide[kind][number])
        chances = [np.einsum("nrsec,nrsec->nre", b.after, b.matrices.conj()).real for b in built]
        for (kind, number), (slots, signs) in zip(
            self.steps.chain, self.steps.records, strict=True
        ):
            records[slots] = signs @ chances[kind][number].T
        return records

    def backward(self, seeds: Array) -> Array:
        """dL/d(angles) `[R, A]` for dL/d(records) `[slots, R]`."""
        built, rows = self.built, self.rows
        by_chance = [np.empty((len(b.matrices), rows, b.kind.resets)) for b in built]
        for (kind, number), (slots, signs) in zip(
            self.steps.chain, self.steps.records, strict=True
        ):
            by_chance[kind][number] = seeds[slots].T @ signs
        for b, chances in zip(built, by_chance, strict=True):
            np.multiply(b.matrices, chances[:, :, None, :, None], out=b.back)
        conj = [
            np.ascontiguousarray(
                b.matrices.reshape(*b.matrices.shape[:2], -1, b.kind.carried)
                .conj()
                .transpose(0, 1, 3, 2)
            )
            for b in built
        ]
        adjoint: Matrices | None = None
        for kind, number in reversed(self.steps.chain):
            b = built[kind]
            back, stays = b.back[number], b.kind.stays
            if adjoint is not None:
                matrix = b.matrices[number].reshape(rows, stays, -1)
                back += np.matmul(adjoint, matrix).reshape(back.shape)
            adjoint = np.matmul(conj[kind][number], back.reshape(rows, -1, b.kind.carried))
        gradient = np.zeros((rows, self.steps.num_angles))
        for number, b in enumerate(built):
            states = np.array(
                [
                    rho
                    for rho, (kind, _) in zip(self.states, self.steps.chain, strict=True)
                    if kind == number
                ]
            )
            slopes = b.gradient(states)
            if self.steps.once:
                gradient[:, b.kind.columns] = slopes.transpose(1, 0, 2)
            else:
                np.add.at(gradient.T, b.kind.columns, slopes.transpose(0, 2, 1))
        return gradient
