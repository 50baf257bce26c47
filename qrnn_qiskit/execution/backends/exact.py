"""The exact engine as an executor: exact values, their derivatives, and shots."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.engine.forward import outputs as engine_outputs
from qrnn_qiskit.engine.marginal import sample_marginal
from qrnn_qiskit.engine.reverse import value_and_vjp
from qrnn_qiskit.engine.sample import WIDEST, sample, suits_sampling, way_of
from qrnn_qiskit.engine.shifted import shifted_outputs
from qrnn_qiskit.engine.vectors.evaluate import stays_pure
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.bits import OutputKind, PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.influence import noisy_occurrences
from qrnn_qiskit.execution.isa import ISACircuit, TranspileOptions
from qrnn_qiskit.execution.noise import Noise
from qrnn_qiskit.execution.noise.insert import noisy_isa
from qrnn_qiskit.execution.per_circuit import PerCircuit
from qrnn_qiskit.execution.program import CompiledProgram, compile_isa, compile_unrolled
from qrnn_qiskit.execution.results import LocalResults
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.occurrence import OccurrenceTable

if TYPE_CHECKING:
    from qrnn_qiskit.execution.backends.aer import AerExecutor

CHUNK_ROWS: Final = 4096
CHUNK_SHOTS: Final = 1 << 20
# Qubits up to which exact values by density matrices take seconds, not minutes.
EXACT_QUBITS: Final = 9
Sampling = Literal["joint", "marginal"]
Precision = Literal["double", "single"]


@final
class ExactExecutor:
    """Density matrices through measurement and reset, or samples of their distribution.

    Without noise the unrolled circuit itself is run; with noise the circuit transpiled for the
    noise's gates, so that every gate meets its error.

    Shots of registers too wide for density matrices are drawn by trajectories, and those of still
    wider ones by Aer, from the same circuit with the same noise, which is said in a warning; see
    `shots_from`.
    """

    def __init__(
        self,
        noise: Noise | None = None,
        transpile: TranspileOptions | None = None,
        *,
        sampling: Sampling = "joint",
        precision: Precision = "double",
    ) -> None:
        """Make an executor.

        Args:
            noise: errors of gates and readout; None for an ideal simulation.
            transpile: how circuits are transpiled, where there is noise.
            sampling: "joint" draws shots of the whole sequence; "marginal" draws each step by
                itself, so that what combines steps has no error bar.
            precision: of the states of joint shots; "single" is off by about 1e-6.
        """
        self._sampling = sampling
        self._precision = precision
        self.noise = noise
        self._transpile = transpile or TranspileOptions()
        self._circuits = PerCircuit(self._make_isa)
        self._programs = PerCircuit(self._make_program)
        over = noise.over_rotations if noise else None
        detuned = noise is not None and any(noise.detuning.values())
        self._tables = PerCircuit(
            lambda unrolled: noisy_occurrences(unrolled, self.isa(unrolled), over, detuned=detuned)
        )
        self._results = LocalResults()
        self._wide = PerCircuit(self._make_wide)
        self._exact = PerCircuit(self._make_exact)

    @property
    def name(self) -> str:
        """The backend's name, with what changes its shots."""
        changes = [f"{self._sampling} sampling"] * (self._sampling != "joint")
        changes += [f"{self._precision} precision"] * (self._precision != "double")
        return ", ".join(["exact", *changes])

    def isa(self, unrolled: UnrolledCircuit) -> ISACircuit:
        """The circuit that runs: the unrolled one, or transpiled for the noise's gates."""
        return self._circuits(unrolled)

    def use_isa(self, unrolled: UnrolledCircuit, isa: ISACircuit) -> None:
        """Use a circuit that was transpiled before, for the noise's gates."""
        self._circuits.put(unrolled, isa)

    def with_readout(self, flips: Mapping[int, tuple[float, float]]) -> ExactExecutor:
        """The same circuits with other readout errors, by physical qubit."""
        if self.noise is None:
            return self
        readout = dict(self.noise.readout)
        for qubit, pair in flips.items():
            readout[qubit] = pair
        other = ExactExecutor(replace(self.noise, readout=readout))
        other._circuits = self._circuits
        return other

    def exact_outputs(
        self, unrolled: UnrolledCircuit, plan: EvaluationPlan, kind: OutputKind
    ) -> Outputs:
        """Exact outputs `[R, T, K]` of all rows.

        Rows with a shifted occurrence are worked out beside the row that they are shifted from.
        """
        compiled = self._exact(unrolled)
        base = compiled.angles(plan.angles(unrolled.angle_map, slice(0, plan.num_sequences)))
        parts = []
        for start in range(0, plan.num_rows, CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            angles = compiled.angles(plan.angles(unrolled.angle_map, rows))
            if kind == "z" and np.any(plan.occurrence[rows] >= 0):
                part = shifted_outputs(compiled.program, base, angles, plan.sequence[rows])
            else:
                part = engine_outputs(compiled.program, angles, kind=kind)
            parts.append(part)
        return Outputs(np.concatenate(parts))

    def forward(self, unrolled: UnrolledCircuit, angles: Array, kind: OutputKind) -> Array:
        """Exact outputs `[R, T, K]` at occurrence angles `[R, O]`."""
        compiled = self._exact(unrolled)
        return engine_outputs(compiled.program, compiled.angles(angles), kind=kind)

    def value_and_vjp(
        self,
        unrolled: UnrolledCircuit,
        angles: Array,
        cotangent_of: Callable[[Array], Array],
        kind: OutputKind,
    ) -> tuple[Array, Array]:
        """Outputs `[B, T, K]` and dL/d(angles) `[B, O]` by reverse mode.

        Args:
            unrolled: the circuit.
            angles: `[B, O]`.
            cotangent_of: outputs to dL/d(outputs), both `[B, T, K]`.
            kind: of the outputs.
        """
        compiled = self._exact(unrolled)
        mean, gradient = value_and_vjp(
            compiled.program, compiled.angles(angles), cotangent_of, kind=kind
        )
        return mean, compiled.pull_back(gradient, angles.shape[1])

    def occurrences(self, unrolled: UnrolledCircuit) -> OccurrenceTable:
        """The circuit's occurrences, their influence as the noise leaves it."""
        if self.noise is None:
            return unrolled.occurrences
        return self._tables(unrolled)

    def submit(self, unrolled: UnrolledCircuit, request: EvaluationRequest) -> str:
        """Sample at once; returns an id for `fetch`."""
        if self.shots_from(unrolled) == "aer":
            wide = self._wide(unrolled)
            return self._results.keep(wide.fetch(wide.submit(unrolled, request)))
        compiled = self._programs(unrolled)
        plan = request.plan
        count = plan.repeats * request.shots
        parts: list[PackedBits] = []
        step = max(1, CHUNK_SHOTS // int(count.max()))
        for start in range(0, plan.num_rows, step):
            rows = slice(start, start + step)
            angles = compiled.angles(plan.angles(unrolled.angle_map, rows))
            bits = self._sampled(compiled, angles, count[rows], request.seed, start)
            parts.append(PackedBits.from_bits(bits, count[rows]))
        packed = np.concatenate([part.packed for part in parts])
        shape = (unrolled.num_steps, unrolled.num_clbits)
        marginal = self._sampling == "marginal"
        outcomes = PackedBits(packed, count, *shape, unrolled.cell.postselected, marginal)
        return self._results.keep(outcomes)

    def shots_from(self, unrolled: UnrolledCircuit) -> Literal["exact", "trajectories", "aer"]:
        """How shots are drawn: as the width asks for (`way_of`, `suits_sampling`).

        It depends on the circuit and its noise alone, so that a run that is resumed goes on with
        the same one. Marginal shots always come from exact probabilities.
        """
        program = self._programs(unrolled).program
        if self._sampling == "marginal":
            return "exact"
        if not suits_sampling(program):
            return "aer"
        return "exact" if way_of(program) == "histories" else "trajectories"

    def simulation(self, unrolled: UnrolledCircuit, *, shots: bool) -> str:
        """What is simulated, for people: of shots or of exact values."""
        program = self._programs(unrolled).program
        how = {"exact": "shared histories", "trajectories": "trajectories", "aer": "Aer"}
        what = "state vectors" if stays_pure(program) else "density matrices"
        if shots and self._sampling == "joint":
            what = how[self.shots_from(unrolled)]
        return f"{what}, {program.num_qubits} qubits"

    def _make_exact(self, unrolled: UnrolledCircuit) -> CompiledProgram:
        compiled = self._programs(unrolled)
        qubits = compiled.program.num_qubits
        if qubits > EXACT_QUBITS and not stays_pure(compiled.program):
            warnings.warn(
                f"exact values of {qubits} qubits are density matrices of "
                f"{8 * 4**qubits / 2**20:.3g} MiB for each row, which takes long; shots "
                "(backend.shots, and a gradient.method for shots) are much faster",
                stacklevel=3,
            )
        return compiled

    def _make_wide(self, unrolled: UnrolledCircuit) -> AerExecutor:
        from qrnn_qiskit.execution.backends.aer import AerExecutor

        program = self._programs(unrolled).program
        warnings.warn(
            f"shots of {program.num_qubits} qubits "
            f"{'with' if self.noise else 'without'} noise are drawn by Aer, more than "
            f"{WIDEST} at a time being too many for the engine's trajectories; "
            'set backend.name = "aer" to say so yourself',
            stacklevel=3,
        )
        return AerExecutor(self.noise, self._transpile)

    def _sampled(
        self,
        compiled: CompiledProgram,
        angles: Array,
        count: NDArray[np.int64],
        seed: int,
        first_row: int,
    ) -> NDArray[np.uint8]:
        if self._sampling == "marginal":
            return sample_marginal(compiled.program, angles, count, seed, first_row=first_row)
        single = self._precision == "single"
        return sample(compiled.program, angles, count, seed, first_row=first_row, single=single)

    def poll(self, job: str) -> bool:
        """Always done."""
        return job in self._results

    def fetch(self, job: str) -> PackedBits:
        """The outcomes, once."""
        return self._results.take(job)

    def _make_isa(self, unrolled: UnrolledCircuit) -> ISACircuit:
        if self.noise is not None:
            return noisy_isa(unrolled, self.noise, self._transpile)
        order = {name: i for i, name in enumerate(unrolled.occurrences.names)}
        columns = np.array([order[p.name] for p in unrolled.circuit.parameters], dtype=np.intp)
        return ISACircuit(unrolled.circuit, columns, tuple(range(unrolled.circuit.num_qubits)))

    def _make_program(self, unrolled: UnrolledCircuit) -> CompiledProgram:
        if self.noise is None:
            return compile_unrolled(unrolled)
        return compile_isa(unrolled, self.isa(unrolled), self.noise)
