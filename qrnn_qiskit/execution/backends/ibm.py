"""IBM backends through the Runtime client: here, its local testing mode over fake devices.

The only module that imports `qiskit_ibm_runtime`.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError, JobError
from qrnn_qiskit.execution.aer_run import sample_rows
from qrnn_qiskit.execution.backends.aer import step_bits
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest, stream_seed
from qrnn_qiskit.execution.influence import noisy_occurrences
from qrnn_qiskit.execution.isa import ISACircuit, TranspileOptions, to_isa
from qrnn_qiskit.execution.noise import Noise, device_noise
from qrnn_qiskit.execution.per_circuit import PerCircuit
from qrnn_qiskit.execution.reset import with_plain_names
from qrnn_qiskit.execution.results import LocalResults
from qrnn_qiskit.execution.tiles import from_tiles
from qrnn_qiskit.occurrence import OccurrenceTable
from qrnn_qiskit.spec.messages import nearest

if TYPE_CHECKING:
    from qiskit.providers import BackendV2

# The client's local mode rounds angles to 1e-5 * pi/2 unless told otherwise.
ANGLE_DECIMALS = 15


@lru_cache(maxsize=8)
def fake_device(name: str) -> BackendV2:
    """A fake device of the Runtime client by name, such as `fake_marrakesh`.

    Raises:
        BackendError: for an unknown name, naming the nearest.
    """
    names = fake_device_names()
    if name not in names:
        raise BackendError(
            f"device {name!r} is unknown{nearest(name, list(names))}; there are {len(names)} fake "
            "devices, such as fake_boston, fake_fez, fake_kingston and fake_marrakesh"
        )
    import qiskit_ibm_runtime.fake_provider as provider

    return getattr(provider, names[name])()


@lru_cache(maxsize=8)
def fake_device_noise(name: str) -> Noise:
    """Noise of a fake device by name.

    Raises:
        BackendError: for an unknown name.
    """
    return device_noise(fake_device(name).target, idle=False)


@lru_cache(maxsize=1)
def fake_device_names() -> dict[str, str]:
    """Names of the fake devices, and the classes behind them."""
    import re

    import qiskit_ibm_runtime.fake_provider as provider

    classes = [c for c in dir(provider) if re.fullmatch(r"Fake[A-Z]\w*", c) and "Provider" not in c]
    return {"fake_" + c[4:].removesuffix("V2").lower(): c for c in classes}


@final
class IBMExecutor:
    """Rows as one PUB through `executor_sampler.Sampler`, on a fake device in local mode.

    Tiles are run one by one, on the exact engine with the errors of each one's qubits.
    """

    def __init__(self, backend: str, transpile: TranspileOptions | None = None) -> None:
        """Make an executor.

        Args:
            backend: name of a fake device.
            transpile: how circuits are transpiled.

        Raises:
            BackendError: if the device is unknown or lacks mid-circuit measurement and reset.
        """
        if not backend.startswith("fake_"):
            raise BackendError(
                f"{backend!r} is no fake device (fake_marrakesh, fake_boston, …): a real one is "
                "for job files, or DeviceExecutor, whose calls are recorded"
            )
        self._device = backend
        self._backend = fake_device(backend)
        options = transpile or TranspileOptions()
        self._circuits = PerCircuit(lambda unrolled: to_isa(unrolled, self.target, options))
        self._tables = PerCircuit(lambda unrolled: noisy_occurrences(unrolled, self.isa(unrolled)))
        self._simulators = PerCircuit(self._make_simulators)
        self._engines = PerCircuit(self._make_engines)
        self._results = LocalResults()

    @property
    def name(self) -> str:
        """The device's name."""
        return str(self._backend.name)

    @property
    def target(self) -> Any:
        """The device's `Target`."""
        return self._backend.target

    def isa(self, unrolled: UnrolledCircuit) -> ISACircuit:
        """The circuit transpiled for the device."""
        return self._circuits(unrolled)

    def single(self) -> IBMExecutor:
        """The same device, with one copy where this one has tiles; see `SupportsSingle`."""
        alone = copy.copy(self)
        alone._circuits = PerCircuit(lambda unrolled: self.isa(unrolled).tile(0))
        alone._simulators = PerCircuit(alone._make_simulators)
        return alone

    def use_isa(self, unrolled: UnrolledCircuit, isa: ISACircuit) -> None:
        """Use a circuit that was transpiled before."""
        self._circuits.put(unrolled, isa)

    def occurrences(self, unrolled: UnrolledCircuit) -> OccurrenceTable:
        """The circuit's occurrences, their influence as the device's noise leaves it."""
        return self._tables(unrolled)

    def submit(self, unrolled: UnrolledCircuit, request: EvaluationRequest) -> str:
        """Run in local mode; returns an id for `fetch`."""
        isa = self.isa(unrolled)
        # Copies have nothing to do with one another here, so each is run by itself.
        executions, rest = divmod(request.shots, isa.num_tiles)
        if rest:
            raise BackendError(
                f"{request.shots} shots of a row are not a multiple of {isa.num_tiles} tiles"
            )
        parts = []
        for tile in range(isa.num_tiles):
            seed = stream_seed(request.seed, (tile,)) if isa.tiles else request.seed
            each = replace(request, shots=executions, seed=seed)
            parts.append(self._of_tile(unrolled, tile, each))
        return self._results.keep(from_tiles(parts, executions))

    def poll(self, job: str) -> bool:
        """Always done in local mode."""
        return job in self._results

    def fetch(self, job: str) -> PackedBits:
        """The outcomes, once."""
        return self._results.take(job)

    def _of_tile(
        self, unrolled: UnrolledCircuit, tile: int, request: EvaluationRequest
    ) -> PackedBits:
        """One copy's shots: from the exact engine where there are several, and it can."""
        isa = self.isa(unrolled)
        engines = self._engines(unrolled) if isa.tiles else []
        if engines and engines[tile].shots_from(unrolled) == "exact":
            return engines[tile].fetch(engines[tile].submit(unrolled, request))
        circuit, simulator = isa.tile(tile), self._simulators(unrolled)[tile]
        shape = (unrolled.num_steps, unrolled.num_clbits)

        def sampler(angles: NDArray[np.float64], shots: int, seed: int) -> NDArray[np.uint8]:
            return self._sample(simulator, circuit, angles, shots, seed, shape)

        return sample_rows(request, unrolled, sampler)

    def _make_engines(self, unrolled: UnrolledCircuit) -> list[ExactExecutor]:
        """One for each tile, with the errors of its qubits."""
        isa, noise = self.isa(unrolled), fake_device_noise(self._device)
        engines = [ExactExecutor(noise) for _ in range(isa.num_tiles)]
        for tile, engine in enumerate(engines):
            engine.use_isa(unrolled, isa.tile(tile))
        return engines

    def _make_simulators(self, unrolled: UnrolledCircuit) -> list[BackendV2]:
        """One for each tile."""
        isa = self.isa(unrolled)
        return [self._make_simulator(isa.tile(tile)) for tile in range(isa.num_tiles)]

    def _make_simulator(self, isa: ISACircuit) -> BackendV2:
        # The client would hand Aer the noise of all qubits, seconds for every run; the qubits
        # that the circuit leaves idle cannot change its outcomes.
        from qiskit_aer import AerSimulator

        noise = fake_device_noise(self._device).aer_model(isa.qubits, local=False)
        return AerSimulator.from_backend(self._backend, noise_model=noise)

    def _sample(
        self,
        simulator: BackendV2,
        isa: ISACircuit,
        angles: NDArray[np.float64],
        shots: int,
        seed: int,
        shape: tuple[int, int],
    ) -> NDArray[np.uint8]:
        from qiskit_ibm_runtime.executor_sampler import Sampler

        sampler = Sampler(
            mode=simulator,
            options={"simulator": {"seed_simulator": seed, "angle_decimals": ANGLE_DECIMALS}},
        )
        circuit = with_plain_names(isa.circuit)
        job = sampler.run([(circuit, isa.parameter_values(angles))], shots=shots)
        try:
            data = job.result()[0].data
        except Exception as error:  # the client raises many kinds
            raise JobError(f"job {job.job_id()} failed on {self.name}: {error}") from error
        return step_bits(data, shape)
