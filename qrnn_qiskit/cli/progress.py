"""Progress of a run on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, final

import typer

from qrnn_qiskit.cli.output import with_error

if TYPE_CHECKING:
    from rich.progress import TaskID

    from qrnn_qiskit.run.reporter import Reporter, StepReport

_MAX_LINES: Final = 20
_MAX_SILENCE_S: Final = 30.0


def make_reporter() -> Reporter:
    """The reporter that suits stderr."""
    return BarReporter() if sys.stderr.isatty() else LineReporter()


def report_text(report: StepReport) -> str:
    """Loss ± error, validation loss, gradient norm, shots used and left, QPU seconds."""
    parts = [f"loss {with_error(report.loss, report.loss_standard_error)}"]
    if report.validation_loss is not None:
        parts.append(f"validation {report.validation_loss:.4g}")
    parts.append(f"|gradient| {report.gradient_norm:.3g}")
    if report.shots_used:
        left = "" if report.shots_left is None else f" ({report.shots_left:,} left)"
        parts.append(f"shots {report.shots_used:,}{left}")
    if report.qpu_seconds_used:
        parts.append(f"QPU {report.qpu_seconds_used:.1f} s")
    return "  ".join(parts)


@final
class LineReporter:
    """Plain lines: the first and the last step, and about twenty between, or every half minute."""

    def __init__(self) -> None:
        self._total = 0
        self._parts = 0
        self._shown_step = 0
        self._shown_at = 0.0
        self._unshown: StepReport | None = None

    def start(self, total_steps: int, description: str) -> None:
        """Begin; `description` names the work."""
        self._total = total_steps
        self._parts = 0
        self._shown_step = 0
        typer.echo(f"{description}: {total_steps:,} steps", err=True)

    def step(self, report: StepReport) -> None:
        """Note a finished step."""
        self._unshown = report
        done = report.step + 1
        due = (
            self._shown_step == 0
            or done >= self._total
            or done - self._shown_step >= self._total / _MAX_LINES
            or time.monotonic() - self._shown_at >= _MAX_SILENCE_S
        )
        if due:
            self._show()

    def part(self, text: str) -> None:
        """Print which part is done."""
        self._parts += 1
        typer.echo(f"{self._parts}/{self._total}  {text}", err=True)

    def message(self, text: str) -> None:
        """Print a line of text."""
        typer.echo(text, err=True)

    def stop(self) -> None:
        """End, showing the last step if it was not; does nothing the second time."""
        self._show()

    def _show(self) -> None:
        report, self._unshown = self._unshown, None
        if report is None:
            return
        self._shown_step = report.step + 1
        self._shown_at = time.monotonic()
        width = len(str(self._total))
        place = f"step {report.step + 1:>{width}}/{self._total}"
        typer.echo(f"{place}  {report_text(report)}", err=True)


@final
class BarReporter:
    """A live bar with the latest figures below it; messages and warnings scroll above."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._live = Live(self._progress, console=console, refresh_per_second=4)
        self._task: TaskID | None = None

    def start(self, total_steps: int, description: str) -> None:
        """Show the bar; `description` names the work."""
        self._task = self._progress.add_task(description, total=total_steps)
        self._live.start()

    def step(self, report: StepReport) -> None:
        """Move the bar to a finished step."""
        from rich.console import Group
        from rich.text import Text

        if self._task is not None:
            self._progress.update(self._task, completed=report.step + 1)
        self._live.update(Group(self._progress, Text(report_text(report))))

    def part(self, text: str) -> None:
        """Move the bar by one, with the part's name above it."""
        if self._task is not None:
            self._progress.advance(self._task)
        self.message(text)

    def message(self, text: str) -> None:
        """Print a line of text above the bar."""
        self._live.console.print(text, markup=False, soft_wrap=True)

    def stop(self) -> None:
        """Leave the bar as it stands; does nothing the second time."""
        self._live.stop()
