"""The table of faults: which requests they meet, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from qrnn_qiskit.emulator import Fault
from qrnn_qiskit.emulator.faults import (
    ELSEWHERE,
    HANDLED,
    NOT_HANDLED,
    OF_JOB,
    FaultTable,
    read_faults,
)
from qrnn_qiskit.emulator.routes import ROUTES, match
from qrnn_qiskit.errors import SpecError

POST = "POST /jobs"


@pytest.mark.parametrize(
    ("nth", "times", "met"),
    [(1, 1, [0]), (2, 1, [1]), (2, 2, [1, 2]), (1, None, [0, 1, 2, 3]), (3, None, [2, 3])],
)
def test_which_requests_are_met(nth: int, times: int | None, met: list[int]) -> None:
    fault = Fault(POST, "drop", nth=nth, times=times)
    table = FaultTable([fault])
    seen = []
    for request in range(4):
        assert table.meeting("GET /jobs") == []
        if table.meeting(POST):
            seen.append(request)
    assert seen == met


def test_a_fault_added_later_counts_from_then_on() -> None:
    table = FaultTable()
    table.meeting(POST)
    fault = Fault(POST, "reset")
    table.add(fault)
    assert table.meeting(POST) == [fault]
    assert table.meeting(POST) == []
    table.add(fault)
    table.clear()
    assert table.meeting(POST) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"route": "POST /job", "action": "drop"}, "choose one of POST /identity/token"),
        ({"route": POST, "action": "explode"}, "action"),
        ({"route": "GET /jobs", "action": "fail_job"}, "needs route = 'POST /jobs'"),
        ({"route": POST, "action": "drop", "nth": 0}, "count from 1"),
        ({"route": POST, "action": "drop", "times": 0}, "count from 1"),
        ({"route": POST, "action": "hang"}, "needs seconds > 0"),
        ({"route": POST, "action": "hide_job"}, "needs seconds > 0"),
    ],
)
def test_wrong_faults(wrong: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        Fault(**wrong)
    path = tmp_path / "faults.json"
    path.write_text(json.dumps([wrong]))
    with pytest.raises(SpecError, match="faults.json: "):
        read_faults(path)


def test_faults_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text('[{"route": "POST /jobs", "action": "status", "nth": 2, "status": 503}]')
    assert read_faults(path) == [Fault(POST, "status", nth=2, status=503)]
    path.write_text('[{"route": "POST /jobs", "action": "drop", "often": true}]')
    with pytest.raises(SpecError, match="often"):
        read_faults(path)
    path.write_text('[{"route": "POST /jobs"')
    with pytest.raises(SpecError, match="faults.json"):
        read_faults(path)
    with pytest.raises(SpecError, match="none.json"):
        read_faults(tmp_path / "none.json")


def test_every_action_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "emulator.md").read_text(encoding="utf-8")
    table = page[page.index("| action |") : page.index("The last six")]
    first_column = " ".join(line.split("|")[1] for line in table.splitlines()[2:] if line)
    assert set(re.findall(r"`(\w+)`", first_column)) == NOT_HANDLED | HANDLED | ELSEWHERE | OF_JOB


@pytest.mark.parametrize("name", ROUTES)
def test_every_path_is_known_by_one_name(name: str) -> None:
    path = ROUTES[name].replace("{id}", "abc")
    found = (name, "abc" if "{id}" in ROUTES[name] else "")
    method = name.partition(" ")[0]
    assert match(method, path) == found
    assert match(method, f"http://quantum.emulator.test{path}?limit=3") == found
    assert match("HEAD", path) is None
    assert match(method, path + "/more/and/more") is None
