"""A queue of jobs in memory that outlives the "process", and fails when it is told to."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from qrnn_qiskit.circuit import UnrolledCircuit
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.blocks import cut
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.service import (
    BadResult,
    Block,
    JobReport,
    JobState,
    Listed,
    NotSent,
    OutcomeUnknown,
    Refused,
    ResultsGone,
    Ticket,
    Unreachable,
)

SECONDS = 2.0


@dataclass
class Accepted:
    """A job of the service."""

    block: Block
    tags: tuple[str, ...]
    state: JobState
    limit: int | None
    hidden: int = 0  # listings in which it does not show yet


@dataclass
class FakeService:
    """Implements `JobService`; bits depend on rows and shots alone.

    Attributes:
        posts: what happens to the next submissions: "ok", "not sent", "refused", "too large",
            "lost" (before acceptance), "lost after", "late" (lost after, hidden from two listings).
        ends: how the next accepted jobs end.
        asks: whether the next questions are answered.
        jobs: accepted ones by id.
    """

    max_rows: int = 1000
    posts: list[str] = field(default_factory=list)
    ends: list[JobState] = field(default_factory=list)
    asks: list[bool] = field(default_factory=list)
    jobs: dict[str, Accepted] = field(default_factory=dict)
    results: list[str] = field(default_factory=list)
    charge: float = SECONDS
    on_submit: Callable[[], None] = lambda: None
    name: str = "fake"
    outlives: bool = True
    _number: itertools.count[int] = field(default_factory=itertools.count)

    def blocks(self, unrolled: UnrolledCircuit, rows: int, shots: int) -> list[Block]:
        return cut(rows, shots, max_rows=self.max_rows, max_shots=40, max_executions=10_000)

    def seconds(self, unrolled: UnrolledCircuit, block: Block) -> float:
        return SECONDS

    def submit_block(
        self, unrolled: UnrolledCircuit, request: EvaluationRequest, block: Block, ticket: Ticket
    ) -> str:
        self.on_submit()
        what = self.posts.pop(0) if self.posts else "ok"
        if what == "not sent":
            raise NotSent("no route", 0.0)
        ticket.sending()
        if what == "refused":
            raise Refused("no such program")
        if what == "too large":
            raise Refused("the job is too large", too_large=True)
        if what == "lost":
            raise OutcomeUnknown("no answer")
        prefix = "job" if self.name == "fake" else self.name
        job = f"{prefix}-{next(self._number)}"
        end = self.ends.pop(0) if self.ends else "done"
        hidden = 2 if what == "late" else 0
        self.jobs[job] = Accepted(block, ticket.tags, end, ticket.max_seconds, hidden)
        if what in ("lost after", "late"):
            raise OutcomeUnknown("no answer")
        return job

    def _answer(self) -> None:
        if self.asks and not self.asks.pop(0):
            raise Unreachable("no answer")

    def listing(self, tag: str, since: float) -> list[Listed]:
        self._answer()
        found = []
        for job, accepted in self.jobs.items():
            if tag in accepted.tags:
                if accepted.hidden:
                    accepted.hidden -= 1
                else:
                    found.append(Listed(job, accepted.tags))
        return found

    def tags(self, job: str) -> tuple[str, ...]:
        if job not in self.jobs:
            raise LookupError(job)
        return self.jobs[job].tags

    def report(self, job: str) -> JobReport:
        self._answer()
        state = self.jobs[job].state
        if state == "queued":
            self.jobs[job].state = "done"
        return JobReport(state, "it went wrong" if state == "failed" else "")

    def fetch_block(self, unrolled: UnrolledCircuit, job: str, block: Block) -> PackedBits:
        self._answer()
        what = self.results.pop(0) if self.results else "ok"
        if what == "gone":
            raise ResultsGone("dropped")
        if what == "bad":
            raise BadResult("damaged")
        rows = block.stop - block.start
        bits = (rows_and_shots(block)[..., None, None] * [[1], [3]] // 2 % 2).astype(np.uint8)
        count = np.full(rows, block.shots, dtype=np.int64)
        return PackedBits.from_bits(bits.reshape(-1, 2, 1), count)

    def usage(self, job: str) -> float | None:
        self._answer()
        return 0.0 if self.jobs[job].state == "cancelled" else self.charge

    def cancel(self, job: str) -> bool:
        self._answer()
        if self.jobs[job].state != "queued":
            return False
        self.jobs[job].state = "cancelled"
        return True

    @property
    def accepted(self) -> Counter[str]:
        """How often each tag was accepted."""
        return Counter(job.tags[0] for job in self.jobs.values())


def rows_and_shots(block: Block) -> np.ndarray:
    """A number for each row and shot of a request, `[rows, shots]`."""
    rows = np.arange(block.start, block.stop)[:, None]
    shots = np.arange(block.first_shot, block.first_shot + block.shots)
    numbers: np.ndarray = 7 * rows + 3 * shots
    return numbers
