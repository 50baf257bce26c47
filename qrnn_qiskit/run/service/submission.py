"""From a request to its outcomes through the ledger: submitted once, waited for, never lost.

The order of acts is fixed: intent durable, submission, id durable, outcomes durable, used. What an
interrupted process left is taken up from the ledger; where it cannot say whether a submission was
accepted, the service's list of jobs is searched for the job's tag, and where that does not decide,
a person does.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final, final

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import JobError, PendingError, RunError
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.blocks import assemble
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.service import (
    BadResult,
    Block,
    Calibration,
    JobService,
    NotSent,
    OutcomeUnknown,
    Refused,
    ResultsGone,
    Resumable,
    Ticket,
)
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.ledger_format import ENDED, OPEN, SESSION_COST, JobRow
from qrnn_qiskit.run.service import waiting
from qrnn_qiskit.run.service.purse import Purse, SharedBudget
from qrnn_qiskit.run.service.spending import Allowance, Work, afford_shots
from qrnn_qiskit.run.service.standing import left_behind, refuse_ended
from qrnn_qiskit.run.service.waiting import Waiting
from qrnn_qiskit.spec.backend import BudgetSpec

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
        budget: BudgetSpec | None = None,
        shared: SharedBudget | None = None,
        max_pending: int | None = None,
        max_shots: int | None = None,
        trust_list: bool = False,
        look: Callable[[JobService], Calibration | None] | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        """Make one for a run.

        Args:
            ledger: of the run.
            service: where jobs go.
            unrolled: the circuit.
            wait: wait for jobs and for the service; otherwise raise `PendingError`.
            budget: of the run; None for no limit.
            shared: the other runs that it is shared with.
            max_pending: jobs of this run under way on a device at a time.
            max_shots: of all requests of the run; None where the caller counts them.
            trust_list: submit again what the service's list does not show after the grace period,
                without asking a person.
            look: at the device, before each request; raises where it does not fit any more.
            notify: told what a person may want to know.
        """
        self._ledger = ledger
        self._service = service
        self._unrolled = unrolled
        self._purse = Purse(ledger, budget or BudgetSpec(), shared)
        self._max_pending = max_pending
        self._max_shots = max_shots
        self._trust_list = trust_list
        self._look = look or (lambda service: None)
        self._calibration = ""
        self._notify = notify or (lambda text: None)
        self._waiting = Waiting(wait, self._check_hours, self._notify, threading.Event())

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
        if found is None or found.state != "completed":
            seen = self._waiting.ask(lambda: self._look(self._service))
            self._calibration = "" if seen is None else seen.date
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
                raise KeyboardInterrupt(
                    left_behind(self._ledger) if self._service.outlives else ""
                ) from None
        parts = [
            (row.block, PackedBits.from_bytes(self._ledger.load(row)))
            for row in self._ledger.jobs(address, ["completed"])
        ]
        return assemble(request.plan, request.shots, parts)

    def in_thread(self, service: JobService, halt: threading.Event) -> Submission:
        """The same for another device, in a thread of its own that `halt` ends."""
        other = self.on(service, self._unrolled)
        other._waiting = self._waiting.on(halt)
        return other

    @property
    def ledger(self) -> Ledger:
        """Of the run."""
        return self._ledger

    def _plan(self, address: str, digest: str, request: EvaluationRequest) -> None:
        rows = request.plan.total_repeats
        afford_shots(self._ledger.shots(), rows * request.shots, self._max_shots)
        blocks = self._service.blocks(self._unrolled, rows, request.shots)
        costs = [(block, self._service.seconds(self._unrolled, block)) for block in blocks]
        if self._service.outlives:
            self._purse.afford(
                Work(
                    len(blocks),
                    sum(block.executions for block in blocks),
                    sum(seconds for _, seconds in costs),
                )
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
        refuse_ended(self._ledger, address)
        if not self._service.outlives:
            for row in self._ledger.jobs(address, OPEN[1:]):
                self._ledger.not_sent(row.number, "its process ended")
        self._late_usage()
        while rows := self._ledger.jobs(address, OPEN):
            for row in rows:
                if row.state == "intent" and self._may_submit():
                    self._submit(row, request)
            for row in self._ledger.jobs(address, ["sending"]):
                self._settle(row)
            rows = self._ledger.jobs(address, ["submitted"])
            if rows and not [row for row in rows if self.advance(row)]:
                self._waiting.pause(f"job {rows[0].job} is not done yet{_more(rows)}")

    # -- submitting

    def _may_submit(self) -> bool:
        """Whether other jobs have left the run a place in the device's queue."""
        if self._max_pending is None or not self._service.outlives:
            return True
        under_way = self._ledger.jobs(states=OPEN[1:])
        mine = sum(row.backend == self._service.name for row in under_way)
        return mine < self._max_pending

    def _submit(self, row: JobRow, request: EvaluationRequest) -> None:
        """Hand in a block; afterwards its job is submitted, sending (unknown), or replaced."""
        told: set[str] = set()
        # A copy of this run may have been here before.
        while not (self._service.outlives and self._adopt(row)):
            try:
                job = self._send(row, request)
            except NotSent as error:
                self._ledger.not_sent(row.number, str(error))
                if str(error) not in told:
                    told.add(str(error))
                    self._notify(f"{error}; trying again")
                self._waiting.pause(str(error), error.retry_after)
            except Refused as error:
                if not error.too_large:
                    self._ledger.not_sent(row.number, str(error))
                    raise JobError(f"{error}; nothing was submitted") from None
                self._end(row, "failed", str(error), too_large=True)
                return
            except OutcomeUnknown as error:
                self._ledger.note(row.number, str(error))
                self._notify(f"{error}; looking for the job by its tag")
                return
            else:
                self._ledger.submitted(row.number, job)
                self._duplicates(self._ledger.job(row.number))
                return

    def _send(self, row: JobRow, request: EvaluationRequest) -> str:
        """Hand in a block once, if the budget allows it."""
        self._waiting.check_halt()
        ledger, allowed = self._ledger, Allowance(None, None)
        if self._service.outlives:
            self._session_cost()
        with self._purse.entered() as leave:
            if self._service.outlives:
                work = Work(1, row.block.executions, row.predicted)
                allowed = self._purse.afford(work)(row.predicted)

            def sending() -> None:
                ledger.sending(row.number, self._calibration)
                leave()  # from now on the ledger counts it

            tags = row.tag, f"qrnn-run-{ledger.run_id}"
            ticket = Ticket(tags, allowed.job, sending, allowed.session)
            return self._service.submit_block(self._unrolled, request, row.block, ticket)

    def _adopt(self, row: JobRow) -> bool:
        """Take over a job that has this one's tag already."""
        found = self._waiting.ask(
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
        self._waiting.begin()
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
            self._waiting.pause(
                f"no job has the tag {row.tag} yet", min(self._waiting.delay, GRACE_S - waited)
            )

    def _list_is_current(self, row: JobRow) -> bool:
        """Whether the service's list shows a job of this run that was submitted after `row`."""
        later = {
            other.tag
            for other in self._ledger.jobs()
            if other.job is not None and (other.turn or 0) > (row.turn or 0)
        }
        since = (row.sent or row.planned) - WINDOW_S
        run = f"qrnn-run-{self._ledger.run_id}"
        listed = self._waiting.ask(lambda: self._service.listing(run, since)) if later else []
        return any(later.intersection(entry.tags) for entry in listed)

    def _duplicates(self, row: JobRow) -> None:
        """Find jobs that were accepted in addition to this one; cancel what still waits."""
        if not self._service.outlives:
            return
        since = (row.sent or row.planned) - WINDOW_S
        for entry in self._waiting.ask(lambda: self._service.listing(row.tag, since)):
            if entry.job == row.job:
                continue
            job = entry.job
            stopped = self._waiting.ask(partial(self._service.cancel, job))
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
        report = self._waiting.ask(lambda: self._service.report(job))
        if report.state in ("queued", "running"):
            return False
        self._waiting.begin()
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
                bits = self._waiting.ask(
                    lambda: self._service.fetch_block(self._unrolled, job, row.block)
                )
            except ResultsGone as error:
                self._charge(row)
                self._end(row, "lost", str(error))
                return
            except BadResult as error:
                reason, state = str(error), "lost" if error.empty else "failed"
                time.sleep(waiting.FIRST_POLL_S)
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
        refuse_ended(self._ledger, row.address)

    # -- money

    def _charge(self, row: JobRow) -> None:
        """Record what the service charged, if it says."""
        job = row.job or ""
        seconds = (
            self._waiting.ask(lambda: self._service.usage(job)) if self._service.outlives else None
        )
        if seconds is not None:
            self._ledger.used(row.number, seconds)
        self._session_cost()

    def _session_cost(self) -> None:
        """Record what the open session costs by now, if there is one."""
        if isinstance(self._service, Resumable) and (
            session := self._waiting.ask(self._service.session_seconds)
        ):
            self._ledger.set_fact(f"{SESSION_COST} {session[0]}", repr(session[1]))

    def _late_usage(self) -> None:
        """Ask for charges that the service had not said when the jobs ended."""
        if self._service.outlives:
            ended = self._ledger.jobs(states=["completed", *ENDED, "duplicate"], uncharged=True)
            for row in ended[-4:]:
                self._charge(row)

    # -- the end

    def _check_hours(self) -> None:
        if self._service.outlives:
            self._purse.check_hours()


def _more(rows: list[JobRow]) -> str:
    return f", nor are {len(rows) - 1} more" if len(rows) > 1 else ""
