"""How many shots each row of a plan gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.gradients.plan import EvaluationPlan


@final
@dataclass(frozen=True, slots=True)
class ShotPlan:
    """Shots of a gradient: so many a row, or so many together.

    Attributes:
        per_row: shots of each row; None if exact or if `total` is given.
        total: shots of all rows together, at most.
        forward: shots of each base row, to the nearest multiple of the other rows' (of a `total`
            not above it); as many as other rows if None.
    """

    per_row: int | None = None
    total: int | None = None
    forward: int | None = None

    def apply(self, plan: EvaluationPlan) -> tuple[EvaluationPlan, int | None]:
        """The plan with repeats for the base rows, and the shots of each row.

        Raises:
            BackendError: if the total gives a row fewer than 2 shots.
        """
        shots = self.per_row if self.total is None else self._share(plan, self.total)
        if shots is None or self.forward is None:
            return plan, shots
        repeats, base = plan.repeats.copy(), plan.num_sequences
        times = round(self.forward / shots)
        if self.total is not None:
            affordable = (self.total // shots - (plan.num_rows - base)) // base
            times = min(self.forward // shots, affordable)
        repeats[:base] = max(1, times)
        return plan.with_repeats(repeats), shots

    def _share(self, plan: EvaluationPlan, total: int) -> int:
        """Shots of each row that is no base row; a row with repeats counts that often."""
        rows, base = plan.total_repeats, plan.num_sequences
        shots, needed = total // rows, 2 * rows
        if self.forward is not None and self.forward > shots and rows > base:
            shots = (total - base * self.forward) // (rows - base)
            needed = base * self.forward + 2 * (rows - base)
        if shots < 2:
            raise BackendError(
                f"gradient.shots_total = {total} is too few for {rows} rows: at least "
                f"{needed}, or fewer sequences (training.batch_size)"
            )
        return shots
