"""Plans and outcomes beside the ledger: files that are named by their content."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import final

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.run.record.durable import write_durably


@final
class Payload:
    """A folder of npz files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def make(self) -> None:
        """Make the folder."""
        self._folder.mkdir(exist_ok=True, mode=0o700)

    def store(self, data: bytes) -> str:
        """Write a file durably; returns its name.

        Raises:
            RunError: if it cannot be written.
        """
        name = hashlib.sha256(data).hexdigest() + ".npz"
        path = self._folder / name
        try:
            with self._lock:  # two threads may have the same to write
                if not path.exists():
                    write_durably(path, data)
        except OSError as error:
            raise RunError(
                f"cannot write {path}: {error.strerror}; all that is recorded is kept: make room "
                "and run again"
            ) from None
        return name

    def read(self, name: str, what: str) -> bytes:
        """The content of a file; `what` it is, for the error.

        Raises:
            RunError: if it is missing or damaged.
        """
        path = self._folder / Path(name).name
        remedy = "restore it from a backup, or start a new run"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise RunError(
                f"the recorded {what} cannot be read: {path}: {error.strerror}; {remedy}"
            ) from None
        if hashlib.sha256(data).hexdigest() + ".npz" != path.name:
            raise RunError(f"the recorded {what} is damaged: {path}; {remedy}")
        return data
