"""From a request to its outcomes through the ledger: submitted once, waited for, never lost.

The order of acts is fixed: intent durable, submission, id durable, outcomes durable, used. What an
interrupted process left is taken up from the ledger; where it cannot say whether a submission was
accepted, the service's list of jobs is searched for the job's tag, and where that does not decide,
a person does.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar, final

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import JobError, PendingError, RunError
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.service import (
    BadResult,
    Block,
    JobService,
    NotSent,
    OutcomeUnknown,
    Refused,
    ResultsGone,
    Resumable,
    Ticket,
    Unreachable,
    assemble,
)
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.ledger_format import ENDED, OPEN, SESSION_COST, JobRow
from qrnn_qiskit.run.service.spending import afford_shots

Answer = TypeVar("Answer")

FIRST_POLL_S = 1.0
LAST_POLL_S = 60.0
POLL_GROWTH: Final = 1.5
GRACE_S = 120.0  # in which a submission may still show up in the service's list
WINDOW_S: Final = 2 * 86400.0  # searched before a submission: clocks differ
MAX_ATTEMPTS: Final = 3  # of a block
MAX_FETCHES: Final = 4  # of results that arrive damaged


@final
class Submission:
    """Carries the requests of one run to a service and their outcomes back."""

    def __init__(
        self,
        ledger: Ledger,
        service: JobService,
        unrolled: UnrolledCircuit,
        *,
        wait: bool = True,
        budget: float | None = None,
        max_jobs: int | None = None,
        max_shots: int | None = None,
        trust_list: bool = False,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        """Make one for a run.

        Args:
            ledger: of the run.
            service: where jobs go.
            unrolled: the circuit.
            wait: wait for jobs and for the service; otherwise raise `PendingError`.
            budget: QPU seconds of the run.
            max_jobs: submissions of the run.
            max_shots: of all requests of the run; None where the caller counts them.
            trust_list: submit again what the service's list does not show after the grace period,
                without asking a person.
            notify: told what a person may want to know.
        """
        self._ledger = ledger
        self._service = service
        self._unrolled = unrolled
        self._wait = wait
        self._budget = budget
        self._max_jobs = max_jobs
        self._max_shots = max_shots
        self._trust_list = trust_list
        self._notify = notify or (lambda text: None)
        self._delay = FIRST_POLL_S

    def on(self, service: JobService, unrolled: UnrolledCircuit) -> Submission:
        """The same for another circuit of the run."""
        other = copy.copy(self)
        other._service, other._unrolled = service, unrolled
        return other

    def bits(self, address: str, digest: str, request: EvaluationRequest) -> PackedBits:
        """The outcomes of a request: recorded ones, or those of jobs submitted now.

        Raises:
            RunError: if the ledger holds other work at this address.
            BudgetError: if the budget does not allow the next job.
            PendingError: if jobs are under way and nobody waits, or a person has to decide.
            JobError: if a job failed too often, or its results are lost.
        """
        found = self._ledger.find(address)
        if found is None:
            self._plan(address, digest, request)
        elif found.digest != digest:
            raise RunError(
                f"the ledger holds other work at {address} than this run asks for: cell, "
                "data, job and versions must be those the run was started with"
            )
        if found is None or found.state != "completed":
            try:
                self._run(address, request)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(self._left_behind()) from None
        parts = [
            (row.block, PackedBits.from_bytes(self._ledger.load(row)))
            for row in self._ledger.jobs(address, ["completed"])
        ]
        return assemble(request.plan, request.shots, parts)

    def _plan(self, address: str, digest: str, request: EvaluationRequest) -> None:
        rows = request.plan.total_repeats
        afford_shots(self._ledger.shots(), rows * request.shots, self._max_shots)
        blocks = self._service.blocks(self._unrolled, rows, request.shots)
        costs = [(block, self._service.seconds(self._unrolled, block)) for block in blocks]
        if self._service.outlives:
            self._ledger.spending().afford(
                sum(seconds for _, seconds in costs), self._budget, len(costs), self._max_jobs
            )
        self._ledger.plan(
            address,
            digest,
            rows * request.shots,
            request.plan.to_bytes(),
            costs,
            self._service.name if self._service.outlives else "",
        )

    def _run(self, address: str, request: EvaluationRequest) -> None:
        """Until all blocks have their results."""
        self._refuse_ended(address)
        if not self._service.outlives:
            for row in self._ledger.jobs(address, OPEN[1:]):
                self._ledger.not_sent(row.number, "its process ended")
        self._late_usage()
        while rows := self._ledger.jobs(address, OPEN):
            for row in rows:
                if row.state == "intent":
                    self._submit(row, request)
            for row in self._ledger.jobs(address, ["sending"]):
                self._settle(row)
            rows = self._ledger.jobs(address, ["submitted"])
            if rows and not [row for row in rows if self.advance(row)]:
                self._pause(f"job {rows[0].job} is not done yet{_more(rows)}")

    # -- submitting

    def _submit(self, row: JobRow, request: EvaluationRequest) -> None:
        """Hand in a block; afterwards its job is submitted, sending (unknown), or replaced."""
        ledger = self._ledger
        told: set[str] = set()
        while True:
            limit = None
            if self._service.outlives:
                spending = self._ledger.spending()
                spending.afford(row.predicted, self._budget, 1, self._max_jobs)
                limit = spending.limit(row.predicted, self._budget)
                if self._adopt(row):  # a copy of this run may have been here before
                    return
            ticket = Ticket(
                (row.tag, f"qrnn-run-{ledger.run_id}"), limit, lambda: ledger.sending(row.number)
            )
            try:
                job = self._service.submit_block(self._unrolled, request, row.block, ticket)
            except NotSent as error:
                ledger.not_sent(row.number, str(error))
                if str(error) not in told:
                    told.add(str(error))
                    self._notify(f"{error}; trying again")
                self._pause(str(error), error.retry_after)
            except Refused as error:
                if not error.too_large:
                    ledger.not_sent(row.number, str(error))
                    raise JobError(f"{error}; nothing was submitted") from None
                self._end(row, "failed", str(error), too_large=True)
                return
            except OutcomeUnknown as error:
                ledger.note(row.number, str(error))
                self._notify(f"{error}; looking for the job by its tag")
                return
            else:
                ledger.submitted(row.number, job)
                self._duplicates(ledger.job(row.number))
                return

    def _adopt(self, row: JobRow) -> bool:
        """Take over a job that has this one's tag already."""
        found = self._ask(
            lambda: self._service.listing(row.tag, (row.sent or row.planned) - WINDOW_S)
        )
        if not found:
            return False
        self._ledger.submitted(row.number, found[0].job)
        self._notify(f"found job {found[0].job} by its tag: it is not submitted again")
        self._duplicates(self._ledger.job(row.number))
        return True

    def _settle(self, row: JobRow) -> None:
        """Decide what became of a submission without an answer."""
        ago = max(0.0, time.time() - (row.sent or 0.0))
        began = time.monotonic() - min(ago, GRACE_S)
        self._delay = FIRST_POLL_S
        while not self._adopt(row):
            waited = time.monotonic() - began
            if waited >= GRACE_S:
                if self._trust_list or self._list_is_current(row):
                    self._ledger.not_sent(row.number, "not in the service's list of jobs")
                    return
                raise PendingError(
                    f"it is not known whether the service accepted the submission of "
                    f"{row.address} to {row.backend} ({row.reason or 'the process ended'}): no job "
                    f"has its tag {row.tag}. Look at your jobs there, then decide with: qrnn "
                    f"resolve {self._ledger.directory} --submitted ID | --not-submitted"
                )
            self._pause(f"no job has the tag {row.tag} yet", min(self._delay, GRACE_S - waited))

    def _list_is_current(self, row: JobRow) -> bool:
        """Whether the service's list shows a job of this run that was submitted after `row`."""
        later = {
            other.tag
            for other in self._ledger.jobs()
            if other.job is not None and (other.turn or 0) > (row.turn or 0)
        }
        since = (row.sent or row.planned) - WINDOW_S
        run = f"qrnn-run-{self._ledger.run_id}"
        listed = self._ask(lambda: self._service.listing(run, since)) if later else []
        return any(later.intersection(entry.tags) for entry in listed)

    def _duplicates(self, row: JobRow) -> None:
        """Find jobs that were accepted in addition to this one; cancel what still waits."""
        if not self._service.outlives:
            return
        since = (row.sent or row.planned) - WINDOW_S
        for entry in self._ask(lambda: self._service.listing(row.tag, since)):
            if entry.job == row.job:
                continue
            job = entry.job
            stopped = self._ask(partial(self._service.cancel, job))
            what = "cancelled while it waited" if stopped else "it ran too, and may be charged"
            if self._ledger.duplicate(row, job, f"second acceptance of {row.job}: {what}"):
                self._notify(f"job {job} is a duplicate of {row.job}: {what}")

    # -- collecting

    def advance(self, row: JobRow) -> bool:
        """Look at a job that was submitted, and record what became of it; whether it has ended.

        Raises:
            JobError: if nothing may take the place of a job that failed.
        """
        job = row.job or ""
        report = self._ask(lambda: self._service.report(job))
        if report.state in ("queued", "running"):
            return False
        self._delay = FIRST_POLL_S
        if report.state == "done":
            self._take(row)
        elif report.state == "gone":
            self._end(row, "lost", report.reason or "the service knows the job no longer")
        else:
            self._charge(row)
            self._end(row, report.state, report.reason, too_large=report.too_large)
        return True

    def _take(self, row: JobRow) -> None:
        """Record the outcomes of a job that is done."""
        job, reason, state = row.job or "", "", "failed"
        for _ in range(MAX_FETCHES):
            try:
                bits = self._ask(lambda: self._service.fetch_block(self._unrolled, job, row.block))
            except ResultsGone as error:
                self._charge(row)
                self._end(row, "lost", str(error))
                return
            except BadResult as error:
                reason, state = str(error), "lost" if error.empty else "failed"
                time.sleep(FIRST_POLL_S)
            else:
                self._ledger.completed(row.number, bits.to_bytes())
                self._charge(row)
                self._duplicates(row)
                return
        self._charge(row)
        self._end(row, state, reason)

    def _end(self, row: JobRow, state: str, reason: str, *, too_large: bool = False) -> None:
        """Record a job without results, and plan what takes its place.

        Raises:
            JobError: if nothing may, without consent.
        """
        blocks: tuple[Block, ...] = ()
        if too_large:
            blocks = row.block.halves() or ()
        elif state != "lost" and row.attempt + 1 < MAX_ATTEMPTS:
            blocks = (row.block,)
        costs = [(block, self._service.seconds(self._unrolled, block)) for block in blocks]
        self._ledger.ended(row, state, reason, costs)
        if blocks:
            how = "in two halves" if len(blocks) > 1 else "again"
            self._notify(f"job {row.job or row.tag} {state} ({reason}): submitting it {how}")
        self._refuse_ended(row.address)

    def _refuse_ended(self, address: str) -> None:
        for row in self._ledger.jobs(address, ENDED):
            if not row.replaced:
                paid = "" if row.used is None else f", {row.used:.3g} QPU seconds were charged"
                what = "was paid for and its results are lost" if row.state == "lost" else row.state
                raise JobError(
                    f"job {row.job or row.tag} of {address} {what} ({row.reason}){paid}, attempt "
                    f"{row.attempt + 1}; to submit its work again: qrnn resolve "
                    f"{self._ledger.directory} --again"
                )

    # -- money

    def _charge(self, row: JobRow) -> None:
        """Record what the service charged, if it says."""
        job = row.job or ""
        seconds = self._ask(lambda: self._service.usage(job)) if self._service.outlives else None
        if seconds is not None:
            self._ledger.used(row.number, seconds)
        if isinstance(self._service, Resumable) and (
            session := self._ask(self._service.session_seconds)
        ):
            self._ledger.set_fact(f"{SESSION_COST} {session[0]}", repr(session[1]))

    def _late_usage(self) -> None:
        """Ask for charges that the service had not said when the jobs ended."""
        if self._service.outlives:
            ended = self._ledger.jobs(states=["completed", *ENDED, "duplicate"], uncharged=True)
            for row in ended[-4:]:
                self._charge(row)

    # -- waiting

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        """The service's answer, however long it is out of reach."""
        told = False
        while True:
            try:
                return question()
            except Unreachable as error:
                if not told:
                    self._notify(f"{error}; trying again")
                    told = True
                self._pause(str(error))

    def _pause(self, text: str, seconds: float | None = None) -> None:
        """Wait, longer every time.

        Raises:
            PendingError: with the text, if nobody waits.
        """
        if not self._wait:
            raise PendingError(text)
        time.sleep(self._delay if seconds is None else seconds)
        self._delay = min(LAST_POLL_S, self._delay * POLL_GROWTH)

    def _left_behind(self) -> str:
        """What an interrupted run leaves at the service."""
        if not self._service.outlives:
            return ""
        queued = [row.job or row.tag for row in self._ledger.jobs(states=OPEN[1:])]
        if not queued:
            return "no job is under way"
        return (
            f"under way at {self._service.name}: {', '.join(queued)} (they go on; to cancel them: "
            f"qrnn cancel {self._ledger.directory})"
        )


def _more(rows: list[JobRow]) -> str:
    return f", nor are {len(rows) - 1} more" if len(rows) > 1 else ""
