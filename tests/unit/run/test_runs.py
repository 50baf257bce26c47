"""Run directories: made whole or not at all, continued only as the work that they were."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit.cli import main
from qrnn_qiskit.errors import BudgetError, PendingError, QRNNError, RunError, SpecError
from qrnn_qiskit.run.jobs import run_job, status_run
from qrnn_qiskit.run.record.directory import FORMAT, RunDirectory, check_writable, default_path
from qrnn_qiskit.run.reporter import StepReport
from tests.unit.run.small import (
    CELL,
    Recorder,
    arrays,
    contents,
    history,
    write_cell,
    write_data,
    write_job,
)

SAMPLED: Any = {"backend": {"shots": 20}}


def interrupted(folder: Path, steps: int = 1, **tables: Any) -> Path:
    """A run that was interrupted after some steps."""
    job, run = write_job(folder, **tables), folder / "run"
    with pytest.raises(KeyboardInterrupt):
        run_job(job, run_dir=run, reporter=Recorder(interrupt_after=steps))
    return run


def comparable(run: Path) -> dict[str, bytes]:
    """The files of a run that must not depend on interruptions, but for npz files' dates."""
    found = contents(run)
    return {name: found[name] for name in ("history.jsonl", "weights.json", "table.json")}


@pytest.mark.parametrize("left", [[], ["run.json.part"]])
def test_a_kill_while_the_directory_is_made_does_not_block(left: list[str], tmp_path: Path) -> None:
    job, run = write_job(tmp_path), tmp_path / "deep" / "run"
    run.mkdir(parents=True)
    for name in left:
        (run / name).write_text('{"format": 1, "jo')
    result = run_job(job, run_dir=run)
    assert result.run_dir == run
    assert not list(run.glob("*.part"))
    assert RunDirectory.open(run).record()["state"] == "done"


def test_a_kill_right_after_the_record_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    job, run, whole = write_job(tmp_path), tmp_path / "run", tmp_path / "whole"
    run_job(job, run_dir=whole)
    run.mkdir()
    record = {**RunDirectory(whole).record(), "state": "running"}
    del record["summary"]
    RunDirectory(run).write_json("run.json", record)
    assert run_job(run).summary == run_job(whole).summary
    assert comparable(run) == comparable(whole)
    assert (run / "cell.qasm").read_bytes() == (whole / "cell.qasm").read_bytes()


class PowerCut(BaseException):
    """Where the machine stops; nothing catches it."""


def test_a_loss_of_power_costs_no_line_of_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file that was written to, what was not synced is gone."""
    job, run, whole = write_job(tmp_path), tmp_path / "run", tmp_path / "whole"
    run_job(job, run_dir=whole)
    synced: dict[int, int] = {}
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        sync(descriptor)
        status = os.fstat(descriptor)
        synced[status.st_ino] = status.st_size

    class Stopped(Recorder):
        def step(self, report: StepReport) -> None:
            super().step(report)
            if report.step == 2:
                raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fsync)
        patch.setattr("qrnn_qiskit.run.train.CHECKPOINT_SECONDS", -1.0)
        with pytest.raises(PowerCut):
            run_job(job, run_dir=run, reporter=Stopped())
    lines = run / "history.jsonl"
    assert len(history(run)) == 3
    with lines.open("r+b") as file:
        file.truncate(synced[lines.stat().st_ino])
    assert len(history(run)) == 2, "what the checkpoint knows of, and no more"
    run_job(run)
    assert comparable(run) == comparable(whole)


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    job, run = write_job(tmp_path), tmp_path / "run"
    run.mkdir()
    (run / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="run is not an empty folder: choose another --run-dir"):
        run_job(job, run_dir=run)
    assert contents(run) == {"notes.txt": b"mine"}
    with pytest.raises(RunError, match="notes.txt is not a writable folder"):
        run_job(job, run_dir=run / "notes.txt" / "below")


def test_a_run_is_not_overwritten_by_a_new_one(tmp_path: Path) -> None:
    run = interrupted(tmp_path)
    before = contents(run)
    with pytest.raises(RunError, match=f"holds a run already: continue it with: qrnn run {run}"):
        run_job(tmp_path / "job.toml", run_dir=run)
    assert contents(run) == before


def test_a_folder_that_cannot_be_written_is_refused_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not by permissions, which do not bind root.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(RunError, match=f"{tmp_path} is not a writable folder: choose another"):
        run_job(write_job(tmp_path), run_dir=tmp_path / "deep" / "run")
    assert not (tmp_path / "deep").exists()


def test_a_folder_that_may_not_even_be_looked_into_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "exists", refuse)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(RunError, match=f"{tmp_path} is not a writable folder"):
        check_writable(tmp_path / "run")


def test_failing_to_make_the_directory_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("qrnn_qiskit.run.record.directory.write_durably", fail)
    with pytest.raises(RunError, match="cannot write the run directory .*: No space left on dev"):
        run_job(write_job(tmp_path), run_dir=tmp_path / "run")


def test_a_finished_run_says_so_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job, run = write_job(tmp_path, **SAMPLED), tmp_path / "run"
    with pytest.raises(SystemExit) as exit_:
        main(["run", str(job), "--run-dir", str(run), "--json"])
    assert exit_.value.code == 0
    first = json.loads(capsys.readouterr().out)
    before = contents(run)
    # Without the cell and the data, too: nothing of them is needed any more.
    (tmp_path / "cell.qasm").unlink()
    (tmp_path / "data.npz").unlink()
    for extra in ([], ["--set", "budget.shots=1"]):
        with pytest.raises(SystemExit) as exit_:
            main(["run", str(run), "--json", *extra])
        assert exit_.value.code == 0
        captured = capsys.readouterr()
        assert captured.err == f"run {run} is finished: nothing to do\n"
        assert json.loads(captured.out) == first
        assert contents(run) == before


CHANGES = {
    "cell": "the cell has changed since the run was started",
    "data": "the data have changed since the run was started",
    "length": "the data have changed since the run was started",
    "weights": "the initial weights have changed since the run was started",
    "no cell": "cannot read the cell .*cell.qasm: No such file",
    "no data": "data file .*data.npz does not exist",
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_run_is_continued_only_as_the_work_it_was(what: str, tmp_path: Path) -> None:
    start = tmp_path / "start.json"
    start.write_text("[0.1, 0.2, 0.3]")
    run = interrupted(tmp_path, initial={"from": str(start)}, **SAMPLED)
    data = arrays()
    if what == "cell":
        write_cell(tmp_path, CELL.replace("ry(c)", "rx(c)"))
    elif what == "data":
        data["targets"][3, 1, 0] += 1e-9
        write_data(tmp_path, targets=data["targets"])
    elif what == "length":
        write_data(tmp_path, **{name: array[:, :2] for name, array in data.items()})
    elif what == "weights":
        start.write_text("[0.1, 0.2, 0.4]")
    elif what == "no cell":
        (tmp_path / "cell.qasm").unlink()
    else:
        (tmp_path / "data.npz").unlink()
    before = contents(run)
    with pytest.raises(QRNNError, match=CHANGES[what]) as refusal:
        run_job(run)
    if "changed" in CHANGES[what]:
        assert "restore the files that the job names, or start a new run" in str(refusal.value)
        assert str(run) in str(refusal.value)
    assert contents(run) == before

    write_cell(tmp_path)
    write_data(tmp_path)
    start.write_text("[0.1, 0.2, 0.3]")
    assert run_job(run).summary["steps"] == 4


def test_comments_in_the_cell_file_are_no_change(tmp_path: Path) -> None:
    run = interrupted(tmp_path)
    write_cell(tmp_path, CELL.replace("qubit[1] io;", "// input\nqubit[1]  io;"))
    run_job(run)


def test_only_the_budget_of_a_run_can_change(tmp_path: Path) -> None:
    run = interrupted(tmp_path, **SAMPLED, gradient={"method": "parameter_shift"})
    before = contents(run)
    with pytest.raises(RunError, match="--set training.steps=9: a run continues as it was started"):
        run_job(run, overrides=["training.steps=9"])
    with pytest.raises(SpecError, match="--run-dir is for new runs"):
        run_job(run, run_dir=tmp_path / "other")
    assert contents(run) == before
    with pytest.raises(BudgetError, match="of budget.shots = 3,000; all so far is kept"):
        run_job(run, overrides=["budget.shots=3000"])
    kept = len(history(run))
    with pytest.raises(BudgetError):
        run_job(run)  # the lower budget stays
    assert len(history(run)) == kept
    run_job(run, overrides=["budget.shots=300_000"])
    assert RunDirectory(run).record()["job"]["budget"] == {"shots": 300_000}
    run_job(tmp_path / "job.toml", run_dir=tmp_path / "whole")
    assert comparable(run) == comparable(tmp_path / "whole")


def test_interrupted_during_the_final_forecast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, run, whole = write_job(tmp_path, **SAMPLED), tmp_path / "run", tmp_path / "whole"
    expected = run_job(job, run_dir=whole).summary

    def pending(*arguments: Any) -> None:
        raise PendingError("job 7 is not done yet")

    with monkeypatch.context() as patch:
        patch.setattr("qrnn_qiskit.run.runs.compare", pending)
        with pytest.raises(PendingError, match=f"7 is not done yet: .*: qrnn run {run}"):
            run_job(job, run_dir=run)
    assert RunDirectory(run).record()["state"] == "running"
    assert run_job(run).summary == expected
    assert comparable(run) == comparable(whole)


def test_the_summary_counts_all_shots_once(tmp_path: Path) -> None:
    run = interrupted(tmp_path, steps=2, **SAMPLED)
    resumed = run_job(run).summary["shots"]
    whole = run_job(tmp_path / "job.toml", run_dir=tmp_path / "whole")
    of_training = history(run)[-1]["shots"]
    of_forecast = 3 * 20
    assert resumed == whole.summary["shots"] == of_training + of_forecast
    assert status_run(run)["shots"] == resumed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "run.json is damaged"),
        ("[]", "run.json is damaged: it must hold a JSON object"),
        ('{"format": 99}', "run.json has format 99, but this version reads 1: upgrade"),
        ('{"other": "tool"}', "run.json has format None"),
    ],
)
def test_a_run_that_cannot_be_read_is_refused(content: str, message: str, tmp_path: Path) -> None:
    assert FORMAT == 1
    (tmp_path / "run.json").write_text(content)
    for act in (run_job, status_run):
        with pytest.raises(RunError, match=message):
            act(tmp_path)
    assert contents(tmp_path) == {"run.json": content.encode()}


def test_a_run_that_cannot_be_locked_is_refused(tmp_path: Path) -> None:
    run = interrupted(tmp_path)
    (run / ".lock").unlink()
    (run / ".lock").mkdir()
    with pytest.raises(RunError, match=f"cannot write to {run}: Is a directory"):
        run_job(run)


def test_the_lock_ends_with_the_work(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    other = RunDirectory(tmp_path)
    with directory.locked(), pytest.raises(RunError, match="another process"), other.locked():
        pass
    with other.locked():
        pass


def test_the_default_path_tells_date_and_job(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {default_path("elnino").name for _ in range(20)}
    assert len(names) > 15
    for name in names:
        year, month, day, job, mark = name.split("-")
        assert (len(year), len(month), len(day), job, len(mark)) == (4, 2, 2, "elnino", 4)
    assert default_path("x").parent == Path("runs")


def test_status_of_runs_in_progress_and_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status_run() == []
    run = interrupted(tmp_path, steps=2, **SAMPLED)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "not-a-run").mkdir()
    run = run.rename(tmp_path / "runs" / "first")
    before = contents(run)
    status = status_run(run)
    assert contents(run) == before
    assert {key: status[key] for key in ("name", "state", "step", "steps", "backend")} == {
        "name": "small",
        "state": "running",
        "step": 2,
        "steps": 4,
        "backend": "exact",
    }
    assert status["shots"] == history(run)[1]["shots"]
    assert status["requests_completed"] == 3
    assert status["requests_planned"] == 0
    run_job(run)
    assert [(s["run"], s["state"], s["step"]) for s in status_run()] == [("runs/first", "done", 4)]


def test_the_last_step_is_found_in_a_torn_history(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    assert directory.last_step() == {}
    for step in range(3):
        directory.append_history(StepReport(step, 0.5, None, None, 1.0, 10 * step, None, 0.0))
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')
    assert directory.last_step() == {
        "step": 2,
        "loss": 0.5,
        "loss_standard_error": None,
        "validation_loss": None,
        "gradient_norm": 1.0,
        "shots": 20,
        "qpu_seconds": 0.0,
    }
    directory.truncate_history(1)
    assert [entry["step"] for entry in history(tmp_path)] == [0]


def test_what_a_run_leaves(tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = run_job(write_job(tmp_path, **SAMPLED), run_dir=run)
    assert {path.name for path in run.iterdir()} == {
        ".lock",
        "cell.qasm",
        "checkpoint.npz",
        "history.jsonl",
        "ledger.sqlite",
        "log.txt",
        "outputs.npz",
        "payload",
        "predictions.npz",
        "run.json",
        "table.json",
        "weights.json",
    }
    weights = json.loads((run / "weights.json").read_text())
    assert weights["names"] == ["a", "b", "c"]
    assert weights["readout"]["names"] == ["scale", "bias"]
    assert len(weights["best"]) == len(weights["last"]) == 3
    assert weights["best_step"] == result.summary["best_step"]
    with np.load(run / "predictions.npz") as predictions:
        shapes = {name: predictions[name].shape for name in predictions.files}
        np.testing.assert_array_equal(predictions["targets"], arrays()["test_targets"])
    beside = ("persistence", "ridge", "polynomial", "echo_state")
    series = ("mean", "standard_error", "targets", *beside)
    assert shapes == {**dict.fromkeys(series, (3, 3, 1)), "mask": (3,)}
    models = ["QRNN", "persistence", "linear ridge", "echo-state network", "polynomial ridge"]
    assert [row["model"] for row in result.table] == models
    record = RunDirectory(run).record()
    assert record["provenance"]["packages"]["numpy"] == np.__version__
    assert record["job"]["seed"] == 5
    log = (run / "log.txt").read_text().splitlines()
    assert [line.partition(" ")[2] for line in log] == ["started", "done: all steps done"]
