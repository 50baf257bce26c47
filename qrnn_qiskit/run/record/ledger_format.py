"""The ledger's tables and rows, and how older ones become them."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, final

from qrnn_qiskit.execution.service import Block

FORMAT: Final = 3
OPEN: Final = ("intent", "sending", "submitted")
ENDED: Final = ("failed", "cancelled", "lost")
CALIBRATION: Final = "calibration"  # a fact's name, before the device and the date
SESSION_COST: Final = "cost of session"  # a fact's name, before the session's id
BEGAN: Final = "began"  # a fact's name: time of the first intent to submit to a service
SCHEMA: Final = """
CREATE TABLE fact (                -- of the run: its id, session
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
CREATE TABLE request (
    address   TEXT PRIMARY KEY,   -- place in the run: step and call
    digest    TEXT NOT NULL,      -- SHA-256 of the work asked for
    state     TEXT NOT NULL CHECK (state IN ('planned', 'completed')),
    shots     INTEGER NOT NULL,   -- of all rows together
    plan      TEXT NOT NULL       -- payload file
);
CREATE TABLE job (
    number    INTEGER PRIMARY KEY,    -- order of the intents
    address   TEXT NOT NULL REFERENCES request (address),
    block     TEXT NOT NULL,          -- rows and shots, as JSON
    attempt   INTEGER NOT NULL,       -- 0 for the first
    tag       TEXT NOT NULL,          -- of the QPU job, unique but for duplicates
    state     TEXT NOT NULL CHECK (state IN ('intent', 'sending', 'submitted', 'completed',
                                             'failed', 'cancelled', 'lost', 'duplicate')),
    replaced  INTEGER NOT NULL DEFAULT 0,  -- whether other jobs have taken its block
    backend   TEXT NOT NULL,
    job       TEXT,                   -- id at the service
    planned   REAL NOT NULL,          -- time of the intent, seconds since 1970: a label
    sent      REAL,                   -- time of the submission: a label
    turn      INTEGER,                -- order of the submissions
    predicted REAL NOT NULL,          -- QPU seconds
    used      REAL,                   -- QPU seconds that the service charged
    result    TEXT,                   -- payload file
    reason    TEXT NOT NULL DEFAULT '',
    calibration TEXT                  -- date of the device's, at the submission
);
CREATE INDEX job_address ON job (address);
CREATE INDEX job_state ON job (state);
CREATE UNIQUE INDEX job_id ON job (job) WHERE job IS NOT NULL AND backend <> '';
"""
JOB_COLUMNS: Final = (
    "number, address, block, attempt, tag, state, replaced, backend, job, planned, sent, "
    "turn, predicted, used, result, reason, calibration"
)


@final
@dataclass(frozen=True, slots=True)
class Request:
    """One evaluation with shots: `state` is planned or completed."""

    address: str
    digest: str
    state: str
    shots: int
    plan: str


@final
@dataclass(frozen=True, slots=True)
class JobRow:
    """One attempt to have a block run; see the schema. Local executors leave `backend` empty."""

    number: int
    address: str
    block: Block
    attempt: int
    tag: str
    state: str
    replaced: bool
    backend: str
    job: str | None
    planned: float
    sent: float | None
    turn: int | None
    predicted: float
    used: float | None
    result: str | None
    reason: str
    calibration: str | None = None


def upgrade_1(database: sqlite3.Connection) -> None:
    """Fill the tables from those of format 1, which stand in `request_1`.

    Format 1 had one job for each request, and local executors only.
    """
    old = database.execute(
        "SELECT address, digest, state, shots, plan, job, result FROM request_1 ORDER BY rowid"
    ).fetchall()
    for address, digest, state, shots, plan, job, result in old:
        done = state == "completed"
        database.execute(
            "INSERT INTO request VALUES (?, ?, ?, ?, ?)",
            (address, digest, "completed" if done else "planned", shots, plan),
        )
        # Its one block holds all of it, so that its borders are never looked at.
        database.execute(
            "INSERT INTO job (address, block, attempt, tag, state, backend, job, planned, "
            "predicted, result) VALUES (?, ?, 0, ?, ?, '', ?, 0, 0, ?)",
            (
                address,
                block_text(Block(0, 1, 0, shots)),
                f"format-1-{address}",
                "completed" if done else "intent",
                job,
                result,
            ),
        )
    database.execute("DROP TABLE request_1")


def upgrade_2(database: sqlite3.Connection) -> None:
    """Add what format 2 did not keep: the calibration of a job's device."""
    database.execute("ALTER TABLE job ADD COLUMN calibration TEXT")


def block_text(block: Block) -> str:
    """A block as it is stored."""
    fields = ("start", "stop", "first_shot", "shots")
    return json.dumps({name: getattr(block, name) for name in fields})


@lru_cache(maxsize=1024)  # the blocks of one step are those of the next
def _block(text: str) -> Block:
    return Block(**json.loads(text))


def job_row(row: tuple[Any, ...]) -> JobRow:
    """A row of `JOB_COLUMNS`."""
    values = list(row)
    values[2], values[6] = _block(row[2]), bool(row[6])
    return JobRow(*values)


def copied(path: Path) -> sqlite3.Connection:
    """A ledger in memory; the file is left as it is."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there")
    copy = sqlite3.connect(":memory:", isolation_level=None)
    source = sqlite3.connect(path)
    try:
        source.backup(copy)
    finally:
        source.close()
    return copy
