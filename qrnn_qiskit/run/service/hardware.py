"""What a run on a real device keeps beside its ledger: the device, the circuit, the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from qrnn_qiskit.errors import PendingError, RunError
from qrnn_qiskit.execution.isa import isa_from_bytes, isa_to_bytes
from qrnn_qiskit.execution.service import Resumable, as_service
from qrnn_qiskit.run.cost import check_budget
from qrnn_qiskit.run.record.directory import RunDirectory, is_run
from qrnn_qiskit.run.record.durable import write_durably
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.provenance import provenance
from qrnn_qiskit.run.service.submission import Submission
from qrnn_qiskit.run.setup import Setup, describe
from qrnn_qiskit.spec.compose import job_from_dict, job_to_dict
from qrnn_qiskit.spec.job import Job

ISA_FILE: Final = "isa.qpy"
SESSION: Final = "session"


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
    directory.path.chmod(0o700)  # ids of jobs are nobody else's business
    path = directory.path / ISA_FILE
    if not path.exists():
        directory.update(calibration=executor.calibrated())
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
            ledger.fact(SESSION), lambda session: ledger.set_fact(SESSION, session)
        )
    return Submission(
        ledger,
        as_service(setup.executor),
        setup.unrolled,
        wait=wait,
        budget=setup.job.budget.qpu_seconds,
        max_jobs=setup.job.budget.qpu_jobs,
        trust_list=setup.job.backend.unknown == "list",
        notify=notify,
    )


@contextmanager
def recorded(
    setup: Setup,
    run_dir: Path | None,
    *,
    wait: bool = True,
    notify: Callable[[str], None] | None = None,
) -> Iterator[Submission | None]:
    """The ledger of one evaluation outside of a training; None where nothing is paid.

    Args:
        setup: of the evaluation.
        run_dir: where it is kept; the same one continues it.
        wait: wait for jobs; otherwise raise `PendingError`.
        notify: told what a person may want to know.

    Raises:
        BudgetError: if a real device has no budget, or too small a one.
        RunError: if a real device has no `run_dir`, or it holds something else.
        PendingError: inside, if jobs are under way and nobody waits.
    """
    if not setup.job.backend.is_service and run_dir is None:
        yield None
        return
    if run_dir is None:
        raise RunError(
            f"{setup.executor.name} is a real device: what is paid for must be recorded; give "
            "--run-dir DIR, which the same command continues"
        )
    once = setup.job.model_copy(update={"kind": _once(setup.job)})
    setup = replace(setup, job=with_device(once, setup))
    if is_run(run_dir):
        directory = RunDirectory.open(run_dir)
        device = job_from_dict(directory.record()["job"]).backend.name
        if device != setup.executor.name:
            raise RunError(f"{run_dir} is on {device}: add --set backend.name={device}")
    else:
        check_budget(setup)
        content = {"job": job_to_dict(setup.job), "state": "running", "work": describe(setup)}
        directory = RunDirectory.create(run_dir, {**content, "provenance": provenance()})
    with directory.locked():
        keep_circuit(setup, directory)
        ledger = Ledger(directory.path)
        try:
            yield open_submission(setup, ledger, wait=wait, notify=notify)
            close_session(setup)
        except PendingError as error:
            raise PendingError(f"{error}: continue later with the same command") from None
        finally:
            ledger.close()
        directory.update(state="done")


def _once(job: Job) -> str:
    """Kind of one evaluation: what a training does not have to be paid for here."""
    return job.kind if job.kind == "gradient" else "evaluate"


def close_session(setup: Setup) -> None:
    """End the run's session or batch, if it has one."""
    executor: object = setup.executor
    if isinstance(executor, Resumable):
        executor.close_session()
