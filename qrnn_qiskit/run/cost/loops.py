"""What a loop of forward and backward passes will cost, before it starts.

Axes: B sequences, T steps, F features, P weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit import UnrolledCircuit
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.service import SECONDS_PER_JOB, as_service
from qrnn_qiskit.execution.tiles import whole_shots
from qrnn_qiskit.gradients.problem import GradientProblem, GradientRule
from qrnn_qiskit.run.cost.evaluations import execution_seconds
from qrnn_qiskit.run.measure.gradient import Adjoint
from qrnn_qiskit.run.measure.pull_back import backward_plan


@final
@dataclass(frozen=True, slots=True)
class LoopCost:
    """Cost of a loop; all zero but `passes` and `forward_rows` for exact values.

    Attributes:
        backend: the executor's name.
        passes: forward passes, each followed by a backward pass.
        forward_rows: rows of one forward pass.
        backward_rows: rows of one backward pass, with their repeats.
        shots: of the whole loop.
        jobs: QPU jobs of the whole loop; on simulators, requests.
        qpu_seconds: of the whole loop, as predicted; 0 on simulators.
    """

    backend: str
    passes: int
    forward_rows: int
    backward_rows: int
    shots: int
    jobs: int
    qpu_seconds: float

    def __add__(self, other: LoopCost) -> LoopCost:
        """Both parts of each pass together."""
        return LoopCost(
            self.backend,
            self.passes,
            self.forward_rows + other.forward_rows,
            self.backward_rows + other.backward_rows,
            self.shots + other.shots,
            self.jobs + other.jobs,
            self.qpu_seconds + other.qpu_seconds,
        )


def loop_cost(
    unrolled: UnrolledCircuit,
    executor: Executor,
    rule: GradientRule | Adjoint,
    *,
    weights: Array,
    features: Array,
    shots: int | None,
    passes: int,
    by_weights: bool = True,
    by_features: bool = False,
    last: int | None = None,
) -> LoopCost:
    """Cost of passes over batches like one of sequences of equal length.

    Args:
        unrolled: the circuit.
        executor: where it would run.
        rule: of the backward pass.
        weights: `[P]`.
        features: `[B, T, F]` of a batch.
        shots: of each row; None for exact values.
        passes: how many.
        by_weights: whether the weights learn.
        by_features: whether a layer before the circuit learns.
        last: the loss reads only the last so many steps; None for all.
    """
    count, steps = features.shape[:2]
    if shots is None or isinstance(rule, Adjoint):
        return LoopCost(executor.name, passes, count, 0, 0, 0, 0.0)
    tiles = executor.isa(unrolled).num_tiles
    shots = whole_shots(shots, tiles)
    rows = [count]
    if by_weights or by_features:
        mask = np.arange(steps) >= (0 if last is None else steps - last)
        problem = GradientProblem(
            unrolled.angle_map, executor.occurrences(unrolled), weights, features, mask, shots
        )
        plan = backward_plan(problem, rule, by_weights=by_weights, by_features=by_features)
        if len(plan.term_row):
            rows.append(plan.total_repeats)
    service = as_service(executor)
    jobs = sum(len(service.blocks(unrolled, number, shots)) for number in rows)
    each = execution_seconds(executor, unrolled)
    seconds = SECONDS_PER_JOB * jobs + each * sum(rows) * shots / tiles if each else 0.0
    return LoopCost(
        executor.name,
        passes,
        count,
        sum(rows[1:]),
        passes * sum(rows) * shots,
        passes * jobs,
        passes * seconds,
    )
