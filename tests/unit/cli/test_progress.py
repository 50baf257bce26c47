from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from qrnn_qiskit.cli.progress import BarReporter, LineReporter, make_reporter, report_text


@dataclass(frozen=True)
class Report:
    """The fields of a `StepReport`."""

    step: int = 0
    loss: float = 0.123456
    loss_standard_error: float | None = 0.0021
    validation_loss: float | None = None
    gradient_norm: float = 0.5
    shots_used: int = 0
    shots_left: int | None = None
    qpu_seconds_used: float = 0.0


def report(number: int = 1, **fields: Any) -> Any:
    """Of the step that people call `number`; reports count from 0."""
    return Report(step=number - 1, **fields)


def test_a_report_says_what_is_known() -> None:
    assert report_text(report()) == "loss 0.1235 ± 0.0021  |gradient| 0.5"
    full = report(validation_loss=0.25, shots_used=4096, shots_left=1024, qpu_seconds_used=2.25)
    assert report_text(full) == (
        "loss 0.1235 ± 0.0021  validation 0.25  |gradient| 0.5  shots 4,096 (1,024 left)  QPU 2.2 s"
    )


def test_lines_are_few_and_hold_the_first_and_the_last_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reporter = LineReporter()
    reporter.start(1000, "training")
    for step in range(1, 1001):
        reporter.step(report(step))
    reporter.stop()
    reporter.stop()
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert lines[0] == "training: 1,000 steps"
    assert lines[1].startswith("step    1/1000  loss ")
    assert lines[-1].startswith("step 1000/1000  loss ")
    assert 15 <= len(lines) <= 25


def test_a_run_that_stops_early_shows_its_last_step(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = LineReporter()
    reporter.start(1000, "training")
    for step in range(501, 510):
        reporter.step(report(step))
    reporter.message("stopped early: no improvement")
    reporter.stop()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("/")[0] for line in lines[1:]] == [
        "step  501",
        "stopped early: no improvement",
        "step  509",
    ]


def test_silence_does_not_last(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    reporter = LineReporter()
    reporter.start(10_000, "training")
    for step in range(1, 10):
        reporter.step(report(step))
    assert len(capsys.readouterr().err.splitlines()) > 3


def test_the_bar_shows_steps_figures_and_messages(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = BarReporter()
    reporter.message("before [the] bar")
    reporter.start(10, "training [a]")
    reporter.step(report(4))
    reporter.message("a message")
    reporter.stop()
    reporter.stop()
    captured = capsys.readouterr()
    assert captured.out == ""
    for text in ("before [the] bar", "a message", "training [a]", "4/10", "0.1235 ± 0.0021"):
        assert text in captured.err


def test_stderr_that_is_no_terminal_gets_lines() -> None:
    assert isinstance(make_reporter(), LineReporter)
