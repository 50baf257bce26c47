"""Jobs alone, in a batch or in a session: what is open, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, final

from qrnn_qiskit.execution.backends.ibm_client import Client
from qrnn_qiskit.execution.service import NotSent, OutcomeUnknown

MAX_SESSION_SECONDS: Final = 8 * 3600  # of one session, however large the budget
Mode = Literal["job", "batch", "session"]


@final
class OpenMode:
    """The backend itself, or the batch or session that a run has open."""

    def __init__(self, client: Client, backend: Any, mode: Mode) -> None:
        self._client = client
        self._backend = backend
        self._mode = mode
        self._session: Any = None
        self._recorded: str | None = None
        self._save: Callable[[str], None] = lambda session: None
        self._sharing = 1

    def keep(self, recorded: str | None, save: Callable[[str], None], sharing: int) -> None:
        """Go on in a recorded session or batch; see `Resumable.keep_session`."""
        self._recorded, self._save, self._sharing = recorded, save, sharing

    def open(self, seconds: int | None) -> Any:
        """What the Sampler takes as its mode; a closed batch or session is opened anew.

        Args:
            seconds: that sessions of the run may still cost, their wall clock; None for no limit.

        Raises:
            NotSent: if it cannot be opened now.
            Unreachable: if the service does not answer.
        """
        if self._mode == "job":
            return self._backend
        if (session := self._taken_up()) is not None and not self._accepts(session):
            self._session = None
        if self._session is None:
            longest = self._longest(seconds)
            try:
                with self._client.submitting(lambda: None):
                    self._session = self._kind()(backend=self._backend, max_time=longest)
            except OutcomeUnknown as error:  # one that is never used costs nothing
                raise NotSent(str(error)) from None
            self._save(str(self._session.session_id))
        return self._session

    def _taken_up(self) -> Any:
        """The batch or session that is known, of an earlier process too; None if there is none."""
        if self._session is None and self._recorded is not None:
            self._session = self._kind()(backend=self._backend, create_new=False)
            self._session._session_id = self._recorded
            self._recorded = None
        return self._session

    def _accepts(self, session: Any) -> bool:
        details = self._client.ask(session.details) or {}
        return bool(details.get("accepting_jobs", True)) and details.get("state") != "closed"

    def _kind(self) -> Any:
        from qiskit_ibm_runtime import Batch, Session

        return Batch if self._mode == "batch" else Session

    def _longest(self, seconds: int | None) -> int | None:
        """After how long the service closes a session by itself, whatever becomes of the run."""
        if self._mode != "session":  # a batch costs what its jobs cost
            return None
        if seconds is None:
            return MAX_SESSION_SECONDS
        return max(1, min(MAX_SESSION_SECONDS, seconds // self._sharing))

    def seconds(self) -> tuple[str, float] | None:
        """Id and cost of the open session; None in other modes."""
        if self._mode != "session" or (session := self._taken_up()) is None:
            return None
        return str(session.session_id), float(self._client.ask(session.usage) or 0.0)

    def close(self) -> None:
        """Tell the service that no more jobs come, so that a session costs no more."""
        session = None if self._mode == "job" else self._taken_up()
        if session is not None and self._accepts(session):
            self._client.ask(session.close)
