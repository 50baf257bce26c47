"""What a training says while it runs; the command line turns it into a progress bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final


@final
@dataclass(frozen=True, slots=True)
class GradientReport:
    """How a step got its gradient, and which weights it tells little about.

    Attributes:
        method: the rule.
        step: of a difference, in rad; None for other rules.
        shots: of this gradient; 0 if exact.
        rows: evaluated rows.
        error: root of the summed variances of the components; None if exact.
        reason: why so, in a few words; empty if the job leaves no choice.
        dead: weights that cannot influence the loss.
        in_noise: weights whose mean gradient over recent steps is smaller than its error.
        signal_to_noise: of each weight, that mean gradient's size over its error, three digits;
            None if exact.
    """

    method: str
    step: float | None
    shots: int
    rows: int
    error: float | None
    reason: str
    dead: tuple[str, ...]
    in_noise: tuple[str, ...]
    signal_to_noise: tuple[float, ...] | None = None


@final
@dataclass(frozen=True, slots=True)
class StepReport:
    """One training step; also one line of `history.jsonl`.

    Attributes:
        step: 0-based.
        loss: of the minibatch at the weights before the update.
        loss_standard_error: 1 sigma of shot noise; None if exact.
        validation_loss: where the step validated.
        gradient_norm: Euclidean, before clipping.
        shots_used: since the start of the run.
        shots_left: of the budget; None without one.
        qpu_seconds_used: predicted cost on the device so far; 0 on simulators.
        parameters: weights and readout parameters after the update, if they are to be kept.
        gradient: how the step got it; None for the iterations of a minimizer.
    """

    step: int
    loss: float
    loss_standard_error: float | None
    validation_loss: float | None
    gradient_norm: float
    shots_used: int
    shots_left: int | None
    qpu_seconds_used: float
    parameters: list[float] | None = None
    gradient: GradientReport | None = None


class Reporter(Protocol):
    """Receives progress; display is its own business."""

    def start(self, total_steps: int, description: str) -> None:
        """Work of `total_steps` begins."""
        ...

    def step(self, report: StepReport) -> None:
        """A step is done."""
        ...

    def part(self, text: str) -> None:
        """A part of work without training steps is done; `text` says which."""
        ...

    def message(self, text: str) -> None:
        """Something worth a line."""
        ...

    def stop(self) -> None:
        """The work ended, well or not."""
        ...


class Silent:
    """Says nothing; one that listens to some of it overrides those methods."""

    def start(self, total_steps: int, description: str) -> None:
        """Nothing."""

    def step(self, report: StepReport) -> None:
        """Nothing."""

    def part(self, text: str) -> None:
        """Nothing."""

    def message(self, text: str) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""
