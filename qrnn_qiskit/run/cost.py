"""What a job will cost, before anything is submitted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, final

from qrnn_qiskit.circuit import UnrolledCircuit
from qrnn_qiskit.errors import BudgetError
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.isa import (
    device_duration,
    shortest_coherence,
)
from qrnn_qiskit.execution.layout import predicted_error
from qrnn_qiskit.execution.reset import describe_reset
from qrnn_qiskit.execution.service import REP_DELAY_S, SECONDS_PER_JOB, as_service
from qrnn_qiskit.execution.tiles import WORST, tile_errors, whole_shots
from qrnn_qiskit.run.measure.gradient import Adjoint
from qrnn_qiskit.run.method import method_name
from qrnn_qiskit.run.setup import Setup

_SUGGESTED: Final = 1.25  # budget over plan, in the line that an error suggests


@final
@dataclass(frozen=True, slots=True)
class EvaluationCost:
    """One evaluation: its rows, the shots of all of them, and its QPU jobs.

    An execution brings a shot on each of the device's tiles.
    """

    rows: int
    shots: int
    jobs: int = 0


def gradient_cost(setup: Setup, batch: int) -> EvaluationCost:
    """Cost of one gradient on the first `batch` training sequences.

    Raises:
        BackendError: if `gradient.shots_total` is too small for the rows.
    """
    if isinstance(setup.rule, Adjoint):
        return EvaluationCost(0, 0)
    plan, shots = setup.shots.apply(setup.rule.plan(setup.problem(batch)))
    jobs = _jobs(setup, plan.total_repeats, shots)
    return EvaluationCost(plan.num_rows, plan.total_repeats * (shots or 0), jobs)


def forecast_cost(setup: Setup, sequences: int, shots: int | None) -> EvaluationCost:
    """Cost of one forecast of some sequences."""
    if shots is not None:
        shots = whole_shots(shots, num_tiles(setup))
    return EvaluationCost(sequences, sequences * (shots or 0), _jobs(setup, sequences, shots))


def num_tiles(setup: Setup) -> int:
    """Copies of the circuit on the device: shots of a row in one execution."""
    return setup.shots.tiles


def _jobs(setup: Setup, rows: int, shots: int | None) -> int:
    if not rows or not shots:
        return 0
    return len(as_service(setup.executor).blocks(setup.unrolled, rows, shots))


def rep_delay_s(setup: Setup) -> float:
    """Seconds between two executions on the device."""
    return _rep_delay_s(setup.executor)


def _rep_delay_s(executor: Executor) -> float:
    return float(getattr(executor, "rep_delay_s", REP_DELAY_S))


def seconds_per_execution(setup: Setup) -> float:
    """Predicted seconds on the device for one execution of one row; 0 on simulators."""
    return execution_seconds(setup.executor, setup.unrolled)


def execution_seconds(executor: Executor, unrolled: UnrolledCircuit) -> float:
    """Predicted seconds on an executor's device for one execution; 0 on simulators."""
    target = getattr(executor, "target", None)
    if target is None:
        return 0.0
    return _rep_delay_s(executor) + (device_duration(executor.isa(unrolled), target) or 0.0)


def qpu_seconds(setup: Setup, evaluation: EvaluationCost) -> float:
    """Predicted seconds on the device of one evaluation; 0 on simulators."""
    each = seconds_per_execution(setup)
    if not each or not evaluation.shots:
        return 0.0
    return SECONDS_PER_JOB * evaluation.jobs + each * evaluation.shots / num_tiles(setup)


def plan_job(setup: Setup) -> dict[str, Any]:
    """All that is known of a job's cost, as a JSON-able dictionary."""
    job = setup.job
    train, validation, test = (
        getattr(setup.splits, part).num_sequences for part in ("train", "validation", "test")
    )
    batch = setup.batch_size
    reservoir = job.kind == "train" and setup.solves_readout
    free = job.kind == "evaluate" or reservoir
    gradient = EvaluationCost(0, 0) if free else gradient_cost(setup, batch)
    parts: list[tuple[int, EvaluationCost]]
    if reservoir:
        parts = [
            (1, forecast_cost(setup, train, setup.forward_shots)),
            (1, forecast_cost(setup, validation, setup.forward_shots)),
            (1, forecast_cost(setup, test, setup.test_shots)),
        ]
    elif job.kind == "train":
        steps = job.training.steps
        validations = -(-steps // job.training.validate_every) + 1 if validation else 0
        parts = [
            # A minimizer evaluates at least this often, more in its line searches.
            (steps if setup.stepwise else steps + 1, gradient),
            (validations, forecast_cost(setup, validation, setup.forward_shots)),
            (1, forecast_cost(setup, test, setup.test_shots)),
        ]
    elif job.kind == "gradient":
        parts = [(1, gradient)]
    else:
        parts = [(1, forecast_cost(setup, train, setup.forward_shots))]
    shots = sum(times * part.shots for times, part in parts)
    executions = shots // num_tiles(setup)
    seconds = sum(times * qpu_seconds(setup, part) for times, part in parts)
    isa = setup.executor.isa(setup.unrolled)
    duration = seconds_per_execution(setup)
    jobs = sum(times * part.jobs for times, part in parts)
    return {
        "kind": job.kind,
        "backend": setup.executor.name,
        "method": method_name(setup.rule),
        "weights": setup.num_weights,
        "occurrences": len(setup.unrolled.occurrences),
        "steps_per_sequence": setup.unrolled.num_steps,
        "two_qubit_gates": isa.two_qubit_gates,
        "physical_qubits": list(isa.qubits),
        "circuit_us": round((duration - rep_delay_s(setup)) * 1e6, 3) if duration else None,
        "training_steps": job.training.steps if job.kind == "train" else None,
        "sequences_per_step": batch,
        "rows_per_gradient": gradient.rows,
        "shots_per_gradient": gradient.shots,
        "jobs": jobs,
        "shots_total": shots,
        "qpu_seconds": round(seconds, 1),
        "budget_shots": job.budget.shots,
        "budget_qpu_seconds": job.budget.qpu_seconds,
        "within_budget": _over(job.budget.shots, shots) is None
        and _over(job.budget.qpu_seconds, seconds) is None,
        **_of_the_target(setup),
        "exact": isinstance(setup.executor, ExactExecutor) and shots == 0,
        **_on_device(setup, jobs, executions),
        **_of_tiles(setup, jobs, shots),
    }


def _of_tiles(setup: Setup, jobs: int, shots: int) -> dict[str, Any]:
    """Where the tiles are, what goes wrong on each, and what they save."""
    executor: Any = setup.executor
    isa = executor.isa(setup.unrolled)
    if not isa.tiles:
        return {}
    errors = tile_errors(isa.circuit, executor.target, isa.tiles)
    alone = SECONDS_PER_JOB * jobs + seconds_per_execution(setup) * shots
    return {
        "tiles": isa.num_tiles,
        "tile_qubits": [list(tile) for tile in isa.tiles],
        "tile_errors": [round(error, 4) for error in errors],
        "tiles_left_out": f"where more than {WORST:g} times the least errors are predicted",
        "executions_total": shots // isa.num_tiles,
        "qpu_seconds_without_tiles": round(alone, 1),
    }


def _on_device(setup: Setup, jobs: int, executions: int) -> dict[str, Any]:
    """What only devices have: coherence, delays between executions, an account."""
    target = getattr(setup.executor, "target", None)
    if target is None:
        return {}
    isa = setup.executor.isa(setup.unrolled)
    coherence = shortest_coherence(isa, target)
    found: dict[str, Any] = {
        "coherence_us": None if coherence is None else round(coherence * 1e6, 1),
        "rep_delay_us": round(rep_delay_s(setup) * 1e6, 3),
    }
    executor: Any = setup.executor
    if setup.job.backend.is_service:
        least, circuit = executor.least_rep_delay_s, seconds_per_execution(setup)
        if least is not None:
            each = circuit - rep_delay_s(setup) + least
            found["least_rep_delay_us"] = round(least * 1e6, 3)
            found["qpu_seconds_at_least_delay"] = round(
                SECONDS_PER_JOB * jobs + each * executions, 1
            )
        found["instance_seconds_left"] = executor.seconds_left()
    return found


def _of_the_target(setup: Setup) -> dict[str, Any]:
    """How the device, simulated or not, measures and resets, and what the circuit loses there."""
    executor = setup.executor
    noise = getattr(executor, "noise", None)
    target = getattr(executor, "target", None) or (noise.target if noise else None)
    if target is None:
        return {}
    isa = executor.isa(setup.unrolled)
    return {
        **describe_reset(setup.unrolled.circuit, isa.circuit, isa.qubits, target),
        "predicted_error": round(predicted_error(isa.circuit, target), 4),
    }


def check_budget(setup: Setup) -> None:
    """Refuse a job that costs more than its budget, or whose shots are too few for its rows.

    Raises:
        BackendError: if `gradient.shots_total` is too small.
        BudgetError: by how much, and what to change.
    """
    plan = plan_job(setup)
    if setup.job.backend.is_service and setup.job.budget.qpu_seconds is None:
        raise BudgetError(
            f"{setup.executor.name} is a real device, and the job has no budget: by plan "
            f"{plan['jobs']:,} QPU jobs, {plan['shots_total']:,} executions and "
            f"{plan['qpu_seconds']:,} QPU seconds (qrnn plan shows more). If that is meant, add to "
            f"the job file: [budget] qpu_seconds = {math.ceil(plan['qpu_seconds'] * _SUGGESTED)}, "
            "or give it by --set budget.qpu_seconds=...; nothing was submitted"
        )
    jobs = setup.job.budget.qpu_jobs
    if jobs is not None and plan["jobs"] > jobs:
        raise BudgetError(
            f"the job needs {plan['jobs']:,} of budget.qpu_jobs = {jobs:,}: take fewer steps "
            "(training.steps) or validations (training.validate_every), or raise the budget; "
            "nothing was submitted"
        )
    check_budget_of(setup, plan["shots_total"], plan["qpu_seconds"])


def check_budget_of(setup: Setup, shots: int, seconds: float) -> None:
    """Refuse work of so many shots and predicted QPU seconds if the budget is smaller.

    Raises:
        BudgetError: by how much, and what to change.
    """
    budget = setup.job.budget
    for key, limit, cost in (
        ("budget.shots", budget.shots, shots),
        ("budget.qpu_seconds", budget.qpu_seconds, seconds),
    ):
        excess = _over(limit, cost)
        if excess is not None:
            raise BudgetError(
                f"the job needs {cost:,} of {key} = {limit:,}, {excess:.3g} times the budget: take "
                "fewer shots (backend.shots), steps (training.steps) or sequences "
                "(training.batch_size), or raise the budget; nothing was submitted"
            )


@final
class Account:
    """What a run has spent, held against its budget.

    The plan before the start is an estimate: minimizers choose how often they evaluate.

    Attributes:
        shots: since the start of the run.
        qpu_seconds: predicted, since the start of the run.
    """

    def __init__(self, setup: Setup) -> None:
        self.shots = 0
        self.qpu_seconds = 0.0
        self._setup = setup

    def resume(self, shots: int, qpu_seconds: float) -> None:
        """Go on from what an interrupted run had spent."""
        self.shots, self.qpu_seconds = shots, qpu_seconds

    def charge(self, shots: int) -> None:
        """Pay for one evaluation.

        Raises:
            BudgetError: if the budget does not allow it; nothing is paid then.
        """
        budget = self._setup.job.budget
        seconds = self.qpu_seconds + qpu_seconds(self._setup, EvaluationCost(0, shots, 1))
        shots += self.shots
        # On a real device the ledger, which knows the charges, holds the budget.
        allowed = None if self._setup.job.backend.is_service else budget.qpu_seconds
        for key, limit, used in (
            ("budget.shots", budget.shots, shots),
            ("budget.qpu_seconds", allowed, round(seconds, 1)),
        ):
            if _over(limit, used) is not None:
                raise BudgetError(
                    f"the next evaluation would take the run to {used:,} of {key} = {limit:,}; "
                    f"all so far is kept: continue it with --set {key}=MORE"
                )
        self.shots, self.qpu_seconds = shots, seconds


def _over(limit: float | None, cost: float) -> float | None:
    return cost / limit if limit is not None and cost > limit else None
