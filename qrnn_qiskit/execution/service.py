"""What a queue of jobs is: the part of an executor that outlives the process which submits.

A request is cut into blocks of rows and shots; a block travels in one QPU job. Executors that run
at once (`Executor`) become such a service by `LocalService`, so that every sampled evaluation takes
the path that paid jobs take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol, final, runtime_checkable

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError, JobError, PendingError
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.blocks import BadResult as BadResult
from qrnn_qiskit.execution.blocks import Block as Block
from qrnn_qiskit.execution.executor import EvaluationRequest, Executor, SupportsOtherISA
from qrnn_qiskit.execution.isa import ISACircuit

# IBM's published estimate: 2 s for each job + (rep_delay + circuit time) for each execution.
SECONDS_PER_JOB: Final = 2.0
REP_DELAY_S: Final = 250e-6

JobState = Literal["queued", "running", "done", "failed", "cancelled", "gone"]


class NotSent(BackendError):
    """A submission that provably never reached the service, or was turned away by it.

    Attributes:
        retry_after: seconds that the service asks to wait; None if it does not say.
    """

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class OutcomeUnknown(JobError):
    """A submission that left without a usable answer: the service may have accepted it or not."""


class Refused(JobError):
    """A submission that the service read and refused; sending the same again is no use.

    Attributes:
        too_large: whether a smaller one may pass.
    """

    def __init__(self, text: str, too_large: bool = False) -> None:
        super().__init__(text)
        self.too_large = too_large


class Unreachable(BackendError):
    """A question that the service did not answer now; it may be asked again."""

    exit_code = PendingError.exit_code


class ResultsGone(JobError):
    """Results of a finished job that the service has dropped."""


@final
@dataclass(frozen=True, slots=True)
class Ticket:
    """What goes with a submission.

    Attributes:
        tags: of the QPU job, the first one its own.
        max_seconds: of QPU time after which the service stops the job; None for its own limit.
        sending: called right before the first byte of the submission leaves.
        session_seconds: after which the service closes a session that is opened for it, whose wall
            clock is charged; None for its own limit.
    """

    tags: tuple[str, ...]
    max_seconds: int | None
    sending: Callable[[], None]
    session_seconds: int | None = None


@final
@dataclass(frozen=True, slots=True)
class JobReport:
    """How a QPU job stands.

    Attributes:
        state: of the job; "gone" if the service knows it no longer, or has dropped its results.
        reason: why it failed, in the service's words.
        too_large: whether it failed for its size.
    """

    state: JobState
    reason: str = ""
    too_large: bool = False


@final
@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of the service's list of jobs."""

    job: str
    tags: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Calibration:
    """What a device states of itself.

    Attributes:
        date: in ISO 8601; "unknown" where it does not say.
        errors: expected in an execution of a circuit, on average over its tiles.
        content: errors and times of the qubits in use, as JSON.
    """

    date: str
    errors: float
    content: str


@runtime_checkable
class JobService(Protocol):
    """Runs blocks as jobs: submit, look up, report, fetch."""

    @property
    def name(self) -> str:
        """The backend's name."""
        ...

    @property
    def outlives(self) -> bool:
        """Whether jobs go on when this process ends; else they are submitted again."""
        ...

    def blocks(self, unrolled: UnrolledCircuit, rows: int, shots: int) -> list[Block]:
        """So many rows (with their repeats) of so many shots, cut by the service's limits."""
        ...

    def seconds(self, unrolled: UnrolledCircuit, block: Block) -> float:
        """Predicted QPU seconds of a block."""
        ...

    def submit_block(
        self, unrolled: UnrolledCircuit, request: EvaluationRequest, block: Block, ticket: Ticket
    ) -> str:
        """Hand in a block once; returns the job's id.

        Raises:
            NotSent: if it provably was not accepted.
            Refused: if the service refused it.
            OutcomeUnknown: if it may have been accepted.
        """
        ...

    def listing(self, tag: str, since: float) -> list[Listed]:
        """Jobs with a tag, oldest first, created after `since` (seconds since 1970).

        Raises:
            Unreachable: if the service does not answer.
        """
        ...

    def tags(self, job: str) -> tuple[str, ...]:
        """Tags of a job.

        Raises:
            LookupError: if the service does not know it.
            Unreachable: if the service does not answer.
        """
        ...

    def report(self, job: str) -> JobReport:
        """How a job stands.

        Raises:
            Unreachable: if the service does not answer.
        """
        ...

    def fetch_block(self, unrolled: UnrolledCircuit, job: str, block: Block) -> PackedBits:
        """Outcomes of a job that is done: `[stop - start]` rows of `shots` shots each.

        Raises:
            Unreachable: if the service does not answer.
            ResultsGone: if it has them no longer.
            BadResult: if they are not those of the block.
        """
        ...

    def usage(self, job: str) -> float | None:
        """QPU seconds that the service charges for a job; None while it does not say.

        Raises:
            Unreachable: if the service does not answer.
        """
        ...

    def cancel(self, job: str) -> bool:
        """Cancel a job that has not ended; False if it has.

        Raises:
            Unreachable: if the service does not answer.
        """
        ...


@runtime_checkable
class Resumable(SupportsOtherISA, Protocol):
    """A service that goes on with what an earlier process of the run has chosen."""

    @property
    def name(self) -> str:
        """The device's name."""
        ...

    def isa(self, unrolled: UnrolledCircuit) -> ISACircuit:
        """The circuit that runs."""
        ...

    def calibration(self, unrolled: UnrolledCircuit) -> Calibration:
        """What the device states of the circuit's qubits, asked for once an hour.

        Raises:
            BackendError: if it cannot run the circuit any more.
            Unreachable: if the service does not answer.
        """
        ...

    def transpile_again(self, unrolled: UnrolledCircuit) -> ISACircuit:
        """Transpile for the device as it is now, on as many tiles as before."""
        ...

    def keep_session(
        self, recorded: str | None, save: Callable[[str], None], sharing: int = 1
    ) -> None:
        """Go on in a recorded session or batch, and tell the id of a new one.

        Args:
            recorded: id of the one that was opened before; None if there was none.
            save: records the id of a new one.
            sharing: devices of the run, whose sessions share its budget.
        """
        ...

    def session_seconds(self) -> tuple[str, float] | None:
        """Id of the open session and what it has cost, where its wall clock is charged.

        Raises:
            Unreachable: if the service does not answer.
        """
        ...

    def close_session(self) -> None:
        """Tell the service that no more jobs come."""
        ...


@final
class LocalService:
    """An executor that runs at once, as a service whose jobs end with the process."""

    outlives = False

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def name(self) -> str:
        """The executor's name."""
        return self._executor.name

    def blocks(self, unrolled: UnrolledCircuit, rows: int, shots: int) -> list[Block]:
        """All in one: executors cut requests themselves."""
        return [Block(0, rows, 0, shots)]

    def seconds(self, unrolled: UnrolledCircuit, block: Block) -> float:
        """Nothing is charged."""
        return 0.0

    def submit_block(
        self, unrolled: UnrolledCircuit, request: EvaluationRequest, block: Block, ticket: Ticket
    ) -> str:
        """Hand in the whole request."""
        return self._executor.submit(unrolled, request)

    def listing(self, tag: str, since: float) -> list[Listed]:
        """Nothing is listed."""
        return []

    def tags(self, job: str) -> tuple[str, ...]:
        """Jobs that run at once have none."""
        return ()

    def report(self, job: str) -> JobReport:
        """Done, or still in the queue."""
        return JobReport("done" if self._executor.poll(job) else "queued")

    def fetch_block(self, unrolled: UnrolledCircuit, job: str, block: Block) -> PackedBits:
        """The outcomes, their rows as the request has them."""
        return self._executor.fetch(job)

    def usage(self, job: str) -> float | None:
        """Nothing is charged."""
        return 0.0

    def cancel(self, job: str) -> bool:
        """Nothing to cancel: it ran at once."""
        return False


def as_service(executor: Executor | JobService) -> JobService:
    """The executor itself if it is a service, or its adapter."""
    return executor if isinstance(executor, JobService) else LocalService(executor)
