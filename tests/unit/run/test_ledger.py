"""The ledger: durable before each next act, replayed unpaid, never trusted blindly."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit import UnrolledCircuit, build_cell, unroll
from qrnn_qiskit.cli import main
from qrnn_qiskit.errors import PendingError, RunError
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.service import Block, LocalService
from qrnn_qiskit.gradients.plan import EvaluationPlan, forward_plan
from qrnn_qiskit.run.jobs import run_job
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.payload import Payload
from qrnn_qiskit.run.service.submission import Submission
from tests.unit.run.queue_executor import QueueExecutor
from tests.unit.run.small import contents, history, write_job

SHOTS = 50
CALL = Call("step-0/gradient", (2, 0))


@pytest.fixture(scope="module")
def unrolled() -> UnrolledCircuit:
    return unroll(build_cell("parity2"), 2)


@pytest.fixture
def plan() -> EvaluationPlan:
    features = np.array([[[0.0], [1.0]], [[1.0], [1.0]]])
    return forward_plan(np.array([0.3, 1.1, 0.2, 0.7]), features)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def evaluator(unrolled: UnrolledCircuit, ledger: Ledger) -> Callable[..., Evaluator]:
    def make(executor: QueueExecutor, *, seed: int = 3, wait: bool = True) -> Evaluator:
        submission = Submission(ledger, LocalService(executor), unrolled, wait=wait)
        return Evaluator(unrolled, executor, submission=submission, seed=seed)

    return make


def stored(folder: Path) -> list[tuple[Any, ...]]:
    """What another process sees: state, job, plan and result, the payloads' names checked."""
    database = sqlite3.connect(folder / "ledger.sqlite")
    rows = database.execute(
        "SELECT job.state, job, plan, result FROM job JOIN request USING (address)"
    ).fetchall()
    database.close()
    for row in rows:
        for name in filter(None, row[2:]):
            data = (folder / "payload" / name).read_bytes()
            assert name == hashlib.sha256(data).hexdigest() + ".npz"
    return rows


def test_each_state_is_durable_before_the_next_act(
    evaluator: Callable[..., Evaluator], plan: EvaluationPlan, tmp_path: Path
) -> None:
    executor = QueueExecutor()
    seen: list[tuple[Any, ...]] = []
    executor.on_submit = lambda number: seen.extend(stored(tmp_path))
    executor.on_poll = lambda number: seen.extend(stored(tmp_path))
    evaluator(executor).outputs(plan, SHOTS, CALL)
    seen.extend(stored(tmp_path))
    assert [(state, job) for state, job, *_ in seen] == [
        ("intent", None),
        ("submitted", "job-0"),
        ("completed", "job-0"),
    ]
    names = {row[2] for row in seen}
    assert len(names) == 1
    recorded = EvaluationPlan.from_bytes((tmp_path / "payload" / names.pop()).read_bytes())
    assert recorded.digest == plan.digest
    assert [row[3] is None for row in seen] == [True, True, False]


def test_a_recorded_result_is_replayed_without_the_executor(
    evaluator: Callable[..., Evaluator], plan: EvaluationPlan
) -> None:
    executor = QueueExecutor()
    first = evaluator(executor).outputs(plan, SHOTS, CALL)
    again = evaluator(executor).outputs(plan, SHOTS, CALL)
    assert (len(executor.submitted), executor.fetched) == (1, ["job-0"])
    np.testing.assert_array_equal(again.mean, first.mean)
    np.testing.assert_array_equal(again.covariance, first.covariance)
    other = evaluator(executor).outputs(plan, SHOTS, Call("step-1/gradient", (2, 1)))
    assert len(executor.submitted) == 2
    assert not np.array_equal(other.mean, first.mean)


def test_replay_returns_what_was_recorded_not_what_a_backend_would_say_now(
    evaluator: Callable[..., Evaluator], plan: EvaluationPlan, ledger: Ledger
) -> None:
    evaluator(QueueExecutor()).outputs(plan, SHOTS, CALL)
    count = np.array([SHOTS, SHOTS])
    ones = PackedBits.from_bits(np.ones((2 * SHOTS, 2, 1), dtype=np.uint8), count)
    (row,) = ledger.jobs()
    ledger.completed(row.number, ones.to_bytes())
    replayed = evaluator(QueueExecutor()).outputs(plan, SHOTS, CALL)
    np.testing.assert_array_equal(replayed.mean, -np.ones((2, 2, 1)))


@pytest.mark.parametrize(
    ("shots", "seed", "shift"), [(SHOTS + 1, 3, 0.0), (SHOTS, 4, 0.0), (SHOTS, 3, 1e-12)]
)
def test_other_work_at_the_same_place_is_refused(
    evaluator: Callable[..., Evaluator],
    plan: EvaluationPlan,
    shots: int,
    seed: int,
    shift: float,
) -> None:
    evaluator(QueueExecutor()).outputs(plan, SHOTS, CALL)
    other = forward_plan(plan.weights[0] + shift, plan.features)
    executor = QueueExecutor()
    with pytest.raises(RunError, match="the ledger holds other work at step-0/gradient than"):
        evaluator(executor, seed=seed).outputs(other, shots, CALL)
    assert executor.submitted == []


@pytest.mark.parametrize("damage", ["changed", "lost"])
def test_a_damaged_payload_is_refused(
    evaluator: Callable[..., Evaluator], plan: EvaluationPlan, tmp_path: Path, damage: str
) -> None:
    executor = QueueExecutor()
    evaluator(executor).outputs(plan, SHOTS, CALL)
    ((*_, name),) = stored(tmp_path)
    payload = tmp_path / "payload" / name
    if damage == "changed":
        data = bytearray(payload.read_bytes())
        data[len(data) // 2] ^= 1
        payload.write_bytes(data)
    else:
        payload.unlink()
    with pytest.raises(RunError, match=r"result of step-0/gradient .*start a new run") as refusal:
        evaluator(executor).outputs(plan, SHOTS, CALL)
    assert str(payload) in str(refusal.value)
    assert len(executor.submitted) == 1


FORMAT_1 = """
CREATE TABLE request (address TEXT PRIMARY KEY, digest TEXT NOT NULL, state TEXT NOT NULL
    CHECK (state IN ('planned', 'submitted', 'completed')), shots INTEGER NOT NULL,
    plan TEXT NOT NULL, job TEXT, result TEXT);
"""


def write_format_1(folder: Path) -> None:
    """The same ledger as version 0.1.0 wrote it."""
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        requests = database.execute(
            "SELECT address, digest, CASE job.state WHEN 'intent' THEN 'planned' ELSE job.state "
            "END, shots, plan, job, result FROM request JOIN job USING (address)"
        ).fetchall()
    database.close()
    (folder / "ledger.sqlite").unlink()
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        database.executescript(FORMAT_1)
        database.executemany("INSERT INTO request VALUES (?, ?, ?, ?, ?, ?, ?)", requests)
        database.execute("PRAGMA user_version = 1")
    database.close()


def test_payloads_are_read_from_their_folder_alone(tmp_path: Path) -> None:
    """Whatever a stranger's ledger says."""
    data = b"somebody's secret"
    name = hashlib.sha256(data).hexdigest() + ".npz"
    (tmp_path / name).write_bytes(data)
    payload = Payload(tmp_path / "payload")
    payload.make()
    for path in (f"../{name}", str(tmp_path / name)):
        with pytest.raises(RunError, match="cannot be read"):
            payload.read(path, "result")
    assert payload.read(payload.store(data), "result") == data


def test_format_1_is_read_and_continued(
    unrolled: UnrolledCircuit, plan: EvaluationPlan, tmp_path: Path
) -> None:
    def evaluate(place: int) -> tuple[Any, QueueExecutor]:
        executor, ledger = QueueExecutor(), Ledger(tmp_path)
        submission = Submission(ledger, LocalService(executor), unrolled)
        evaluator = Evaluator(unrolled, executor, submission=submission, seed=3)
        call = Call(f"step-{place}/gradient", (2, place))
        outputs = evaluator.outputs(plan, SHOTS, call)
        ledger.close()
        return outputs, executor

    first, second = evaluate(0)[0], evaluate(1)[0]
    with sqlite3.connect(tmp_path / "ledger.sqlite") as database:
        database.execute("UPDATE job SET state = 'submitted' WHERE number = 2")
    database.close()
    write_format_1(tmp_path)

    before = contents(tmp_path)
    looking = Ledger(tmp_path, looking=True)
    assert [request.state for request in looking.requests()] == ["completed", "planned"]
    assert [row.state for row in looking.jobs()] == ["completed", "intent"]
    looking.close()
    assert contents(tmp_path) == before

    again, executor = evaluate(0)
    assert executor.submitted == []
    np.testing.assert_array_equal(again.mean, first.mean)
    again, executor = evaluate(1)
    assert len(executor.submitted) == 1
    np.testing.assert_array_equal(again.mean, second.mean)
    opened = Ledger(tmp_path)
    assert [request.state for request in opened.requests()] == ["completed"] * 2
    assert len(opened.run_id) == 16
    opened.close()


def test_format_2_is_read_and_continued(
    unrolled: UnrolledCircuit, plan: EvaluationPlan, tmp_path: Path
) -> None:
    """It had no column for the calibration of a job's device."""

    def evaluate() -> tuple[Any, QueueExecutor]:
        executor, ledger = QueueExecutor(), Ledger(tmp_path)
        submission = Submission(ledger, LocalService(executor), unrolled)
        evaluator = Evaluator(unrolled, executor, submission=submission, seed=3)
        outputs = evaluator.outputs(plan, SHOTS, Call("step-0/gradient", (2, 0)))
        ledger.close()
        return outputs, executor

    first = evaluate()[0]
    with sqlite3.connect(tmp_path / "ledger.sqlite") as database:
        database.execute("ALTER TABLE job DROP COLUMN calibration")
        database.execute("PRAGMA user_version = 2")
    database.close()
    before = contents(tmp_path)
    looking = Ledger(tmp_path, looking=True)
    assert [row.calibration for row in looking.jobs()] == [None]
    looking.close()
    assert contents(tmp_path) == before
    again, executor = evaluate()
    assert executor.submitted == []
    np.testing.assert_array_equal(again.mean, first.mean)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    database.execute("PRAGMA user_version = 99")
    database.close()
    before = contents(tmp_path)
    with pytest.raises(RunError, match="has format 99, but this version reads up to 3: upgrade"):
        Ledger(tmp_path)
    assert contents(tmp_path) == before


def test_something_else_than_a_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database, but long enough to be one" * 40)
    with pytest.raises(RunError, match="ledger.sqlite cannot be used: file is not a database"):
        Ledger(tmp_path)
    (tmp_path / "ledger.sqlite").unlink()
    (tmp_path / "ledger.sqlite").mkdir()
    with pytest.raises(RunError, match="cannot open the ledger .*ledger.sqlite"):
        Ledger(tmp_path)


def test_looking_at_a_ledger_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    ledger.plan("a", "digest", 10, b"plan", [(Block(0, 1, 0, 10), 0.0)])
    before = contents(tmp_path)
    other = Ledger(tmp_path, looking=True)
    assert [(entry.address, entry.state) for entry in other.requests()] == [("a", "planned")]
    other.close()
    assert contents(tmp_path) == before


@pytest.mark.parametrize("state", ["intent", "submitted"])
def test_an_evaluation_that_was_cut_short_is_done_again_with_the_same_bits(
    evaluator: Callable[..., Evaluator], plan: EvaluationPlan, ledger: Ledger, state: str
) -> None:
    class Cut(Exception):
        """Where the process ended."""

    def cut(number: int) -> None:
        raise Cut

    executor = QueueExecutor()
    if state == "intent":
        executor.on_submit = cut
    else:
        executor.on_poll = cut
    with pytest.raises(Cut):
        evaluator(executor).outputs(plan, SHOTS, CALL)
    assert [row.state for row in ledger.jobs()] == [state]
    resumed = evaluator(QueueExecutor()).outputs(plan, SHOTS, CALL)
    expected = Evaluator(evaluator(executor).unrolled, QueueExecutor(), seed=3)
    np.testing.assert_array_equal(resumed.mean, expected.outputs(plan, SHOTS, CALL).mean)
    assert [row.state for row in ledger.jobs()] == ["completed"]


def test_nobody_waits_for_a_pending_job_unless_asked_to(
    evaluator: Callable[..., Evaluator],
    plan: EvaluationPlan,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executor = QueueExecutor(done=False)
    with pytest.raises(PendingError, match="job job-0 is not done yet"):
        evaluator(executor, wait=False).outputs(plan, SHOTS, CALL)
    assert [(row.state, row.job) for row in ledger.jobs()] == [("submitted", "job-0")]

    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        executor.done = len(slept) == 3

    monkeypatch.setattr("time.sleep", sleep)
    evaluator(executor).outputs(plan, SHOTS, CALL)
    assert len(slept) == 3
    assert [row.state for row in ledger.jobs()] == ["completed"]


def test_a_training_without_waiting_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    executor = QueueExecutor()
    monkeypatch.setattr("qrnn_qiskit.run.setup.make_executor", lambda *tables: executor)
    job = write_job(tmp_path, backend={"name": "queue", "shots": 20})
    whole = run_job(job, run_dir=tmp_path / "whole")

    run = tmp_path / "run"
    executor.submitted.clear()
    executor.on_poll = lambda number: setattr(executor, "done", number < 4)
    for source in ([str(job), "--run-dir", str(run)], [str(run)]):
        executor.done = False
        with pytest.raises(SystemExit) as exit_:
            main(["run", *source, "--no-wait"])
        captured = capsys.readouterr()
        assert exit_.value.code == 3
        assert captured.out == ""
        assert captured.err.splitlines()[-1] == (
            f"error: job job-4 is not done yet: continue later with: qrnn run {run}"
        )
        assert len(history(run)) == 2
        executor.submitted = executor.submitted[:4]  # the next process submits job 4 again

    executor.on_poll = lambda number: setattr(executor, "done", True)
    assert run_job(run, wait=False).to_dict() == {**whole.to_dict(), "run_dir": str(run)}
    assert history(run) == history(tmp_path / "whole")
