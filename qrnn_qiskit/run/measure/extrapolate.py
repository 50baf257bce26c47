"""Zero-noise extrapolation of a job's outputs: where each noise factor is measured."""

from __future__ import annotations

from typing import Any, final

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.isa import ISACircuit, folded, stated_seconds
from qrnn_qiskit.execution.make import make_sibling
from qrnn_qiskit.execution.mitigation.zero_noise import shared, weights
from qrnn_qiskit.execution.service import Resumable
from qrnn_qiskit.occurrence import OccurrenceTable, with_influence_of
from qrnn_qiskit.spec.job import Job


@final
class Extrapolation:
    """An executor for each noise factor, all with one layout.

    Attributes:
        factors: of the noise, 1 first.
        order: of the polynomial in it.
    """

    def __init__(self, job: Job, unrolled: UnrolledCircuit, base: Executor) -> None:
        """Prepare the extrapolation; nothing is transpiled yet.

        Args:
            job: with its `mitigation.noise_factors`.
            unrolled: the circuit.
            base: the executor at factor 1.
        """
        self.factors = job.mitigation.noise_factors
        self.order = job.mitigation.extrapolation_order
        self._job = job
        self._unrolled = unrolled
        self._executors = [base]
        self._isa: ISACircuit | None = None

    @property
    def executors(self) -> list[Executor]:
        """One for each factor, the first as the job has it."""
        base = self._executors[0]
        isa = base.isa(self._unrolled)
        if isa is not self._isa:  # a run that continues brings back the circuit it began with
            self._isa, self._executors = isa, [base]
        for factor in self.factors[len(self._executors) :]:
            made = make_sibling(base, self._job.backend, self._job.noise, folds=factor)
            if isinstance(made, Resumable):
                # Another calibration may have come since the run's circuit was transpiled.
                target: Any = getattr(made, "target", None)
                raised = folded(isa, factor, stated_seconds(target), target.dt)
                made.use_isa(self._unrolled, raised)
            self._executors.append(made)
        return self._executors

    @property
    def coefficients(self) -> Array:
        """`[factors]` of outputs in the extrapolated ones."""
        return weights(self.factors, self.order)

    def shots(self, total: int | None) -> list[int] | list[None]:
        """Shots of a row at each factor; None for exact values.

        Raises:
            BackendError: for too few shots.
        """
        if total is None:
            return [None] * len(self.factors)
        return shared(total, self.factors, self.order)

    def occurrences(self) -> OccurrenceTable:
        """The circuit's occurrences, with the influence that they have at any factor."""
        first, *others = (each.occurrences(self._unrolled) for each in self.executors)
        return with_influence_of(first, others)
