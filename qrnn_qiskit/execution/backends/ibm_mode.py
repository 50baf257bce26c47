"""Jobs alone, in a batch or in a session: what is open, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, final

from qrnn_qiskit.execution.backends.ibm_client import Client
from qrnn_qiskit.execution.service import NotSent, OutcomeUnknown

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

    def keep(self, recorded: str | None, save: Callable[[str], None]) -> None:
        """Go on in a recorded session or batch, and tell the id of a new one."""
        self._recorded, self._save = recorded, save

    def open(self) -> Any:
        """What the Sampler takes as its mode; a closed batch or session is opened anew.

        Raises:
            NotSent: if it cannot be opened now.
            Unreachable: if the service does not answer.
        """
        if self._mode == "job":
            return self._backend
        from qiskit_ibm_runtime import Batch, Session

        kind: Any = Batch if self._mode == "batch" else Session
        if self._session is None and self._recorded is not None:
            self._session = kind(backend=self._backend, create_new=False)
            self._session._session_id = self._recorded
        if self._session is not None:
            details = self._client.ask(self._session.details) or {}
            if not details.get("accepting_jobs", True) or details.get("state") == "closed":
                self._session = None
        if self._session is None:
            try:
                with self._client.submitting(lambda: None):
                    self._session = kind(backend=self._backend)
            except OutcomeUnknown as error:  # one that is never used costs nothing
                raise NotSent(str(error)) from None
            self._save(str(self._session.session_id))
        return self._session

    def seconds(self) -> tuple[str, float] | None:
        """Id and cost of the open session; None in other modes."""
        if self._mode != "session" or self._session is None:
            return None
        return str(self._session.session_id), float(self._client.ask(self._session.usage) or 0.0)

    def close(self) -> None:
        """Tell the service that no more jobs come, so that a session costs no more."""
        if self._session is not None:
            self._client.ask(self._session.close)
