"""The ledger: what was asked, submitted, paid and received, durable before it is used.

SQLite with a rollback journal and `synchronous = EXTRA`: a commit survives loss of power. Payloads
(plans, bits) are npz files beside it, named by their content, written before the row that names
them. One writer at a time; the run directory's lock sees to that.

A request is cut into blocks; a job is one attempt to have a block run. States of a job:

    intent ─▶ sending ─▶ submitted ─▶ completed
                              ├─▶ failed, cancelled, lost     (a new job takes its block, or none)
                              └─▶ duplicate                   (the same job, accepted twice)

`intent` provably has not left; `sending` without an answer may have been accepted.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, final

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.execution.service import Block
from qrnn_qiskit.run.record.ledger_format import (
    BEGAN,
    CALIBRATION,
    FORMAT,
    JOB_COLUMNS,
    SCHEMA,
    SESSION_COST,
    JobRow,
    Request,
    block_text,
    copied,
    job_row,
    upgrade_1,
    upgrade_2,
)
from qrnn_qiskit.run.record.payload import Payload
from qrnn_qiskit.run.record.place import ledger_folder
from qrnn_qiskit.run.service.spending import Spending


def reached(point: str) -> None:
    """Called at every point where a kill must do no harm; tests put a kill in its place."""


@final
class Ledger:
    """The record of one run."""

    def __init__(self, directory: Path, *, looking: bool = False) -> None:
        """Open or create the ledger of a run directory.

        Args:
            directory: of the run.
            looking: only read: an older format is brought up to date in memory.

        Raises:
            RunError: if the file is not a ledger this version can read.
        """
        self.directory = directory
        folder = ledger_folder(directory)
        self.payload = Payload(folder / "payload")
        self._path = folder / "ledger.sqlite"
        self._lock = threading.RLock()
        try:
            if looking:
                self._database = copied(self._path)
            else:
                self.payload.make()
                # Threads of one process take turns by `_lock`.
                self._database = sqlite3.connect(
                    self._path, isolation_level=None, check_same_thread=False
                )
        except (OSError, sqlite3.Error) as error:
            raise RunError(f"cannot open the ledger {self._path}: {error}") from None
        try:
            self._prepare()
        except RunError:
            self.close()
            raise
        if not looking:
            with suppress(OSError):
                self._path.chmod(0o600)

    def _prepare(self) -> None:
        self._execute("PRAGMA journal_mode = DELETE")
        self._execute("PRAGMA synchronous = EXTRA")
        ((version,),) = self._execute("PRAGMA user_version")
        if version == FORMAT:
            return
        if version not in (0, 1, 2):
            raise RunError(
                f"{self._path} has format {version}, but this version reads up to {FORMAT}: "
                "upgrade qrnn-qiskit"
            )
        with self._transaction():
            if version == 2:
                upgrade_2(self._database)
                self._execute(f"PRAGMA user_version = {FORMAT}")
                return
            if version == 1:
                self._execute("ALTER TABLE request RENAME TO request_1")
            for statement in SCHEMA.split(";"):
                self._execute(statement)
            self._execute("INSERT INTO fact VALUES ('run', ?)", secrets.token_hex(8))
            if version == 1:
                upgrade_1(self._database)
            self._execute(f"PRAGMA user_version = {FORMAT}")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # -- facts of the run

    @property
    def run_id(self) -> str:
        """Random name of the run; a copy of the run directory has the same."""
        return self.fact("run") or ""

    def fact(self, name: str) -> str | None:
        """A fact of the run; None if it is not known."""
        rows = self._execute("SELECT value FROM fact WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def set_fact(self, name: str, value: str) -> None:
        """Record a fact of the run."""
        self._execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", name, value)

    # -- requests

    def find(self, address: str) -> Request | None:
        """The request at an address."""
        rows = self._execute(
            "SELECT address, digest, state, shots, plan FROM request WHERE address = ?", address
        )
        return Request(*rows[0]) if rows else None

    def requests(self) -> list[Request]:
        """All requests in the order in which they were planned."""
        rows = self._execute(
            "SELECT address, digest, state, shots, plan FROM request ORDER BY rowid"
        )
        return [Request(*row) for row in rows]

    def shots(self) -> int:
        """Shots of all requests together."""
        return int(self._execute("SELECT total(shots) FROM request")[0][0])

    def plan(
        self,
        address: str,
        digest: str,
        shots: int,
        payload: bytes,
        blocks: Sequence[tuple[Block, float]],
        backend: str = "",
    ) -> None:
        """Record the intent to evaluate a plan, before any of it is submitted.

        Args:
            address: place in the run.
            digest: of the work.
            shots: of all rows together.
            payload: the plan.
            blocks: with the QPU seconds predicted for each.
            backend: where they go; empty where jobs end with the process.
        """
        name = self.payload.store(payload)
        reached("before intent")
        with self._transaction():
            self._insert_request(address, digest, shots, name)
            for block, seconds in blocks:
                tag = self._tag(address, digest, block, 0)
                self._insert_job(address, block, 0, tag, backend, seconds)
            if backend:
                self._execute("INSERT OR IGNORE INTO fact VALUES (?, ?)", BEGAN, repr(time.time()))
        reached("intent")

    # -- jobs

    def jobs(
        self, address: str | None = None, states: Sequence[str] = (), *, uncharged: bool = False
    ) -> list[JobRow]:
        """Jobs in the order of their intents: of one request, in some states, or all.

        Args:
            address: of a request; None for any.
            states: allowed ones; empty for any.
            uncharged: only those that the service has accepted and not said the charge of.
        """
        where, values = ["1"], list[str]()
        if uncharged:
            where.append("job IS NOT NULL AND used IS NULL")
        if address is not None:
            where.append("address = ?")
            values.append(address)
        if states:
            where.append(f"state IN ({', '.join('?' * len(states))})")
            values += states
        rows = self._execute(
            f"SELECT {JOB_COLUMNS} FROM job WHERE {' AND '.join(where)} ORDER BY number", *values
        )
        return [job_row(row) for row in rows]

    def job(self, number: int) -> JobRow:
        """One job."""
        rows = self._execute(f"SELECT {JOB_COLUMNS} FROM job WHERE number = ?", number)
        return job_row(rows[0])

    def note_calibration(self, device: str, date: str, content: str) -> None:
        """Keep what a device states of the run's qubits, once for each date."""
        name = f"{CALIBRATION} {device} {date}"
        self._execute("INSERT OR IGNORE INTO fact VALUES (?, ?)", name, content)

    def sending(self, number: int, calibration: str = "") -> None:
        """Record that the submission leaves now, and the date of the device's calibration."""
        reached("before sending")
        self._execute(
            "UPDATE job SET state = 'sending', sent = ?, calibration = nullif(?, ''), "
            "turn = 1 + (SELECT coalesce(max(turn), 0) FROM job) WHERE number = ?",
            time.time(),
            calibration,
            number,
        )
        reached("sending")

    def not_sent(self, number: int, reason: str) -> None:
        """Record that a submission was not accepted, so that it may be sent again."""
        self._execute(
            "UPDATE job SET state = 'intent', job = NULL, reason = ? WHERE number = ?",
            reason,
            number,
        )
        reached("not sent")

    def note(self, number: int, reason: str) -> None:
        """Record what is known of a job."""
        self._execute("UPDATE job SET reason = ? WHERE number = ?", reason, number)

    def submitted(self, number: int, job: str) -> None:
        """Record the id of a job, right after its submission."""
        reached("before submitted")
        self._execute(
            "UPDATE job SET state = 'submitted', job = ?, reason = '' WHERE number = ?", job, number
        )
        reached("submitted")

    def completed(self, number: int, payload: bytes) -> None:
        """Record the outcomes of a job, before they are used, and the end of its request."""
        reached("before result")
        name = self.payload.store(payload)
        reached("payload")
        with self._transaction():
            self._execute(
                "UPDATE job SET state = 'completed', result = ? WHERE number = ?", name, number
            )
            self._execute(
                "UPDATE request SET state = 'completed' "
                "WHERE address = (SELECT address FROM job WHERE number = ?) AND NOT EXISTS "
                "(SELECT 1 FROM job WHERE job.address = request.address "
                "AND state <> 'completed' AND NOT replaced)",
                number,
            )
        reached("completed")

    def ended(
        self, row: JobRow, state: str, reason: str, blocks: Sequence[tuple[Block, float]] = ()
    ) -> None:
        """Record that a job failed, was cancelled or lost, with the blocks that replace it."""
        with self._transaction():
            self._execute(
                "UPDATE job SET state = ?, reason = ?, replaced = ? WHERE number = ?",
                state,
                reason,
                int(bool(blocks)),
                row.number,
            )
            request = self.find(row.address)
            for block, seconds in blocks:
                attempt = row.attempt + 1
                tag = self._tag(row.address, request.digest if request else "", block, attempt)
                self._insert_job(row.address, block, attempt, tag, row.backend, seconds)
        reached("ended")

    def duplicate(self, row: JobRow, job: str, reason: str) -> bool:
        """Record a job that was accepted in addition to the one that counts; False if known."""
        if self._execute("SELECT 1 FROM job WHERE job = ? AND backend <> ''", job):
            return False
        with self._transaction():
            number = self._insert_job(
                row.address, row.block, row.attempt, row.tag, row.backend, row.predicted
            )
            self._execute(
                "UPDATE job SET state = 'duplicate', job = ?, reason = ?, replaced = 1 "
                "WHERE number = ?",
                job,
                reason,
                number,
            )
        reached("duplicate")
        return True

    def used(self, number: int, seconds: float) -> None:
        """Record what the service charged for a job."""
        self._execute("UPDATE job SET used = ? WHERE number = ?", seconds, number)

    def spending(self) -> Spending:
        """What all jobs cost that may have been accepted."""
        ((jobs, charged, waiting, used, predicted, executions),) = self._execute(
            "SELECT count(*), total(used), total(predicted) FILTER (WHERE used IS NULL), "
            "total(used) FILTER (WHERE whole), total(predicted) FILTER (WHERE whole), "
            "total((json_extract(block, '$.stop') - json_extract(block, '$.start')) "
            "* json_extract(block, '$.shots')) FROM "
            # Failures cut a job short: only whole ones say how good the prediction is.
            "(SELECT *, state = 'completed' AND used IS NOT NULL AND predicted > 0 AS whole "
            "FROM job WHERE backend <> '' AND state <> 'intent')"
        )
        factor = used / predicted if predicted else 1.0
        ((sessions,),) = self._execute(
            "SELECT total(value) FROM fact WHERE name LIKE ?", f"{SESSION_COST} %"
        )
        charged = max(charged, sessions)  # a session is charged by the clock on the wall
        began = self.fact(BEGAN)
        return Spending(
            charged,
            waiting * factor,
            factor,
            jobs,
            int(executions),
            None if began is None else float(began),
        )

    def load(self, row: JobRow) -> bytes:
        """The outcomes of a completed job.

        Raises:
            RunError: if the payload is missing or damaged.
        """
        return self.payload.read(row.result or "", f"result of {row.address}")

    def load_plan(self, request: Request) -> bytes:
        """The plan of a request.

        Raises:
            RunError: if the payload is missing or damaged.
        """
        return self.payload.read(request.plan, f"plan of {request.address}")

    def _tag(self, address: str, digest: str, block: Block, attempt: int) -> str:
        identity = f"{self.run_id}/{address}/{digest}/{block_text(block)}/{attempt}"
        return f"qrnn-job-{hashlib.sha256(identity.encode()).hexdigest()[:24]}"

    def _insert_request(self, address: str, digest: str, shots: int, plan: str) -> None:
        self._execute(
            "INSERT INTO request VALUES (?, ?, 'planned', ?, ?)", address, digest, shots, plan
        )

    def _insert_job(
        self, address: str, block: Block, attempt: int, tag: str, backend: str, seconds: float
    ) -> int:
        ((number,),) = self._execute(
            "INSERT INTO job (address, block, attempt, tag, state, backend, planned, predicted) "
            "VALUES (?, ?, ?, ?, 'intent', ?, ?, ?) RETURNING number",
            address,
            block_text(block),
            attempt,
            tag,
            backend,
            time.time(),
            seconds,
        )
        return int(number)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                with suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise
            self._execute("COMMIT")

    def _execute(self, statement: str, *values: str | int | float) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise RunError(f"the ledger {self._path} cannot be used: {error}") from None
