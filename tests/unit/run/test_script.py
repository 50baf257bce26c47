"""Runs of scripts: layers, budgets, and what the commands for runs say of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit import AerExecutor, ExactExecutor, build_cell, unroll
from qrnn_qiskit.errors import BudgetError, QRNNError, RunError, SpecError
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.run.jobs import run_job, status_run
from qrnn_qiskit.run.measure.evaluator import Call
from qrnn_qiskit.run.measure.gradient import measure_outputs
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.script import ScriptRun, executor_of
from qrnn_qiskit.run.service.remote import fetch_run
from tests.unit.run.small import arrays

CELL = build_cell("parity2", {})
WEIGHTS = np.array([0.7, 1.9, 0.4, 2.3])
X = arrays()["features"][:2]


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "run"
    if (tmp_path / "run").exists():
        ScriptRun.at(tmp_path / "run").close()


def measured(run: ScriptRun, number: int = 0, weights: Any = WEIGHTS, seed: int = 3) -> Outputs:
    executor = ExactExecutor()
    name = run.add_layer(CELL, executor, "parameter_shift")
    evaluator = run.evaluator(name, unroll(CELL, X.shape[1]), executor, kind="z", seed=seed)
    return measure_outputs(evaluator, weights, X, 10, Call(f"{name}/{number}", (10, number)))


def test_recorded_outcomes_come_back(path: Path) -> None:
    with ScriptRun(path) as run:
        first = measured(run)
        assert run.shots == 2 * 10
    with ScriptRun(path) as run:
        again = measured(run)
        assert run.shots == 2 * 10
        assert (run.qpu_seconds, run.qpu_jobs) == (0.0, 0)
    np.testing.assert_array_equal(first.mean, again.mean)


def test_other_work_is_refused(path: Path) -> None:
    with ScriptRun(path) as run:
        measured(run)
    with ScriptRun(path) as run, pytest.raises(RunError, match="other work at layer-1/0"):
        measured(run, weights=WEIGHTS + 0.1)
    with ScriptRun(path) as run, pytest.raises(RunError, match="layer-1 has another cell"):
        run.add_layer(build_cell("reupload", {}), ExactExecutor(), "parameter_shift")
    with ScriptRun(path) as run, pytest.raises(RunError, match="layer-1 has another backend"):
        run.add_layer(CELL, AerExecutor(), "parameter_shift")


def test_layers_share_a_budget(path: Path) -> None:
    with ScriptRun(path, shots=45) as run:
        measured(run)
        measured(run)
        with pytest.raises(BudgetError, match=r"take the run to 60 of budget.shots = 45"):
            measured(run)
    with ScriptRun(path, shots=60) as run:
        for _ in range(3):
            measured(run)
        assert run.shots == 60


def test_one_object_for_a_directory(path: Path) -> None:
    run = ScriptRun(path)
    assert ScriptRun.at(path) is run
    with pytest.raises(RunError, match="is open in this process"):
        ScriptRun(path)
    run.close()
    assert ScriptRun.at(path) is not run


def test_the_commands_for_runs(path: Path) -> None:
    with ScriptRun(path) as run:
        measured(run)
        assert status_run(path)["state"] == "running"
    found = status_run(path)
    assert found["state"] == "closed"
    assert (found["backend"], found["requests_completed"]) == ("exact", 1)
    with pytest.raises(RunError, match="start the script again"):
        run_job(path)
    with pytest.raises(RunError, match="it has no QPU jobs"):
        fetch_run(path)


def test_the_run_of_a_job_is_refused(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "job", {"job": {}})
    with pytest.raises(RunError, match="is the run of a job file"):
        ScriptRun(tmp_path / "job")


@pytest.mark.parametrize(
    ("message", "make"),
    [
        ("budget.shots = 0", lambda path: ScriptRun(path, shots=0)),
        ("budget.qpu_seconds = -1", lambda path: ScriptRun(path, qpu_seconds=-1.0)),
        ("backend.name = 'ear' is unknown", lambda path: executor_of("ear")),
        ("backend.speed: unknown key", lambda path: executor_of({"name": "aer", "speed": 1})),
        ("give the layer its shots", lambda path: executor_of({"name": "aer", "shots": 5})),
    ],
)
def test_wrong_options(message: str, make: Any, tmp_path: Path) -> None:
    with pytest.raises(QRNNError, match=message) as error:
        make(tmp_path / "run")
    assert isinstance(error.value, SpecError)
    assert not (tmp_path / "run").exists()
