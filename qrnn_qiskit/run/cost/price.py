"""What a run's training would take on a quantum computer, from a snapshot of a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from qrnn_qiskit.run.cost.plan import plan_job
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.setup import make_setup
from qrnn_qiskit.spec.backend import BackendSpec, BudgetSpec
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
    asked = job_from_dict(record["job"])
    own, gradient = asked.backend, asked.gradient
    exact = own.shots is None and gradient.shots_total is None
    backend = BackendSpec(
        name=device,
        shots=SHOTS if exact else own.shots,
        optimization_level=own.optimization_level,
        layout_trials=own.layout_trials,
        reset=own.reset,
        tiles=own.tiles,
    )
    job = asked.model_copy(update={"backend": backend, "noise": None, "budget": BudgetSpec()})
    method = record["work"]["method"]
    chosen = (method,) if method not in ("adjoint", "auto") else METHODS
    found = []
    for name in chosen:
        setting = [] if name == method else [f"gradient.method={name}"]
        plan = plan_job(make_setup(override_job(job, setting)))
        found.append({**plan, "shots_per_row": backend.shots})
    return found
