"""A rehearsal: the whole path of a real run, with the real client, against an emulated service."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from qrnn_qiskit.emulator import EmulatedService
from qrnn_qiskit.errors import BackendError, SpecError
from qrnn_qiskit.execution.backends import ibm_client
from qrnn_qiskit.execution.backends.ibm import fake_device
from qrnn_qiskit.run.cost.plan import plan_job
from qrnn_qiskit.run.jobs import evaluate_job, gradient_job, run_job
from qrnn_qiskit.run.reporter import Reporter, Silent
from qrnn_qiskit.run.service import waiting
from qrnn_qiskit.run.setup import make_setup
from qrnn_qiskit.spec.compose import load_job

_POLL_S: Final = 0.1  # nobody else waits for an emulated service
_SPARE: Final = 1.25  # budget over plan, where the job has none
_SOME_DEVICE: Final = "ibm_marrakesh"  # what least_busy finds here


def rehearse_job(
    source: str | Path,
    overrides: Sequence[str] = (),
    run_dir: Path | None = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Run a job as on the real device, without an account and without cost.

    Circuits run under the noise of the device's snapshot.

    Args:
        source: a job file for a device of IBM's service.
        overrides: `key=value` settings.
        run_dir: where the rehearsed run is kept; nowhere by default.
        reporter: receives progress.

    Returns:
        `plan`: what the real run would cost, as from `plan_job`; `qpu_jobs` and `qpu_seconds`:
        what the emulated service has counted and charged; `budget`: what the job allows, and the
        line to add where it has none; `run`: the result.

    Raises:
        BackendError, SpecError: if the job is not for a device, or there is no snapshot of it.
    """
    job = load_job(source, overrides)
    if job.kind == "compare":
        raise SpecError("kind = 'compare' cannot be rehearsed: it is for simulators")
    if not job.backend.is_service:
        raise BackendError(
            f"backend.name = {job.backend.name!r}: a rehearsal is for a device of IBM's service: "
            "add --set backend.name=ibm_marrakesh, or run the job as it is"
        )
    names = [_SOME_DEVICE if n == "least_busy" else n for n in job.backend.names]
    for name in names:
        try:
            fake_device("fake_" + name.removeprefix("ibm_"))
        except BackendError as error:
            raise BackendError(
                f"there is no snapshot of {name} to rehearse with ({error}): choose another with "
                "--set backend.name=ibm_..."
            ) from None
    with _emulated(names, reporter or Silent()) as service:
        settings = [*overrides, f"backend.name={json.dumps(','.join(names))}"]
        plan = plan_job(make_setup(load_job(source, settings)))
        budget = job.budget.qpu_seconds
        line = None
        if budget is None:
            needed = math.ceil(plan["qpu_seconds"] * _SPARE)
            line = f"[budget] qpu_seconds = {needed}"
            settings.append(f"budget.qpu_seconds={needed}")
        with tempfile.TemporaryDirectory(prefix="qrnn-rehearsal-") as folder:
            place = run_dir or Path(folder) / "run"
            document = _run(job.kind, source, settings, place, reporter)
        if run_dir is None:
            document.pop("run_dir", None)
        return {
            "plan": plan,
            "qpu_jobs": len(service.jobs),
            "qpu_seconds": round(service.consumed_seconds(), 3),
            "budget": {"qpu_seconds": budget, "add": line},
            "run": document,
        }


def _run(
    kind: str, source: str | Path, settings: list[str], place: Path, reporter: Reporter | None
) -> dict[str, Any]:
    if kind == "train":
        return run_job(source, overrides=settings, run_dir=place, reporter=reporter).to_dict()
    if kind == "gradient":
        return gradient_job(source, settings, run_dir=place)
    return evaluate_job(source, settings, run_dir=place)


@contextmanager
def _emulated(devices: list[str], reporter: Reporter) -> Iterator[EmulatedService]:
    """An emulated service that the client finds instead of the real one."""
    reporter.message(
        f"rehearsal on an emulated {' and '.join(devices)}: no account is used, nothing is charged"
    )
    before = dict(ibm_client.arguments), waiting.FIRST_POLL_S
    with EmulatedService(devices) as service, service.environment():
        ibm_client.arguments.update(service.client_kwargs())
        waiting.FIRST_POLL_S = _POLL_S
        try:
            yield service
        finally:
            ibm_client.arguments.clear()
            ibm_client.arguments.update(before[0])
            waiting.FIRST_POLL_S = before[1]
