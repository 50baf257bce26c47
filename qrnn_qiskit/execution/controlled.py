"""Operations that act only where classical wires hold a value, as operations of the engine.

With P(v) the projector on the value v of m wires, a sum over products of Z of the wires with
signs / 2^m, a rotation by a P(v) about a Pauli string is a product of commuting rotations about the
string times those Z; a channel is applied to the part of the state that P(v) leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.engine.program import Channel


@final
@dataclass(frozen=True, slots=True)
class Control:
    """Where an operation acts.

    Attributes:
        wires: classical wires, the least significant first.
        value: what they must hold.
        otherwise: act where they hold another value.
    """

    wires: tuple[int, ...]
    value: int
    otherwise: bool

    @property
    def _signs(self) -> list[float]:
        return [-1.0 if (self.value >> i) & 1 else 1.0 for i in range(len(self.wires))]

    def rotations(
        self, generator: str, qubits: tuple[int, ...]
    ) -> Iterator[tuple[str, tuple[int, ...], float]]:
        """Generator, qubits and factor of the angle of each rotation in the product."""
        for chosen in product((False, True), repeat=len(self.wires)):
            wires = tuple(w for w, c in zip(self.wires, chosen, strict=True) if c)
            factor = float(np.prod([s for s, c in zip(self._signs, chosen, strict=True) if c]))
            factor /= 2.0 ** len(self.wires)
            if self.otherwise:
                factor = (0.0 if wires else 1.0) - factor
            if factor:
                yield "Z" * len(wires) + generator, wires + qubits, factor

    def channel(self, ptm: Array, qubits: tuple[int, ...]) -> Channel:
        """A channel `[4^k, 4^k]` on qubits, applied under the control.

        On the letters X and Y of a wire, which never occur, nothing is applied: under the control
        of a wire a unitary stays orthogonal.
        """
        here: Array = np.ones((1, 1))
        for sign in self._signs:
            part = np.zeros((4, 4))
            part[np.ix_((0, 3), (0, 3))] = [[0.5, 0.5 * sign], [0.5 * sign, 0.5]]
            here = np.asarray(np.kron(here, part), dtype=np.float64)
        elsewhere = np.eye(len(here)) - here
        if self.otherwise:
            classical = np.diag(np.isin(np.arange(4), (0, 3)).astype(np.float64))
            whole: Array = np.ones((1, 1))
            for _ in self.wires:
                whole = np.asarray(np.kron(whole, classical), dtype=np.float64)
            here = whole - here
            elsewhere = np.eye(len(here)) - here
        identity = np.eye(len(ptm))
        return Channel(np.kron(here, ptm) + np.kron(elsewhere, identity), self.wires + qubits)
