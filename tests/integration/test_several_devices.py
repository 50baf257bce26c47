"""One training on two devices: whole sequences on each, one ledger, killed and continued."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit import ParameterShift, build_cell, unroll
from qrnn_qiskit.emulator import AerRunner, EmulatedService, Fault
from qrnn_qiskit.errors import QRNNError
from qrnn_qiskit.execution.devices import Devices
from qrnn_qiskit.execution.executor import EvaluationRequest, stream_seed
from qrnn_qiskit.execution.make import make_executor
from qrnn_qiskit.gradients import GradientProblem
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.setup import make_setup
from qrnn_qiskit.spec.backend import BackendSpec
from tests.integration.service_harness import Zygote, result, write_training
from tests.integration.test_service_commands import Cli, cli, point_at
from tests.unit.run.small import make_job

__all__ = ["cli"]
DEVICES = ["ibm_quito", "ibm_lima"]
BACKEND = {"name": DEVICES, "shots": 8}


def two(**options: Any) -> EmulatedService:
    return EmulatedService(DEVICES, runner=AerRunner(noise=False), **options)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedService]:
    with two() as running:
        point_at(running, monkeypatch)
        yield running


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("job")
    path = write_training(folder, backend=BACKEND, training={"steps": 2})
    random = np.random.default_rng(4)
    data: dict[str, Any] = {
        name: random.uniform(-0.9, 0.9, (count, 2, 1))
        for name, count in (
            ("features", 3),
            ("targets", 3),
            ("test_features", 2),
            ("test_targets", 2),
        )
    }
    np.savez(folder / "data.npz", **data)
    return path


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    with Zygote(tmp_path_factory.mktemp("zygote")) as process:
        yield process


@pytest.fixture(scope="module")
def undisturbed(
    zygote: Zygote, job: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    with two() as running:
        ended = zygote.qrnn(running, "run", str(job), "--run-dir", str(run))
        assert ended.code == 0, ended
        assert len(running.jobs) == 6
    return result(run)


def plan_of(num_sequences: int) -> tuple[Any, EvaluationPlan]:
    unrolled = unroll(build_cell("parity2"), 2)
    features = np.arange(num_sequences * 2.0).reshape(num_sequences, 2, 1) / 9
    weights = np.linspace(0.1, 0.9, unrolled.angle_map.num_weights)
    problem = GradientProblem(
        unrolled.angle_map, unrolled.occurrences, weights, features, np.ones(2, dtype=bool), 10
    )
    return unrolled, ParameterShift().plan(problem)


class Member:
    """An executor with a name alone."""

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize("num_sequences", [1, 2, 5])
def test_every_sequence_is_whole_on_one_device(num_sequences: int) -> None:
    unrolled, plan = plan_of(num_sequences)
    members: Any = [Member("a"), Member("b"), Member("c")]
    shares = Devices(members).shares(plan)
    assert len(shares) == min(3, num_sequences)
    rows = np.concatenate([share.rows for share in shares])
    assert sorted(rows) == list(range(plan.num_rows))
    whole = plan.angles(unrolled.angle_map, slice(None))
    terms = 0
    for number, share in enumerate(shares):
        assert set(plan.sequence[share.rows]) == set(range(number, num_sequences, 3))
        # The same angles as in the whole plan, and a plan in its own right.
        angles = share.plan.angles(unrolled.angle_map, slice(None))
        np.testing.assert_array_equal(angles, whole[share.rows])
        own = share.plan.num_sequences
        np.testing.assert_array_equal(share.plan.sequence[:own], np.arange(own))
        terms += len(share.plan.term_row)
    assert terms == len(plan.term_row)


def test_outcomes_come_back_to_their_rows() -> None:
    """Each device's sequences have the outcomes that it alone would have measured."""
    unrolled, plan = plan_of(3)
    plan = plan.with_repeats(np.arange(plan.num_rows) % 3 + 1)
    spec = BackendSpec.model_validate({"name": ["fake_quito", "fake_lima"], "shots": 6})
    executor = make_executor(spec, None)
    assert isinstance(executor, Devices)
    request = EvaluationRequest(plan, 6, 5)
    found = executor.fetch(executor.submit(unrolled, request))
    np.testing.assert_array_equal(found.count, plan.repeats * 6)
    first = np.concatenate([[0], np.cumsum(found.count)])
    for number, share in enumerate(executor.shares(plan)):
        alone = EvaluationRequest(share.plan, 6, stream_seed(5, (number,)))
        own = share.executor.fetch(share.executor.submit(unrolled, alone))
        place = np.concatenate([np.arange(first[row], first[row + 1]) for row in share.rows])
        np.testing.assert_array_equal(found.packed[place], own.packed)


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ({"name": ["ibm_quito", "ibm_quito"]}, "must not name a device twice"),
        ({"name": ["ibm_quito", "fake_lima"]}, "must name devices of IBM's service"),
        ({"name": ["exact", "aer"]}, "must name devices of IBM's service"),
        ({"name": []}, "must be a name or a list of names"),
        ({"name": ["ibm_a", "ibm_b"], "initial_layout": [0, 1]}, "is for one device"),
    ],
)
def test_lists_that_make_no_sense(backend: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(QRNNError, match=message):
        make_setup(make_job(tmp_path, backend={"shots": 8, **backend}))


def test_mitigation_is_for_one_device(tmp_path: Path) -> None:
    tables: Any = {
        "backend": {"name": ["fake_quito", "fake_lima"], "shots": 8},
        "mitigation": {"readout": "stated"},
    }
    with pytest.raises(QRNNError, match="is not for several devices"):
        make_setup(make_job(tmp_path, **tables))


def rows_of(run: Path) -> list[Any]:
    ledger = Ledger(run, looking=True)
    try:
        return ledger.jobs()
    finally:
        ledger.close()


def test_a_training_on_two_devices(
    service: EmulatedService, cli: Cli, job: Path, tmp_path: Path
) -> None:
    plan = json.loads(cli("plan", job, "--json")[1])
    assert [device["name"] for device in plan["devices"]] == DEVICES
    run = tmp_path / "run"
    code, _, err = cli("run", job, "--run-dir", run)
    assert code == 0, err
    assert plan["jobs"] == len(service.jobs) == 6
    assert plan["qpu_seconds"] == pytest.approx(service.consumed_seconds(), abs=0.1)
    found = rows_of(run)
    assert Counter(row.backend for row in found) == dict.fromkeys(DEVICES, 3)
    assert {row.address for row in found} == {
        f"{place}@{device}"
        for place in ("step-0/gradient", "step-1/gradient", "test")
        for device in DEVICES
    }
    # Two of three sequences and a third of the rows for the other.
    rows = {row.address: row.block.stop for row in found}
    assert rows["step-0/gradient@ibm_quito"] == 2 * rows["step-0/gradient@ibm_lima"]
    # Each job was sent to the device that the ledger names.
    devices = {one.id: one.request.backend for one in service.jobs}
    assert all(devices[row.job] == row.backend for row in found)
    assert sorted(path.name for path in run.glob("isa*")) == [
        "isa-ibm_lima.qpy",
        "isa-ibm_quito.qpy",
    ]
    calibration = json.loads((run / "run.json").read_text(encoding="utf-8"))["calibration"]
    assert sorted(calibration) == sorted(DEVICES)


def test_both_devices_are_asked_before_anybody_waits(
    service: EmulatedService, cli: Cli, job: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    service.hold()
    code, _, err = cli("run", job, "--run-dir", run, "--no-wait")
    assert code == 3, err
    assert len(service.jobs) == 2
    table = json.loads(cli("status", run, "--refresh", "--json")[1])["jobs"]
    assert {line["backend"] for line in table} == set(DEVICES)
    assert {line["state"] for line in table} == {"queued"}
    cancelled = json.loads(cli("cancel", run, "--json")[1])["cancelled"]
    assert len(cancelled) == 2
    assert cli("run", run, "--no-wait")[0] == 3
    service.release()
    service.wait_until_idle()
    assert len(json.loads(cli("fetch", run, "--json")[1])["fetched"]) == 2
    assert cli("run", run)[0] == 0


@pytest.mark.parametrize(
    ("kill", "nth", "fault"),
    [
        ("sending", 2, None),
        ("before submitted", 3, Fault("POST /jobs", "lose_answer", nth=2)),
        ("completed", 1, Fault("POST /jobs", "fail_job", nth=2)),
        ("before result", 4, None),
        ("", 1, Fault("POST /jobs", "lose_answer", nth=4)),
    ],
)
def test_killed_on_two_devices_and_continued(
    zygote: Zygote,
    job: Path,
    undisturbed: dict[str, Any],
    tmp_path: Path,
    kill: str,
    nth: int,
    fault: Fault | None,
) -> None:
    from tests.integration.test_service_faults import continued

    run = tmp_path / "run"
    with two(faults=[] if fault is None else [fault]) as running:
        first = ["run", str(job), "--run-dir", str(run)]
        story = continued(zygote, running, run, first, kill, nth)
        assert not kill or story.endings[0].code == -9, "the kill was not reached"
        accepted = Counter(one.tags[0] for one in running.jobs)
        assert max(accepted.values()) == 1
        failed = fault is not None and fault.action == "fail_job"
        assert len(running.jobs) == 6 + failed
        completed = [row for row in rows_of(run) if row.state == "completed"]
        assert len(completed) == 6
    assert result(run) == undisturbed
