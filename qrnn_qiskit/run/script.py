"""Runs of scripts: loops of other libraries that measure through a ledger, without a job file.

A call's address is the layer that makes it and its ordinal among the layer's calls. A script that
is started again makes the same calls, and gets recorded outcomes back until it comes to the first
that is new; where it asks for other work than is recorded, it stops with an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, final

from pydantic import ValidationError

from qrnn_qiskit.circuit import Cell, UnrolledCircuit
from qrnn_qiskit.circuit.export import to_qasm
from qrnn_qiskit.errors import BackendError, BudgetError, RunError, SpecError
from qrnn_qiskit.execution.bits import OutputKind
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.isa import isa_from_bytes, isa_to_bytes
from qrnn_qiskit.execution.make import make_executor
from qrnn_qiskit.execution.service import JobService, Resumable, as_service
from qrnn_qiskit.run.measure.evaluator import Evaluator
from qrnn_qiskit.run.record.directory import SCRIPT, RunDirectory, is_run
from qrnn_qiskit.run.record.durable import write_durably
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.provenance import provenance
from qrnn_qiskit.run.service.hardware import SESSION
from qrnn_qiskit.run.service.submission import Submission
from qrnn_qiskit.spec.backend import BackendSpec, BudgetSpec
from qrnn_qiskit.spec.messages import first_problem

Backend = Executor | str | Mapping[str, Any]
"""An executor, a backend's name, or a job file's table `[backend]`."""

_OPEN: dict[Path, ScriptRun] = {}


@final
class ScriptRun:
    """A run directory for a script's own loop: what was measured, what it cost, what it may cost.

    Layers with the same directory share ledger and budget. The directory is held by this process
    until `close`; a process that is killed lets go of it.

    Attributes:
        path: the run directory.
        budget: of all layers together.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        shots: int | None = None,
        qpu_seconds: float | None = None,
        qpu_jobs: int | None = None,
        wait: bool = True,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        """Make or continue a run.

        Args:
            path: its directory.
            shots: at most, of the whole run, recorded ones included.
            qpu_seconds: at most; a real device needs this limit.
            qpu_jobs: submissions to a real device, at most.
            wait: wait for QPU jobs; otherwise raise `PendingError` while they are under way.
            notify: told what a person may want to know of them.

        Raises:
            SpecError: for a limit that is not positive.
            RunError: if the directory is in use, or holds something else.
        """
        self.path = Path(path)
        limits = {"shots": shots, "qpu_seconds": qpu_seconds, "qpu_jobs": qpu_jobs}
        try:
            self.budget = BudgetSpec.model_validate(limits)
        except ValidationError as error:
            raise SpecError(first_problem(error, "budget")) from None
        place = self.path.resolve()
        if place in _OPEN:
            raise RunError(f"{path} is open in this process: close() it first, or use that object")
        self._wait, self._notify = wait, notify
        self._layers: dict[str, str] = {}
        self._resumable: list[Resumable] = []
        self._open = ExitStack()
        self._directory = self._made()
        self._open.enter_context(self._directory.locked())
        self._ledger = Ledger(self.path)
        self._open.callback(self._ledger.close)
        self._open.callback(_OPEN.pop, place, None)
        self._open.callback(lambda: self._directory.update(state="closed"))
        self._directory.update(state="running")
        _OPEN[place] = self

    @staticmethod
    def at(path: str | Path) -> ScriptRun:
        """The run that is open at a path, or a new one without limits."""
        return _OPEN.get(Path(path).resolve()) or ScriptRun(path)

    def _made(self) -> RunDirectory:
        if not is_run(self.path):
            record = {"kind": SCRIPT, "state": "running", "provenance": provenance()}
            return RunDirectory.create(self.path, record)
        directory = RunDirectory.open(self.path)
        if directory.record().get("kind") != SCRIPT:
            raise RunError(
                f"{self.path} is the run of a job file, not of a script: choose another directory"
            )
        return directory

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End sessions, and let other processes have the directory; layers measure no more."""
        try:
            for executor in self._resumable:
                executor.close_session()
        finally:
            self._open.close()

    @property
    def shots(self) -> int:
        """Shots of all recorded requests."""
        return self._ledger.shots()

    @property
    def qpu_seconds(self) -> float:
        """QPU seconds that the service charges, and expected ones of jobs under way."""
        return self._ledger.spending().total

    @property
    def qpu_jobs(self) -> int:
        """QPU jobs that the service may have accepted."""
        return self._ledger.spending().jobs

    def add_layer(self, cell: Cell, executor: Executor, method: str) -> str:
        """The name of the next layer of this process: a script makes its layers in one order.

        Args:
            cell: of the layer.
            executor: where it runs.
            method: how it gets gradients.

        Raises:
            BudgetError: for a real device without a limit of QPU seconds.
            RunError: if the recorded layer of this place has another cell or backend.
        """
        paid = isinstance(executor, JobService)
        if paid and self.budget.qpu_seconds is None:
            raise BudgetError(
                f"{executor.name} is a real device, and the run has no budget: give "
                f"ScriptRun({str(self.path)!r}, qpu_seconds=...); layer.plan(...) says how many"
            )
        name = f"layer-{len(self._layers) + 1}"
        identity = f"{cell.digest} on {executor.name}"
        recorded = self._ledger.fact(name)
        if recorded is not None and recorded != identity:
            what = "backend" if recorded.startswith(cell.digest) else "cell"
            raise RunError(
                f"cannot continue {self.path}: {name} has another {what} than when the run was "
                "started; restore the script, or start a new run in another directory"
            )
        self._layers[name] = identity
        if recorded is None:
            self._ledger.set_fact(name, identity)
            self._describe(name, cell, executor, method)
        if isinstance(executor, Resumable) and executor not in self._resumable:
            self._resumable.append(executor)
            fact = SESSION if len(self._resumable) == 1 else f"{SESSION} of {executor.name}"
            executor.keep_session(
                self._ledger.fact(fact), lambda session: self._ledger.set_fact(fact, session)
            )
        return name

    def evaluator(
        self,
        layer: str,
        unrolled: UnrolledCircuit,
        executor: Executor,
        *,
        kind: OutputKind,
        seed: int,
    ) -> Evaluator:
        """What measures a layer's circuit of one length, through the ledger.

        Raises:
            BackendError: if a device cannot run the recorded circuit any more.
        """
        self._keep_circuit(layer, unrolled, executor)
        submission = Submission(
            self._ledger,
            as_service(executor),
            unrolled,
            wait=self._wait,
            budget=self.budget,
            max_shots=self.budget.shots,
            notify=self._tell,
        )
        return Evaluator(unrolled, executor, kind=kind, seed=seed, submission=submission)

    def _keep_circuit(self, layer: str, unrolled: UnrolledCircuit, executor: Executor) -> None:
        """Use the recorded ISA circuit: transpiled anew it may come out on other qubits."""
        if not isinstance(executor, Resumable):
            return
        path = self.path / f"isa-{layer}-{unrolled.num_steps}.qpy"
        if path.exists():
            executor.use_isa(unrolled, isa_from_bytes(unrolled, path.read_bytes()))
            return
        dates = self._directory.record().get("calibration", {})
        dates[executor.name] = executor.calibration(unrolled).date
        self._directory.update(calibration=dates)
        write_durably(path, isa_to_bytes(executor.isa(unrolled)))

    def _describe(self, layer: str, cell: Cell, executor: Executor, method: str) -> None:
        """Note a layer in `run.json`, as the commands for runs read it."""
        self._directory.write_text(f"{layer}.qasm", to_qasm(cell))
        layers = self._directory.record().get("layers", {})
        layers[layer] = {"cell": cell.name, "backend": executor.name, "method": method}
        changes: dict[str, Any] = {"layers": layers}
        if isinstance(executor, JobService) or len(layers) == 1:
            changes["job"] = {
                "kind": "evaluate",
                "name": self.path.name,
                "cell": {"file": str(self.path / f"{layer}.qasm")},
                "backend": {"name": executor.name.partition(",")[0]},
                "budget": self.budget.model_dump(exclude_none=True),
            }
            changes["work"] = {"method": method}
        if isinstance(executor, Resumable):
            self.path.chmod(0o700)  # ids of jobs are nobody else's business
        self._directory.update(**changes)

    def _tell(self, text: str) -> None:
        self._directory.log(text)
        if self._notify is not None:
            self._notify(text)


def executor_of(backend: Backend) -> Executor:
    """The executor of a backend.

    Raises:
        SpecError: for a name or table that is none.
        BackendError: if the device is unknown.
    """
    if not isinstance(backend, str | Mapping):
        return backend
    table = {"name": backend} if isinstance(backend, str) else dict(backend)
    try:
        spec = BackendSpec.model_validate(table)
    except ValidationError as error:
        raise SpecError(first_problem(error, "backend")) from None
    if spec.shots is not None:
        raise SpecError(f"backend.shots = {spec.shots}: give the layer its shots instead")
    return make_executor(spec, None)


def check_recorded(executor: Executor, run: ScriptRun | None) -> None:
    """Refuse a real device without a ledger.

    Raises:
        BackendError: saying how to give one.
    """
    if run is None and isinstance(executor, JobService):
        raise BackendError(
            f"{executor.name} is a real device: what is paid for must be recorded; give "
            'run=ScriptRun("runs/NAME", qpu_seconds=...)'
        )
