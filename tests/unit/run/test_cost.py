"""What a job will cost, and that a budget is held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qrnn_qiskit.errors import BackendError, BudgetError
from qrnn_qiskit.run.cost.account import Account
from qrnn_qiskit.run.cost.plan import check_budget, plan_job
from qrnn_qiskit.run.jobs import run_job
from qrnn_qiskit.run.setup import make_setup
from tests.unit.run.small import history, make_job, write_job

DEVICE: Any = {"backend": {"name": "fake_marrakesh", "shots": 100}}


def test_an_exact_job_costs_nothing(tmp_path: Path) -> None:
    plan = plan_job(make_setup(make_job(tmp_path)))
    assert (plan["method"], plan["exact"]) == ("adjoint", True)
    costs = ("rows_per_gradient", "shots_per_gradient", "jobs", "shots_total", "qpu_seconds")
    assert [plan[key] for key in costs] == [0] * 5


def test_a_minimizer_takes_all_sequences(tmp_path: Path) -> None:
    tables: Any = {
        "backend": {"shots": 10},
        "training": {"steps": 2, "batch_size": 2, "validate_every": 9},
    }
    batches = plan_job(make_setup(make_job(tmp_path, **tables)))
    tables["optimizer"] = {"name": "bfgs"}
    del tables["training"]["batch_size"]
    whole = plan_job(make_setup(make_job(tmp_path, **tables)))
    assert (batches["sequences_per_step"], whole["sequences_per_step"]) == (2, 6)
    assert whole["shots_per_gradient"] == 3 * batches["shots_per_gradient"]
    run_job(write_job(tmp_path, **tables), run_dir=tmp_path / "run")
    # An estimate from below: one evaluation at the start, and one or more for each step.
    assert history(tmp_path / "run")[-1]["shots"] >= 3 * whole["shots_per_gradient"]


@pytest.mark.parametrize(("kind", "jobs"), [("gradient", 1), ("evaluate", 1)])
def test_single_evaluations(kind: str, jobs: int, tmp_path: Path) -> None:
    shift = {"method": "parameter_shift"}
    job = make_job(tmp_path, backend={"shots": 10}, gradient=shift)
    job = job.model_copy(update={"kind": kind})
    plan = plan_job(make_setup(job))
    rows = plan["rows_per_gradient"] or 6
    assert (plan["jobs"], plan["shots_total"]) == (jobs, 10 * rows)
    assert plan["training_steps"] is None


def test_a_device_costs_seconds(tmp_path: Path) -> None:
    setup = make_setup(make_job(tmp_path, **DEVICE, training={"steps": 2, "validate_every": 5}))
    plan = plan_job(setup)
    # 2 s for each job, and 250 µs with the circuit's own time for each execution.
    each = (plan["qpu_seconds"] - 2.0 * plan["jobs"]) / plan["shots_total"]
    assert each == pytest.approx(250e-6 + 1e-6 * plan["circuit_us"], rel=1e-2)
    assert 1 < plan["circuit_us"] < 100
    assert plan["jobs"] == 2 + 2 + 1
    assert len(plan["physical_qubits"]) == 2

    account = Account(setup)
    account.charge(plan["shots_per_gradient"])
    expected = 2.0 + each * plan["shots_per_gradient"]
    assert account.qpu_seconds == pytest.approx(expected, rel=1e-2)
    short = {"qpu_seconds": plan["qpu_seconds"] - 0.5}
    over = make_setup(make_job(tmp_path, **DEVICE, training=setup_training(), budget=short))
    with pytest.raises(BudgetError, match="budget.qpu_seconds = "):
        check_budget(over)


def setup_training() -> dict[str, int]:
    return {"steps": 2, "validate_every": 5}


def test_a_budget_is_held_before_the_start(tmp_path: Path) -> None:
    total = plan_job(make_setup(make_job(tmp_path, backend={"shots": 10})))["shots_total"]
    check_budget(make_setup(make_job(tmp_path, backend={"shots": 10}, budget={"shots": total})))
    over = make_setup(make_job(tmp_path, backend={"shots": 10}, budget={"shots": total - 1}))
    with pytest.raises(BudgetError, match=f"needs {total:,} of budget.shots = {total - 1:,}"):
        check_budget(over)


def test_too_few_shots_are_found_before_the_start(tmp_path: Path) -> None:
    setup = make_setup(make_job(tmp_path, gradient={"shots_total": 30}))
    with pytest.raises(BackendError, match="too few for 42 rows"):
        check_budget(setup)


def test_an_account_pays_or_refuses_but_never_both(tmp_path: Path) -> None:
    setup = make_setup(make_job(tmp_path, backend={"shots": 10}, budget={"shots": 100}))
    account = Account(setup)
    account.charge(60)
    with pytest.raises(BudgetError, match="to 101 of budget.shots = 100; all so far is kept"):
        account.charge(41)
    assert account.shots == 60
    account.charge(40)
    assert account.shots == 100
    account.resume(30, 1.5)
    assert (account.shots, account.qpu_seconds) == (30, 1.5)
