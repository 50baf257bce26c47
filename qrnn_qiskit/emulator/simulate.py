"""Running circuits: Aer under the device's noise, piece by piece, cut to the qubits in use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import QuantumCircuit

from qrnn_qiskit.emulator import snapshots
from qrnn_qiskit.emulator.components import components
from qrnn_qiskit.emulator.program import Bits
from qrnn_qiskit.execution.aer_run import SEED_STRIDE
from qrnn_qiskit.execution.executor import stream_seed
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.execution.layout import used_qubits
from qrnn_qiskit.execution.reset import with_plain_names

if TYPE_CHECKING:
    from qiskit_aer import AerSimulator

KEPT_SIMULATORS: Final = 64


@final
@dataclass(frozen=True)
class RunRequest:
    """Circuit executions to simulate.

    Attributes:
        circuit: on the device's qubits.
        angles: `[R, A]`, columns in the order of `circuit.parameters`.
        shots: of each row.
        seed: the same request with the same seed gives the same bits.
        device: name of the fake device behind the emulated one.
    """

    circuit: QuantumCircuit
    angles: NDArray[np.float64]
    shots: int
    seed: int
    device: str


Runner: TypeAlias = Callable[[RunRequest], dict[str, Bits]]
"""Bits `[R, S, bits]` of each classical register, lowest bit first."""


def pieces_of(request: RunRequest) -> list[RunRequest]:
    """Requests for the independent pieces of a circuit, each with random numbers of its own.

    The device's own kinds of measurement and reset are the plain ones there.
    """
    pieces = components(with_plain_names(request.circuit))
    if len(pieces) == 1:
        return [replace(request, circuit=pieces[0])]
    columns = {parameter: i for i, parameter in enumerate(request.circuit.parameters)}
    found = []
    for number, piece in enumerate(pieces):
        own = [columns[parameter] for parameter in piece.parameters]
        seed = stream_seed(request.seed, (number,))
        found.append(replace(request, circuit=piece, angles=request.angles[:, own], seed=seed))
    return found


@final
class AerRunner:
    """Aer, with the device's noise or without."""

    def __init__(self, noise: bool = True) -> None:
        """Make a runner.

        Args:
            noise: whether the device's errors apply.
        """
        self._noise = noise
        self._simulators: OrderedDict[tuple[str, tuple[int, ...]], AerSimulator] = OrderedDict()

    def __call__(self, request: RunRequest) -> dict[str, Bits]:
        """Run a request, pieces of the circuit that are independent one by one."""
        found: dict[str, Bits] = {}
        for piece in pieces_of(request):
            found |= self.run_piece(piece)
        return found

    def run_piece(self, request: RunRequest) -> dict[str, Bits]:
        """Run a request in one piece."""
        circuit = request.circuit
        qubits = used_qubits(circuit)
        columns = np.arange(circuit.num_parameters)
        compact = ISACircuit(circuit, columns, qubits).compact
        simulator = self._simulator(request.device, qubits)
        rows = len(request.angles)
        if not circuit.num_parameters:  # equal rows are one row with more shots
            all_shots = _sample(simulator, compact, None, rows * request.shots, request.seed)
            return {
                name: bits.reshape(rows, request.shots, bits.shape[-1])
                for name, bits in all_shots.items()
            }
        pieces = []
        for number, first in enumerate(range(0, request.shots, SEED_STRIDE)):
            # More shots would share random numbers with the next row (see aer_run).
            shots = min(SEED_STRIDE, request.shots - first)
            seed = request.seed + (number << 40)
            pieces.append(_sample(simulator, compact, request.angles, shots, seed))
        return {
            name: np.concatenate([piece[name] for piece in pieces], axis=1) for name in pieces[0]
        }

    def _simulator(self, device: str, qubits: tuple[int, ...]) -> AerSimulator:
        from qiskit_aer import AerSimulator

        key = (device, qubits)
        if key not in self._simulators:
            model = snapshots.noise(device).aer_model(qubits, local=True) if self._noise else None
            self._simulators[key] = AerSimulator(noise_model=model)
            if len(self._simulators) > KEPT_SIMULATORS:
                self._simulators.popitem(last=False)
        self._simulators.move_to_end(key)
        return self._simulators[key]


def _sample(
    simulator: AerSimulator,
    circuit: QuantumCircuit,
    angles: NDArray[np.float64] | None,
    shots: int,
    seed: int,
) -> dict[str, Bits]:
    from qiskit_aer.primitives import SamplerV2

    sampler = SamplerV2.from_backend(simulator, seed=seed)
    data: Any = sampler.run([(circuit, angles)], shots=shots).result()[0].data
    return {name: data[name].to_bool_array(order="little") for name in data}
