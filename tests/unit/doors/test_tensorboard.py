"""Event files: what is in them, read without the library that wrote them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.run.jobs import run_job
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.reporter import Silent, StepReport

pytest.importorskip("tensorboardX")

from tensorboardX.proto.event_pb2 import Event

from qrnn_qiskit.tensorboard import TensorBoard


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Values by name and step, from TFRecords: length, its checksum, data, their checksum."""
    found: dict[str, dict[int, float]] = {}
    for path in folder.glob("events.out.tfevents.*"):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event: Any = Event.FromString(data[at + 12 : at + 12 + length])
            at += 12 + length + 4
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


class Counting(Silent):
    """Counts the steps handed on."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self, report: StepReport) -> None:
        self.steps += 1


def test_a_training_with_shots_is_all_there(tmp_path: Path) -> None:
    also = Counting()
    reporter = TensorBoard(tmp_path / "tb", also)
    settings = ["training.steps=3", "backend.shots=40", "gradient.method=parameter_shift"]
    run_job("train_parity2", overrides=settings, run_dir=tmp_path / "run", reporter=reporter)
    found = scalars(tmp_path / "tb")
    history = RunDirectory.open(tmp_path / "run").history()
    assert also.steps == len(history) == 3
    for name, key in (
        ("loss/train", "loss"),
        ("loss/train_error", "loss_standard_error"),
        ("gradient/norm", "gradient_norm"),
        ("spent/shots", "shots"),
    ):
        wanted = {entry["step"]: pytest.approx(entry[key], rel=1e-6) for entry in history}
        assert found[name] == wanted
    errors = {entry["step"]: entry["gradient"]["error"] for entry in history}
    assert found["gradient/error"] == pytest.approx(errors, rel=1e-6)
    assert set(found["gradient/signal_to_noise"]) == {0, 1, 2}
    assert "loss/validation" not in found


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="cannot write"):
        TensorBoard(tmp_path / "file" / "tb")
