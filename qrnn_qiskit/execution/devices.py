"""Several devices for one run: whole sequences of a plan on each.

Never rows of one sequence on two devices: the two rows of a ± pair would differ by what the devices
do, and a gradient would be that of neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np

from qrnn_qiskit.angle_map import Index
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.executor import (
    EvaluationRequest,
    Executor,
    SupportsOtherISA,
    stream_seed,
)
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.execution.per_circuit import PerCircuit
from qrnn_qiskit.execution.results import LocalResults
from qrnn_qiskit.gradients.plan import OF_ROWS, EvaluationPlan
from qrnn_qiskit.occurrence import OccurrenceTable, Reach

SEPARATOR: Final = ","


@final
@dataclass(frozen=True, slots=True)
class Share:
    """What one device does of a plan.

    Attributes:
        executor: the device.
        plan: of its sequences alone.
        rows: those of the whole plan, ascending.
    """

    executor: Executor
    plan: EvaluationPlan
    rows: Index


@final
class Devices:
    """Several executors as one; sequence b of a batch is for number b modulo their count."""

    def __init__(self, members: Sequence[Executor]) -> None:
        self.members = tuple(members)
        self._tables = PerCircuit(self._united)
        self._results = LocalResults()

    @property
    def name(self) -> str:
        """The names of all."""
        return SEPARATOR.join(member.name for member in self.members)

    def isa(self, unrolled: UnrolledCircuit) -> ISACircuit:
        """The circuit on the first device; all have it on as many tiles."""
        self._alike(unrolled)
        return self.members[0].isa(unrolled)

    def occurrences(self, unrolled: UnrolledCircuit) -> OccurrenceTable:
        """The circuit's occurrences with whatever influence they have on one of the devices."""
        return self._tables(unrolled)

    def shares(self, plan: EvaluationPlan) -> list[Share]:
        """What each device does of a plan; those without a sequence are left out."""
        count = len(self.members)
        found = []
        for number, member in enumerate(self.members):
            rows = np.flatnonzero(plan.sequence % count == number)
            if len(rows):
                found.append(Share(member, _part(plan, rows, number, count), rows))
        return found

    def submit(self, unrolled: UnrolledCircuit, request: EvaluationRequest) -> str:
        """Hand in each device's rows, for devices that run at once."""
        parts = []
        for number, share in enumerate(self.shares(request.plan)):
            own = replace(request, plan=share.plan, seed=stream_seed(request.seed, (number,)))
            executor = share.executor
            parts.append((share, executor.fetch(executor.submit(unrolled, own))))
        return self._results.keep(joined(request.plan, request.shots, parts))

    def poll(self, job: str) -> bool:
        """Always done."""
        return job in self._results

    def fetch(self, job: str) -> PackedBits:
        """The outcomes of all rows, once."""
        return self._results.take(job)

    def _alike(self, unrolled: UnrolledCircuit) -> None:
        """Have the circuit on as many tiles everywhere: a row has the same shots on each device."""
        isas = [member.isa(unrolled) for member in self.members]
        count = min(len(isa.tiles) for isa in isas)
        for member, isa in zip(self.members, isas, strict=True):
            if len(isa.tiles) > count and isinstance(member, SupportsOtherISA):
                alike = ISACircuit(isa.circuit, isa.columns, isa.qubits, isa.tiles[:count])
                member.use_isa(unrolled, alike)

    def _united(self, unrolled: UnrolledCircuit) -> OccurrenceTable:
        tables = [member.occurrences(unrolled) for member in self.members]
        reach = Reach(lambda: np.logical_or.reduce([table.influence for table in tables]))
        return replace(tables[0], reach=reach)


def members_of(executor: Executor) -> tuple[Executor, ...]:
    """The devices of an executor, itself if it is one."""
    return executor.members if isinstance(executor, Devices) else (executor,)


def joined(
    plan: EvaluationPlan, shots: int, parts: Sequence[tuple[Share, PackedBits]]
) -> PackedBits:
    """The outcomes of a plan from those of its shares.

    Args:
        plan: the whole one.
        shots: of each row and repeat.
        parts: each share with its outcomes.
    """
    count = plan.repeats * shots
    first = np.concatenate([[0], np.cumsum(count)])
    packed = np.empty((first[-1], parts[0][1].packed.shape[1]), dtype=np.uint8)
    for share, bits in parts:
        own = count[share.rows]
        starts = np.cumsum(own) - own
        place = np.repeat(first[share.rows] - starts, own) + np.arange(own.sum())
        packed[place] = bits.packed
    return replace(parts[0][1], packed=packed, count=count)


def _part(plan: EvaluationPlan, rows: Index, number: int, count: int) -> EvaluationPlan:
    """A plan of some sequences' rows: those with `sequence % count == number`."""
    place = np.full(plan.num_rows, -1)
    place[rows] = np.arange(len(rows))
    terms = np.flatnonzero(place[plan.term_row] >= 0)
    taken = {name: getattr(plan, name)[rows] for name in OF_ROWS}
    taken["sequence"] = (taken["sequence"] - number) // count
    return replace(
        plan,
        features=plan.features[number::count],
        **taken,
        term_row=place[plan.term_row[terms]],
        term_weight=plan.term_weight[terms],
        term_coefficient=plan.term_coefficient[terms],
    )
