"""A process that has imported everything and forks a child for each command that a test sends.

So a real SIGKILL costs no second start of the interpreter.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

ROOT = Path(__file__).parents[2]
TOKEN = "planted-token-that-nobody-must-ever-see"
GRACE_S = 0.6


@dataclass
class Forker:
    """The process that forks; a context manager. Its module calls `serve`."""

    folder: Path
    module: ClassVar[str]
    _process: subprocess.Popen[str] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", self.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(self.folder)},
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def ask(self, command: Mapping[str, Any]) -> int:
        """Have a child do something: its exit code, or minus the signal that ended it."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({**command, "folder": str(self.folder)}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def serve(child: Callable[[dict[str, Any]], None]) -> None:
    """Read commands, fork for each, say how it ended. Before it only imports: threads do not fork.

    Args:
        child: does what a command says, and leaves by `os._exit`.
    """
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            child(json.loads(line))
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    os._exit(0)  # nothing to clean up, and to unload all libraries takes its time


def hurry(**constants: float) -> None:
    """Shorten the waits of submissions in this process, each where it is defined."""
    from qrnn_qiskit.execution.backends import ibm_client
    from qrnn_qiskit.run.service import submission, waiting

    shorter = {"FIRST_POLL_S": 0.02, "LAST_POLL_S": 0.2, "GRACE_S": GRACE_S, **constants}
    for name, value in shorter.items():
        homes = [m for m in (submission, waiting, ibm_client) if hasattr(m, name)]
        assert homes, name
        for module in homes:
            setattr(module, name, value)


def die_at(end: str, nth: int) -> None:
    """Kill this process when it reaches a point of the ledger for the nth time."""
    from qrnn_qiskit.run.record import ledger

    left = nth

    def reached(point: str) -> None:
        nonlocal left
        if point == end:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    ledger.reached = reached
