"""From a job to the objects that do the work; everything is checked here, before any of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit import FAMILIES, Cell, UnrolledCircuit, load_cell, unroll
from qrnn_qiskit.errors import DataError, SpecError
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.make import make_executor
from qrnn_qiskit.gradients import GradientProblem, GradientRule
from qrnn_qiskit.gradients.allocation import MIN_SHOTS
from qrnn_qiskit.gradients.rules.finite_difference import FiniteDifference
from qrnn_qiskit.learning.data import load_data
from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.labels import check_labels, check_readout
from qrnn_qiskit.learning.plugins import LOSSES, OPTIMIZERS, LabelLoss, Loss
from qrnn_qiskit.learning.readout import Readout
from qrnn_qiskit.learning.steps import step_mask
from qrnn_qiskit.run.cells import check_for_device
from qrnn_qiskit.run.measure.evaluator import Evaluator
from qrnn_qiskit.run.measure.gradient import Adjoint
from qrnn_qiskit.run.measure.mitigate import Mitigation
from qrnn_qiskit.run.measure.objective import Objective
from qrnn_qiskit.run.measure.policy import Policy
from qrnn_qiskit.run.measure.shots import ShotPlan
from qrnn_qiskit.run.measure.survival import check_expected_survival
from qrnn_qiskit.run.method import check_shots, make_rule, make_shots, method_name
from qrnn_qiskit.run.service.submission import Submission
from qrnn_qiskit.run.weights import read_weights
from qrnn_qiskit.spec.job import Job
from qrnn_qiskit.spec.model import CellSpec

INITIAL_STREAM = 0


@final
@dataclass(frozen=True, slots=True)
class Setup:
    """What a job asks for, made.

    Attributes:
        job: the resolved job.
        cell: its cell.
        unrolled: over the data's steps.
        executor: where rows are measured.
        rule: how a gradient is got.
        shots: of a gradient.
        policy: how each step of a training gets its gradient; None if they are exact.
        objective: outputs to loss.
        splits: the data.
        initial: `[P + n]` weights and readout parameters to start from.
        mitigation: makes the correction of outputs; None for none.
    """

    job: Job
    cell: Cell
    unrolled: UnrolledCircuit
    executor: Executor
    rule: GradientRule | Adjoint
    shots: ShotPlan
    policy: Policy | None
    objective: Objective
    splits: Splits
    initial: Array
    mitigation: Mitigation | None = None

    @property
    def num_weights(self) -> int:
        return self.cell.num_weights

    def split_parameters(self, parameters: Array) -> tuple[Array, Array]:
        """Weights `[P]` and readout parameters `[n]`."""
        return parameters[: self.num_weights], parameters[self.num_weights :]

    @property
    def parameter_names(self) -> list[str]:
        return [*self.cell.weight_names, *self.objective.readout.names()]

    @property
    def stepwise(self) -> bool:
        """Whether the optimizer takes minibatches; SciPy's minimizers take all sequences."""
        return bool(OPTIMIZERS.type_of(self.job.optimizer.name).stepwise)

    @property
    def solves_readout(self) -> bool:
        """Whether only the readout is trained, without gradients."""
        return hasattr(OPTIMIZERS.type_of(self.job.optimizer.name), "solves_readout")

    @property
    def batch_size(self) -> int:
        """Training sequences of one gradient."""
        total = self.splits.train.num_sequences
        if self.job.kind != "train" or not self.stepwise:
            return total
        return min(self.job.training.batch_size or total, total)

    @property
    def forward_shots(self) -> int | None:
        """Shots of each sequence of a forecast: those of a gradient's mean row; None if exact."""
        if self.shots.total is None or isinstance(self.rule, Adjoint):
            return self.shots.per_row
        evenly = replace(self.shots, allocation="uniform")
        return evenly.apply(self.rule.plan(self.problem(self.batch_size)))[1]

    @property
    def least_forward_shots(self) -> int | None:
        """Shots that each sequence's outputs have at least, in a gradient or a forecast."""
        if not self.unrolled.postselected:
            return None
        shots = self.forward_shots
        forward = self.shots.forward
        return shots if shots is None or forward is None else max(shots, forward)

    @property
    def test_shots(self) -> int | None:
        """Shots of each sequence of the final forecast."""
        return self.job.training.test_shots or self.forward_shots

    @property
    def method(self) -> str:
        """The gradient's method: `auto` where each step chooses."""
        chosen = self.policy is not None and self.policy.rule is None
        return "auto" if chosen else method_name(self.rule)

    def problem(self, batch: int) -> GradientProblem:
        """The gradient at the initial weights on the first `batch` training sequences."""
        return self.problem_at(self.initial[: self.num_weights], self.splits.train.features[:batch])

    def problem_at(self, weights: Array, features: Array) -> GradientProblem:
        """The gradient at some weights `[P]` on sequences with features `[B, T, F]`."""
        return GradientProblem(
            self.unrolled.angle_map,
            self.executor.occurrences(self.unrolled),
            weights,
            features,
            self.objective.steps,
            self.shots.per_row,
            self.shots.total,
        )


def make_evaluator(
    setup: Setup,
    *,
    submission: Submission | None = None,
    charge: Callable[[int], None] | None = None,
) -> Evaluator:
    """The evaluator of a job; the other arguments are those of `Evaluator`."""
    evaluator = Evaluator(
        setup.unrolled,
        setup.executor,
        kind=setup.job.readout.output,
        seed=setup.job.seed,
        submission=submission,
        charge=charge,
    )
    if setup.mitigation is not None:
        evaluator.correct_by(setup.mitigation.correction)
    return evaluator


def make_cell(spec: CellSpec) -> Cell:
    """The cell of a job, from a file or a family.

    Raises:
        CellError, SpecError: saying what is wrong with it.
    """
    if spec.file is not None:
        return load_cell(spec.file)
    cell: Cell = FAMILIES.build(spec.name or "", spec.options).build()
    return cell


def make_setup(
    job: Job,
    splits: Splits | None = None,
    *,
    prepare: Callable[[Executor, UnrolledCircuit], object] | None = None,
) -> Setup:
    """Make everything a job needs.

    Args:
        job: the resolved job.
        splits: data to use instead of the job's own.
        prepare: called before the circuit is transpiled for the executor.

    Raises:
        QRNNError: naming the key, the file and the remedy.
    """
    cell = make_cell(job.cell)
    check_for_device(job)
    rule = make_rule(job)
    executor = make_executor(job.backend, job.noise)
    if splits is None:
        if job.data is None:
            raise SpecError("the job has no [data]: add data.file or data.name, or give --data")
        splits = load_data(job.data, job.seed)
    train = splits.train
    if train.features.shape[2] != cell.num_features:
        raise DataError(
            f"the data have {train.features.shape[2]} features per step, but cell {cell.name!r} "
            f"has {cell.num_features}: {', '.join(cell.feature_names) or 'none'}"
        )
    unrolled = unroll(cell, train.num_steps)
    if prepare is not None:
        prepare(executor, unrolled)
    objective = make_objective(job, unrolled, splits)
    shots = make_shots(job)
    if job.backend.tiles != 1:
        _check_tiles(job)
        shots = replace(shots, tiles=executor.isa(unrolled).num_tiles)
    check_shots(job, executor, shots)
    # Features out of an encoding's range are a mistake in the data or the scaling: say so now.
    for part in (splits.train, splits.validation, splits.test):
        if part.num_sequences:
            unrolled.angle_map.angles(np.zeros(cell.num_weights), part.features)
    mitigation = None
    if job.mitigation.is_on:
        if job.kind == "compare":
            raise SpecError("[mitigation] is not for kind = 'compare': remove it")
        if len(job.backend.names) > 1:
            raise SpecError(
                "[mitigation] is not for several devices, whose errors differ: give one "
                "backend.name, or remove [mitigation]"
            )
        mitigation = Mitigation(job, unrolled, train.features)
    setup = Setup(
        job,
        cell,
        unrolled,
        executor,
        rule,
        shots,
        None,
        objective,
        splits,
        _initial(job, cell, objective.readout),
        mitigation,
    )
    _check_minimizer(setup)
    weights, _ = setup.split_parameters(setup.initial)
    check_expected_survival(unrolled, weights, train.features, setup.least_forward_shots)
    return _with_policy(setup)


def _check_minimizer(setup: Setup) -> None:
    """Refuse what SciPy's minimizers would ignore."""
    if setup.job.kind != "train" or setup.stepwise or setup.solves_readout:
        return
    training, name = setup.job.training, setup.job.optimizer.name
    total = setup.splits.train.num_sequences
    if training.batch_size is not None and training.batch_size < total:
        raise SpecError(
            f"training.batch_size = {training.batch_size}: optimizer {name!r} takes all {total} "
            "training sequences at once; remove training.batch_size, or use adam or sgd"
        )
    if training.gradient_clip is not None:
        raise SpecError(
            f"training.gradient_clip = {training.gradient_clip:g}: optimizer {name!r} needs the "
            "gradient as it is; remove training.gradient_clip, or use adam or sgd"
        )


def _check_tiles(job: Job) -> None:
    if job.mitigation.is_on:
        raise SpecError(
            "[mitigation] is not for backend.tiles: readout errors and times of measurement differ "
            "from tile to tile; set backend.tiles = 1, or remove [mitigation]"
        )
    if job.kind == "compare":
        raise SpecError("backend.tiles is not for kind = 'compare': set backend.tiles = 1")


def make_objective(job: Job, unrolled: UnrolledCircuit, splits: Splits) -> Objective:
    """Readout and loss of a job, checked against the data.

    Raises:
        SpecError: when the loss does not fit the readout.
        DataError: when targets are no labels, but the loss needs them.
    """
    spec, kind = job.loss, job.readout.output
    num_values = unrolled.num_bits if kind == "z" else 2**unrolled.num_bits
    mask = step_mask(unrolled.num_steps, spec.last)
    loss: Loss = LOSSES.build(spec.name, spec.options)
    check_readout(loss, spec.name, job.readout.head, kind)
    num_predictions = loss.num_predictions(num_values, splits.train.targets.shape[2])
    if isinstance(loss, LabelLoss):
        for part in ("train", "validation", "test"):
            targets = getattr(splits, part).targets
            check_labels(targets, num_predictions, loss.label_steps(mask), f"the {part} data")
    readout = Readout.from_spec(job.readout, num_values=num_values, num_targets=num_predictions)
    return Objective(readout, loss, mask, unrolled.postselected, spec.correction)


def _with_policy(setup: Setup) -> Setup:
    """The setup with its policy; `auto` gets a rule that its shots can pay for."""
    job, shots, rule = setup.job, setup.shots, setup.rule
    if isinstance(rule, Adjoint) or (shots.per_row is None and shots.total is None):
        _check_adaptive(setup, "the job is exact: set gradient.shots_total too")
        return setup
    auto = job.gradient.method == "auto"
    if auto and shots.total is not None:
        rows = rule.plan(setup.problem(setup.batch_size)).num_rows
        if shots.total < MIN_SHOTS * rows:
            rule = FiniteDifference()
            setup = replace(setup, rule=rule)
    if job.kind != "train" or not setup.stepwise:
        _check_adaptive(setup, "only steps of a training with adam or sgd can learn from others")
        return setup
    adaptive = auto if job.gradient.adaptive is None else job.gradient.adaptive
    policy = Policy(None if auto else rule, shots, adaptive)
    return replace(setup, policy=policy)


def _check_adaptive(setup: Setup, problem: str) -> None:
    if setup.job.gradient.adaptive:
        raise SpecError(f"gradient.adaptive = true: {problem}")


def _initial(job: Job, cell: Cell, readout: Readout) -> Array:
    spec = job.initial
    if spec.source is not None:
        weights, parameters = read_weights(Path(spec.source), cell)
        if parameters is None or len(parameters) != readout.num_parameters:
            parameters = readout.initial()
        return np.concatenate([weights, parameters])
    random = np.random.default_rng(np.random.SeedSequence(job.seed, spawn_key=(INITIAL_STREAM,)))
    if spec.distribution == "uniform":
        weights = random.uniform(spec.low, spec.high, cell.num_weights)
    else:
        weights = random.normal(spec.mean, spec.std, cell.num_weights)
    return np.concatenate([weights, readout.initial()])


def describe(setup: Setup) -> dict[str, Any]:
    """What must be the same when a run continues."""
    parts = (setup.splits.train, setup.splits.validation, setup.splits.test)
    return {
        "cell_digest": setup.cell.digest,
        "data_digest": _digest(*(a for part in parts for a in (part.features, part.targets))),
        "initial_digest": _digest(setup.initial),
        "method": setup.method,
        "weights": list(setup.cell.weight_names),
        "num_steps": setup.unrolled.num_steps,
        "num_sequences": setup.splits.train.num_sequences,
    }


def _digest(*arrays: Array) -> str:
    state = hashlib.sha256()
    for array in arrays:
        state.update(str(array.shape).encode())
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()
