"""How many shots each row of a plan gets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, final

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.gradients.allocation import FORWARD_SHARE, allocate
from qrnn_qiskit.gradients.plan import EvaluationPlan

Allocation = Literal["uniform", "optimal"]


@final
@dataclass(frozen=True, slots=True)
class ShotPlan:
    """Shots of a gradient: so many a row, or so many together.

    Attributes:
        per_row: shots of each row, on average over the rows if `allocation` is "optimal"; None if
            exact or if `total` is given.
        total: shots of all rows together, at most.
        forward: shots of each base row, to the nearest multiple of the other rows' (of a `total`
            not above it). If None, as many as other rows; with "optimal" `share` of all shots.
        allocation: "uniform", or "optimal": the shares of least predicted variance, where every
            row can have a handful of shots; else uniform too.
        spread: what "optimal" goes by, see `gradients.allocation.row_spread`.
        share: of all shots, for the base rows together.
        tiles: copies of the circuit on the device: shots of a row are multiples of it, `per_row`
            and `forward` rounded up, `total` down.
    """

    per_row: int | None = None
    total: int | None = None
    forward: int | None = None
    allocation: Allocation = "uniform"
    spread: Array | None = field(default=None, compare=False)
    share: float = FORWARD_SHARE
    tiles: int = 1

    def apply(
        self, plan: EvaluationPlan, *, drawn: bool = False
    ) -> tuple[EvaluationPlan, int | None]:
        """The plan with its repeats, and the shots of one repeat.

        Args:
            plan: of a rule.
            drawn: the repeats say how often the rule has drawn a row, so they stay.

        Raises:
            BackendError: if the total gives a row fewer than 2 shots.
        """
        if self.tiles > 1:
            return self._on_tiles(plan, drawn)
        if self.allocation == "optimal":
            total = self.total
            if self.per_row is not None:
                total = self.per_row * plan.total_repeats
            found = None if total is None else self._optimal(plan, total, drawn)
            if found is not None:
                return found
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

    def _on_tiles(self, plan: EvaluationPlan, drawn: bool) -> tuple[EvaluationPlan, int | None]:
        """The same counted in executions, each of which brings a shot on every tile."""
        per_row, forward = (
            None if shots is None else -(-shots // self.tiles)
            for shots in (self.per_row, self.forward)
        )
        total = None if self.total is None else self.total // self.tiles
        alone = replace(self, per_row=per_row, total=total, forward=forward, tiles=1)
        try:
            plan, executions = alone.apply(plan, drawn=drawn)
        except BackendError as error:
            raise BackendError(
                f"{error}; counted in executions, each of which brings {self.tiles} shots, one on "
                "every tile (backend.tiles)"
            ) from None
        return plan, None if executions is None else executions * self.tiles

    def _optimal(
        self, plan: EvaluationPlan, total: int, drawn: bool
    ) -> tuple[EvaluationPlan, int] | None:
        forward = self.forward
        if forward is None:
            forward = max(1, int(self.share * total) // plan.num_sequences)
        return allocate(plan, total, forward=forward, spread=self.spread, drawn=drawn)

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
