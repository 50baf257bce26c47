"""A reporter that writes event files."""

from __future__ import annotations

from pathlib import Path
from typing import final

from tensorboardX import SummaryWriter

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.run.reporter import Reporter, Silent, StepReport


@final
class TensorBoard:
    """Writes each training step to event files, and hands all progress on to another reporter.

    Scalars, by step: `loss/train` with `loss/train_error`, `loss/validation`, `gradient/norm`,
    `gradient/error`, `gradient/signal_to_noise` (the median weight's), `spent/shots`,
    `spent/qpu_seconds`. A continued run adds its steps beside those of before.
    """

    def __init__(self, folder: str | Path, also: Reporter | None = None) -> None:
        """Make a reporter.

        Args:
            folder: where TensorBoard looks; made where it is missing.
            also: receives the same progress.

        Raises:
            RunError: if the folder cannot be written.
        """
        try:
            self._writer = SummaryWriter(str(folder))
        except OSError as error:
            raise RunError(f"cannot write {folder}: {error.strerror}") from None
        self._also = also or Silent()

    def start(self, total_steps: int, description: str) -> None:
        """Hand on."""
        self._also.start(total_steps, description)

    def step(self, report: StepReport) -> None:
        """Write one step."""
        gradient = report.gradient
        ratios = sorted(gradient.signal_to_noise or ()) if gradient is not None else []
        values = {
            "loss/train": report.loss,
            "loss/train_error": report.loss_standard_error,
            "loss/validation": report.validation_loss,
            "gradient/norm": report.gradient_norm,
            "gradient/error": None if gradient is None else gradient.error,
            "gradient/signal_to_noise": ratios[len(ratios) // 2] if ratios else None,
            "spent/shots": report.shots_used or None,
            "spent/qpu_seconds": report.qpu_seconds_used or None,
        }
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, report.step)
        self._also.step(report)

    def part(self, text: str) -> None:
        """Hand on."""
        self._also.part(text)

    def message(self, text: str) -> None:
        """Hand on."""
        self._also.message(text)

    def stop(self) -> None:
        """Close the files; does nothing the second time."""
        self._writer.close()
        self._also.stop()
