"""Jobs and sessions of the service, as it remembers them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from qrnn_qiskit.emulator.requests import JobRequest

JobStatus = Literal["Queued", "Running", "Completed", "Failed", "Cancelled"]
End = Literal["", "fail_job", "cancel_job", "lose_results", "empty_results", "wrong_shape"]
FINAL: Final = ("Completed", "Failed", "Cancelled")
RAN_TOO_LONG: Final = 1305


class Fate(BaseModel):
    """What faults have in store for a job.

    Attributes:
        end: the action of the fault; "" lets the job run.
        reason: why it fails.
        code: number of the reason.
        hidden_seconds: how long it is left out of listings.
    """

    end: End = ""
    reason: str | None = None
    code: int | None = None
    hidden_seconds: float = 0.0


class Job(BaseModel):
    """A job; times are seconds since the epoch.

    Attributes:
        number: counts the jobs of a service.
        instance: who pays.
        fate: what faults have in store for it.
        estimated_seconds: of QPU time.
        charged_seconds: of QPU time, once it ran.
        results: as the client reads them; None before, and when they are gone.
    """

    model_config = ConfigDict(validate_assignment=True)

    id: str
    number: int
    instance: str
    request: JobRequest
    tags: list[str]
    created: float
    fate: Fate
    status: JobStatus = "Queued"
    reason: str | None = None
    reason_code: int | None = None
    started: float | None = None
    finished: float | None = None
    estimated_seconds: float
    charged_seconds: float = 0.0
    results: str | None = None
    logs: list[str]

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in FINAL

    def end(
        self, status: JobStatus, now: float, reason: str | None = None, code: int | None = None
    ) -> None:
        """Put the job into a final state."""
        self.status, self.finished, self.reason, self.reason_code = status, now, reason, code

    def document(self, with_params: bool) -> dict[str, Any]:
        """The job as the service sends it."""
        state = {"status": self.status, "reason": self.reason, "reason_code": self.reason_code}
        document = {
            "id": self.id,
            "backend": self.request.backend,
            "program": {"id": self.request.program_id},
            "created": timestamp(self.created),
            "status": self.status,
            "state": {key: value for key, value in state.items() if value is not None},
            "tags": self.tags,
            "session_id": self.request.session_id,
            "private": self.request.private,
            "cost": self.request.cost,
            "estimated_running_time_seconds": self.estimated_seconds,
        }
        return document | ({"params": self.request.params} if with_params else {})

    def metrics(self) -> dict[str, Any]:
        """Times and QPU time as the service sends them."""
        times = {"created": self.created, "running": self.started, "finished": self.finished}
        return {
            "timestamps": {k: None if v is None else timestamp(v) for k, v in times.items()},
            "usage": {
                "status": "complete" if self.is_final else "pending",
                "qpu_charge_time_seconds": self.charged_seconds,
            },
        }


class Session(BaseModel):
    """A session or a batch."""

    model_config = ConfigDict(validate_assignment=True)

    id: str
    mode: Literal["dedicated", "batch"]
    backend: str
    instance: str
    max_ttl: int | None
    created: float
    accepting_jobs: bool = True
    started: float | None = None
    closed: float | None = None

    def close(self, now: float) -> None:
        """Accept no more jobs."""
        self.accepting_jobs = False
        if self.closed is None:
            self.closed = now

    def is_open(self, now: float) -> bool:
        """Whether it takes jobs: not closed, and its time not over."""
        if self.started is not None and self.max_ttl is not None:
            return self.accepting_jobs and now < self.started + self.max_ttl
        return self.accepting_jobs

    def document(self, jobs: list[Job], now: float) -> dict[str, Any]:
        """The session as the service sends it.

        Args:
            jobs: those of the session.
            now: seconds since the epoch.
        """
        busy = any(not job.is_final for job in jobs)
        state = "active" if self.started is not None else "open"
        if not self.is_open(now) and not busy:
            state = "closed"
        last = {
            "last_job_started": max(
                (j.started for j in jobs if j.started is not None), default=None
            ),
            "last_job_completed": max(
                (j.finished for j in jobs if j.finished is not None), default=None
            ),
            "started_at": self.created,
            "activated_at": self.started,
            "closed_at": self.closed,
        }
        return {
            "id": self.id,
            "backend_name": self.backend,
            "mode": self.mode,
            "max_ttl": self.max_ttl,
            "active_ttl": self.max_ttl,
            "interactive_ttl": 60,
            "state": state,
            "accepting_jobs": self.is_open(now),
            "elapsed_time": self.elapsed(jobs, now),
            "timestamps": [],
        } | {key: None if value is None else timestamp(value) for key, value in last.items()}

    def elapsed(self, jobs: list[Job], now: float) -> float:
        """Seconds that are charged: of its jobs, and for a session at least its wall clock."""
        charged = sum(job.charged_seconds for job in jobs)
        if self.mode == "batch" or self.started is None:
            return charged
        end = now if self.closed is None else self.closed
        return max(charged, end - self.started)


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as the service writes times."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
