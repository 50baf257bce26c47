"""Faults on demand: which request meets which misfortune."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, final, get_args

from pydantic import TypeAdapter, ValidationError

from qrnn_qiskit.emulator.routes import ROUTES
from qrnn_qiskit.errors import SpecError

NotHandled = Literal["status", "drop", "reset", "hang"]
"""The request has no effect: an error status; the connection closed, or reset; no answer."""
Handled = Literal["lose_answer", "status_after", "hang_after", "delay", "truncate", "empty"]
"""The request takes effect, then: the connection is closed without an answer; an error status; no
answer; a late answer; half of the body; no body."""
Elsewhere = Literal["expire_tokens", "close_sessions", "offline", "pause", "retire"]
"""Happens just before the request is handled."""
OfJob = Literal[
    "fail_job", "cancel_job", "lose_results", "empty_results", "wrong_shape", "hide_job"
]
"""Becomes of the job that the request makes (`POST /jobs` only)."""
Action: TypeAlias = NotHandled | Handled | Elsewhere | OfJob

NOT_HANDLED, HANDLED, ELSEWHERE, OF_JOB = (
    frozenset(get_args(kind)) for kind in (NotHandled, Handled, Elsewhere, OfJob)
)
SILENT = frozenset({"drop", "reset", "hang", "lose_answer", "hang_after"})
"""The client gets no answer."""
WAITING = frozenset({"hang", "hang_after", "delay"})
"""The connection stays open for `seconds` first."""


@final
@dataclass(frozen=True)
class Fault:
    """One misfortune.

    Attributes:
        route: the requests it may meet, such as `POST /jobs` (`routes.ROUTES`).
        action: what happens.
        nth: the first of those requests that it meets, counted from 1 since the fault was added.
        times: how many in a row; None for all that follow.
        status: of `status` and `status_after`.
        retry_after: seconds, sent with these.
        seconds: how long `hang`, `hang_after`, `delay` wait, and `hide_job` keeps the job out of
            listings.
        reason: why a job failed.
        reason_code: number of that reason; 1305 is the client's "ran too long".
        backend: of `offline`, `pause` and `retire`; "" means all.
    """

    route: str
    action: Action
    nth: int = 1
    times: int | None = 1
    status: int = 500
    retry_after: float | None = None
    seconds: float = 0.0
    reason: str = "the emulated device failed"
    reason_code: int | None = None
    backend: str = ""

    def __post_init__(self) -> None:
        if self.route not in ROUTES:
            raise SpecError(f"fault.route = {self.route!r}: choose one of {', '.join(ROUTES)}")
        if self.action not in NOT_HANDLED | HANDLED | ELSEWHERE | OF_JOB:
            known = ", ".join(sorted(NOT_HANDLED | HANDLED | ELSEWHERE | OF_JOB))
            raise SpecError(f"fault.action = {self.action!r}: choose one of {known}")
        if self.action in OF_JOB and self.route != "POST /jobs":
            raise SpecError(f"fault.action = {self.action!r} needs route = 'POST /jobs'")
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise SpecError("fault.nth and fault.times count from 1")
        if self.action in WAITING | {"hide_job"} and self.seconds <= 0:
            raise SpecError(f"fault.action = {self.action!r} needs seconds > 0")


@final
@dataclass
class _Armed:
    fault: Fault
    seen: int = field(default=0)

    def meets_next(self) -> bool:
        self.seen += 1
        after = self.seen - self.fault.nth
        return after >= 0 and (self.fault.times is None or after < self.fault.times)


@final
class FaultTable:
    """The faults of a service, safe to use from several threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._armed = [_Armed(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Add a fault; it counts requests from now on."""
        with self._lock:
            self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """No more faults."""
        with self._lock:
            self._armed.clear()

    def meeting(self, route: str) -> list[Fault]:
        """The faults that the next request of a route meets."""
        with self._lock:
            return [a.fault for a in self._armed if a.fault.route == route and a.meets_next()]


def read_faults(path: Path) -> list[Fault]:
    """Faults from a JSON file: a list of objects with the fields of `Fault`.

    Raises:
        SpecError: if the file is not that.
    """
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(list[Fault]).validate_python(document)
    except (OSError, json.JSONDecodeError) as error:
        raise SpecError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise SpecError(f"{path}: {place}: {first['msg']}") from error
