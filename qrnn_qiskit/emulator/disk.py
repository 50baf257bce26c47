"""The service's directory: one file for each job and session, replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import final

from qrnn_qiskit.emulator.jobs import Job, Session


@final
class Disk:
    """Files of jobs and sessions; without a directory it keeps nothing."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        if directory is not None:
            for kind in ("jobs", "sessions"):
                (directory / kind).mkdir(parents=True, exist_ok=True)

    def jobs(self) -> Iterator[Job]:
        """The jobs on disk."""
        for path in self._files("jobs"):
            yield Job.model_validate_json(path.read_bytes())

    def sessions(self) -> Iterator[Session]:
        """The sessions on disk."""
        for path in self._files("sessions"):
            yield Session.model_validate_json(path.read_bytes())

    def save_job(self, job: Job) -> None:
        """Write a job."""
        self._write("jobs", job.id, job)

    def save_session(self, session: Session) -> None:
        """Write a session."""
        self._write("sessions", session.id, session)

    def delete_job(self, job_id: str) -> None:
        """Remove a job."""
        if self._directory is not None:
            (self._directory / "jobs" / f"{job_id}.json").unlink(missing_ok=True)

    def _files(self, kind: str) -> list[Path]:
        return [] if self._directory is None else sorted((self._directory / kind).glob("*.json"))

    def _write(self, kind: str, name: str, model: Job | Session) -> None:
        if self._directory is None:
            return
        path = self._directory / kind / f"{name}.json"
        new = path.with_suffix(".new")
        new.write_text(model.model_dump_json(), encoding="utf-8")
        os.replace(new, path)
