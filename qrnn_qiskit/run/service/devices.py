"""The devices of an account, with what a job would cost on each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.backends.ibm_devices import list_devices
from qrnn_qiskit.run.cost.plan import plan_job
from qrnn_qiskit.run.setup import make_setup
from qrnn_qiskit.spec.compose import load_job, override_job

_COSTS = ("circuit_us", "coherence_us", "two_qubit_gates", "predicted_error", "qpu_seconds")


def devices(
    source: str | Path | None = None,
    overrides: Sequence[str] = (),
    account: str | None = None,
    instance: str | None = None,
) -> list[dict[str, Any]]:
    """What each device offers; for a job also what it would cost there, best first.

    Args:
        source: a job file; its account and instance are used.
        overrides: `key=value` settings.
        account: name of a saved account, without a job.
        instance: name or CRN of an instance, without a job.
    """
    if source is None:
        return sorted(list_devices(account, instance), key=lambda device: device["queue"])
    job = load_job(source, overrides)
    backend = job.backend
    found = []
    for device in list_devices(backend.account or account, backend.instance or instance):
        try:
            plan = plan_job(make_setup(override_job(job, [f"backend.name={device['name']}"])))
            costs = {key: plan[key] for key in _COSTS}
            reason = None
        except BackendError as error:
            costs, reason = dict.fromkeys(_COSTS), str(error)
        found.append({**device, **costs, "refused": reason})
    return sorted(
        found, key=lambda device: (bool(device["refused"]), device["predicted_error"] or 0.0)
    )
