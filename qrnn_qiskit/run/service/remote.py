"""What can be done about a run's QPU jobs without continuing it: cancel, fetch, decide, list."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.execution.devices import members_of
from qrnn_qiskit.execution.make import make_executor
from qrnn_qiskit.execution.service import JobService, Queued, as_service
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.ledger_format import ENDED, OPEN, JobRow
from qrnn_qiskit.run.record.place import ledger_folder
from qrnn_qiskit.run.runs import unchanged_setup
from qrnn_qiskit.run.service.hardware import open_submission
from qrnn_qiskit.run.service.spending import HOUR_S
from qrnn_qiskit.spec.backend import BudgetSpec
from qrnn_qiskit.spec.compose import job_from_dict


@final
class Opened:
    """A run held for writing, its ledger, and its service once it is asked for."""

    def __init__(self, directory: RunDirectory, ledger: Ledger) -> None:
        self.directory = directory
        self.ledger = ledger
        self.record = directory.record()
        self.job = job_from_dict(self.record["job"])

    def services(self) -> dict[str, JobService]:
        """The devices of the run's jobs, by name.

        Raises:
            RunError: if the run's jobs end with the process.
        """
        if not self.job.backend.is_service:
            raise RunError(
                f"{self.directory.path} runs on {self.job.backend.name}: it has no QPU jobs"
            )
        members = members_of(make_executor(self.job.backend, None))
        return {member.name: as_service(member) for member in members}


@contextmanager
def opened(run: Path) -> Iterator[Opened]:
    """A run and its ledger, held for writing.

    Raises:
        RunError: if there is none, it has no ledger, or another process holds it.
    """
    directory = RunDirectory.open(Path(run))
    if not (ledger_folder(directory.path) / "ledger.sqlite").exists():
        raise RunError(f"{run} has no ledger: it is exact, or has not begun")
    with directory.locked():
        ledger = Ledger(directory.path)
        try:
            yield Opened(directory, ledger)
        finally:
            ledger.close()


def cancel_run(run: Path) -> dict[str, Any]:
    """Cancel the run's QPU jobs that have not ended; what is paid stays.

    Returns:
        `cancelled` and `ended_before`: ids of jobs.
    """
    with opened(run) as held:
        services = held.services()
        cancelled, late = [], []
        for row in held.ledger.jobs(states=["submitted"]):
            job, service = row.job or "", services[row.backend]
            if service.cancel(job):
                held.ledger.ended(row, "cancelled", "by qrnn cancel", [(row.block, row.predicted)])
                _charge(held.ledger, service, row)
                cancelled.append(job)
            else:
                late.append(job)
        held.directory.log(f"cancelled {', '.join(cancelled) or 'nothing'}")
    return {"cancelled": cancelled, "ended_before": late}


def fetch_run(run: Path) -> dict[str, Any]:
    """Collect the results of jobs that are done, without continuing the run.

    Returns:
        `fetched` and `waiting`: ids of jobs.
    """
    with opened(run) as held:
        held.services()
        setup = unchanged_setup(held.job, held.directory, held.record["work"])
        submission = open_submission(setup, held.ledger, wait=False)
        services = {one.name: as_service(one) for one in members_of(setup.executor)}
        fetched: list[str] = []
        waiting: list[str] = []
        for row in held.ledger.jobs(states=["submitted"]):
            own = submission.on(services[row.backend], setup.unrolled)
            (fetched if own.advance(row) else waiting).append(row.job or "")
    return {"fetched": fetched, "waiting": waiting}


def resolve_run(
    run: Path, *, submitted: str | None = None, not_submitted: bool = False, again: bool = False
) -> dict[str, Any]:
    """Decide what the run itself cannot know, or must not do without consent.

    Args:
        run: its directory.
        submitted: id of the job that a submission without an answer has become.
        not_submitted: such submissions were not accepted, and may be sent again.
        again: the work of jobs that failed too often, or whose results are lost, may be submitted
            again.

    Returns:
        `decided`: a line for each job.

    Raises:
        RunError: if there is nothing to decide, or the job is not the one that was submitted.
    """
    if (submitted is not None) + not_submitted + again != 1:
        raise RunError("give one of --submitted ID, --not-submitted and --again")
    decided: list[str] = []
    with opened(run) as held:
        ledger = held.ledger
        if again:
            for row in ledger.jobs(states=ENDED):
                if not row.replaced:
                    ledger.ended(row, row.state, row.reason, [(row.block, row.predicted)])
                    decided.append(f"{row.address}: {row.job or row.tag} will be submitted again")
        else:
            unknown = ledger.jobs(states=["sending"])
            if submitted is not None and unknown:
                unknown = [_matching(held, unknown, submitted)]
            for row in unknown:
                if submitted is None:
                    ledger.not_sent(row.number, "not accepted, as a person decided")
                    decided.append(f"{row.address}: it will be submitted again")
                else:
                    ledger.submitted(row.number, submitted)
                    decided.append(f"{row.address}: its job is {submitted}")
        if not decided:
            raise RunError(f"{run}: there is nothing to decide; continue with: qrnn run {run}")
        for line in decided:
            held.directory.log(line)
    return {"decided": decided}


def _matching(held: Opened, unknown: list[JobRow], job: str) -> JobRow:
    """The submission that a job came from, by the job's tags."""
    try:
        tags = next(iter(held.services().values())).tags(job)  # one account knows all its jobs
    except LookupError:
        raise RunError(f"the service does not know a job {job}") from None
    for row in unknown:
        if row.tag in tags:
            return row
    raise RunError(
        f"job {job} is not the one: its tags are {', '.join(tags) or 'none'}, and the submission "
        f"had {', '.join(row.tag for row in unknown)}"
    )


def _charge(ledger: Ledger, service: JobService, row: JobRow) -> None:
    seconds = service.usage(row.job or "")
    if seconds is not None:
        ledger.used(row.number, seconds)


def jobs_table(run: Path, *, refresh: bool = False) -> list[dict[str, Any]]:
    """The run's QPU jobs as the ledger has them, open ones as the service sees them if asked.

    Args:
        run: its directory.
        refresh: ask the service, also for the length of the device's queue; nothing is recorded.
    """
    directory = RunDirectory.open(Path(run))
    ledger = Ledger(directory.path, looking=True)
    try:
        rows = [row for row in ledger.jobs() if row.backend]
        services = Opened(directory, ledger).services() if refresh and rows else {}
    finally:
        ledger.close()
    waiting = {
        name: one.queue_length() for name, one in services.items() if isinstance(one, Queued)
    }
    table = []
    for row in rows:
        state, queue = row.state, None
        if services and row.state == "submitted":
            state = services[row.backend].report(row.job or "").state
            queue = waiting.get(row.backend) if state == "queued" else None
        table.append(
            {
                "address": row.address,
                "backend": row.backend,
                "job": row.job,
                "state": state,
                "attempt": row.attempt + 1,
                "rows": row.block.stop - row.block.start,
                "shots": row.block.shots,
                "predicted_seconds": round(row.predicted, 3),
                "used_seconds": row.used,
                "sent": None if row.sent is None else _time(row.sent),
                "age_hours": None if row.sent is None else round(_hours_since(row.sent), 3),
                **({"jobs_in_queue": queue} if refresh else {}),
                "reason": row.reason or None,
            }
        )
    return table


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")


def _hours_since(seconds: float) -> float:
    return max(0.0, time.time() - seconds) / HOUR_S


def spending(run: Path, budget: BudgetSpec) -> dict[str, Any]:
    """What a run has spent and has left, from its ledger alone."""
    ledger = Ledger(Path(run), looking=True)
    try:
        spent = ledger.spending()
        under_way = ledger.jobs(states=OPEN[1:])
    finally:
        ledger.close()
    left = budget.qpu_seconds
    found: dict[str, Any] = {
        "qpu_jobs": spent.jobs,
        "qpu_jobs_open": len(under_way),
        "executions": spent.executions,
        "qpu_seconds_charged": round(spent.charged, 3),
        "qpu_seconds_expected": round(spent.open, 3),
        "qpu_seconds_left": None if left is None else round(left - spent.total, 3),
        "charged_over_predicted": round(spent.factor, 3),
        "hours_since_start": round(spent.hours, 3),
    }
    if budget.wall_hours is not None:
        found["hours_left"] = round(budget.wall_hours - spent.hours, 3)
    if budget.money_per_second is not None:
        money = spent.total * budget.money_per_second
        found["money"] = round(money, 2)
        found["money_left"] = None if budget.money is None else round(budget.money - money, 2)
    return found


def export_ledger(run: Path) -> list[dict[str, Any]]:
    """All jobs of a run's ledger, one mapping each, for other programs."""
    ledger = Ledger(RunDirectory.open(Path(run)).path, looking=True)
    try:
        requests = {request.address: request for request in ledger.requests()}
        rows = ledger.jobs()
    finally:
        ledger.close()
    return [
        {
            "number": row.number,
            "address": row.address,
            "digest": requests[row.address].digest,
            "request_state": requests[row.address].state,
            "rows": [row.block.start, row.block.stop],
            "shots": [row.block.first_shot, row.block.first_shot + row.block.shots],
            "attempt": row.attempt,
            "tag": row.tag,
            "state": row.state,
            "replaced": row.replaced,
            "backend": row.backend or None,
            "job": row.job,
            "planned": row.planned,
            "sent": row.sent,
            "predicted_seconds": row.predicted,
            "used_seconds": row.used,
            "calibration": row.calibration,
            "result": row.result,
            "reason": row.reason or None,
        }
        for row in rows
    ]
