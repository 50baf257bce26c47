"""The kernels of a program, each once: those of all steps are the same."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, final

import numpy as np

from qrnn_qiskit.engine.maps import DephaseKernel, MapKernel, ResetKernel, channel_kernel
from qrnn_qiskit.engine.program import Channel, Reset, Rotation
from qrnn_qiskit.engine.rotations import RotationKernel
from qrnn_qiskit.engine.simplify import Dephase, Select

# A unitary gate is undone by its transpose; noise this weak is lost in rounding.
_ORTHOGONAL: Final = 1e-13


Constant = Channel | Dephase | Reset | Select


@final
@dataclass(slots=True, eq=False)
class Kernels:
    """Kernels without repetition.

    Attributes:
        num_qubits: n.
        table: the kernels.
        leads: number of branches of the state that each acts on.
        uses: how often each is used.
        unitary: whether the transpose of each undoes it.
    """

    num_qubits: int
    table: list[RotationKernel | MapKernel] = field(default_factory=list)
    leads: list[int] = field(default_factory=list)
    uses: list[int] = field(default_factory=list)
    unitary: list[bool] = field(default_factory=list)
    _index: dict[Hashable, int] = field(default_factory=dict)

    def add(self, operation: Constant | Rotation, lead: int = 1) -> int:
        """Index of the kernel of an operation on a state with `lead` branches."""
        key: Hashable
        if isinstance(operation, Rotation):
            key = ("turn", operation.generator, operation.qubits, lead)
        elif isinstance(operation, Select):
            key = ("select", operation.qubit, operation.outcome.flip, operation.outcome.reset, lead)
        elif isinstance(operation, Channel):
            key = ("map", operation.ptm.tobytes(), operation.qubits, lead)
        else:
            key = (type(operation).__name__, operation.qubit, lead)
        if key not in self._index:
            self._index[key] = len(self.table)
            self.table.append(self._make(operation))
            self.leads.append(lead)
            self.uses.append(0)
            self.unitary.append(_unitary(operation))
        self.uses[self._index[key]] += 1
        return self._index[key]

    def _make(self, operation: Constant | Rotation) -> RotationKernel | MapKernel:
        n = self.num_qubits
        if isinstance(operation, Rotation):
            return RotationKernel(operation.generator, operation.qubits, n)
        if isinstance(operation, Channel):
            return channel_kernel(operation.ptm, operation.qubits, n)
        if isinstance(operation, Select):
            return channel_kernel(operation.ptm, (operation.qubit,), n)
        if isinstance(operation, Dephase):
            return DephaseKernel(operation.qubit, n)
        return ResetKernel(operation.qubit, n)


def _unitary(operation: Constant | Rotation) -> bool:
    if isinstance(operation, Channel):
        product = operation.ptm.T @ operation.ptm
        return bool(np.allclose(product, np.eye(len(product)), rtol=0.0, atol=_ORTHOGONAL))
    return isinstance(operation, Rotation)
