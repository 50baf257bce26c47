"""Gradient methods side by side at equal total shots, against the exact gradient."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.execution.make import make_reference
from qrnn_qiskit.run.cost import EvaluationCost, check_budget_of, qpu_seconds
from qrnn_qiskit.run.directory import RunDirectory, check_writable, default_path
from qrnn_qiskit.run.evaluator import Call, Evaluator
from qrnn_qiskit.run.gradient import Adjoint, GradientResult, measure_gradient
from qrnn_qiskit.run.ledger import write_durably
from qrnn_qiskit.run.provenance import provenance
from qrnn_qiskit.run.reporter import Reporter, Silent
from qrnn_qiskit.run.runs import unchanged_setup
from qrnn_qiskit.run.setup import Setup, describe, make_rule, make_setup
from qrnn_qiskit.run.shots import ShotPlan
from qrnn_qiskit.spec.compose import job_from_dict, job_to_dict, load_job
from qrnn_qiskit.spec.job import Job

COMPARE_STREAM: Final = 7
RESULTS: Final = "comparison.jsonl"
INTERVAL: Final = 1.959963984540054  # of a normal distribution, 95 %


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One method at one number of shots, over all repetitions.

    `bias`, `bias_error`, `std` and `rmse` are norms of vectors over the weights, relative to the
    norm of the exact gradient.

    Attributes:
        method: its title.
        shots: total shots asked for.
        shots_used: shots of one gradient, base rows included.
        rows: rows of one gradient.
        bias: of the mean over repetitions.
        bias_error: what a bias of zero would show on average, from the finite repetitions.
        std: standard deviation over repetitions.
        rmse: root of the mean squared error.
        cosine: mean cosine with the exact gradient.
        coverage: fraction of the 95 % intervals that hold the exact component.
        qpu_seconds: predicted for one gradient on the device; None on simulators.
    """

    method: str
    shots: int
    shots_used: int
    rows: int
    bias: float
    bias_error: float
    std: float
    rmse: float
    cosine: float
    coverage: float
    qpu_seconds: float | None


@final
@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """What a comparison found.

    Attributes:
        run_dir: where it is kept.
        entries: in the order of shots, then methods.
        verdict: what won, and why, in words.
    """

    run_dir: Path
    entries: list[Entry]
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "run_dir": str(self.run_dir),
            "entries": [asdict(entry) for entry in self.entries],
            "verdict": self.verdict,
        }


def compare_job(
    source: str | Path,
    *,
    overrides: Sequence[str] = (),
    run_dir: Path | None = None,
    reporter: Reporter | None = None,
) -> ComparisonResult:
    """Compare gradient methods as a job file says, or continue a comparison.

    Args:
        source: a job file of kind `compare`, or the run directory of one.
        overrides: `key=value` settings of a new comparison.
        run_dir: where it is kept; `runs/<date>-<job>-<id>` by default.
        reporter: receives progress.

    Raises:
        QRNNError: one line saying what is wrong and how to mend it.
    """
    reporter = reporter or Silent()
    if (Path(source) / "run.json").is_file():
        directory = RunDirectory.open(Path(source))
        job = job_from_dict(directory.record()["job"])
        _check_kind(job, source)
        setup = unchanged_setup(job, directory, directory.record()["work"])
    else:
        job = load_job(source, overrides)
        _check_kind(job, source)
        path = run_dir or default_path(job.name or Path(source).stem)
        check_writable(path)
        setup = make_setup(job)
        _check(setup)
        directory = RunDirectory.create(
            path,
            {
                "job": job_to_dict(job),
                "state": "running",
                "work": describe(setup),
                "provenance": provenance(),
            },
        )
    with directory.locked():
        entries = _measure_all(setup, directory, reporter)
        result = ComparisonResult(directory.path, entries, _verdict(entries))
        write_durably(directory.path / "comparison.csv", _csv(entries))
        directory.write_json("comparison.json", result.to_dict())
        directory.update(state="done")
    return result


def _check(setup: Setup) -> None:
    spec = setup.job.compare
    if setup.job.backend.sampling != "joint":
        raise SpecError(
            'backend.sampling = "marginal" leaves gradients without error bars, which a comparison '
            'judges: use "joint"'
        )
    total = len(spec.methods) * spec.repetitions * sum(spec.shots_total)
    check_budget_of(setup, total, 0.0)
    for method in spec.methods:
        rule = make_rule(_with_method(setup.job, method.name, method.options))
        if not isinstance(rule, Adjoint):
            for shots in spec.shots_total:
                ShotPlan(total=shots).apply(rule.plan(setup.problem(spec.sequences)))


def _with_method(job: Job, name: str, options: dict[str, Any]) -> Job:
    tables = job_to_dict(job)
    tables["gradient"] = {"method": name, "shots_total": job.compare.shots_total[0], **options}
    tables["backend"].pop("shots", None)
    return job_from_dict(tables)


def _check_kind(job: Job, source: str | Path) -> None:
    if job.kind != "compare":
        command = "run" if job.kind == "train" else job.kind
        raise SpecError(
            f"{source} has kind = {job.kind!r}: qrnn compare is for kind = 'compare'; use "
            f"qrnn {command} {source}"
        )


def _measure_all(setup: Setup, directory: RunDirectory, reporter: Reporter) -> list[Entry]:
    spec = setup.job.compare
    path = directory.path / RESULTS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    entries = [Entry(**json.loads(line)) for line in lines]
    exact = _exact_gradient(setup)
    cells = [
        (i, shots, method) for shots in spec.shots_total for i, method in enumerate(spec.methods)
    ]
    reporter.start(len(cells), setup.job.name or "comparison")
    try:
        for i, shots, method in cells[len(entries) :]:
            rule = make_rule(_with_method(setup.job, method.name, method.options))
            results = [
                _measure(
                    setup, rule, shots, Call(f"{shots}/{i}/{m}", (COMPARE_STREAM, shots, i, m))
                )
                for m in range(spec.repetitions)
            ]
            entries.append(_entry(setup, method.title, shots, results, exact))
            text = "".join(json.dumps(asdict(entry)) + "\n" for entry in entries)
            write_durably(path, text.encode())
            reporter.message(
                f"{method.title}, {shots:,} shots: relative RMSE {entries[-1].rmse:.3g}"
            )
    finally:
        reporter.stop()
    return entries


def _measure(setup: Setup, rule: Any, shots: int, call: Call) -> GradientResult:
    train = setup.splits.train.sequences(slice(0, setup.job.compare.sequences))
    evaluator = Evaluator(
        setup.unrolled, setup.executor, kind=setup.job.readout.output, seed=setup.job.seed
    )
    weights, readout = setup.split_parameters(setup.initial)
    return measure_gradient(
        evaluator,
        rule,
        setup.objective,
        weights=weights,
        readout=readout,
        features=train.features,
        targets=train.targets,
        shots=ShotPlan(total=shots),
        call=call,
    )


def _exact_gradient(setup: Setup) -> Array:
    train = setup.splits.train.sequences(slice(0, setup.job.compare.sequences))
    weights, readout = setup.split_parameters(setup.initial)
    evaluator = Evaluator(
        setup.unrolled,
        make_reference(setup.job.backend, setup.job.noise),
        kind=setup.job.readout.output,
    )
    return measure_gradient(
        evaluator,
        Adjoint(),
        setup.objective,
        weights=weights,
        readout=readout,
        features=train.features,
        targets=train.targets,
        shots=ShotPlan(),
        call=Call("exact", ()),
    ).gradient.mean


def _entry(
    setup: Setup, title: str, shots: int, results: list[GradientResult], exact: Array
) -> Entry:
    found = np.array([result.gradient.mean for result in results])
    size = float(np.linalg.norm(exact)) or 1.0
    variance = float(found.var(axis=0, ddof=1).sum())
    norms = np.linalg.norm(found, axis=1) * size
    cosine = (found @ exact) / np.where(norms > 0, norms, 1.0)
    errors = [result.gradient.standard_error for result in results]
    inside = [
        np.abs(g - exact)[e > 0] <= INTERVAL * e[e > 0]
        for g, e in zip(found, errors, strict=True)
        if e is not None
    ]
    held = np.concatenate(inside) if inside else np.array([1.0])
    cost = EvaluationCost(results[0].rows, results[0].shots_total)
    seconds = qpu_seconds(setup, cost)
    return Entry(
        method=title,
        shots=shots,
        shots_used=results[0].shots_total,
        rows=results[0].rows,
        bias=float(np.linalg.norm(found.mean(axis=0) - exact)) / size,
        bias_error=float(np.sqrt(variance / len(found))) / size,
        std=float(np.sqrt(variance)) / size,
        rmse=float(np.sqrt(np.mean(np.sum((found - exact) ** 2, axis=1)))) / size,
        cosine=float(cosine.mean()),
        coverage=float(held.mean()),
        qpu_seconds=round(seconds, 1) if seconds else None,
    )


def _verdict(entries: list[Entry]) -> str:
    """Two sentences on the largest number of shots."""
    most = max(entry.shots for entry in entries)
    last = sorted((e for e in entries if e.shots == most), key=lambda entry: entry.rmse)
    best = last[0]
    parts = [
        f"At {most:,} shots {best.method} has the lowest error, {best.rmse:.3g} of the gradient's "
        f"norm (bias {best.bias:.2g}, scatter {best.std:.2g})"
    ]
    if len(last) > 1:
        parts[0] += f", before {last[1].method} with {last[1].rmse:.3g}"
    biased = [e.method for e in last if e.bias > 3 * e.bias_error]
    if biased:
        parts.append(
            f"The error bars of {', '.join(biased)} do not contain a bias that is larger than the "
            "scatter of the mean"
        )
    else:
        parts.append("No method shows a bias beyond the scatter of its mean")
    return ". ".join(parts) + "."


def _csv(entries: list[Entry]) -> bytes:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(asdict(entries[0])))
    writer.writeheader()
    writer.writerows(asdict(entry) for entry in entries)
    return buffer.getvalue().encode()
