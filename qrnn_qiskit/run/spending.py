"""What a run has spent on a quantum computer, from its ledger alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

from qrnn_qiskit.errors import BudgetError
from qrnn_qiskit.run.ledger_format import JobRow

# The service stops a job after this multiple of its prediction and so many seconds more.
LIMIT_FACTOR: Final = 3.0
LIMIT_EXTRA_S: Final = 10.0


@final
@dataclass(frozen=True, slots=True)
class Spending:
    """QPU seconds of a run.

    Attributes:
        charged: what the service says that jobs have used.
        open: predicted for jobs that it has not said it of; every job that may have been accepted.
        factor: charged over predicted, of jobs where both are known; 1 before the first.
        jobs: submissions that may have been accepted.
    """

    charged: float
    open: float
    factor: float
    jobs: int

    @property
    def total(self) -> float:
        return self.charged + self.open

    @staticmethod
    def of(jobs: Iterable[JobRow]) -> Spending:
        """The sum over all jobs of a ledger."""
        sent = [job for job in jobs if job.backend and job.state != "intent"]
        known = [job for job in sent if job.used is not None]
        # Failures cut a job short: only whole ones say how good the prediction is.
        whole = [job for job in known if job.state == "completed" and job.predicted > 0]
        charged = math.fsum(job.used or 0.0 for job in known)
        predicted = math.fsum(job.predicted for job in whole)
        factor = math.fsum(job.used or 0.0 for job in whole) / predicted if predicted else 1.0
        waiting = math.fsum(job.predicted for job in sent if job.used is None)
        return Spending(charged, waiting * factor, factor, len(sent))

    def afford(self, predicted: float, budget: float | None) -> None:
        """Refuse a submission that the budget does not allow.

        Args:
            predicted: QPU seconds, before calibration.
            budget: QPU seconds of the run; None for no limit.

        Raises:
            BudgetError: saying what to type to go on.
        """
        needed = self.total + predicted * self.factor
        if budget is not None and needed > budget:
            raise BudgetError(
                f"the next QPU job would take the run to {needed:,.1f} of budget.qpu_seconds = "
                f"{budget:,} ({self.charged:,.1f} charged so far, {self.open:,.1f} expected of "
                "jobs under way); all so far is kept: continue it with --set "
                "budget.qpu_seconds=MORE"
            )

    def limit(self, predicted: float, budget: float | None) -> int:
        """QPU seconds after which the service shall stop a job."""
        expected = predicted * self.factor
        limit = LIMIT_FACTOR * expected + LIMIT_EXTRA_S
        if budget is not None:
            limit = max(expected, min(limit, budget - self.total))
        return max(1, math.ceil(limit))
