"""Running circuits piece by piece on the exact engine, tiles among them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from qiskit.circuit import QuantumCircuit

from qrnn_qiskit.emulator import snapshots
from qrnn_qiskit.emulator.program import Bits, circuit_lines
from qrnn_qiskit.emulator.simulate import AerRunner, RunRequest, pieces_of
from qrnn_qiskit.engine.sample import MIXED_QUBITS, PURE_QUBITS, sample, suits_sampling
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.any_circuit import AnyProgram, compile_circuit

KEPT_PROGRAMS: Final = 128
CHUNK_BYTES: Final = 1 << 27  # of bits to draw at a time


@final
@dataclass(frozen=True, slots=True)
class _Compiled:
    """A circuit and its program, for all circuits of the same content."""

    circuit: QuantumCircuit
    program: AnyProgram

    def sampled(self, request: RunRequest) -> dict[str, Bits]:
        angles = self.program.values(self.circuit, request.angles)
        parts: dict[str, list[Bits]] = {register.name: [] for register in self.circuit.cregs}
        rows = max(1, CHUNK_BYTES // max(1, request.shots * self.program.program.num_bits))
        for start in range(0, len(angles), rows):
            bits = sample(
                self.program.program,
                angles[start : start + rows],
                request.shots,
                request.seed,
                first_row=start,
            )[:, :, 0]
            for register in self.circuit.cregs:
                columns = [self.program.bits[bit] for bit in register]
                parts[register.name].append(bits[..., columns].astype(np.bool_))
        return {name: np.concatenate(part) for name, part in parts.items()}


@final
class DeviceRunner:
    """The exact engine under the device's noise; Aer for what is too wide for it.

    Every piece of a circuit has the errors of its own qubits.
    """

    def __init__(self, noise: bool = True) -> None:
        """Make a runner.

        Args:
            noise: whether the device's errors apply.
        """
        self._noise = noise
        self._aer = AerRunner(noise)
        self._programs: OrderedDict[str, _Compiled | None] = OrderedDict()

    def __call__(self, request: RunRequest) -> dict[str, Bits]:
        """Run a request."""
        found: dict[str, Bits] = {}
        for piece in pieces_of(request):
            known = self._known(piece)
            found |= self._aer.run_piece(piece) if known is None else known.sampled(piece)
        return found

    def _known(self, request: RunRequest) -> _Compiled | None:
        """A piece's program, kept from job to job; None where Aer is to run the piece."""
        key = "\n".join([request.device, *circuit_lines(request.circuit)])
        if key not in self._programs:
            self._programs[key] = self._compiled(request)
            if len(self._programs) > KEPT_PROGRAMS:
                self._programs.popitem(last=False)
        self._programs.move_to_end(key)
        return self._programs[key]

    def _compiled(self, request: RunRequest) -> _Compiled | None:
        noise = snapshots.noise(request.device) if self._noise else None
        most = MIXED_QUBITS if self._noise else PURE_QUBITS
        try:
            program = compile_circuit(request.circuit, most, noise)
        except BackendError:
            return None
        return _Compiled(request.circuit, program) if suits_sampling(program.program) else None
