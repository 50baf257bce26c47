"""The run directory: all that a run leaves, and what it needs to go on after a kill."""

from __future__ import annotations

import datetime
import io
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from filelock import FileLock, Timeout

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.run.record.durable import write_durably
from qrnn_qiskit.run.reporter import StepReport

FORMAT: Final = 1
SCRIPT: Final = "script"  # `kind` of a run that no job file has started


@final
class RunDirectory:
    """One run's files.

    `run.json` holds the resolved job, provenance and state; `history.jsonl` a line for each
    training step; `weights.json` the result; `checkpoint.npz` what a resumed run starts from;
    `ledger.sqlite` and `payload/` the evaluations with shots; `log.txt` what happened when.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(path: Path, record: Mapping[str, Any]) -> RunDirectory:
        """Make a new run directory with its `run.json`.

        Raises:
            RunError: if the directory holds something already, or cannot be written.
        """
        try:
            if is_run(path):
                raise RunError(
                    f"{path} holds a run already: continue it with: qrnn run {path}, or choose "
                    "another --run-dir"
                )
            # A kill right here in an earlier attempt leaves `run.json.part` at most.
            if path.exists() and (
                not path.is_dir() or any(item.name != "run.json.part" for item in path.iterdir())
            ):
                raise RunError(
                    f"run directory {path} is not an empty folder: choose another --run-dir"
                )
            path.mkdir(parents=True, exist_ok=True)
            directory = RunDirectory(path)
            directory.write_json("run.json", {"format": FORMAT, **record})
        except OSError as error:
            raise RunError(
                f"cannot write the run directory {path}: {error.strerror}: choose another with "
                "--run-dir"
            ) from None
        return directory

    @staticmethod
    def open(path: Path) -> RunDirectory:
        """An existing run directory.

        Raises:
            RunError: if there is none, or of a format this version does not read.
        """
        directory = RunDirectory(path)
        record = directory.record()
        if record.get("format") != FORMAT:
            raise RunError(
                f"{path}/run.json has format {record.get('format')!r}, but this version reads "
                f"{FORMAT}: upgrade qrnn-qiskit"
            )
        return directory

    def record(self) -> dict[str, Any]:
        """What `run.json` holds."""
        return self.read_json("run.json")

    def update(self, **changes: Any) -> None:
        """Change entries of `run.json`."""
        self.write_json("run.json", {**self.record(), **changes})

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON file of the run.

        Raises:
            RunError: if it is missing or damaged.
        """
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
        except OSError:
            raise RunError(f"{self.path} is no run directory: it has no {name}") from None
        except ValueError as error:
            raise RunError(f"{self.path / name} is damaged: {error}") from None
        if not isinstance(content, dict):
            raise RunError(f"{self.path / name} is damaged: it must hold a JSON object")
        return content

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Replace a JSON file atomically."""
        text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
        self.write_text(name, text + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Replace a text file atomically."""
        write_durably(self.path / name, text.encode())

    def write_arrays(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Replace an npz file atomically."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        write_durably(self.path / name, buffer.getvalue())

    def append_history(self, report: StepReport) -> None:
        """Add a training step to `history.jsonl`."""
        entry = asdict(report)
        entry["shots"] = entry.pop("shots_used")
        entry["qpu_seconds"] = entry.pop("qpu_seconds_used")
        del entry["shots_left"]
        if report.parameters is None:
            del entry["parameters"]
        if report.gradient is None:
            del entry["gradient"]
        with (self.path / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def sync_history(self) -> None:
        """Have every step that `append_history` was told of survive a loss of power."""
        path = self.path / "history.jsonl"
        if path.exists():
            with path.open("rb") as file:
                os.fsync(file.fileno())

    def history(self) -> list[dict[str, Any]]:
        """All whole lines of `history.jsonl`."""
        path = self.path / "history.jsonl"
        entries = []
        for line in path.read_bytes().splitlines() if path.exists() else []:
            try:
                entries.append(json.loads(line))
            except ValueError:  # torn by a crash, or being written now
                continue
        return entries

    def last_step(self) -> dict[str, Any]:
        """The last entry of `history.jsonl`; empty before the first step is done."""
        path = self.path / "history.jsonl"
        for line in reversed(path.read_bytes().splitlines() if path.exists() else []):
            try:
                entry: dict[str, Any] = json.loads(line)
            except ValueError:  # torn by a crash, or being written now
                continue
            return entry
        return {}

    def truncate_history(self, steps: int) -> None:
        """Forget the steps from number `steps` on: a resumed run writes them again."""
        path = self.path / "history.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)[:steps] if path.exists() else []
        write_durably(path, b"".join(lines))

    def log(self, text: str) -> None:
        """Add a line with the time to `log.txt`."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        with (self.path / "log.txt").open("a", encoding="utf-8") as file:
            file.write(f"{now} {text}\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for writing.

        Raises:
            RunError: if another process holds it.
        """
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(
                f"another process is working on {self.path}: wait for it, or stop it"
            ) from None
        except OSError as error:
            raise RunError(f"cannot write to {self.path}: {error.strerror}") from None
        try:
            yield
        finally:
            lock.release()


def is_run(path: str | Path) -> bool:
    """Whether a path is a run directory rather than a job file."""
    return (Path(path) / "run.json").is_file()


def default_path(name: str) -> Path:
    """`runs/<date>-<name>-<id>` in the current directory."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Path("runs") / f"{today}-{name}-{secrets.token_hex(2)}"


def check_writable(path: Path) -> None:
    """Refuse early a place where no run directory can be made.

    Raises:
        RunError: naming the first existing folder above, which cannot be written.
    """
    parent = path
    while not os.path.exists(parent):  # never raises, unlike Path.exists
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise RunError(
            f"cannot write the run directory {path}: {parent} is not a writable folder: choose "
            "another with --run-dir"
        )
