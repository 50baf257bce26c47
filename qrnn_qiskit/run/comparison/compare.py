"""Gradient methods side by side at equal total shots: gradients, then whole trainings."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.execution.make import has_reference
from qrnn_qiskit.execution.service import SECONDS_PER_JOB
from qrnn_qiskit.learning.plugins import OPTIMIZERS
from qrnn_qiskit.run.comparison.gradients import (
    Entry,
    decide,
    lengths,
    make_entries,
    measure_all,
    points,
    shortened,
)
from qrnn_qiskit.run.comparison.training import SCIPY_DEFAULT, Curve, train_all, training_setup
from qrnn_qiskit.run.comparison.verdict import verdict
from qrnn_qiskit.run.cost.budget import check_budget_of
from qrnn_qiskit.run.cost.evaluations import gradient_cost, seconds_per_execution
from qrnn_qiskit.run.record.directory import RunDirectory, check_writable, default_path
from qrnn_qiskit.run.record.durable import write_durably
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.provenance import provenance
from qrnn_qiskit.run.reporter import Reporter, Silent
from qrnn_qiskit.run.runs import unchanged_setup
from qrnn_qiskit.run.setup import Setup, describe, make_setup
from qrnn_qiskit.spec.compose import job_from_dict, job_to_dict, load_job
from qrnn_qiskit.spec.job import Job


@final
@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """What a comparison found.

    Attributes:
        run_dir: where it is kept.
        entries: in the order of lengths, shots, methods; swept steps after the methods.
        curves: the trainings.
        reference: what the gradients are held against, in words.
        verdict: what won, and why, in words.
        published: what a paper reports, in words.
    """

    run_dir: Path
    entries: list[Entry]
    curves: list[Curve]
    reference: str
    verdict: str
    published: str | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "run_dir": str(self.run_dir),
            "reference": self.reference,
            "entries": [asdict(entry) for entry in self.entries],
            "training": [asdict(curve) for curve in self.curves],
            "verdict": self.verdict,
            "published": self.published,
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
        result = _compare(setup, directory, reporter)
        write_durably(directory.path / "comparison.csv", _csv(result.entries))
        directory.write_json("comparison.json", result.to_dict())
        directory.update(state="done")
    return result


def _compare(setup: Setup, directory: RunDirectory, reporter: Reporter) -> ComparisonResult:
    spec = setup.job.compare
    trainings = len(spec.methods) + 1 if spec.training_shots else 0
    reporter.start(len(points(setup)) + trainings, setup.job.name or "comparison")
    # A simulator's gradients are quicker to repeat than to record; a device's are paid for.
    ledger = None if has_reference(setup.job.backend) else Ledger(directory.path)
    try:
        entries, reference = make_entries(setup, measure_all(setup, directory, ledger, reporter))
        curves = train_all(setup, directory, reporter)
    finally:
        reporter.stop()
        if ledger is not None:
            ledger.close()
    words = verdict(entries, curves)
    published = setup.job.published
    return ComparisonResult(directory.path, entries, curves, reference, words, published)


def _check(setup: Setup) -> None:
    """Refuse what cannot be measured, or costs more than the budget, before anything is.

    Raises:
        QRNNError: naming the key, and the remedy.
    """
    if setup.job.backend.sampling != "joint":
        raise SpecError(
            'backend.sampling = "marginal" leaves gradients without error bars, which a comparison '
            'judges: use "joint"'
        )
    spec = setup.job.compare
    shorts = {num_steps: shortened(setup, num_steps) for num_steps in lengths(setup)}
    shots, jobs = 0, 0
    for point in points(setup):
        decide(shorts[point.num_steps], point)
        shots += point.shots * spec.repetitions
        jobs += spec.repetitions
    unbiased = any(method.name == "parameter_shift" for method in spec.methods)
    if not has_reference(setup.job.backend) and not unbiased:
        raise SpecError(
            f"backend.name = {setup.job.backend.name!r} has no exact gradient to compare with: add "
            "'parameter_shift' to compare.methods, whose mean then serves"
        )
    if spec.training_shots is not None:
        short = shorts[min(shorts)]
        OPTIMIZERS.build(setup.job.optimizer.name, setup.job.optimizer.options)
        for method in (*spec.methods, SCIPY_DEFAULT):
            mine = training_setup(short, method, setup.job.optimizer.name, spec.training_shots)
            gradient_cost(mine, mine.batch_size)
            shots += spec.training_shots
            jobs += setup.job.training.steps
    each = seconds_per_execution(setup)
    check_budget_of(setup, shots, SECONDS_PER_JOB * jobs + each * shots if each else 0.0)


def _check_kind(job: Job, source: str | Path) -> None:
    if job.kind != "compare":
        command = "run" if job.kind == "train" else job.kind
        raise SpecError(
            f"{source} has kind = {job.kind!r}: qrnn compare is for kind = 'compare'; use "
            f"qrnn {command} {source}"
        )


def _csv(entries: list[Entry]) -> bytes:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(asdict(entries[0])))
    writer.writeheader()
    writer.writerows(asdict(entry) for entry in entries)
    return buffer.getvalue().encode()
