"""What a report tells of a run, as plain data: read from its directory, nothing is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from qrnn_qiskit.circuit import Cell, unroll
from qrnn_qiskit.errors import QRNNError, RunError
from qrnn_qiskit.execution.dead_weights import dead_weights
from qrnn_qiskit.plot.record import RunRecord, read_record
from qrnn_qiskit.report.citations import methods_used
from qrnn_qiskit.run.cost.price import price_on_device
from qrnn_qiskit.run.jobs import status_run
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.setup import make_cell
from qrnn_qiskit.spec.compose import job_from_dict
from qrnn_qiskit.spec.toml import toml_lines

# Of the account that paid; a report is for others.
_PRIVATE: Final = ("account", "instance")
_LISTED: Final = 40  # weights


@final
@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run as a report shows it.

    Attributes:
        record: what pictures need.
        cell: the cell.
        about: rows of the table at the top.
        verdict: one sentence on the held-out data; empty without any.
        scores: one entry a model.
        circuit: sizes of cell and circuit.
        health: rows on the gradient's health.
        weights: signal-to-noise and shots of each weight.
        spent: what the run cost.
        prices: what it would cost on a device, a plan for each method.
        price_note: why there are no prices; empty otherwise.
        provenance: versions, source, digests.
        job: lines of TOML.
        used: methods, for citations.
        adaptive: shots were adapted by step.
    """

    record: RunRecord
    cell: Cell
    about: dict[str, Any]
    verdict: str
    scores: list[dict[str, Any]]
    circuit: dict[str, Any]
    health: dict[str, Any]
    weights: list[dict[str, Any]]
    spent: dict[str, Any]
    prices: list[dict[str, Any]]
    price_note: str
    provenance: dict[str, Any]
    job: list[str]
    used: set[tuple[str, str]]
    adaptive: bool


def collect(run_dir: Path, device: str) -> RunFacts:
    """Read a run.

    Args:
        run_dir: the run.
        device: a fake device to price the training on.

    Raises:
        RunError: if it is no run directory of a training, or damaged.
    """
    directory = RunDirectory.open(run_dir)
    content = directory.record()
    if "work" not in content or "data" not in content:
        raise RunError(
            f"{run_dir} is no training, and reports are about trainings: a comparison has its own "
            "picture (qrnn compare), a script its own results"
        )
    record, status = read_record(run_dir), status_run(run_dir)
    job = job_from_dict(content["job"])
    copy = run_dir / "cell.qasm"
    spec = job.cell.model_copy(update={"file": copy}) if job.cell.file is not None else job.cell
    cell = make_cell(spec)
    work, summary = content["work"], content.get("summary", {})
    prices, note = _prices(run_dir, device)
    history = directory.history()
    gradients = [entry["gradient"] for entry in history if entry.get("gradient")]
    methods = {gradient["method"] for gradient in gradients} or {work["method"]}
    return RunFacts(
        record=record,
        cell=cell,
        about={
            "state": status["state"],
            "training": f"{status['step']:,} of {status['steps']:,} steps"
            + (f": {summary['reason']}" if summary.get("reason") else ""),
            "cell": f"{cell.name}, {cell.circuit.num_qubits} qubits, {cell.num_weights} weights",
            "backend": _backend(content["job"]),
            "gradient": ", ".join(sorted(methods)),
            "best loss": status["best_loss"],
            "shots": status["shots"],
            "seed": job.seed,
        },
        verdict=summary.get("verdict") or "",
        scores=[dict(entry) for entry in record.scores],
        circuit=_circuit(cell, work),
        health=_health(status, gradients),
        weights=_weights(status, gradients, work),
        spent=_spent(status, history),
        prices=prices,
        price_note=note,
        provenance=_provenance(content),
        job=list(toml_lines(_public(content["job"]))),
        used=methods_used(content["job"], methods),
        adaptive=any("signal²" in gradient["reason"] for gradient in gradients),
    )


def _backend(job: dict[str, Any]) -> str:
    noise = job.get("noise")
    name = str(job["backend"]["name"])
    if not noise:
        return name
    return f"{name}, noise {noise.get('device') or noise.get('preset') or 'of single errors'}"


def _circuit(cell: Cell, work: dict[str, Any]) -> dict[str, Any]:
    steps = int(work["num_steps"])
    unrolled = unroll(cell, steps)
    counts = unrolled.circuit.count_ops()
    return {
        "steps": steps,
        "qubits": unrolled.circuit.num_qubits,
        "occurrences": len(unrolled.occurrences),
        "measurements": counts.get("measure", 0),
        "resets": counts.get("reset", 0),
        "two-qubit gates": sum(
            len(item.qubits) == 2 and item.operation.name != "barrier"
            for item in unrolled.circuit.data
        ),
        "weights that no output depends on": [d.weight for d in dead_weights(unrolled)],
    }


def _health(status: dict[str, Any], gradients: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "dead weights": status.get("dead_weights", []),
        "weights in noise": status.get("weights_in_noise", []),
    }
    ratios = gradients[-1].get("signal_to_noise") if gradients else None
    if ratios:
        alive = sorted(ratio for ratio in ratios if ratio > 0)
        found["signal-to-noise at the end, median"] = alive[len(alive) // 2] if alive else 0.0
        found["signal-to-noise at the end, range"] = (
            f"{alive[0]:.3g} to {alive[-1]:.3g}" if alive else "-"
        )
    else:
        found["signal-to-noise"] = "exact gradients have no shot noise"
    return found


def _weights(
    status: dict[str, Any], gradients: list[dict[str, Any]], work: dict[str, Any]
) -> list[dict[str, Any]]:
    ratios = gradients[-1].get("signal_to_noise") if gradients else None
    if not ratios:
        return []
    shots = {entry["weight"]: entry["shots"] for entry in status.get("shots_of_weights", [])}
    rows = [
        {"weight": name, "signal-to-noise": ratio, "shots": shots.get(name, 0)}
        for name, ratio in zip(work["weights"], ratios, strict=True)
    ]
    return sorted(rows, key=lambda row: -row["signal-to-noise"])[:_LISTED]


def _spent(status: dict[str, Any], history: list[dict[str, Any]]) -> dict[str, Any]:
    rows = sum((entry.get("gradient") or {}).get("rows", 0) for entry in history)
    found = {"shots": status["shots"], "rows of gradients": rows}
    if status["qpu_seconds"]:
        found["QPU seconds (predicted)"] = status["qpu_seconds"]
    for key in ("qpu_seconds_charged", "qpu_seconds_expected", "jobs"):
        if key in status:
            found[key.replace("_", " ").replace("qpu", "QPU")] = status[key]
    return found


def _prices(run_dir: Path, device: str) -> tuple[list[dict[str, Any]], str]:
    try:
        return price_on_device(run_dir, device), ""
    except QRNNError as error:
        return [], str(error)


def _provenance(content: dict[str, Any]) -> dict[str, Any]:
    made = content.get("provenance", {})
    git = made.get("git") or {}
    work = content["work"]
    source = git.get("commit", "not a checkout")
    return {
        **made.get("packages", {}),
        "Python": made.get("python"),
        "platform": made.get("platform"),
        "source": f"{source}, with changes" if git.get("changed") else source,
        "cell (SHA-256)": work.get("cell_digest"),
        "data (SHA-256)": work.get("data_digest"),
        "initial weights (SHA-256)": work.get("initial_digest"),
    }


def _public(job: dict[str, Any]) -> dict[str, Any]:
    backend = {key: value for key, value in job["backend"].items() if key not in _PRIVATE}
    return {**job, "backend": backend}
