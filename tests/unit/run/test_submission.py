"""Submissions through the ledger: every order of faults and crashes ends with each result once."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qrnn_qiskit import UnrolledCircuit, build_cell, unroll
from qrnn_qiskit.errors import BudgetError, JobError, PendingError
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.blocks import assemble, cut
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.service import Block
from qrnn_qiskit.gradients.plan import forward_plan
from qrnn_qiskit.run.record import ledger as ledger_module
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.ledger_format import SESSION_COST
from qrnn_qiskit.run.service import submission as submission_module
from qrnn_qiskit.run.service import waiting
from qrnn_qiskit.run.service.submission import Submission
from qrnn_qiskit.run.service.together import bits_of_all
from qrnn_qiskit.spec.backend import BudgetSpec
from tests.unit.run.fake_service import SECONDS, FakeService, rows_and_shots

UNROLLED: UnrolledCircuit = unroll(build_cell("parity2"), 2)
ROWS, SHOTS = 5, 30


class Crash(BaseException):
    """Where a process ends; nothing catches it."""


def request(shots: int = SHOTS, repeats: tuple[int, ...] = (1, 2, 1, 1)) -> EvaluationRequest:
    plan = forward_plan(np.zeros(4), np.zeros((len(repeats), 2, 1)))
    return EvaluationRequest(plan.with_repeats(np.array(repeats)), shots, 1)


def expected(shots: int = SHOTS) -> PackedBits:
    numbers = rows_and_shots(Block(0, ROWS, 0, shots))
    bits = (numbers[..., None, None] * [[1], [3]] // 2 % 2).astype(np.uint8).reshape(-1, 2, 1)
    return PackedBits.from_bits(bits, np.array([1, 2, 1, 1]) * shots)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_POLL_S", 0.0)
    monkeypatch.setattr(submission_module, "GRACE_S", 0.01)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


def submission(ledger: Ledger, service: FakeService, **options: Any) -> Submission:
    return Submission(ledger, service, UNROLLED, **options)


def states(ledger: Ledger) -> list[str]:
    return [row.state for row in ledger.jobs()]


def test_blocks_cover_rows_and_shots_once() -> None:
    for rows, shots in ((1, 1), (7, 100), (300, 41), (12, 10_001)):
        blocks = cut(rows, shots, max_rows=5, max_shots=40, max_executions=90)
        covered = np.zeros((rows, shots), dtype=int)
        for block in blocks:
            covered[block.start : block.stop, block.first_shot :][:, : block.shots] += 1
            assert block.executions <= 90
            assert block.shots <= 40
            assert block.stop - block.start <= 5
        assert np.all(covered == 1)


def test_a_request_is_put_together_from_blocks_of_rows_and_shots(ledger: Ledger) -> None:
    service = FakeService(max_rows=2)
    found = submission(ledger, service).bits("a", "digest", request(shots=70))
    assert len(service.jobs) == 2 * 3
    np.testing.assert_array_equal(found.packed, expected(70).packed)
    np.testing.assert_array_equal(found.count, expected(70).count)
    again = submission(ledger, FakeService(asks=[False] * 9)).bits("a", "digest", request(70))
    np.testing.assert_array_equal(again.packed, found.packed)


def test_an_incomplete_cover_is_refused() -> None:
    half = PackedBits.from_bits(np.zeros((2 * SHOTS, 2, 1), np.uint8), np.full(2, SHOTS))
    with pytest.raises(JobError, match="do not cover"):
        assemble(request().plan, SHOTS, [(Block(0, 2, 0, SHOTS), half)] * 2)


POSTS = ["ok", "not sent", "too large", "lost", "lost after", "late"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    posts=st.lists(st.sampled_from(POSTS), max_size=5),
    ends=st.lists(st.sampled_from(["done", "queued", "failed", "cancelled"]), max_size=3),
    asks=st.lists(st.booleans(), max_size=12),
    results=st.lists(st.sampled_from(["ok", "bad", "gone"]), max_size=3),
    crashes=st.lists(st.integers(0, 12), max_size=4),
    max_rows=st.integers(2, 5),
    wait=st.booleans(),
)
def test_any_faults_and_crashes_end_with_every_result_once(
    posts: list[str],
    ends: list[Any],
    asks: list[bool],
    results: list[str],
    crashes: list[int],
    max_rows: int,
    wait: bool,
) -> None:
    # In memory where there is such a place: what is asked is the order of writes.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        _any_faults(
            Path(folder),
            FakeService(max_rows, posts=posts, ends=ends, asks=asks, results=results),
            crashes,
            wait,
        )


def _any_faults(folder: Path, service: FakeService, crashes: list[int], wait: bool) -> None:
    found = None
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(60):
            left = crashes.pop() if crashes else -1

            def reached(point: str) -> None:
                nonlocal left
                left -= 1
                if left == -1:
                    raise Crash

            patch.setattr(ledger_module, "reached", reached if left >= 0 else lambda point: None)
            ledger = Ledger(folder)
            try:
                found = submission(ledger, service, wait=wait).bits("a", "digest", request())
            except Crash:
                continue
            except PendingError as pending:
                patch.setattr(ledger_module, "reached", lambda point: None)
                if "qrnn resolve" in str(pending):  # the person looks, and decides
                    for row in ledger.jobs(states=["sending"]):
                        seen = [job for job, a in service.jobs.items() if row.tag in a.tags]
                        if seen:
                            ledger.submitted(row.number, seen[0])
                        else:
                            ledger.not_sent(row.number, "decided")
                continue
            except JobError:
                patch.setattr(ledger_module, "reached", lambda point: None)
                for row in ledger.jobs(states=["failed", "cancelled", "lost"]):
                    if not row.replaced:
                        ledger.ended(row, row.state, row.reason, [(row.block, SECONDS)])
                continue
            else:
                break
            finally:
                ledger.close()
    assert found is not None
    np.testing.assert_array_equal(found.packed, expected().packed)
    assert max(service.accepted.values()) == 1
    looked = Ledger(folder, looking=True)
    rows = looked.jobs()
    looked.close()
    assert {row.job for row in rows if row.job} == set(service.jobs)
    completed = [row for row in rows if row.state == "completed"]
    assert sum(row.block.executions for row in completed) == ROWS * SHOTS


def test_a_lost_answer_is_found_by_its_tag(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission_module, "GRACE_S", 5.0)
    service = FakeService(posts=["late"])
    told: list[str] = []
    submission(ledger, service, notify=told.append).bits("a", "d", request())
    assert list(service.accepted.values()) == [1]
    assert told == [
        "no answer; looking for the job by its tag",
        "found job job-0 by its tag: it is not submitted again",
    ]


def test_a_person_decides_what_nothing_shows(ledger: Ledger) -> None:
    service = FakeService(posts=["lost"])
    with pytest.raises(PendingError, match="--submitted ID | --not-submitted") as pending:
        submission(ledger, service).bits("a", "d", request())
    assert states(ledger) == ["sending"]
    assert ledger.jobs()[0].tag in str(pending.value)
    with pytest.raises(PendingError):  # nothing has changed
        submission(ledger, service).bits("a", "d", request())
    assert service.jobs == {}


def test_a_later_job_in_the_list_decides(ledger: Ledger) -> None:
    service = FakeService(max_rows=2, posts=["lost"])
    submission(ledger, service).bits("a", "d", request())
    assert len(service.jobs) == 3
    assert max(service.accepted.values()) == 1


def test_the_list_decides_where_it_is_trusted(ledger: Ledger) -> None:
    service = FakeService(posts=["lost"])
    submission(ledger, service, trust_list=True).bits("a", "d", request())
    assert len(service.jobs) == 1


def test_a_copy_of_the_run_adopts_instead_of_paying(ledger: Ledger, tmp_path: Path) -> None:
    service = FakeService()
    ledger.plan("a", "d", ROWS * SHOTS, b"plan", [(Block(0, ROWS, 0, SHOTS), SECONDS)], "fake")
    other = tmp_path / "copy"
    other.mkdir()
    (other / "ledger.sqlite").write_bytes((tmp_path / "ledger.sqlite").read_bytes())
    first = submission(ledger, service).bits("a", "d", request())
    copy = Ledger(other)
    second = submission(copy, service).bits("a", "d", request())
    assert len(service.jobs) == 1
    np.testing.assert_array_equal(first.packed, second.packed)
    assert [row.job for row in copy.jobs()] == ["job-0"]
    copy.close()


def test_a_second_acceptance_is_cancelled_and_counted(ledger: Ledger) -> None:
    service = FakeService(ends=["queued", "queued"])
    told: list[str] = []

    def accept_twice() -> None:
        row = ledger.jobs()[0]
        if not service.jobs:
            service.jobs["copy"] = _accepted(row.tag, row.block)
            service.jobs["copy"].hidden = 1  # not there when it is looked for before

    service.on_submit = accept_twice
    submission(ledger, service, notify=told.append).bits("a", "d", request())
    assert told[-1].endswith("is a duplicate of job-0: cancelled while it waited")
    duplicate = next(row for row in ledger.jobs() if row.state == "duplicate")
    assert (duplicate.job, service.jobs["copy"].state) == ("copy", "cancelled")
    assert len([row for row in ledger.jobs() if row.state == "completed"]) == 1


def _accepted(tag: str, block: Block) -> Any:
    from tests.unit.run.fake_service import Accepted

    return Accepted(block, (tag,), "queued", None)


def test_a_block_fails_a_set_number_of_times(ledger: Ledger) -> None:
    service = FakeService(ends=["failed"] * 9)
    with pytest.raises(JobError, match="failed .it went wrong.*attempt 3.*--again"):
        submission(ledger, service).bits("a", "d", request())
    assert states(ledger) == ["failed"] * 3
    assert [row.used for row in ledger.jobs()] == [SECONDS] * 3
    with pytest.raises(JobError):  # without consent nothing more is paid
        submission(ledger, service).bits("a", "d", request())
    assert len(service.jobs) == 3


def test_a_refusal_costs_nothing_and_may_be_tried_again(ledger: Ledger) -> None:
    service = FakeService(posts=["refused"])
    with pytest.raises(JobError, match="no such program; nothing was submitted"):
        submission(ledger, service).bits("a", "d", request())
    assert states(ledger) == ["intent"]
    submission(ledger, service).bits("a", "d", request())


def test_the_budget_counts_what_is_charged(ledger: Ledger) -> None:
    service = FakeService(charge=2 * SECONDS)
    run = submission(ledger, service, budget=BudgetSpec(qpu_seconds=9.0))
    run.bits("a", "d", request())
    run.bits("b", "d", request())
    # Two jobs were charged 4 s each, and so will be the next: 12 s.
    with pytest.raises(BudgetError, match=r"to 12.0 of budget.qpu_seconds = 9.0 .8.0 s charged"):
        run.bits("c", "d", request())
    assert ledger.find("c") is None
    assert [job.limit for job in service.jobs.values()] == [9, 5]
    submission(ledger, service, budget=BudgetSpec(qpu_seconds=12.0)).bits("c", "d", request())


def test_the_budget_counts_jobs(ledger: Ledger) -> None:
    service = FakeService(max_rows=3)
    with pytest.raises(BudgetError, match="next 2 QPU jobs .* to 2 of budget.qpu_jobs = 1"):
        submission(ledger, service, budget=BudgetSpec(qpu_jobs=1)).bits("a", "d", request())
    assert service.jobs == {}
    submission(ledger, service, budget=BudgetSpec(qpu_jobs=2)).bits("a", "d", request())


def test_the_budget_counts_money_and_executions(ledger: Ledger) -> None:
    service = FakeService(max_rows=3)
    budget = BudgetSpec(money=5.9, money_per_second=1.5)
    with pytest.raises(BudgetError, match=r"next 2 QPU jobs .* to 6.0 of budget.money = 5.9 "):
        submission(ledger, service, budget=budget).bits("a", "d", request())
    service.max_rows = 5
    submission(ledger, service, budget=BudgetSpec(executions=150)).bits("a", "d", request())
    assert ledger.spending().executions == ROWS * SHOTS
    with pytest.raises(BudgetError, match="to 300 of budget.executions = 299;"):
        submission(ledger, service, budget=BudgetSpec(executions=299)).bits("b", "d", request())
    submission(ledger, service, budget=BudgetSpec(executions=300)).bits("b", "d", request())


def test_a_job_may_take_what_the_money_buys(ledger: Ledger) -> None:
    service = FakeService()
    budget = BudgetSpec(money=9.0, money_per_second=3.0, qpu_seconds=50.0)
    submission(ledger, service, budget=budget).bits("a", "d", request())
    assert [job.limit for job in service.jobs.values()] == [3]


def test_the_budget_counts_hours_even_while_jobs_wait(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = BudgetSpec(wall_hours=2.0)
    service = FakeService(ends=["done", "queued"])
    submission(ledger, service, budget=budget).bits("a", "d", request())
    later = time.time() + 3 * 3600
    service.on_submit = lambda: monkeypatch.setattr("time.time", lambda: later)
    with pytest.raises(BudgetError, match=r"began 3 hours ago, and budget.wall_hours = 2.0: jobs"):
        submission(ledger, service, budget=budget).bits("b", "d", request())
    assert states(ledger) == ["completed", "submitted"]
    with pytest.raises(BudgetError, match="wall_hours=MORE"):
        submission(ledger, service, budget=budget).bits("c", "d", request())
    submission(ledger, service, budget=BudgetSpec(wall_hours=4.0)).bits("b", "d", request())


def test_of_several_devices_one_submission_at_a_time_is_weighed(ledger: Ledger) -> None:
    """Two threads that both saw the same money left would spend it twice."""
    services = [FakeService(name="a"), FakeService(name="b")]
    for service in services:
        service.on_submit = lambda: time.sleep(0.05)
    run = submission(ledger, services[0], budget=BudgetSpec(qpu_jobs=1))
    with pytest.raises(BudgetError, match="to 2 of budget.qpu_jobs = 1"):
        bits_of_all(run, [(service, service.name, "d", request()) for service in services])
    assert sum(len(service.jobs) for service in services) == 1


def test_an_interruption_ends_all_devices(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    services = [FakeService(name="a", ends=["queued"]), FakeService(name="b", asks=[True, True])]
    services[1].asks += [False] * 1000

    def sleep(seconds: float) -> None:
        if services[0].jobs:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(KeyboardInterrupt, match="under way at a.*qrnn cancel"):
        bits_of_all(
            submission(ledger, services[0]),
            [(service, service.name, "d", request()) for service in services],
        )


def test_a_session_is_charged_by_its_wall_clock(ledger: Ledger) -> None:
    submission(ledger, FakeService()).bits("a", "d", request())
    assert ledger.spending().charged == SECONDS
    for name, seconds in (("x", "1.0"), ("y", "7.5")):
        ledger.set_fact(f"{SESSION_COST} {name}", seconds)
    assert ledger.spending().charged == 8.5


def test_nobody_waits_unless_asked_to(ledger: Ledger) -> None:
    service = FakeService(ends=["queued"])
    with pytest.raises(PendingError, match="job job-0 is not done yet"):
        submission(ledger, service, wait=False).bits("a", "d", request())
    service.asks = [False]
    with pytest.raises(PendingError, match="no answer"):
        submission(ledger, service, wait=False).bits("a", "d", request())
    submission(ledger, service, wait=False).bits("a", "d", request())
    assert len(service.jobs) == 1


def test_an_interruption_says_what_is_under_way(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    service = FakeService(ends=["queued"])
    with pytest.raises(KeyboardInterrupt, match="under way at fake: job-0 .*qrnn cancel"):
        submission(ledger, service).bits("a", "d", request())
    assert states(ledger) == ["submitted"]
