"""Training on a real device's path, under faults and kills: paid once, nothing lost, same bits.

The client is the real one, the service an emulated one on loopback, the kill a SIGKILL at a named
point of the ledger. A person's part (to look at the service's jobs and to type the one command that
the error names) is played by `continued`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from qrnn_qiskit.emulator import EmulatedService, Fault
from qrnn_qiskit.run.record.ledger import Ledger
from tests.integration.forking import GRACE_S, TOKEN
from tests.integration.service_harness import (
    POINTS,
    Ended,
    Zygote,
    ideal_service,
    result,
    write_training,
)

POST = "POST /jobs"
FAULTS: dict[str, tuple[Fault, ...]] = {
    "none": (),
    "answer lost after acceptance": (Fault(POST, "lose_answer"),),
    "dropped before acceptance": (Fault(POST, "drop"),),
    "connection reset": (Fault(POST, "reset"),),
    "500, not accepted": (Fault(POST, "status", status=500),),
    "502 after acceptance": (Fault(POST, "status_after", status=502),),
    "503 with Retry-After": (Fault(POST, "status", status=503, retry_after=0.1),),
    "504 after acceptance": (Fault(POST, "status_after", status=504),),
    "429 with Retry-After": (Fault(POST, "status", status=429, retry_after=0.1, times=2),),
    "timeout before acceptance": (Fault(POST, "hang", seconds=3.0),),
    "timeout after acceptance": (Fault(POST, "hang_after", seconds=3.0),),
    "truncated answer": (Fault(POST, "truncate"),),
    "empty answer": (Fault(POST, "empty"),),
    "answer lost, list late": (
        Fault(POST, "lose_answer"),
        Fault(POST, "hide_job", seconds=GRACE_S / 2),
    ),
    "answer lost, list too late": (
        Fault(POST, "lose_answer"),
        Fault(POST, "hide_job", seconds=20.0),
    ),
    "token expired": (Fault("GET /jobs/{id}", "expire_tokens"),),
    "401 at the submission": (Fault(POST, "status", status=401),),
    "job failed": (Fault(POST, "fail_job"),),
    "job failed for its size": (Fault(POST, "fail_job", reason="the program is too large"),),
    "job cancelled by its owner": (Fault(POST, "cancel_job"),),
    "results gone": (Fault(POST, "lose_results"),),
    "results empty": (Fault(POST, "empty_results"),),
    "results of wrong shape": (Fault(POST, "wrong_shape"),),
    "results truncated once": (Fault("GET /jobs/{id}/results", "truncate"),),
    "results: 500, then 502": (
        Fault("GET /jobs/{id}/results", "status", status=500),
        Fault("GET /jobs/{id}/results", "status", nth=2, status=502),
    ),
    "polls dropped": (Fault("GET /jobs/{id}", "drop", times=3),),
    "list: 503": (Fault("GET /jobs", "status", status=503, times=2),),
    "charge unknown": (Fault("GET /jobs/{id}/metrics", "status", status=500, times=2),),
}
# Their jobs end without usable results: paid or not, another job has to take their place.
WITHOUT_RESULTS = {
    "job failed": 1,
    "job failed for its size": 2,
    "job cancelled by its owner": 1,
    "results gone": 1,
    "results empty": 1,
    "results of wrong shape": 1,
}
# In the everyday set each point of a kill meets another fault.
EVERYDAY = [
    ("none", "before intent"),
    ("dropped before acceptance", "intent"),
    ("504 after acceptance", "before sending"),
    ("none", "sending"),
    ("none", "before submitted"),
    ("results gone", "submitted"),
    ("job failed", "before result"),
    ("results: 500, then 502", "payload"),
    ("429 with Retry-After", "completed"),
    ("answer lost, list too late", ""),
    ("job failed for its size", ""),
]


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    with Zygote(tmp_path_factory.mktemp("zygote")) as process:
        yield process


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training(tmp_path_factory.mktemp("job"))


@pytest.fixture(scope="module")
def undisturbed(
    zygote: Zygote, job: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    with ideal_service() as service:
        ended = zygote.qrnn(service, "run", str(job), "--run-dir", str(run))
        assert ended.code == 0, ended
        assert len(service.jobs) == 2
    return result(run)


@dataclass
class Story:
    """What it took to finish a run."""

    endings: list[Ended] = field(default_factory=list)
    decisions: int = 0
    consents: int = 0

    @property
    def text(self) -> str:
        return "".join(ended.out + ended.err for ended in self.endings)


def continued(
    zygote: Zygote, service: EmulatedService, run: Path, first: Sequence[str], kill: str, nth: int
) -> Story:
    """Run a job to its end, and do what the errors ask for."""
    story = Story()
    arguments = list(first)
    for _ in range(12):
        ended = zygote.qrnn(service, *arguments, kill=kill, nth=nth)
        story.endings.append(ended)
        kill = ""
        arguments = ["run", str(run)] if (run / "run.json").exists() else list(first)
        if ended.code == 0:
            return story
        assert ended.code in (-9, 3, 5), ended
        if ended.code != -9:
            assert ended.err.count("error: ") == 1, ended
        if "--not-submitted" in ended.err:
            story.decisions += 1
            ended = zygote.qrnn(service, "resolve", str(run), *decided(service, run))
            assert ended.code == 0, ended
        elif "--again" in ended.err:
            story.consents += 1
            assert zygote.qrnn(service, "resolve", str(run), "--again").code == 0
    raise AssertionError(f"no end: {story}")


def decided(service: EmulatedService, run: Path) -> list[str]:
    """What a person sees on the service's page of jobs."""
    ledger = Ledger(run, looking=True)
    (row,) = ledger.jobs(states=["sending"])
    ledger.close()
    found = [job.id for job in service.jobs if row.tag in job.tags]
    return ["--submitted", found[0]] if found else ["--not-submitted"]


def check(
    fault: str, service: EmulatedService, run: Path, story: Story, undisturbed: dict[str, Any]
) -> None:
    """Paid once, nothing lost, same bits, no secret anywhere."""
    jobs = service.jobs
    accepted = Counter(job.tags[0] for job in jobs)
    assert max(accepted.values()) == 1, "a submission was accepted twice"
    assert len(jobs) == 2 + WITHOUT_RESULTS.get(fault, 0)
    ledger = Ledger(run, looking=True)
    rows = {row.job: row for row in ledger.jobs()}
    ledger.close()
    for found in jobs:
        row = rows[found.id]
        if found.status == "Completed" and found.fate.end == "":
            assert row.state == "completed", "a paid result was lost"
        else:
            assert row.state in ("failed", "cancelled", "lost")
            assert row.reason
        if fault != "charge unknown":
            assert row.used == pytest.approx(found.charged_seconds)
    assert {found.id for found in jobs} == set(rows)
    found_result = result(run)
    if fault != "job failed for its size":  # shots of two halves are other shots
        assert found_result == undisturbed
    for path in (path for path in run.rglob("*") if path.is_file()):
        assert TOKEN.encode() not in path.read_bytes(), path
    assert TOKEN not in story.text


def note(fault: str, kill: str, story: Story, jobs: int) -> None:
    """Add a case to the table of faults that QRNN_FAULT_TABLE names.

    The cases stand in a file beside it, a line each: the matrix may be run in pieces or by several
    processes at once.
    """
    if not (path := os.environ.get("QRNN_FAULT_TABLE")):
        return
    case = {
        "fault": fault,
        "kill": kill,
        "alone": not (story.decisions or story.consents),
        "decided": bool(story.decisions),
        "consented": bool(story.consents),
        "jobs": jobs,
    }
    cases = Path(path + ".jsonl")
    with cases.open("a", encoding="utf-8") as file:
        file.write(json.dumps(case) + "\n")
    found = {
        (c["fault"], c["kill"]): c
        for c in map(json.loads, cases.read_text(encoding="utf-8").splitlines())
    }
    Path(path).write_text(table(list(found.values())), encoding="utf-8")


def table(cases: Sequence[Mapping[str, Any]]) -> str:
    """What each fault led to, as Markdown."""
    lines = [
        "| fault | cases | ended by itself | after one decision | after consent | "
        "QPU jobs accepted |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for fault in FAULTS:
        own = [case for case in cases if case["fault"] == fault]
        sums = [sum(case[key] for case in own) for key in ("alone", "decided", "consented")]
        jobs = ", ".join(map(str, sorted({case["jobs"] for case in own})))
        cells = [fault, len(own), *sums, jobs]
        lines += [f"| {' | '.join(map(str, cells))} |"] if own else []
    return "\n".join(lines) + "\n"


def play(
    zygote: Zygote,
    job: Path,
    undisturbed: dict[str, Any],
    run: Path,
    fault: str,
    kill: str,
) -> tuple[Story, int]:
    with ideal_service(faults=FAULTS[fault]) as service:
        first = ["run", str(job), "--run-dir", str(run)]
        story = continued(zygote, service, run, first, kill, 1)
        check(fault, service, run, story, undisturbed)
        return story, len(service.jobs)


@pytest.mark.parametrize(("fault", "kill"), EVERYDAY)
def test_paid_once_and_nothing_lost(
    zygote: Zygote,
    job: Path,
    undisturbed: dict[str, Any],
    tmp_path: Path,
    fault: str,
    kill: str,
) -> None:
    story, _ = play(zygote, job, undisturbed, tmp_path / "run", fault, kill)
    if kill:
        assert story.endings[0].code == -9, "the kill was not reached"


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kill", ["", *sorted(POINTS, key=lambda point: "before" in point)])
def test_the_whole_matrix(
    zygote: Zygote,
    job: Path,
    undisturbed: dict[str, Any],
    tmp_path: Path,
    fault: str,
    kill: str,
) -> None:
    story, jobs = play(zygote, job, undisturbed, tmp_path / "run", fault, kill)
    note(fault, kill, story, jobs)
