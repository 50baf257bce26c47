"""What a run has spent on a quantum computer, from its ledger alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, final

from qrnn_qiskit.errors import BudgetError

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

    def afford(self, predicted: float, budget: float | None, more: int, jobs: int | None) -> None:
        """Refuse a submission that the budget does not allow.

        Args:
            predicted: QPU seconds, before calibration.
            budget: QPU seconds of the run; None for no limit.
            more: how many jobs.
            jobs: of the run; None for no limit.

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

        if jobs is not None and self.jobs + more > jobs:
            raise BudgetError(
                f"the next {more} QPU jobs would take the run to {self.jobs + more:,} of "
                f"budget.qpu_jobs = {jobs:,}; all so far is kept: continue it with --set "
                "budget.qpu_jobs=MORE"
            )

    def limit(self, predicted: float, budget: float | None) -> int:
        """QPU seconds after which the service shall stop a job."""
        expected = predicted * self.factor
        limit = LIMIT_FACTOR * expected + LIMIT_EXTRA_S
        if budget is not None:
            limit = max(expected, min(limit, budget - self.total))
        return max(1, math.ceil(limit))


def afford_shots(recorded: int, more: int, budget: int | None) -> None:
    """Refuse shots that the budget of a run does not allow.

    Args:
        recorded: shots so far.
        more: of the next evaluation.
        budget: shots of the run; None for no limit.

    Raises:
        BudgetError: by how much.
    """
    if budget is not None and recorded + more > budget:
        raise BudgetError(
            f"the next evaluation would take the run to {recorded + more:,} of budget.shots = "
            f"{budget:,}; all so far is kept: continue it with a larger budget"
        )
