"""What an executor is: the only thing that knows what a backend is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.bits import OutputKind, PackedBits
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.occurrence import OccurrenceTable


@final
@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """Rows to measure.

    Attributes:
        plan: the rows.
        shots: shots of each row; row r gets `shots * plan.repeats[r]`.
        seed: of every random number that serves this request; a real device ignores it.
    """

    plan: EvaluationPlan
    shots: int
    seed: int


def stream_seed(seed: int, spawn_key: tuple[int, ...]) -> int:
    """Seed of one evaluation: far from all others, and from the identity of the work alone."""
    state = np.random.SeedSequence(seed, spawn_key=spawn_key).generate_state(1, np.uint64)
    return int(state[0]) >> 2  # leaves room for what executors add to it


class Executor(Protocol):
    """Evaluates rows with shots: submit, poll, fetch."""

    @property
    def name(self) -> str:
        """The backend's name, as in a job file."""
        ...

    def isa(self, unrolled: UnrolledCircuit) -> ISACircuit:
        """The circuit that runs, transpiled once for each unrolled circuit."""
        ...

    def occurrences(self, unrolled: UnrolledCircuit) -> OccurrenceTable:
        """The circuit's occurrences, their influence as this backend's noise leaves it."""
        ...

    def submit(self, unrolled: UnrolledCircuit, request: EvaluationRequest) -> str:
        """Hand in the rows; returns the job's id."""
        ...

    def poll(self, job: str) -> bool:
        """Whether the job is done.

        Raises:
            JobError: if it failed or was cancelled.
        """
        ...

    def fetch(self, job: str) -> PackedBits:
        """The outcomes of a job that is done."""
        ...


@runtime_checkable
class SupportsExact(Protocol):
    """An executor that also has exact values, without shots."""

    def exact_outputs(
        self, unrolled: UnrolledCircuit, plan: EvaluationPlan, kind: OutputKind
    ) -> Outputs:
        """Exact outputs of all rows."""
        ...

    def forward(self, unrolled: UnrolledCircuit, angles: Array, kind: OutputKind) -> Array:
        """Exact outputs `[B, T, K]` at angles `[B, O]`."""
        ...


@runtime_checkable
class SupportsOtherISA(Protocol):
    """An executor that runs a circuit that was transpiled before."""

    def use_isa(self, unrolled: UnrolledCircuit, isa: ISACircuit) -> None:
        """Use this transpiled circuit from now on."""
        ...
