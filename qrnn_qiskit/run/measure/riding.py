"""Evaluations at the same weights that travel together, so that a device has fewer QPU jobs.

A QPU job has one shot count. Rows that need more shots are repeated, as in a plan of unequal shots:
the count is that of the first evaluation's rows, or a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.devices import members_of
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.service import as_service
from qrnn_qiskit.execution.tiles import whole_shots
from qrnn_qiskit.gradients.plan import EvaluationPlan, forward_plan
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator

MOST_EXTRA: Final = 0.05  # shots of a rider over those that it asked for


@final
@dataclass(frozen=True, slots=True)
class Rider:
    """A forward evaluation that may travel with others.

    Attributes:
        features: `[V, T, F]`.
        shots: of each sequence; None for exact values.
        call: its place in the run, where it has a request of its own.
    """

    features: Array
    shots: int | None
    call: Call


@final
@dataclass(frozen=True, slots=True)
class Together:
    """A plan and its riders as one plan.

    Attributes:
        plan: the unshifted rows of all, then the shifted ones.
        shots: of each row and repeat.
        sequences: of the first plan, then of each rider.
    """

    plan: EvaluationPlan
    shots: int
    sequences: tuple[int, ...]

    def split(self, outputs: Outputs) -> list[Outputs]:
        """The outputs of the first plan, and of each rider, from those of all rows."""
        first, *riders = np.cumsum([0, *self.sequences])[1:].tolist()
        last = riders[-1]
        own = np.concatenate([np.arange(first), np.arange(last, self.plan.num_rows)])
        borders = zip([first, *riders[:-1]], riders, strict=True)
        return [outputs.rows(own), *(outputs.rows(slice(*border)) for border in borders)]


def join(
    plan: EvaluationPlan, shots: int | None, riders: Sequence[Rider], tiles: int
) -> Together | None:
    """One plan of all rows; None for exact values.

    Args:
        plan: the first evaluation, at weight point 0 of which the riders are evaluated.
        shots: of its rows; None for exact values.
        riders: the others.
        tiles: copies of the circuit on the device, of which all shots are multiples.
    """
    wanted = [whole_shots(rider.shots, tiles) for rider in riders if rider.shots is not None]
    if not riders or shots is None or len(wanted) < len(riders):
        return None
    shots = whole_shots(shots, tiles)
    count = common_shots(shots, wanted, tiles)
    repeats = [-(-each // count) for each in wanted]
    joint = _joined(plan, shots // count, [rider.features for rider in riders], repeats)
    return Together(joint, count, (plan.num_sequences, *(len(rider.features) for rider in riders)))


def saves_jobs(
    executor: Executor,
    unrolled: UnrolledCircuit,
    joint: Together,
    plan: EvaluationPlan,
    shots: int,
    riders: Sequence[Rider],
) -> bool:
    """Whether a device has fewer QPU jobs for the joint plan; simulators have none to save.

    Args:
        executor: where they run.
        unrolled: the circuit.
        joint: of `plan` and `riders`, as `join` makes it.
        plan: the first evaluation.
        shots: of its rows.
        riders: the others.
    """
    if not all(as_service(one).outlives for one in members_of(executor)):
        return False
    apart = qpu_jobs(executor, unrolled, plan.sequence, plan.repeats, shots)
    for rider in riders:
        ones = np.ones(len(rider.features), dtype=np.int64)
        apart += qpu_jobs(executor, unrolled, np.arange(len(ones)), ones, rider.shots or 0)
    own = joint.plan
    return qpu_jobs(executor, unrolled, own.sequence, own.repeats, joint.shots) < apart


def common_shots(first: int, others: Sequence[int], tiles: int = 1) -> int:
    """The largest part of `first` that the others are near multiples of, or little less than.

    Args:
        first: a multiple of the tiles.
        others: shots that are rounded up to a multiple of the part: by `MOST_EXTRA` at most.
        tiles: which the part is a multiple of.
    """
    executions = first // tiles
    for parts in range(1, executions):
        count = executions // parts * tiles
        if executions % parts == 0 and all(
            whole_shots(each, count) <= (1 + MOST_EXTRA) * each for each in others
        ):
            return count
    return tiles


def qpu_jobs(
    executor: Executor,
    unrolled: UnrolledCircuit,
    sequence: Index,
    repeats: NDArray[np.int64],
    shots: int,
) -> int:
    """QPU jobs for rows of some sequences, shared out to the devices."""
    members = members_of(executor)
    shots = whole_shots(shots, executor.isa(unrolled).num_tiles)
    rows = np.bincount(sequence % len(members), repeats, len(members)).astype(int).tolist()
    return sum(
        len(as_service(member).blocks(unrolled, own, shots))
        for member, own in zip(members, rows, strict=True)
        if own
    )


def measure_together(
    evaluator: Evaluator,
    plan: EvaluationPlan,
    shots: int | None,
    call: Call,
    riders: Sequence[Rider],
) -> list[Outputs]:
    """Outputs of a plan and of its riders, in one request where that saves QPU jobs.

    What an earlier process of the run has asked for is asked for again in the same way.

    Args:
        evaluator: circuit and executor.
        plan: the rows.
        shots: of each row; None for exact values.
        call: the plan's place in the run; that of the joint request has the riders' names in it.
        riders: evaluated at the plan's weight point 0.

    Raises:
        QRNNError: as `Evaluator.outputs`.
    """
    joint = _joint_request(evaluator, plan, shots, call, riders)
    if joint is not None:
        found, place = joint
        return found.split(evaluator.outputs(found.plan, found.shots, place))
    outputs = [evaluator.outputs(plan, shots, call)]
    for rider in riders:
        alone = forward_plan(plan.weights[0], rider.features)
        outputs.append(evaluator.outputs(alone, rider.shots, rider.call))
    return outputs


def _joint_request(
    evaluator: Evaluator,
    plan: EvaluationPlan,
    shots: int | None,
    call: Call,
    riders: Sequence[Rider],
) -> tuple[Together, Call] | None:
    if shots is None or not evaluator.may_join:
        return None
    executor, unrolled = evaluator.executor, evaluator.unrolled
    found = join(plan, shots, riders, executor.isa(unrolled).num_tiles)
    if found is None:
        return None
    names = [call.address, *(rider.call.address.rpartition("/")[2] for rider in riders)]
    place = Call("+".join(names), call.spawn_key)
    if evaluator.knows(place):
        return found, place
    if evaluator.knows(call) or not saves_jobs(executor, unrolled, found, plan, shots, riders):
        return None
    return found, place


def _joined(
    plan: EvaluationPlan, times: int, features: Sequence[Array], repeats: Sequence[int]
) -> EvaluationPlan:
    """The plan, each row `times` as often, with further unshifted rows at its weight point 0."""
    base, more = plan.num_sequences, sum(len(part) for part in features)
    width = plan.others.shape[1]
    sequence = np.arange(base, base + more)
    zeros = np.zeros(more, dtype=np.intp)
    riders = {
        "point": zeros,
        "sequence": sequence,
        "occurrence": zeros - 1,
        "shift": np.zeros(more),
        "others": np.full((more, width), -1, dtype=np.intp),
        "other_shifts": np.zeros((more, width)),
        "repeats": np.repeat(repeats, [len(part) for part in features]),
        "mask": zeros,
    }
    rows = {}
    for name, own in riders.items():
        of_plan = getattr(plan, name)
        if name == "repeats":
            of_plan = of_plan * times
        rows[name] = np.concatenate([of_plan[:base], own, of_plan[base:]])
    return replace(
        plan,
        features=np.concatenate([plan.features, *features]),
        **rows,
        term_row=np.where(plan.term_row < base, plan.term_row, plan.term_row + more),
    )
