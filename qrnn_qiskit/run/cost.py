"""What a job will cost, before anything is submitted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Index
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BudgetError
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.devices import members_of
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.isa import device_duration, shortest_coherence
from qrnn_qiskit.execution.layout import predicted_error
from qrnn_qiskit.execution.service import REP_DELAY_S, SECONDS_PER_JOB, as_service
from qrnn_qiskit.execution.tiles import WORST, tile_errors, whole_shots
from qrnn_qiskit.run.measure.gradient import Adjoint
from qrnn_qiskit.run.method import method_name
from qrnn_qiskit.run.on_target import drawn_by_another, money, of_mitigation, of_the_target, shares
from qrnn_qiskit.run.service.spending import HOUR_S
from qrnn_qiskit.run.setup import Setup, check_steps
from qrnn_qiskit.run.shot_range import shot_range

_SUGGESTED: Final = 1.25  # budget over plan, in the line that an error suggests


@final
@dataclass(frozen=True, slots=True)
class EvaluationCost:
    """One evaluation: its rows, the shots of all of them, its QPU jobs and their seconds.

    An execution brings a shot on each of the device's tiles.
    """

    rows: int
    shots: int
    jobs: int = 0
    seconds: float = 0.0
    executions: int = 0


def gradient_cost(setup: Setup, batch: int) -> EvaluationCost:
    """Cost of one gradient on the first `batch` training sequences.

    Raises:
        BackendError: if `gradient.shots_total` is too small for the rows.
    """
    if isinstance(setup.rule, Adjoint):
        return EvaluationCost(0, 0)
    plan, shots = setup.shots.apply(setup.rule.plan(setup.problem(batch)))
    return _cost(setup, plan.sequence, plan.repeats, shots)


def forecast_cost(setup: Setup, sequences: int, shots: int | None) -> EvaluationCost:
    """Cost of one forecast of some sequences."""
    if shots is not None:
        shots = whole_shots(shots, num_tiles(setup))
    return _cost(setup, np.arange(sequences), np.ones(sequences, dtype=np.int64), shots)


def num_tiles(setup: Setup) -> int:
    """Copies of the circuit on the device: shots of a row in one execution."""
    return setup.shots.tiles


def _cost(
    setup: Setup, sequence: Index, repeats: NDArray[np.int64], shots: int | None
) -> EvaluationCost:
    """Cost of rows of some sequences, shared out to the devices."""
    shots = shots or 0
    members = members_of(setup.executor)
    rows = np.bincount(sequence % len(members), repeats, len(members)).astype(int).tolist()
    jobs, seconds = 0, 0.0
    for member, own in zip(members, rows, strict=True):
        for executor, share in shares(setup, member, shots) if own and shots else ():
            count = len(as_service(executor).blocks(setup.unrolled, own, share))
            each = execution_seconds(executor, setup.unrolled)
            jobs += count
            if each:
                seconds += SECONDS_PER_JOB * count + each * own * share / num_tiles(setup)
    executions = sum(rows) * shots // num_tiles(setup)
    return EvaluationCost(len(sequence), sum(rows) * shots, jobs, seconds, executions)


def mitigation_cost(setup: Setup) -> list[EvaluationCost]:
    """Cost of calibration circuits and of rows to learn from, once in a run."""
    shots = None if setup.mitigation is None else setup.mitigation.shots
    if setup.mitigation is None or shots is None:
        return []
    calibration, learned = setup.mitigation.calibration_rows, setup.job.mitigation.linear_rows
    found = []
    if calibration:  # each preparation is a job
        jobs = calibration * len(as_service(setup.executor).blocks(setup.unrolled, 1, shots))
        each, executions = execution_seconds(setup.executor, setup.unrolled), calibration * shots
        seconds = SECONDS_PER_JOB * jobs + each * executions if each else 0.0
        found.append(EvaluationCost(calibration, executions, jobs, seconds, executions))
    if learned:
        found.append(forecast_cost(setup, learned, shots))
    return found


def tile_check_cost(setup: Setup) -> list[EvaluationCost]:
    """Cost of looking for crosstalk: the first minibatch on all tiles, and on one."""
    executions = setup.job.backend.tile_check
    if executions is None:
        return []
    found = []
    for member in members_of(setup.executor):
        rows = setup.batch_size
        each = execution_seconds(member, setup.unrolled)
        for tiles in (num_tiles(setup), 1):
            jobs = len(
                as_service(member).blocks(setup.unrolled, rows, executions * num_tiles(setup))
            )
            seconds = SECONDS_PER_JOB * jobs + each * rows * executions
            found.append(
                EvaluationCost(rows, rows * executions * tiles, jobs, seconds, rows * executions)
            )
    return found


def rep_delay_s(setup: Setup) -> float:
    """Seconds between two executions on the (first) device."""
    return float(getattr(members_of(setup.executor)[0], "rep_delay_s", REP_DELAY_S))


def execution_seconds(executor: Executor, unrolled: UnrolledCircuit) -> float:
    """Predicted seconds on a device for one execution of one row; 0 on simulators."""
    target = getattr(executor, "target", None)
    if target is None:
        return 0.0
    duration = device_duration(executor.isa(unrolled), target)
    return float(getattr(executor, "rep_delay_s", REP_DELAY_S)) + (duration or 0.0)


def seconds_per_execution(setup: Setup) -> float:
    """`execution_seconds`, on average over several devices."""
    members = members_of(setup.executor)
    whole = 10_000  # shots of a row
    each = [
        execution_seconds(executor, setup.unrolled) * share / whole
        for member in members
        for executor, share in shares(setup, member, whole)
    ]
    return sum(each) / len(members)


def qpu_seconds(setup: Setup, shots: int) -> float:
    """Predicted seconds on the device of shots in one QPU job; 0 on simulators."""
    each = seconds_per_execution(setup)
    if not each or not shots:
        return 0.0
    return SECONDS_PER_JOB + each * shots / num_tiles(setup)


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
    mitigation = mitigation_cost(setup)
    parts += [(1, part) for part in mitigation]
    if job.kind == "train":
        parts += [(1, part) for part in tile_check_cost(setup)]
    shots = sum(times * part.shots for times, part in parts)
    executions = sum(times * part.executions for times, part in parts)
    seconds = sum(times * part.seconds for times, part in parts)
    isa = setup.executor.isa(setup.unrolled)
    duration = execution_seconds(members_of(setup.executor)[0], setup.unrolled)
    jobs = sum(times * part.jobs for times, part in parts)
    return {
        "kind": job.kind,
        "backend": setup.executor.name,
        **drawn_by_another(setup, shots),
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
        **money(job.budget, seconds),
        "budget_shots": job.budget.shots,
        "budget_qpu_seconds": job.budget.qpu_seconds,
        "within_budget": not any(
            over(limit, value)
            for _, limit, value in _limits(setup, shots, seconds, jobs, executions)
        ),
        **shot_range(setup, gradient.shots, shots, seconds, duration / num_tiles(setup)),
        **of_the_target(setup),
        **of_mitigation(
            setup, sum(part.rows for part in mitigation), sum(part.shots for part in mitigation)
        ),
        "exact": isinstance(setup.executor, ExactExecutor) and shots == 0,
        **_on_device(setup, jobs, executions),
        **_of_tiles(setup, jobs, shots, executions),
    }


def _limits(
    setup: Setup,
    shots: int,
    seconds: float,
    jobs: int | None = None,
    executions: int | None = None,
) -> list[tuple[str, float | None, float]]:
    """Key, limit and predicted value of all that a budget bounds."""
    budget = setup.job.budget
    return [
        ("budget.shots", budget.shots, shots),
        (
            "budget.executions",
            budget.executions,
            -(-shots // num_tiles(setup)) if executions is None else executions,
        ),
        ("budget.qpu_jobs", budget.qpu_jobs, jobs or 0),
        ("budget.qpu_seconds", budget.qpu_seconds, round(seconds, 1)),
        ("budget.money", budget.money, round(seconds * (budget.money_per_second or 0.0), 2)),
        # Queues cannot be predicted: this is what the run takes without any.
        ("budget.wall_hours", budget.wall_hours, float(f"{seconds / HOUR_S:.3g}")),
    ]


def _of_tiles(setup: Setup, jobs: int, shots: int, executions: int) -> dict[str, Any]:
    """Where the tiles are, what goes wrong on each, and what they save."""
    executor: Any = members_of(setup.executor)[0]
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
        "executions_total": executions,
        "qpu_seconds_without_tiles": round(alone, 1),
    }


def _on_device(setup: Setup, jobs: int, executions: int) -> dict[str, Any]:
    """What only devices have: coherence, delays between executions, an account."""
    members = members_of(setup.executor)
    if len(members) > 1:
        return {"devices": [_one_of_several(member, setup.unrolled) for member in members]}
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


def _one_of_several(executor: Executor, unrolled: UnrolledCircuit) -> dict[str, Any]:
    isa, target = executor.isa(unrolled), getattr(executor, "target", None)
    return {
        "name": executor.name,
        "physical_qubits": list(isa.qubits),
        "predicted_error": None
        if target is None
        else round(predicted_error(isa.circuit, target), 4),
        "execution_us": round(execution_seconds(executor, unrolled) * 1e6, 1),
    }


def check_budget(setup: Setup) -> None:
    """Refuse a job that costs more than its budget, or that the device cannot do any good.

    Raises:
        BackendError: if `gradient.shots_total` is too small for the rows, or a step is too long for
            T1.
        BudgetError: by how much, and what to change.
    """
    check_steps(setup)
    plan = plan_job(setup)
    executions = plan.get("executions_total", plan["shots_total"])
    if setup.job.backend.is_service and setup.job.budget.qpu_seconds is None:
        raise BudgetError(
            f"{setup.executor.name} is a real device, and the job has no budget: by plan "
            f"{plan['jobs']:,} QPU jobs, {executions:,} executions and "
            f"{plan['qpu_seconds']:,} QPU seconds (qrnn plan shows more). If that is meant, add to "
            f"the job file: [budget] qpu_seconds = {math.ceil(plan['qpu_seconds'] * _SUGGESTED)}, "
            "or give it by --set budget.qpu_seconds=...; nothing was submitted"
        )
    check_budget_of(
        setup,
        plan["shots_total"],
        plan["qpu_seconds"],
        plan["jobs"],
        executions,
    )


def check_budget_of(
    setup: Setup,
    shots: int,
    seconds: float,
    jobs: int | None = None,
    executions: int | None = None,
) -> None:
    """Refuse work of so many shots and predicted QPU seconds if the budget is smaller.

    Args:
        setup: with the budget.
        shots: over all rows.
        seconds: predicted QPU seconds.
        jobs: QPU jobs, if any.
        executions: those of the shots by default.

    Raises:
        BudgetError: by how much, and what to change.
    """
    for key, limit, cost in _limits(setup, shots, seconds, jobs, executions):
        excess = over(limit, cost)
        if excess is not None:
            raise BudgetError(
                f"the job needs {cost:,} of {key} = {limit:,}, {excess:.3g} times the budget: "
                f"{_remedy(setup, key, excess, seconds, jobs or 0)}, or raise the budget; nothing "
                "was submitted"
            )


def _remedy(setup: Setup, key: str, excess: float, seconds: float, jobs: int) -> str:
    """What would make a job fit."""
    others = "fewer steps (training.steps) or sequences (training.batch_size)"
    if key == "budget.qpu_jobs":
        return "take fewer steps (training.steps) or validations (training.validate_every)"
    fixed = SECONDS_PER_JOB * jobs
    share = 1 / excess
    if key in ("budget.qpu_seconds", "budget.money", "budget.wall_hours") and seconds:
        share = (seconds / excess - fixed) / max(seconds - fixed, 1e-9)
    backend, gradient = setup.job.backend, setup.job.gradient
    name, shots = "backend.shots", backend.shots
    if gradient.shots_total is not None:
        name, shots = "gradient.shots_total", gradient.shots_total
    fitting = math.floor((shots or 0) * share) // num_tiles(setup) * num_tiles(setup)
    if fitting >= 2:
        return (
            f"take fewer shots ({name} = {fitting:,} would fit), rows "
            f'(gradient.method = "random_occurrences"), {others}'
        )
    return f'take fewer rows (gradient.method = "random_occurrences"), {others}'


def over(limit: float | None, cost: float) -> float | None:
    """How many times the limit, where that is more than once."""
    return cost / limit if limit is not None and cost > limit else None
