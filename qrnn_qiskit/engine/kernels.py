"""The kernels of a program, each once: those of all steps are the same."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import final

from qrnn_qiskit.engine.maps import DephaseKernel, MapKernel, ResetKernel, channel_kernel
from qrnn_qiskit.engine.program import Channel, Reset, Rotation
from qrnn_qiskit.engine.rotations import RotationKernel
from qrnn_qiskit.engine.simplify import Dephase


@final
@dataclass(slots=True, eq=False)
class Kernels:
    """Kernels without repetition: those of all steps are the same."""

    num_qubits: int
    table: list[RotationKernel | MapKernel] = field(default_factory=list)
    leads: list[int] = field(default_factory=list)
    uses: list[int] = field(default_factory=list)
    _index: dict[Hashable, int] = field(default_factory=dict)

    def add(self, operation: Rotation | Channel | Dephase | Reset, lead: int = 1) -> int:
        """Index of the kernel of an operation on a state with `lead` branches."""
        key: Hashable
        if isinstance(operation, Rotation):
            key = ("turn", operation.generator, operation.qubits, lead)
        elif isinstance(operation, Channel):
            key = ("map", operation.ptm.tobytes(), operation.qubits, lead)
        else:
            key = (type(operation).__name__, operation.qubit, lead)
        if key not in self._index:
            self._index[key] = len(self.table)
            self.table.append(self._make(operation))
            self.leads.append(lead)
            self.uses.append(0)
        self.uses[self._index[key]] += 1
        return self._index[key]

    def _make(self, operation: Rotation | Channel | Dephase | Reset) -> RotationKernel | MapKernel:
        n = self.num_qubits
        if isinstance(operation, Rotation):
            return RotationKernel(operation.generator, operation.qubits, n)
        if isinstance(operation, Channel):
            return channel_kernel(operation.ptm, operation.qubits, n)
        if isinstance(operation, Dephase):
            return DephaseKernel(operation.qubit, n)
        return ResetKernel(operation.qubit, n)
