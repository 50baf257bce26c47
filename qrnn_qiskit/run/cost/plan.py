"""What a job will cost, before anything is submitted."""

from __future__ import annotations

import math
from typing import Any, Final

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BudgetError
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.devices import members_of
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.isa import shortest_coherence
from qrnn_qiskit.execution.layout import predicted_error
from qrnn_qiskit.execution.service import SECONDS_PER_JOB
from qrnn_qiskit.execution.tiles import WORST, tile_errors
from qrnn_qiskit.run.cost.budget import check_budget_of, limits, over
from qrnn_qiskit.run.cost.evaluations import (
    EvaluationCost,
    execution_seconds,
    forecast_cost,
    gradient_cost,
    mitigation_cost,
    num_tiles,
    readout_cost,
    rep_delay_s,
    seconds_per_execution,
    tile_check_cost,
    validated_cost,
)
from qrnn_qiskit.run.cost.shot_range import shot_range
from qrnn_qiskit.run.cost.target import (
    money,
    of_mitigation,
    of_the_target,
    simulation,
)
from qrnn_qiskit.run.method import method_name
from qrnn_qiskit.run.setup import Setup, check_steps

_SUGGESTED: Final = 1.25  # budget over plan, in the line that an error suggests


def plan_job(setup: Setup) -> dict[str, Any]:
    """All that is known of a job's cost, as a JSON-able dictionary."""
    job = setup.job
    batch = setup.batch_size
    reservoir = job.kind == "train" and setup.solves_readout
    free = job.kind == "evaluate" or reservoir
    gradient = EvaluationCost(0, 0) if free else gradient_cost(setup, batch)
    parts, riding = _evaluations(setup, gradient)
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
        **simulation(setup, shots),
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
        **riding,
        "shots_total": shots,
        "qpu_seconds": round(seconds, 1),
        **money(job.budget, seconds),
        "budget_shots": job.budget.shots,
        "budget_qpu_seconds": job.budget.qpu_seconds,
        "within_budget": not any(
            over(limit, value)
            for _, limit, value in limits(setup, shots, seconds, jobs, executions)
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


def _evaluations(
    setup: Setup, gradient: EvaluationCost
) -> tuple[list[tuple[int, EvaluationCost]], dict[str, Any]]:
    """All that a job evaluates and how often; what is saved by evaluations that travel together."""
    job = setup.job
    train, validation, test = (
        getattr(setup.splits, part).num_sequences for part in ("train", "validation", "test")
    )
    if job.kind == "gradient":
        return [(1, gradient)], {}
    whole = forecast_cost(setup, train, setup.forward_shots)
    if job.kind != "train":
        return [(1, whole)], {}
    held_out = forecast_cost(setup, validation, setup.forward_shots)
    last = (1, forecast_cost(setup, test, setup.test_shots))
    steps = job.training.steps
    if setup.solves_readout:
        first, times, alone = whole, 1, 0
        joint = readout_cost(setup) if validation else None
    else:
        # A minimizer evaluates at least this often, more in its line searches.
        first, times, alone = gradient, steps if setup.stepwise else steps + 1, 1
        joint = validated_cost(setup, setup.batch_size) if validation else None
    riders = -(-steps // job.training.validate_every) if alone else 1
    if joint is None:
        return [(times, first), (riders + alone if validation else 0, held_out), last], {}
    apart = riders * (first.jobs + held_out.jobs - joint.jobs)
    saved = riders * (first.seconds + held_out.seconds - joint.seconds)
    return [(times - riders, first), (riders, joint), (alone, held_out), last], {
        "jobs_saved_by_riding": apart,
        **({"qpu_seconds_saved_by_riding": round(saved, 1)} if saved else {}),
    }


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
