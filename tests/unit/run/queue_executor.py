"""A backend whose jobs are done when the test says so."""

from __future__ import annotations

from collections.abc import Callable

from qrnn_qiskit import ExactExecutor
from qrnn_qiskit.circuit import UnrolledCircuit
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.occurrence import OccurrenceTable


class QueueExecutor:
    """Samples like the exact engine, and keeps what it was asked.

    Attributes:
        done: whether jobs are done.
        submitted, fetched: requests, and ids of jobs.
        on_submit, on_poll: called with the job's number.
    """

    name = "queue"

    def __init__(self, *, done: bool = True) -> None:
        self.done = done
        self.submitted: list[EvaluationRequest] = []
        self.fetched: list[str] = []
        self.on_submit: Callable[[int], None] = lambda number: None
        self.on_poll: Callable[[int], None] = lambda number: None
        self._engine = ExactExecutor()
        self._engine_jobs: dict[str, str] = {}

    def isa(self, unrolled: UnrolledCircuit) -> ISACircuit:
        return self._engine.isa(unrolled)

    def occurrences(self, unrolled: UnrolledCircuit) -> OccurrenceTable:
        return unrolled.occurrences

    def submit(self, unrolled: UnrolledCircuit, request: EvaluationRequest) -> str:
        number = len(self.submitted)
        self.on_submit(number)
        self.submitted.append(request)
        job = f"job-{number}"
        self._engine_jobs[job] = self._engine.submit(unrolled, request)
        return job

    def poll(self, job: str) -> bool:
        self.on_poll(int(job.removeprefix("job-")))
        return self.done

    def fetch(self, job: str) -> PackedBits:
        self.fetched.append(job)
        return self._engine.fetch(self._engine_jobs[job])
