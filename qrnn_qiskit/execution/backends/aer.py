"""Qiskit Aer, ideal or with noise, through its SamplerV2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.execution.aer_run import sample_rows
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.influence import noisy_occurrences
from qrnn_qiskit.execution.isa import ISACircuit, TranspileOptions, to_isa
from qrnn_qiskit.execution.noise import Noise
from qrnn_qiskit.execution.noise.insert import noisy_circuit, noisy_isa
from qrnn_qiskit.execution.per_circuit import PerCircuit
from qrnn_qiskit.execution.reset import with_plain_names
from qrnn_qiskit.execution.results import LocalResults
from qrnn_qiskit.occurrence import OccurrenceTable

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit
    from qiskit_aer import AerSimulator


@final
class AerExecutor:
    """Samples rows with Aer; the same seed gives the same bits."""

    name = "aer"

    def __init__(
        self, noise: Noise | None = None, transpile: TranspileOptions | None = None
    ) -> None:
        """Make an executor.

        Args:
            noise: errors of gates and readout; None for an ideal simulation.
            transpile: how circuits are transpiled.
        """
        self._noise = noise
        options = transpile or TranspileOptions()
        self._circuits = PerCircuit(
            lambda unrolled: (
                noisy_isa(unrolled, noise, options)
                if noise
                else to_isa(unrolled, _simulator().target, options)
            )
        )
        over = noise.over_rotations if noise else None
        self._tables = PerCircuit(
            lambda unrolled: noisy_occurrences(unrolled, self.isa(unrolled), over)
        )
        self._runs = PerCircuit(self._make_run)
        self._results = LocalResults()

    @property
    def noise(self) -> Noise | None:
        """The noise it simulates."""
        return self._noise

    def isa(self, unrolled: UnrolledCircuit) -> ISACircuit:
        """The circuit that runs: transpiled for Aer, or for the noisy device."""
        return self._circuits(unrolled)

    def occurrences(self, unrolled: UnrolledCircuit) -> OccurrenceTable:
        """The circuit's occurrences, their influence as the noise leaves it."""
        if self._noise is None:
            return unrolled.occurrences
        return self._tables(unrolled)

    def submit(self, unrolled: UnrolledCircuit, request: EvaluationRequest) -> str:
        """Run at once; returns an id for `fetch`."""
        isa, run = self.isa(unrolled), self._runs(unrolled)
        shape = (unrolled.num_steps, unrolled.num_clbits)

        def sampler(angles: NDArray[np.float64], shots: int, seed: int) -> NDArray[np.uint8]:
            return run.bits(isa.parameter_values(angles), shots, seed, shape)

        return self._results.keep(sample_rows(request, unrolled, sampler))

    def poll(self, job: str) -> bool:
        """Always done."""
        return job in self._results

    def fetch(self, job: str) -> PackedBits:
        """The outcomes, once."""
        return self._results.take(job)

    def _make_run(self, unrolled: UnrolledCircuit) -> AerRun:
        isa = self.isa(unrolled)
        if self._noise is None:
            return AerRun(_simulator(), isa.compact)
        readout = self._noise.aer_model(isa.qubits, local=True, gates=False)
        circuit = with_plain_names(noisy_circuit(isa, self._noise))
        return AerRun(_simulator(noise_model=readout), circuit)


def _simulator(**options: Any) -> AerSimulator:
    from qiskit_aer import AerSimulator

    return AerSimulator(**options)


@final
class AerRun:
    """One simulator and one circuit, its parameters in the order of `circuit.parameters`."""

    def __init__(self, simulator: AerSimulator, circuit: QuantumCircuit) -> None:
        self._simulator = simulator
        self._circuit = circuit

    def bits(
        self, values: NDArray[np.float64], shots: int, seed: int, shape: tuple[int, int]
    ) -> NDArray[np.uint8]:
        """Bits `[r, shots, T, K]` of rows of parameter values `[r, A]`."""
        from qiskit_aer.primitives import SamplerV2

        sampler = SamplerV2.from_backend(self._simulator, seed=seed)
        data = sampler.run([(self._circuit, values)], shots=shots).result()[0].data
        return step_bits(data, shape)


def step_bits(data: Any, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Bits `[r, shots, T, K]` from a primitive's data, one register `step_t` for each step.

    Args:
        data: of a primitive's result.
        shape: T and K.
    """
    steps, width = shape
    registers = [data[f"step_{t}"].array for t in range(steps)]  # [r, shots, bytes], big-endian
    bits = np.empty((*registers[0].shape[:-1], steps, width), dtype=np.uint8)
    for t, register in enumerate(registers):
        for k in range(width):
            byte, place = divmod(k, 8)
            bits[..., t, k] = (register[..., -1 - byte] >> place) & 1
    return bits
