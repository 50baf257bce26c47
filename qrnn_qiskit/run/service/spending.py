"""What a run has spent on a quantum computer, from its ledger alone."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final, final

from qrnn_qiskit.errors import BudgetError
from qrnn_qiskit.spec.backend import BudgetSpec

# The service stops a job after this multiple of its prediction and so many seconds more.
LIMIT_FACTOR: Final = 3.0
LIMIT_EXTRA_S: Final = 10.0
HOUR_S: Final = 3600.0


@final
@dataclass(frozen=True, slots=True)
class Work:
    """What submissions are predicted to cost.

    Attributes:
        jobs: QPU jobs.
        executions: rows times shots, over all of them.
        seconds: QPU seconds, before calibration.
    """

    jobs: int
    executions: int
    seconds: float


@final
@dataclass(frozen=True, slots=True)
class Others:
    """What other runs have spent of the same budget, or is kept for them.

    Attributes:
        seconds: QPU seconds.
        jobs: QPU jobs.
        executions: of these.
        runs: how many runs.
    """

    seconds: float = 0.0
    jobs: int = 0
    executions: int = 0
    runs: int = 0


@final
@dataclass(frozen=True, slots=True)
class Allowance:
    """What the service shall not exceed by itself, should nobody look after the run.

    Attributes:
        job: QPU seconds after which it stops a job; None for its own limit.
        session: seconds of wall clock after which it closes a session; None for its own limit.
    """

    job: int | None
    session: int | None


@final
@dataclass(frozen=True, slots=True)
class Spending:
    """What a run has spent.

    Attributes:
        charged: QPU seconds that the service says that jobs have used.
        open: predicted for jobs that it has not said it of; every job that may have been accepted.
        factor: charged over predicted, of jobs where both are known; 1 before the first.
        jobs: submissions that may have been accepted.
        executions: of these.
        began: time of the first intent, seconds since 1970; None before it.
    """

    charged: float
    open: float
    factor: float
    jobs: int
    executions: int = 0
    began: float | None = None

    @property
    def total(self) -> float:
        """QPU seconds."""
        return self.charged + self.open

    @property
    def hours(self) -> float:
        """Hours since the first intent, whether anybody worked on the run or not."""
        return 0.0 if self.began is None else max(0.0, time.time() - self.began) / HOUR_S

    def afford(self, work: Work, budget: BudgetSpec, others: Others | None = None) -> None:
        """Refuse a submission that the budget does not allow.

        Args:
            work: to be submitted.
            budget: of the run, or of several.
            others: that share it.

        Raises:
            BudgetError: saying what to type to go on.
        """
        self.check_hours(budget)
        jobs = "the next QPU job" if work.jobs == 1 else f"the next {work.jobs} QPU jobs"
        others = others or Others()
        needed = others.seconds + self.total + work.seconds * self.factor
        so_far = (
            f" ({self.charged:,.1f} s charged so far, {self.open:,.1f} s expected of jobs under "
            "way)"
        )
        shared = ""
        if others.runs:
            so_far = f"{so_far[:-1]}, {others.seconds:,.1f} s spent by the others or kept for them)"
            shared = f", which it shares with {others.runs} more"
        rate = budget.money_per_second or 0.0
        for key, value, limit, detail in (
            ("qpu_seconds", round(needed, 1), budget.qpu_seconds, so_far),
            ("money", round(needed * rate, 2), budget.money, so_far),
            ("qpu_jobs", others.jobs + self.jobs + work.jobs, budget.qpu_jobs, ""),
            (
                "executions",
                others.executions + self.executions + work.executions,
                budget.executions,
                "",
            ),
        ):
            if limit is not None and value > limit:
                raise BudgetError(
                    f"{jobs} would take the run to {value:,} of budget.{key} = {limit:,}{shared}"
                    f"{detail}; all so far is kept: continue it with --set budget.{key}=MORE"
                )

    def check_hours(self, budget: BudgetSpec) -> None:
        """Refuse to go on when the time since the run's first intent is over.

        Raises:
            BudgetError: saying what to type to go on.
        """
        limit = budget.wall_hours
        if limit is not None and self.hours > limit:
            raise BudgetError(
                f"the run began {self.hours:,.3g} hours ago, and budget.wall_hours = {limit:,}: "
                "jobs under way go on at the service, and all so far is kept: continue the run "
                "with --set budget.wall_hours=MORE"
            )

    def allowance(self, predicted: float, budget: BudgetSpec, others: Others) -> Allowance:
        """What the service shall allow a job that is predicted to take so many QPU seconds."""
        expected = predicted * self.factor
        limit = LIMIT_FACTOR * expected + LIMIT_EXTRA_S
        allowed, session = affordable_seconds(budget), None
        if allowed is not None:
            session = allowed - others.seconds - self.total
            limit = max(expected, min(limit, session))
        if budget.wall_hours is not None:
            left = (budget.wall_hours - self.hours) * HOUR_S
            session = left if session is None else min(session, left)
        return Allowance(
            max(1, math.ceil(limit)), None if session is None else max(1, math.floor(session))
        )


def affordable_seconds(budget: BudgetSpec) -> float | None:
    """QPU seconds that a budget allows, those that its money buys included; None for no limit."""
    allowed = [] if budget.qpu_seconds is None else [budget.qpu_seconds]
    if budget.money is not None and budget.money_per_second:
        allowed.append(budget.money / budget.money_per_second)
    return min(allowed, default=None)


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
