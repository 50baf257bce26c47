"""Refusal of what a budget does not allow, before anything is submitted."""

from __future__ import annotations

import math

from qrnn_qiskit.errors import BudgetError
from qrnn_qiskit.execution.service import SECONDS_PER_JOB
from qrnn_qiskit.run.cost.evaluations import num_tiles
from qrnn_qiskit.run.service.spending import HOUR_S
from qrnn_qiskit.run.setup import Setup


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
    for key, limit, cost in limits(setup, shots, seconds, jobs, executions):
        excess = over(limit, cost)
        if excess is not None:
            raise BudgetError(
                f"the job needs {cost:,} of {key} = {limit:,}, {excess:.3g} times the budget: "
                f"{_remedy(setup, key, excess, seconds, jobs or 0)}, or raise the budget; nothing "
                "was submitted"
            )


def limits(
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
