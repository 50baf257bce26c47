"""What a run's training would take on a quantum computer, from a snapshot of a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from qrnn_qiskit.run.cost import plan_job
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.setup import make_setup
from qrnn_qiskit.spec.backend import BudgetSpec
from qrnn_qiskit.spec.compose import job_from_dict, override_job

METHODS: Final = ("parameter_shift", "finite_difference")
SHOTS: Final = 1024  # of a row, where the run was exact


def price_on_device(run_dir: Path, device: str) -> list[dict[str, Any]]:
    """Plans of the same training on a device, by the run's own method or, if exact, by two.

    Nothing is submitted: `device` must be a fake one, such as "fake_marrakesh".

    Raises:
        QRNNError: where the run's data or the device cannot be had, or the circuit does not fit.
    """
    record = RunDirectory.open(run_dir).record()
    job = job_from_dict(record["job"]).model_copy(update={"noise": None, "budget": BudgetSpec()})
    method = record["work"]["method"]
    settings = [f"backend.name={device}", "backend.sampling=joint"]
    if job.backend.shots is None and job.gradient.shots_total is None:
        settings.append(f"backend.shots={SHOTS}")
    methods = (method,) if method not in ("adjoint", "auto") else METHODS
    found = []
    for name in methods:
        chosen = [*settings, f"gradient.method={name}"] if name != method else settings
        plan = plan_job(make_setup(override_job(job, chosen)))
        plan["shots_per_row"] = job.backend.shots or SHOTS
        found.append(plan)
    return found
