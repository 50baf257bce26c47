"""The money of a run, and of several runs that share it.

Runs that share a budget name one folder. Each leaves a note there of where it is and what it was
planned to cost; what they have spent is read from their ledgers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, final

from filelock import FileLock

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.run.record.durable import write_durably
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.service.spending import (
    Allowance,
    Others,
    Spending,
    Work,
    affordable_seconds,
)
from qrnn_qiskit.spec.backend import BudgetSpec


@final
class SharedBudget:
    """What the other runs have spent that share a run's budget, and what is kept for them.

    While a run is not finished, an equal share of the budget is kept for it, or what it was planned
    to cost if that is less: no run starves another.
    """

    def __init__(self, folder: Path, run: Path, ledger: Ledger, planned: float) -> None:
        """Join.

        Args:
            folder: that the runs name.
            run: directory of the run.
            ledger: of the run.
            planned: QPU seconds of the run.

        Raises:
            RunError: if the folder cannot be written.
        """
        self._folder = folder
        self._own = f"{ledger.run_id}.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            note = folder / self._own
            if not note.exists() or json.loads(note.read_text("utf-8"))["run"] != str(
                run.resolve()
            ):
                content = {"run": str(run.resolve()), "planned": planned}
                write_durably(note, json.dumps(content).encode())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"budget.shared = {folder} cannot be used: {error}") from None
        self._lock = FileLock(folder / ".lock")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One submission of all runs at a time."""
        with self._lock:
            yield

    def others(self, limit: float | None) -> Others:
        """What they have spent; of seconds also what is kept for those that go on.

        Args:
            limit: QPU seconds that all may spend.

        Raises:
            RunError: if one of them cannot be read.
        """
        found = [
            _state(path) for path in sorted(self._folder.glob("*.json")) if path.name != self._own
        ]
        finished = sum(spent.total for done, spent, _ in found if done)
        going_on = [(spent, planned) for done, spent, planned in found if not done]
        share = 0.0 if limit is None else max(0.0, limit - finished) / (len(going_on) + 1)
        kept = [max(spent.total, min(share, planned)) for spent, planned in going_on]
        return Others(
            seconds=finished + sum(kept),
            jobs=sum(spent.jobs for _, spent, _ in found),
            executions=sum(spent.executions for _, spent, _ in found),
            runs=len(found),
        )


def _state(note: Path) -> tuple[bool, Spending, float]:
    """Whether a run is finished, what it has spent, and what it was planned to cost."""
    try:
        content: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        run = Path(content["run"])
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        ledger = Ledger(run, looking=True)
        try:
            return record["state"] == "done", ledger.spending(), float(content["planned"])
        finally:
            ledger.close()
    except (OSError, ValueError, KeyError, TypeError, RunError) as error:
        raise RunError(
            f"{note} names a run that shares this budget and cannot be read ({error}): put it "
            "back, or delete the note if it has spent nothing"
        ) from None


@final
class Purse:
    """Weighs one submission at a time against the budget."""

    def __init__(
        self, ledger: Ledger, budget: BudgetSpec, shared: SharedBudget | None = None
    ) -> None:
        self._ledger = ledger
        self._budget = budget
        self._shared = shared
        self._lock = threading.Lock()

    def afford(self, work: Work) -> Callable[[float], Allowance]:
        """Refuse what the budget does not allow.

        Returns:
            From the predicted QPU seconds of a job to what the service shall allow it.

        Raises:
            BudgetError: saying what to type to go on.
        """
        spending, budget = self._ledger.spending(), self._budget
        others = Others()
        if self._shared is not None:
            others = self._shared.others(affordable_seconds(budget))
        spending.afford(work, budget, others)
        return lambda predicted: spending.allowance(predicted, budget, others)

    def check_hours(self) -> None:
        """Refuse to go on when the run's time is over.

        Raises:
            BudgetError: saying what to type to go on.
        """
        if self._budget.wall_hours is not None:
            self._ledger.spending().check_hours(self._budget)

    @contextmanager
    def entered(self) -> Iterator[Callable[[], None]]:
        """Hold the purse from the check to the record; what is yielded lets go of it early."""
        with ExitStack() as held:
            held.enter_context(self._lock)
            if self._shared is not None:
                held.enter_context(self._shared.locked())
            yield held.close
