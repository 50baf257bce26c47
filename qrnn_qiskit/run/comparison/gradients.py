"""Gradients by several methods at equal total shots, and what their scatter says.

Axes: P weights, m repetitions.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.execution.make import has_reference, make_reference
from qrnn_qiskit.gradients import GradientRule
from qrnn_qiskit.gradients.problem import HasVariance
from qrnn_qiskit.gradients.rules.finite_difference import FiniteDifference
from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.run.cost.evaluations import seconds_per_execution
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.gradient import Adjoint, measure_gradient
from qrnn_qiskit.run.measure.policy import Decision, Policy
from qrnn_qiskit.run.measure.shots import ShotPlan
from qrnn_qiskit.run.method import make_rule, make_shots
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.record.durable import write_durably
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.reporter import Reporter
from qrnn_qiskit.run.service.hardware import open_submission
from qrnn_qiskit.run.service.submission import Submission
from qrnn_qiskit.run.setup import Setup, make_setup
from qrnn_qiskit.spec.compose import job_from_dict, job_to_dict
from qrnn_qiskit.spec.gradient import MethodSpec
from qrnn_qiskit.spec.job import Job

COMPARE_STREAM: Final = 7
RESULTS: Final = "comparison.jsonl"
INTERVAL: Final = 1.959963984540054  # of a normal distribution, 95 %


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One method at one number of shots and one length, over all repetitions.

    `bias`, `bias_error`, `std` and `rmse` are norms of vectors over the weights, relative to the
    norm of the reference gradient.

    Attributes:
        method: its title.
        num_steps: T.
        shots: total shots asked for.
        shots_used: shots of one gradient, base rows included.
        rows: rows of one gradient.
        step: h of a central difference, in rad; None for other methods.
        bias: of the mean over repetitions.
        bias_error: what a bias of zero would show on average, from the finite repetitions.
        std: standard deviation over repetitions.
        rmse: root of the mean squared error.
        cosine: mean cosine with the reference gradient.
        coverage: fraction of the 95 % intervals that hold the reference component.
        reference_norm: Euclidean norm of the reference gradient.
        qpu_seconds: predicted for one gradient on the device; None on simulators.
    """

    method: str
    num_steps: int
    shots: int
    shots_used: int
    rows: int
    step: float | None
    bias: float
    bias_error: float
    std: float
    rmse: float
    cosine: float
    coverage: float
    reference_norm: float
    qpu_seconds: float | None


@final
@dataclass(frozen=True, slots=True)
class Measurement:
    """All repetitions of one method at one number of shots and one length.

    Attributes:
        num_steps, method, shots: which.
        rows, shots_used: of one gradient.
        step: h of a central difference, in rad.
        gradients: `[m][P]`.
        standard_errors: `[m][P]`; empty where the method is exact.
    """

    num_steps: int
    method: str
    shots: int
    rows: int
    shots_used: int
    step: float | None
    gradients: list[list[float]]
    standard_errors: list[list[float]]


@final
@dataclass(frozen=True, slots=True)
class Point:
    """What to measure: a method at one length with so many total shots."""

    num_steps: int
    shots: int
    index: int
    method: MethodSpec


def lengths(setup: Setup) -> tuple[int, ...]:
    """The lengths T that a comparison is made at.

    Raises:
        SpecError: if the data's sequences are shorter.
    """
    longest = setup.unrolled.num_steps
    for num_steps in setup.job.compare.num_steps:
        if num_steps > longest:
            raise SpecError(
                f"compare.num_steps: {num_steps} is longer than the data's sequences of {longest} "
                "steps; leave it out, or take longer sequences (data.window)"
            )
    return setup.job.compare.num_steps or (longest,)


def points(setup: Setup) -> list[Point]:
    """All that is to be measured, the methods first, then the swept steps."""
    spec = setup.job.compare
    swept = [MethodSpec.model_validate(central(h)) for h in spec.step_sweep]
    methods = [*spec.methods, *swept]
    return [
        Point(num_steps, shots, index, method)
        for num_steps in lengths(setup)
        for shots in spec.shots_total
        for index, method in enumerate(methods)
    ]


def central(step: float) -> dict[str, Any]:
    """The method of a central difference with a fixed step in rad."""
    return {"name": "finite_difference", "step": step, "label": f"central difference, h = {step:g}"}


def with_method(job: Job, method: MethodSpec, shots: int) -> Job:
    """The job with one method at so many total shots in its `[gradient]`."""
    tables = job_to_dict(job)
    tables["gradient"] = {"method": method.name, "shots_total": shots, **method.options}
    tables["backend"].pop("shots", None)
    return job_from_dict(tables)


def shortened(setup: Setup, num_steps: int) -> Setup:
    """The setup for the first steps of the first `compare.sequences` training sequences."""
    count = setup.job.compare.sequences

    def cut(part: Dataset, sequences: int) -> Dataset:
        times = None if part.times is None else part.times[:sequences, :num_steps]
        return replace(
            part,
            features=part.features[:sequences, :num_steps],
            targets=part.targets[:sequences, :num_steps],
            times=times,
        )

    splits = setup.splits
    empty = cut(splits.train, 0)
    parts: Splits = replace(splits, train=cut(splits.train, count), validation=empty, test=empty)
    return make_setup(setup.job, parts)


def measure_all(
    setup: Setup, directory: RunDirectory, ledger: Ledger | None, reporter: Reporter
) -> list[Measurement]:
    """Measure all points, from where an interrupted comparison stopped."""
    path = directory.path / RESULTS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = [Measurement(**json.loads(line)) for line in lines]
    setups = {num_steps: shortened(setup, num_steps) for num_steps in lengths(setup)}
    for point in points(setup)[len(found) :]:
        short = setups[point.num_steps]
        submission = None
        if ledger is not None:
            submission = open_submission(short, ledger, wait=True, notify=reporter.message)
        found.append(_measure(short, point, submission))
        text = "".join(json.dumps(asdict(measured)) + "\n" for measured in found)
        write_durably(path, text.encode())
        reporter.part(f"T = {point.num_steps}, {point.shots:,} shots: {point.method.title}")
    return found


def _measure(setup: Setup, point: Point, submission: Submission | None) -> Measurement:
    decision = decide(setup, point)
    evaluator = Evaluator(
        setup.unrolled,
        setup.executor,
        kind=setup.job.readout.output,
        seed=setup.job.seed,
        submission=submission,
    )
    weights, readout = setup.split_parameters(setup.initial)
    if setup.mitigation is not None:
        setup.mitigation.apply_to(evaluator, weights, None)
    place = (point.num_steps, point.shots, point.index)
    results = [
        measure_gradient(
            evaluator,
            decision.rule,
            setup.objective,
            weights=weights,
            readout=readout,
            features=setup.splits.train.features,
            targets=setup.splits.train.targets,
            shots=decision.shots,
            call=Call("/".join(map(str, (*place, m))), (COMPARE_STREAM, *place, m)),
        )
        for m in range(setup.job.compare.repetitions)
    ]
    errors = [result.gradient.standard_error for result in results]
    return Measurement(
        num_steps=point.num_steps,
        method=point.method.title,
        shots=point.shots,
        rows=results[0].rows,
        shots_used=results[0].shots_total,
        step=_step(decision.rule),
        gradients=[result.gradient.mean.tolist() for result in results],
        standard_errors=[error.tolist() for error in errors if error is not None],
    )


def decide(setup: Setup, point: Point) -> Decision:
    """The rule and the shares of shots of a point; `auto` knows nothing of earlier gradients.

    Raises:
        QRNNError: if the rule is unknown, or its shots are too few for its rows.
    """
    job = with_method(setup.job, point.method, point.shots)
    rule, shots = make_rule(job), make_shots(job)
    problem = setup.problem(setup.splits.train.num_sequences)
    problem = replace(problem, shots=None, shots_total=point.shots)
    decision = Decision(rule, shots)
    if point.method.name == "auto":
        decision = Policy(None, shots, adaptive=False).decide(problem, {})
    if not isinstance(decision.rule, Adjoint):
        plan = decision.rule.plan(problem)
        decision.shots.apply(plan, drawn=isinstance(decision.rule, HasVariance))
        if isinstance(decision.rule, FiniteDifference) and decision.rule.form == "central":
            step = float(np.abs(plan.weights - plan.weights[0]).max())
            decision = replace(decision, rule=replace(decision.rule, step=step))
    return decision


def _step(rule: GradientRule | Adjoint) -> float | None:
    """H of a central difference."""
    if isinstance(rule, FiniteDifference) and rule.step != "auto" and rule.form == "central":
        return float(rule.step)
    return None


def make_entries(setup: Setup, found: list[Measurement]) -> tuple[list[Entry], str]:
    """The statistics of all measurements, and what they are held against, in words."""
    references = {num_steps: _reference(setup, num_steps, found) for num_steps in lengths(setup)}
    entries = [_entry(setup, one, references[one.num_steps]) for one in found]
    if has_reference(setup.job.backend):
        return entries, "the exact gradient"
    return entries, "the mean of all parameter-shift gradients with the most shots"


def _reference(setup: Setup, num_steps: int, found: list[Measurement]) -> Array:
    """The exact gradient `[P]`, or the best unbiased estimate where there is none."""
    if not has_reference(setup.job.backend):
        best = [
            one
            for one in found
            if one.num_steps == num_steps and one.method.startswith("parameter_shift")
        ]
        mean: Array = np.mean(max(best, key=lambda one: one.shots).gradients, axis=0)
        return mean
    short = shortened(setup, num_steps)
    return exact_gradient(short, short.initial)


def exact_gradient(setup: Setup, parameters: Array) -> Array:
    """The exact gradient `[P]` under the backend's noise, on the whole training part.

    With mitigation it is that of the corrected outputs.
    """
    weights, readout = setup.split_parameters(parameters)
    evaluator = exact_evaluator(setup, weights)
    return measure_gradient(
        evaluator,
        Adjoint(),
        setup.objective,
        weights=weights,
        readout=readout,
        features=setup.splits.train.features,
        targets=setup.splits.train.targets,
        shots=ShotPlan(),
        call=Call("exact", ()),
    ).gradient.mean


def exact_evaluator(setup: Setup, weights: Array) -> Evaluator:
    """Exact values under the backend's noise, corrected where the job has `[mitigation]`."""
    evaluator = Evaluator(
        setup.unrolled,
        make_reference(setup.job.backend, setup.job.noise),
        kind=setup.job.readout.output,
    )
    if setup.mitigation is not None:
        setup.mitigation.apply_to(evaluator, weights, None)
    return evaluator


def _entry(setup: Setup, measured: Measurement, reference: Array) -> Entry:
    found = np.array(measured.gradients)
    size = float(np.linalg.norm(reference)) or 1.0
    variance = float(found.var(axis=0, ddof=1).sum())
    norms = np.linalg.norm(found, axis=1) * size
    cosine = (found @ reference) / np.where(norms > 0, norms, 1.0)
    held = np.array([1.0])
    if measured.standard_errors:
        errors = np.array(measured.standard_errors)
        held = (np.abs(found - reference) <= INTERVAL * errors)[errors > 0]
    seconds = seconds_per_execution(setup) * measured.shots_used
    return Entry(
        method=measured.method,
        num_steps=measured.num_steps,
        shots=measured.shots,
        shots_used=measured.shots_used,
        rows=measured.rows,
        step=measured.step,
        bias=float(np.linalg.norm(found.mean(axis=0) - reference)) / size,
        bias_error=float(np.sqrt(variance / len(found))) / size,
        std=float(np.sqrt(variance)) / size,
        rmse=float(np.sqrt(np.mean(np.sum((found - reference) ** 2, axis=1)))) / size,
        cosine=float(cosine.mean()),
        coverage=float(held.mean()),
        reference_norm=size,
        qpu_seconds=round(seconds, 1) if seconds else None,
    )
