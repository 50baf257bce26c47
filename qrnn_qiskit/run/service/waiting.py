"""Waiting for a service: politely, only as long as somebody waits, and never past the budget."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, TypeVar, final

from qrnn_qiskit.errors import PendingError
from qrnn_qiskit.execution.service import Unreachable

Answer = TypeVar("Answer")

FIRST_POLL_S = 1.0
LAST_POLL_S = 60.0
POLL_GROWTH: Final = 1.5


@final
class Waiting:
    """Delays of one thread that grow, and questions that are asked until they are answered."""

    def __init__(
        self,
        patient: bool,
        check: Callable[[], None],
        notify: Callable[[str], None],
        halt: threading.Event,
    ) -> None:
        """Make one.

        Args:
            patient: wait at all; otherwise raise `PendingError`.
            check: called before each delay; raises where the run may take no longer.
            notify: told what a person may want to know.
            halt: set when the run is interrupted; ends the thread at its next delay.
        """
        self._patient = patient
        self._check = check
        self._notify = notify
        self._halt = halt
        self.delay = FIRST_POLL_S

    def on(self, halt: threading.Event) -> Waiting:
        """The same for another thread."""
        return Waiting(self._patient, self._check, self._notify, halt)

    def begin(self) -> None:
        """Something new is waited for: ask often at first."""
        self.delay = FIRST_POLL_S

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """The service's answer, however long it is out of reach."""
        told = False
        while True:
            try:
                return question()
            except Unreachable as error:
                if not told:
                    self._notify(f"{error}; trying again")
                    told = True
                self.pause(str(error))

    def pause(self, text: str, seconds: float | None = None) -> None:
        """Wait, longer every time.

        Raises:
            PendingError: with the text, if nobody waits.
            BudgetError: if the run may take no longer.
            KeyboardInterrupt: if it was interrupted.
        """
        self._check()
        if not self._patient:
            raise PendingError(text)
        self.check_halt()
        time.sleep(self.delay if seconds is None else seconds)
        self.delay = min(LAST_POLL_S, self.delay * POLL_GROWTH)

    def check_halt(self) -> None:
        """End a thread whose run was interrupted.

        Raises:
            KeyboardInterrupt: if it was.
        """
        if self._halt.is_set():
            raise KeyboardInterrupt


@final
class Gate:
    """Lets one submission of a run at a time from its check of the budget to its record."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def entered(self) -> Iterator[Callable[[], None]]:
        """Hold the gate; what is yielded leaves it early."""
        with ExitStack() as held:
            held.enter_context(self._lock)
            yield held.close
