"""What the service remembers, in memory and, where a directory is given, on disk as well."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final

from qrnn_qiskit.emulator.devices import Device, Devices, DeviceState
from qrnn_qiskit.emulator.disk import Disk
from qrnn_qiskit.emulator.jobs import Fate, Job, Session
from qrnn_qiskit.emulator.replies import Refusal
from qrnn_qiskit.emulator.requests import JobRequest, SessionRequest


@final
class State:
    """Jobs, sessions and devices of a service. All methods may be called from any thread.

    Attributes:
        devices: by name.
        changed: the lock of everything here; notified when a job may have become ready to run.
        held: while true, no queued job starts.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        clock: Callable[[], float],
        directory: Path | None,
        queue_seconds: float,
        usage_limit: float | None,
        usage_delay: float,
    ) -> None:
        """Make the state, from the directory if it holds one.

        Args:
            devices: of the service.
            clock: seconds since the epoch.
            directory: where to keep jobs and sessions; None for memory alone.
            queue_seconds: how long each job is queued.
            usage_limit: QPU seconds of each instance; jobs stay queued beyond. None for no limit.
            usage_delay: seconds from a job's end until its usage is known.

        Raises:
            BackendError: if there is no snapshot of a device.
        """
        self.devices = Devices(devices)
        self.changed = threading.Condition(threading.RLock())
        self.held = False
        self.now = clock
        self._queue_seconds = queue_seconds
        self._usage_limit = usage_limit
        self._usage_delay = usage_delay
        self._disk = Disk(directory)
        self._jobs = {job.id: job for job in self._disk.jobs()}
        self._sessions = {session.id: session for session in self._disk.sessions()}
        self._next_number = 1 + max((job.number for job in self._jobs.values()), default=0)
        for job in self._jobs.values():
            if job.status == "Running":  # when the service stopped; it starts over
                job.status, job.started = "Queued", None

    @property
    def usage_limit(self) -> float | None:
        """QPU seconds of each instance."""
        return self._usage_limit

    def submit(
        self,
        request: JobRequest,
        instance: str,
        estimated_seconds: float,
        notes: Sequence[str],
        fate: Fate,
    ) -> Job:
        """Take a job into the queue.

        Raises:
            Refusal: if its backend or its session does not accept it.
        """
        with self.changed:
            self.devices.get(request.backend)
            now = self.now()
            if request.session_id is not None:
                session = self.session(request.session_id, instance)
                if not session.is_open(now):
                    raise Refusal(400, f"session {session.id} is closed and accepts no more jobs")
                if session.backend != request.backend:
                    raise Refusal(400, f"session {session.id} runs on {session.backend}")
            job = Job(
                id=secrets.token_hex(10),
                number=self._next_number,
                instance=instance,
                request=request,
                tags=request.tags,
                created=now,
                fate=fate,
                estimated_seconds=estimated_seconds,
                logs=list(notes),
            )
            self._next_number += 1
            self._jobs[job.id] = job
            self.save(job)
            return job

    def save(self, job: Job) -> None:
        """Remember a change of a job."""
        with self.changed:
            self._disk.save_job(job)
            self.changed.notify_all()

    def job(self, job_id: str, instance: str | None = None) -> Job:
        """A job by id, if it is one of the instance.

        Raises:
            Refusal: status 404.
        """
        with self.changed:
            job = self._jobs.get(job_id)
            if job is None or instance not in (None, job.instance):
                raise Refusal(404, f"job {job_id} not found")
            return job

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        with self.changed:
            return sorted(self._jobs.values(), key=lambda job: job.number)

    def cancel(self, job_id: str, instance: str | None = None) -> None:
        """Cancel a job that has not ended.

        Raises:
            Refusal: status 404, or 409 if it has ended.
        """
        with self.changed:
            job = self.job(job_id, instance)
            if job.is_final:
                raise Refusal(409, f"job {job_id} is already {job.status.lower()}")
            job.end("Cancelled", self.now())
            self.save(job)

    def delete(self, job_id: str, instance: str) -> None:
        """Forget a job.

        Raises:
            Refusal: status 404, or 409 if it has not ended.
        """
        with self.changed:
            if not self.job(job_id, instance).is_final:
                raise Refusal(409, f"job {job_id} has not ended: cancel it first")
            del self._jobs[job_id]
            self._disk.delete_job(job_id)

    def open_session(self, request: SessionRequest, instance: str) -> Session:
        """Open a session or a batch.

        Raises:
            Refusal: if the backend does not exist.
        """
        with self.changed:
            self.devices.get(request.backend)
            session = Session(
                id=secrets.token_hex(10),
                mode=request.mode,
                backend=request.backend,
                instance=instance,
                max_ttl=request.max_ttl,
                created=self.now(),
            )
            self._sessions[session.id] = session
            self._disk.save_session(session)
            return session

    def session(self, session_id: str, instance: str | None = None) -> Session:
        """A session by id, if it is one of the instance.

        Raises:
            Refusal: status 404.
        """
        with self.changed:
            session = self._sessions.get(session_id)
            if session is None or instance not in (None, session.instance):
                raise Refusal(404, f"session {session_id} not found")
            return session

    def session_jobs(self, session_id: str) -> list[Job]:
        """The jobs of a session."""
        return [job for job in self.jobs() if job.request.session_id == session_id]

    def close_session(self, session_id: str, cancel_jobs: bool = False) -> None:
        """Let a session accept no more jobs.

        Args:
            session_id: of the session.
            cancel_jobs: whether its queued jobs end as well.

        Raises:
            Refusal: status 404.
        """
        with self.changed:
            session = self.session(session_id)
            session.close(self.now())
            self._disk.save_session(session)
            for job in self.session_jobs(session_id):
                if cancel_jobs and job.status == "Queued":
                    self.cancel(job.id)

    def open_sessions(self) -> list[str]:
        """Ids of the sessions that accept jobs."""
        with self.changed:
            return [s.id for s in self._sessions.values() if s.is_open(self.now())]

    def set_device_state(self, name: str, state: DeviceState) -> None:
        """Change a device's state.

        Raises:
            KeyError: if there is no such device.
        """
        with self.changed:
            self.devices.set_state(name, state)
            self.changed.notify_all()

    def status(self, name: str) -> dict[str, Any]:
        """Whether a device is working, and its queue with the jobs that wait here.

        Raises:
            Refusal: status 404.
        """
        with self.changed:
            found = self.devices.get(name).status
            mine = [job for job in self._jobs.values() if job.request.backend == name]
            queued = sum(job.status == "Queued" for job in mine)
            return found | {"length_queue": found["length_queue"] + queued}

    def hold(self, held: bool) -> None:
        """Start no queued job, or let them start again."""
        with self.changed:
            self.held = held
            self.changed.notify_all()

    def consumed(self, instance: str) -> float:
        """QPU seconds that an instance has used."""
        with self.changed:
            own = [job for job in self._jobs.values() if job.instance == instance]
            alone = sum(job.charged_seconds for job in own if job.request.session_id is None)
            return alone + sum(
                session.elapsed(self.session_jobs(session.id), self.now())
                for session in self._sessions.values()
                if session.instance == instance
            )

    def usage_is_known(self, job: Job) -> bool:
        """Whether the QPU seconds of a job are final."""
        return job.finished is not None and job.finished + self._usage_delay <= self.now()

    def is_spent(self, instance: str) -> bool:
        """Whether an instance has reached its limit."""
        return self._usage_limit is not None and self.consumed(instance) >= self._usage_limit

    def start_next(self) -> Job | None:
        """Start the oldest job that is ready, if there is one."""
        with self.changed:
            now = self.now()
            for job in [] if self.held else self.jobs():
                ready = (
                    job.status == "Queued"
                    and job.created + self._queue_seconds <= now
                    and self.devices.is_online(job.request.backend)
                    and not self.is_spent(job.instance)
                )
                if ready:
                    job.status, job.started = "Running", now
                    if job.request.session_id in self._sessions:
                        session = self._sessions[job.request.session_id or ""]
                        session.started = session.started or now
                        self._disk.save_session(session)
                    self.save(job)
                    return job
            return None

    def seconds_to_next(self) -> float | None:
        """How long until a queued job may be ready by the passing of time; None if none will be."""
        with self.changed:
            waits = [
                job.created + self._queue_seconds - self.now()
                for job in self._jobs.values()
                if job.status == "Queued"
            ]
            return min((wait for wait in waits if wait > 0), default=None)
