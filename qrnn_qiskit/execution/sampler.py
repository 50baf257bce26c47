"""The exact engine behind Qiskit's sampler interface."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, final

import numpy as np
from qiskit.primitives import (
    BaseSamplerV2,
    BitArray,
    DataBin,
    PrimitiveJob,
    PrimitiveResult,
    SamplerPubResult,
)
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qrnn_qiskit.engine.sample import sample
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.any_circuit import MAX_QUBITS, compile_circuit

# Bytes of bits to draw at a time.
CHUNK_BYTES: Final = 2**26


@final
class ExactSampler(BaseSamplerV2):  # type: ignore[misc]
    """Samples circuits with measure, reset and feed-forward exactly, without noise.

    A drop-in for other `BaseSamplerV2`s wherever few qubits are in use at a time, whatever the
    number of measurements: shots share the work on all that they have in common.
    """

    def __init__(
        self, *, default_shots: int = 1024, seed: int | None = None, max_qubits: int = MAX_QUBITS
    ) -> None:
        """Make a sampler.

        Args:
            default_shots: shots where neither `run` nor the PUB says how many.
            seed: of all random numbers: a sampler with the same seed that is asked the same in the
                same order answers the same. None for fresh numbers.
            max_qubits: most qubits in use at a time; memory and time double with each.
        """
        self._default_shots = default_shots
        self._max_qubits = max_qubits
        self._seeds = np.random.SeedSequence(seed)

    def run(
        self, pubs: Iterable[Any], *, shots: int | None = None
    ) -> PrimitiveJob[PrimitiveResult[SamplerPubResult]]:
        """Sample PUBs; circuits with parameters take arrays of values.

        Args:
            pubs: circuits, or tuples (circuit, parameter values, shots).
            shots: where a PUB does not say how many.

        Raises:
            BackendError: where a circuit has no bits, needs too many qubits at a time, or holds
                what the engine cannot run.
        """
        count = self._default_shots if shots is None else shots
        coerced = [SamplerPub.coerce(pub, count) for pub in pubs]
        programs = [compile_circuit(pub.circuit, self._max_qubits) for pub in coerced]
        for pub in coerced:
            if not pub.circuit.cregs:
                raise BackendError(
                    f"circuit {pub.circuit.name!r} has no classical register: measure something"
                )
        seeds = [int(s.generate_state(1, np.uint64)[0]) for s in self._seeds.spawn(len(coerced))]
        job: PrimitiveJob[PrimitiveResult[SamplerPubResult]] = PrimitiveJob(
            lambda: PrimitiveResult(
                [_sampled(*work) for work in zip(coerced, programs, seeds, strict=True)],
                metadata={"version": 2},
            )
        )
        job._submit()
        return job


def _sampled(pub: SamplerPub, compiled: Any, seed: int) -> SamplerPubResult:
    circuit, shots = pub.circuit, pub.shots
    parameters = pub.parameter_values.as_array(circuit.parameters)
    parameters = np.asarray(parameters, dtype=np.float64).reshape(pub.size, circuit.num_parameters)
    columns = {
        register.name: np.array([compiled.bits[bit] for bit in register], dtype=np.intp)
        for register in circuit.cregs
    }
    packed: dict[str, list[np.ndarray]] = {name: [] for name in columns}
    rows = max(1, CHUNK_BYTES // max(1, shots * len(compiled.bits)))
    for start in range(0, pub.size, rows):
        angles = compiled.values(circuit, parameters[start : start + rows])
        bits = sample(compiled.program, angles, shots, seed, first_row=start)[:, :, 0]
        for name, chosen in columns.items():
            # Bit 0 is the least significant bit of the last byte.
            padded = np.zeros((*bits.shape[:2], -(-chosen.size // 8) * 8), dtype=np.uint8)
            padded[..., padded.shape[2] - chosen.size :] = bits[..., chosen[::-1]]
            packed[name].append(np.packbits(padded, axis=2))
    data = {}
    for name, chosen in columns.items():
        array = np.concatenate(packed[name]).reshape(*pub.shape, shots, -(-chosen.size // 8))
        data[name] = BitArray(array, chosen.size)
    metadata = {"shots": shots, "circuit_metadata": circuit.metadata}
    return SamplerPubResult(DataBin(**data, shape=pub.shape), metadata=metadata)
