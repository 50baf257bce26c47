"""What a run has spent by its own count, held against its budget."""

from __future__ import annotations

from typing import final

from qrnn_qiskit.errors import BudgetError
from qrnn_qiskit.run.cost.budget import over
from qrnn_qiskit.run.cost.evaluations import qpu_seconds
from qrnn_qiskit.run.setup import Setup


@final
class Account:
    """What a run has spent, held against its budget.

    The plan before the start is an estimate: minimizers choose how often they evaluate.

    Attributes:
        shots: since the start of the run.
        qpu_seconds: predicted, since the start of the run.
    """

    def __init__(self, setup: Setup) -> None:
        self.shots = 0
        self.qpu_seconds = 0.0
        self._setup = setup

    def resume(self, shots: int, qpu_seconds: float) -> None:
        """Go on from what an interrupted run had spent."""
        self.shots, self.qpu_seconds = shots, qpu_seconds

    def charge(self, shots: int) -> None:
        """Pay for one evaluation.

        Raises:
            BudgetError: if the budget does not allow it; nothing is paid then.
        """
        budget = self._setup.job.budget
        seconds = self.qpu_seconds + qpu_seconds(self._setup, shots)
        shots += self.shots
        # On a real device the ledger, which knows the charges, holds the budget.
        allowed = None if self._setup.job.backend.is_service else budget.qpu_seconds
        for key, limit, used in (
            ("budget.shots", budget.shots, shots),
            ("budget.qpu_seconds", allowed, round(seconds, 1)),
        ):
            if over(limit, used) is not None:
                raise BudgetError(
                    f"the next evaluation would take the run to {used:,} of {key} = {limit:,}; "
                    f"all so far is kept: continue it with --set {key}=MORE"
                )
        self.shots, self.qpu_seconds = shots, seconds
