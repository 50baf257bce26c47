"""What a run on a real device keeps beside its ledger: the device, the circuit, the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from qrnn_qiskit.circuit import UnrolledCircuit
from qrnn_qiskit.errors import PendingError, QRNNError, RunError
from qrnn_qiskit.execution.devices import members_of
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.isa import isa_from_bytes, isa_to_bytes
from qrnn_qiskit.execution.service import Resumable, as_service
from qrnn_qiskit.run.cost.plan import check_budget, plan_job
from qrnn_qiskit.run.record.directory import RunDirectory, is_run
from qrnn_qiskit.run.record.durable import write_durably
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.place import check_local
from qrnn_qiskit.run.record.provenance import provenance
from qrnn_qiskit.run.service.drift import Drift
from qrnn_qiskit.run.service.purse import SharedBudget
from qrnn_qiskit.run.service.submission import Submission
from qrnn_qiskit.run.setup import Setup, describe
from qrnn_qiskit.spec.compose import job_from_dict, job_to_dict
from qrnn_qiskit.spec.job import Job

SESSION: Final = "session"


def with_device(job: Job, setup: Setup) -> Job:
    """The job as its run keeps it: on the device that `least_busy` has chosen."""
    if not job.backend.is_service:
        return job
    backend = job.backend.model_copy(update={"name": setup.executor.name})
    budget = job.budget
    if budget.shared is not None:  # the run may be continued from elsewhere
        budget = budget.model_copy(update={"shared": budget.shared.absolute()})
    return job.model_copy(update={"backend": backend, "budget": budget})


def keep_circuit(setup: Setup, directory: RunDirectory) -> None:
    """Use the ISA circuits that the run was started with, or keep those that it starts with.

    Transpiled anew, a circuit may come out on other qubits, since calibrations change daily.
    """
    if use_kept_circuit(setup.executor, setup.unrolled, directory):
        return
    setup.executor.isa(setup.unrolled)  # of several devices all at once: they have as many tiles
    services = _services(setup.executor)
    dates = {one.name: one.calibration(setup.unrolled).date for one in services}
    directory.update(calibration=dates)
    for executor in services:
        path = directory.path / _isa_file(executor, services)
        write_durably(path, isa_to_bytes(executor.isa(setup.unrolled)))


def keep_new_circuit(setup: Setup, directory: RunDirectory, device: Resumable) -> None:
    """Keep the circuit that was transpiled again for a device, beside the older ones."""
    services = _services(setup.executor)
    path = directory.path / _isa_file(device, services)
    older = sum(1 for _ in directory.path.glob(f"{path.stem}-before-*{path.suffix}"))
    if path.exists():
        before = path.with_name(f"{path.stem}-before-{older + 1}{path.suffix}")
        write_durably(before, path.read_bytes())
    write_durably(path, isa_to_bytes(device.isa(setup.unrolled)))


def use_kept_circuit(
    executor: Executor, unrolled: UnrolledCircuit, directory: RunDirectory
) -> bool:
    """Use the ISA circuits that a run has kept; False if it has not kept all that it must."""
    services = _services(executor)
    if not services:
        return True
    directory.path.chmod(0o700)  # ids of jobs are nobody else's business
    paths = [directory.path / _isa_file(one, services) for one in services]
    if not all(path.exists() for path in paths):
        return False
    for one, path in zip(services, paths, strict=True):
        one.use_isa(unrolled, isa_from_bytes(unrolled, path.read_bytes()))
    return True


def _services(executor: Executor) -> list[Resumable]:
    return [one for one in members_of(executor) if isinstance(one, Resumable)]


def _isa_file(device: Resumable, services: Sequence[Resumable]) -> str:
    """Name of the file that keeps the ISA circuit for a device."""
    return "isa.qpy" if len(services) == 1 else f"isa-{device.name}.qpy"


def open_submission(
    setup: Setup,
    ledger: Ledger,
    *,
    wait: bool,
    directory: RunDirectory | None = None,
    notify: Callable[[str], None] | None = None,
) -> Submission:
    """What carries the run's requests to its backend.

    Args:
        setup: of the run.
        ledger: of the run.
        wait: wait for jobs; otherwise raise `PendingError`.
        directory: where the run's circuit is kept; None if it has none to compare calibrations by.
        notify: told what a person may want to know.
    """
    members = members_of(setup.executor)
    for executor in members:
        if isinstance(executor, Resumable):
            fact = SESSION if len(members) == 1 else f"{SESSION} {executor.name}"
            save = partial(ledger.set_fact, fact)
            executor.keep_session(ledger.fact(fact), save, len(members))
    look = None
    if directory is not None:
        keep = partial(keep_new_circuit, setup, directory)
        spec = setup.job.backend
        look = Drift(spec, setup.unrolled, ledger, keep, notify or directory.log)
    return Submission(
        ledger,
        as_service(members[0]),
        setup.unrolled,
        wait=wait,
        budget=setup.job.budget,
        shared=_shared(setup, ledger),
        max_pending=setup.job.backend.max_pending,
        trust_list=setup.job.backend.unknown == "list",
        look=look,
        notify=notify,
    )


def _shared(setup: Setup, ledger: Ledger) -> SharedBudget | None:
    """The other runs that the run's budget is for."""
    folder = setup.job.budget.shared
    if folder is None or not setup.job.backend.is_service:
        return None
    planned = plan_job(setup)["qpu_seconds"]
    return SharedBudget(folder, ledger.directory, ledger, planned)


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
    if setup.job.backend.is_service:
        check_local(run_dir, "give a --run-dir on a local disk")
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
            with session_held(setup):
                yield open_submission(setup, ledger, wait=wait, directory=directory, notify=notify)
        except PendingError as error:
            raise PendingError(f"{error}: continue later with the same command") from None
        finally:
            ledger.close()
        directory.update(state="done")


def _once(job: Job) -> str:
    """Kind of one evaluation: what a training does not have to be paid for here."""
    return job.kind if job.kind == "gradient" else "evaluate"


@contextmanager
def session_held(setup: Setup) -> Iterator[None]:
    """End the run's sessions or batches with the work, however it ends: sessions cost by the clock.

    They stay open only where a later process is to go on; the service ends them when nobody does.
    """
    try:
        yield
    except PendingError:
        raise
    except BaseException:
        with suppress(QRNNError):
            _close_session(setup)
        raise
    _close_session(setup)


def _close_session(setup: Setup) -> None:
    for executor in members_of(setup.executor):
        if isinstance(executor, Resumable):
            executor.close_session()
