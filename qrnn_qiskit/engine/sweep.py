"""Outputs and gradients of a program in layers, for one chunk of rows.

Axes: L layers, R rows; a state is `[R, 4^n]`, real and imaginary parts side by side.
"""

from __future__ import annotations

from typing import final

import numpy as np

from qrnn_qiskit.engine.layers import Layered, Phases
from qrnn_qiskit.engine.pauli import Complex
from qrnn_qiskit.estimate import Array


@final
class Sweep:
    """All states of one pass forward, kept for the pass back."""

    def __init__(self, layered: Layered, rows: int) -> None:
        self.layered = layered
        self.rows = rows
        num_layers, pairs = layered.phases.sums.shape
        self.states = np.empty((num_layers + 1, rows, layered.start.size))
        self.adjoints = np.empty_like(self.states)
        self.factors = np.empty((num_layers, rows, pairs), dtype=np.complex128)
        num_sums = len(layered.phases.signs)
        self._places = np.arange(rows)[:, None] * num_sums + layered.phases.sums[:, None, :]

    @property
    def num_bytes(self) -> int:
        return 2 * self.states.nbytes + self.factors.nbytes + self._places.nbytes

    def load(self, angles: Array) -> None:
        """Take the angles `[r, A]` of up to `rows` rows; the others get angle 0."""
        lines = np.zeros((angles.shape[1] + 1, self.rows))
        lines[:-1, : angles.shape[0]] = angles.T
        waves = _waves(self.layered.phases, lines)
        np.take(waves.ravel(), self._places, out=self.factors, mode="clip")

    def forward(self, start: Array) -> Array:
        """Records `[slots, R]`; `start` `[slots]` has their values where nothing is measured."""
        records = np.repeat(start[:, None], self.rows, axis=1)
        states, factors = self.states, self.factors
        states[0] = self.layered.start
        pairs = states.view(np.complex128)
        for i, matrix in enumerate(self.layered.matrices):
            np.matmul(states[i], matrix, states[i + 1])
            np.multiply(pairs[i + 1], factors[i], pairs[i + 1])
        for kind in self.layered.records:
            for state, slot in zip(kind.states, kind.slots, strict=True):
                # The same sum for any number of rows, which a matrix product would not be.
                np.einsum("rd,d->r", states[state], kind.weights, out=records[slot])
        return records

    def backward(self, cotangent: Array) -> Array:
        """dL/d(angles) `[R, A]` for dL/d(records) `[slots, R]`."""
        layered, factors, adjoints = self.layered, self.factors, self.adjoints
        # Adjoint states are complex conjugated: going back then takes the same phases.
        adjoints.fill(0.0)
        read = np.zeros(len(adjoints), dtype=bool)
        for kind in layered.records:
            for state, seed in zip(kind.states.tolist(), cotangent[kind.slots], strict=True):
                adjoints[state] += seed[:, None] * kind.conjugated
                read[state] = True
        turned = np.empty(adjoints.shape[1:])
        pairs, turned_pairs = adjoints.view(np.complex128), turned.view(np.complex128)
        for i in range(len(layered.matrices) - 1, 0, -1):
            np.multiply(pairs[i + 1], factors[i], turned_pairs)
            if read[i]:
                adjoints[i] += turned @ layered.adjoints[i]
            else:
                np.matmul(turned, layered.adjoints[i], adjoints[i])
        # dL/d(phase) of a component y with adjoint l is Im(conj(y) l).
        np.multiply(pairs[1:], self.states[1:].view(np.complex128), pairs[1:])
        slopes = layered.slopes
        parts = np.matmul(pairs[1:].imag, slopes.signs[slopes.kinds]).transpose(0, 2, 1)
        # The last line is for the angles that pad `columns`.
        gradient = np.zeros((layered.num_angles + 1, self.rows))
        if slopes.once:
            gradient[slopes.columns] = parts
        else:
            np.add.at(gradient, slopes.columns, parts)
        return np.subtract(0.0, gradient[:-1].T)


def _waves(phases: Phases, lines: Array) -> Complex:
    """exp(i sum) of each sum of angles, `[R, E]`, for angles `[A + 1, R]`.

    Angles that all rows share are worked on once.
    """
    rows = lines.shape[1]
    waves = np.empty((rows, len(phases.signs)), dtype=np.complex128)
    shared = np.zeros(len(phases.signs), dtype=bool)
    if rows > 1:
        shared = np.all(lines == lines[:, :1], axis=1)[phases.columns].all(axis=1)
    for chosen, few in ((shared, lines[:, :1]), (~shared, lines)):
        if not chosen.any():
            continue
        signs, columns = phases.signs[chosen], phases.columns[chosen]
        sums = np.zeros((len(signs), few.shape[1]))
        for j in range(signs.shape[1]):
            sums += signs[:, j, None] * few[columns[:, j]]
        waves.real[:, chosen] = np.cos(sums).T
        waves.imag[:, chosen] = np.sin(sums).T
    return waves
