"""The ledger: what was asked, submitted and received, durable before it is used.

SQLite with a rollback journal and `synchronous = EXTRA`: a commit survives loss of power. Payloads
(plans, bits) are npz files beside it, named by their content, written before the row that names
them. One writer at a time; the run directory's lock sees to that.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from qrnn_qiskit.errors import RunError

FORMAT: Final = 1
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS request (
    address   TEXT PRIMARY KEY,   -- place in the run: step and call
    digest    TEXT NOT NULL,      -- SHA-256 of the work asked for
    state     TEXT NOT NULL CHECK (state IN ('planned', 'submitted', 'completed')),
    shots     INTEGER NOT NULL,   -- of all rows together
    plan      TEXT NOT NULL,      -- payload file
    job       TEXT,               -- id of the QPU job
    result    TEXT                -- payload file
)
"""
_COLUMNS: Final = "address, digest, state, shots, job, result"


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One request: `state` is planned, submitted or completed."""

    address: str
    digest: str
    state: str
    shots: int
    job: str | None
    result: str | None


@final
class Ledger:
    """The record of one run."""

    def __init__(self, directory: Path) -> None:
        """Open or create the ledger of a run directory.

        Raises:
            RunError: if the file is not a ledger this version can read.
        """
        self._payload = directory / "payload"
        self._path = directory / "ledger.sqlite"
        try:
            self._payload.mkdir(exist_ok=True)
            self._database = sqlite3.connect(self._path, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise RunError(f"cannot open the ledger {self._path}: {error}") from None
        try:
            self._prepare()
        except RunError:
            self.close()
            raise

    def _prepare(self) -> None:
        self._execute("PRAGMA journal_mode = DELETE")
        self._execute("PRAGMA synchronous = EXTRA")
        ((version,),) = self._execute("PRAGMA user_version")
        if version == FORMAT:
            return
        if version != 0:
            raise RunError(
                f"{self._path} has format {version}, but this version reads {FORMAT}: "
                "upgrade qrnn-qiskit"
            )
        self._execute(SCHEMA)
        self._execute(f"PRAGMA user_version = {FORMAT}")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def find(self, address: str) -> Entry | None:
        """The entry at an address."""
        rows = self._execute(f"SELECT {_COLUMNS} FROM request WHERE address = ?", address)
        return Entry(*rows[0]) if rows else None

    def entries(self) -> list[Entry]:
        """All entries in the order in which they were planned."""
        return [
            Entry(*row) for row in self._execute(f"SELECT {_COLUMNS} FROM request ORDER BY rowid")
        ]

    def plan(self, address: str, digest: str, shots: int, payload: bytes) -> None:
        """Record the intent to evaluate a plan, before it is submitted."""
        name = self._store(payload)
        self._execute(
            "INSERT INTO request (address, digest, state, shots, plan) "
            "VALUES (?, ?, 'planned', ?, ?)",
            address,
            digest,
            shots,
            name,
        )

    def submit(self, address: str, job: str) -> None:
        """Record the id of the job, right after the submission."""
        self._execute(
            "UPDATE request SET state = 'submitted', job = ? WHERE address = ?", job, address
        )

    def complete(self, address: str, payload: bytes) -> None:
        """Record the outcomes, before they are used."""
        name = self._store(payload)
        self._execute(
            "UPDATE request SET state = 'completed', result = ? WHERE address = ?", name, address
        )

    def load(self, entry: Entry) -> bytes:
        """The outcomes of a completed entry.

        Raises:
            RunError: if the payload is missing or damaged.
        """
        path = self._payload / (entry.result or "")
        remedy = "restore it from a backup, or start a new run"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise RunError(
                f"the recorded result of {entry.address} cannot be read: {path}: {error.strerror}; "
                f"{remedy}"
            ) from None
        if hashlib.sha256(data).hexdigest() + ".npz" != path.name:
            raise RunError(f"the recorded result of {entry.address} is damaged: {path}; {remedy}")
        return data

    def _execute(self, statement: str, *values: str | int) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise RunError(f"the ledger {self._path} cannot be used: {error}") from None

    def _store(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest() + ".npz"
        path = self._payload / name
        if not path.exists():
            write_durably(path, data)
        return name


def write_durably(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole, or not at all, even after loss of power."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
