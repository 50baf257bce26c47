"""What evaluations cost, in rows, shots, QPU jobs and QPU seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.execution.devices import members_of
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.isa import device_duration
from qrnn_qiskit.execution.service import REP_DELAY_S, SECONDS_PER_JOB, as_service
from qrnn_qiskit.execution.tiles import whole_shots
from qrnn_qiskit.gradients.plan import EvaluationPlan, forward_plan
from qrnn_qiskit.gradients.problem import GradientRule, HasVariance
from qrnn_qiskit.run.cost.target import (
    shares,
)
from qrnn_qiskit.run.measure.evaluator import Call
from qrnn_qiskit.run.measure.gradient import Adjoint
from qrnn_qiskit.run.measure.riding import Rider, join, saves_jobs
from qrnn_qiskit.run.setup import Setup


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
    plan, shots = _gradient_plan(setup, setup.rule, batch)
    return _cost(setup, plan.sequence, plan.repeats, shots)


def _gradient_plan(
    setup: Setup, rule: GradientRule, batch: int
) -> tuple[EvaluationPlan, int | None]:
    drawn = isinstance(rule, HasVariance)
    return setup.shots.apply(rule.plan(setup.problem(batch)), drawn=drawn)


def validated_cost(setup: Setup, batch: int) -> EvaluationCost | None:
    """Cost of one gradient and the validation that travels with it; None if they go apart."""
    if isinstance(setup.rule, Adjoint) or not setup.stepwise:
        return None
    plan, shots = _gradient_plan(setup, setup.rule, batch)
    return _joint_cost(setup, plan, shots, setup.splits.validation.features)


def readout_cost(setup: Setup) -> EvaluationCost | None:
    """Cost of the outputs that a readout is solved from and judged by; None if they go apart."""
    splits = setup.splits
    plan = forward_plan(setup.initial[: setup.num_weights], splits.train.features)
    return _joint_cost(setup, plan, setup.forward_shots, splits.validation.features)


def _joint_cost(
    setup: Setup, plan: EvaluationPlan, shots: int | None, features: Array
) -> EvaluationCost | None:
    if setup.mitigation is not None and setup.mitigation.extrapolation is not None:
        return None
    riders = [Rider(features, setup.forward_shots, Call("", ()))]
    joint = join(plan, shots, riders, num_tiles(setup))
    if joint is None or shots is None:
        return None
    if not saves_jobs(setup.executor, setup.unrolled, joint, plan, shots, riders):
        return None
    return _cost(setup, joint.plan.sequence, joint.plan.repeats, joint.shots)


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
