"""What a run on a real device keeps beside its ledger: the device, the circuit, the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qrnn_qiskit.execution.isa import isa_from_bytes, isa_to_bytes
from qrnn_qiskit.execution.service import Resumable, as_service
from qrnn_qiskit.run.directory import RunDirectory
from qrnn_qiskit.run.durable import write_durably
from qrnn_qiskit.run.ledger import Ledger
from qrnn_qiskit.run.setup import Setup
from qrnn_qiskit.run.submission import Submission
from qrnn_qiskit.spec.job import Job

ISA_FILE: Final = "isa.qpy"
_SESSION: Final = "session"


def with_device(job: Job, setup: Setup) -> Job:
    """The job with the device that `least_busy` has chosen: a run stays on it."""
    if not job.backend.is_service:
        return job
    backend = job.backend.model_copy(update={"name": setup.executor.name})
    return job.model_copy(update={"backend": backend})


def keep_circuit(setup: Setup, directory: RunDirectory) -> None:
    """Use the ISA circuit that the run was started with, or keep the one it starts with.

    Transpiled anew, a circuit may come out on other qubits, since calibrations change daily.

    Raises:
        BackendError: if the device cannot run it any more.
    """
    executor: object = setup.executor
    if not isinstance(executor, Resumable):
        return
    path = directory.path / ISA_FILE
    if not path.exists():
        write_durably(path, isa_to_bytes(setup.executor.isa(setup.unrolled)))
        return
    executor.use_isa(setup.unrolled, isa_from_bytes(setup.unrolled, path.read_bytes()))


def open_submission(
    setup: Setup, ledger: Ledger, *, wait: bool, notify: Callable[[str], None] | None = None
) -> Submission:
    """What carries the run's requests to its backend."""
    executor: object = setup.executor
    if isinstance(executor, Resumable):
        executor.keep_session(
            ledger.fact(_SESSION), lambda session: ledger.set_fact(_SESSION, session)
        )
    return Submission(
        ledger,
        as_service(setup.executor),
        setup.unrolled,
        wait=wait,
        budget=setup.job.budget.qpu_seconds,
        notify=notify,
    )


def close_session(setup: Setup) -> None:
    """End the run's session or batch, if it has one."""
    executor: object = setup.executor
    if isinstance(executor, Resumable):
        executor.close_session()
