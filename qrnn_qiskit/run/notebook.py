"""A device for the functions of a notebook: what is paid for is recorded and never paid again."""

from __future__ import annotations

from typing import final

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.execution.per_circuit import PerCircuit
from qrnn_qiskit.execution.results import LocalResults
from qrnn_qiskit.occurrence import OccurrenceTable
from qrnn_qiskit.run.measure.evaluator import Call
from qrnn_qiskit.run.script import Backend, ScriptRun, executor_of


@final
class DeviceExecutor:
    """A real device for `evaluate`, `gradient` and `hessian`, through the ledger of a run.

    A call's place in the run is its number among the calls with its circuit. A notebook that is
    started again makes the same calls and gets recorded outcomes back until the first new one;
    where it asks for other work at a place, it stops with an error.
    """

    def __init__(self, backend: Backend, run: ScriptRun) -> None:
        """Make an executor.

        Args:
            backend: a device's name such as "ibm_marrakesh", or a job file's table `[backend]`.
            run: with its ledger and budget.

        Raises:
            SpecError, BackendError: if the backend does not serve.
        """
        self._device = executor_of(backend)
        self._run = run
        self._layers = PerCircuit(self._layer)
        self._calls: dict[str, int] = {}
        self._results = LocalResults()

    @property
    def name(self) -> str:
        """The device's name."""
        return self._device.name

    def isa(self, unrolled: UnrolledCircuit) -> ISACircuit:
        """The circuit transpiled for the device."""
        return self._device.isa(unrolled)

    def occurrences(self, unrolled: UnrolledCircuit) -> OccurrenceTable:
        """The circuit's occurrences, their influence as the device's noise leaves it."""
        return self._device.occurrences(unrolled)

    def submit(self, unrolled: UnrolledCircuit, request: EvaluationRequest) -> str:
        """Measure through the ledger, and wait if the run does.

        Raises:
            RunError: if the run has recorded other work at this place.
            BudgetError: if the run's budget does not allow it.
            PendingError: if the job is not done and the run does not wait.
            JobError: if it failed too often.
        """
        layer = self._layers(unrolled)
        number = self._calls.get(layer, 0)
        evaluator = self._run.evaluator(layer, unrolled, self._device, kind="z", seed=request.seed)
        call = Call(f"{layer}/call-{number}", (number,))
        bits = evaluator.bits(request.plan, request.shots, call)
        self._calls[layer] = number + 1
        return self._results.keep(bits)

    def poll(self, job: str) -> bool:
        """Always done."""
        return job in self._results

    def fetch(self, job: str) -> PackedBits:
        """The outcomes, once."""
        return self._results.take(job)

    def _layer(self, unrolled: UnrolledCircuit) -> str:
        return self._run.add_layer(unrolled.cell, self._device, "called")
