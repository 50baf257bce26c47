"""Outputs and gradients of a program in layers, for one chunk of rows.

Axes: L layers, R rows; a state is `[R, 4^n]`, real and imaginary parts side by side.
"""

from __future__ import annotations

from typing import final

import numpy as np

from qrnn_qiskit.engine.bases import Basis
from qrnn_qiskit.engine.layers import Layered
from qrnn_qiskit.engine.pauli import Complex
from qrnn_qiskit.estimate import Array


@final
class Sweep:
    """One pass forward, whose states are kept for one pass back."""

    def __init__(self, layered: Layered, angles: Array, rows: int) -> None:
        """`angles` is `[r, A]`, r <= rows; further rows get angle 0."""
        self.layered = layered
        self.rows = rows
        self.angles = angles
        if angles.shape[0] < rows:
            self.angles = np.zeros((rows, angles.shape[1]))
            self.angles[: angles.shape[0]] = angles
        dim = layered.start.size
        self.states = np.empty((len(layered.matrices) + 1, rows, dim))
        self.phases: list[Complex] = [np.empty(0, dtype=np.complex128)] * len(layered.matrices)
        for kind in layered.kinds:
            table = phases(kind.basis, self.angles.T[kind.columns])
            for layer, phase in zip(kind.layers.tolist(), table, strict=True):
                self.phases[layer] = phase

    def forward(self, records: Array) -> None:
        """Fill `records` `[slots, R]` where something is measured."""
        states = self.states
        states[0] = self.layered.start
        complex_states = states.view(np.complex128)
        for i, matrix in enumerate(self.layered.matrices):
            np.matmul(states[i], matrix, states[i + 1])
            pairs = complex_states[i + 1]
            np.multiply(pairs, self.phases[i], pairs)
        for kind in self.layered.records:
            records[kind.slots] = np.einsum("lrd,d->lr", states[kind.states], kind.weights)

    def backward(self, cotangent: Array) -> Array:
        """dL/d(angles) `[R, A]` for dL/d(records) `[slots, R]`."""
        layered, states = self.layered, self.states
        # Adjoint states are complex conjugated: going back then takes the same phases.
        adjoints = np.zeros_like(states)
        read = np.zeros(len(adjoints), dtype=bool)
        for kind in layered.records:
            weights = kind.weights * np.resize([1.0, -1.0], kind.weights.size)
            for state, seed in zip(kind.states.tolist(), cotangent[kind.slots], strict=True):
                adjoints[state] += seed[:, None] * weights
                read[state] = True
        turned = np.empty(states.shape[1:])
        complex_adjoints, complex_turned = adjoints.view(np.complex128), turned.view(np.complex128)
        for i in range(len(layered.matrices) - 1, 0, -1):
            np.multiply(complex_adjoints[i + 1], self.phases[i], complex_turned)
            if read[i]:
                adjoints[i] += turned @ layered.adjoints[i]
            else:
                np.matmul(turned, layered.adjoints[i], adjoints[i])
        turns = (states[1:].view(np.complex128) * complex_adjoints[1:]).imag
        gradient = np.zeros(self.angles.shape[::-1])
        for kind in layered.kinds:
            parts = (turns[kind.layers] @ -kind.basis.signs.T).transpose(0, 2, 1)
            if layered.once:
                gradient[kind.columns] = parts
            else:
                np.add.at(gradient, kind.columns, parts)
        return gradient.T


def phases(basis: Basis, angles: Array) -> Complex:
    """Phases `[N, R, 4^n / 2]` of N layers for angles `[N, J, R]`.

    Layers or rows that share all their angles share the work.
    """
    layers, _, rows = angles.shape
    if np.all(angles == angles[:1]):
        angles = angles[:1]
    if np.all(angles == angles[:, :, :1]):
        angles = angles[:, :, :1]
    sums = np.zeros((angles.shape[0], angles.shape[2], basis.distinct.shape[1]))
    for j, signs in enumerate(basis.distinct):
        sums += angles[:, j, :, None] * signs
    waves = np.empty(sums.shape, dtype=np.complex128)
    np.cos(sums, out=waves.real)
    np.sin(sums, out=waves.imag)
    table = waves[:, :, basis.which]
    if table.shape[1] < rows:
        table = np.repeat(table, rows, axis=1)
    return np.broadcast_to(table, (layers, *table.shape[1:]))
