"""Trainings by several methods with equal total shots, and the exact loss along them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final, final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import BudgetError
from qrnn_qiskit.execution.make import has_reference
from qrnn_qiskit.learning.plugins import OPTIMIZERS
from qrnn_qiskit.run.comparison.gradients import (
    exact_evaluator,
    lengths,
    shortened,
    with_method,
)
from qrnn_qiskit.run.cost.account import Account
from qrnn_qiskit.run.measure.evaluator import Call
from qrnn_qiskit.run.measure.gradient import measure_outputs
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.record.durable import write_durably
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.reporter import Reporter, Silent
from qrnn_qiskit.run.service.hardware import open_submission
from qrnn_qiskit.run.setup import Setup, describe, make_evaluator, make_setup
from qrnn_qiskit.run.train import Training
from qrnn_qiskit.spec.compose import job_from_dict, job_to_dict
from qrnn_qiskit.spec.gradient import MethodSpec

CURVES: Final = "training.jsonl"
MOST_STEPS: Final = 10  # times training.steps
# What scipy.optimize.minimize(method="BFGS") does without derivatives: forward differences whose
# step is the root of the machine's precision.
SCIPY_STEP: Final = float(np.sqrt(np.finfo(np.float64).eps))
SCIPY_DEFAULT: Final = MethodSpec.model_validate(
    {
        "name": "finite_difference",
        "label": "BFGS, SciPy's default step",
        "form": "forward",
        "step": SCIPY_STEP,
    }
)


@final
@dataclass(frozen=True, slots=True)
class Curve:
    """One training.

    Attributes:
        method: its title.
        shots: used after each step, from 0.
        loss: exact loss of the training sequences at the weights of that moment, under the
            backend's noise.
        reason: why it ended.
    """

    method: str
    shots: list[int]
    loss: list[float]
    reason: str


def train_all(setup: Setup, directory: RunDirectory, reporter: Reporter) -> list[Curve]:
    """Train by all methods, from where an interrupted comparison stopped."""
    total = setup.job.compare.training_shots
    if total is None:
        return []
    path = directory.path / CURVES
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    curves = [Curve(**json.loads(line)) for line in lines]
    short = shortened(setup, min(lengths(setup)))
    methods = [(method, setup.job.optimizer.name) for method in setup.job.compare.methods]
    for i, (method, optimizer) in list(enumerate([*methods, (SCIPY_DEFAULT, "bfgs")]))[
        len(curves) :
    ]:
        curves.append(_train(short, method, optimizer, total, directory, f"training-{i}"))
        text = "".join(json.dumps(asdict(curve)) + "\n" for curve in curves)
        write_durably(path, text.encode())
        reporter.part(f"training by {method.title}: loss {curves[-1].loss[-1]:.4g}")
    return curves


def training_setup(setup: Setup, method: MethodSpec, optimizer: str, total: int) -> Setup:
    """The setup of one training: `training.steps` gradients use up its shots, if all alike."""
    each = total // setup.job.training.steps
    tables: dict[str, Any] = job_to_dict(with_method(setup.job, method, each))
    tables["kind"] = "train"
    tables["budget"] = {"shots": total}
    # Those that take fewer shots for a step may take more steps: all use the same shots.
    steps = MOST_STEPS * setup.job.training.steps
    tables["training"] = {**tables.get("training", {}), "keep_weights": True, "steps": steps}
    if optimizer != setup.job.optimizer.name:
        tables["optimizer"] = {"name": optimizer}
    return make_setup(job_from_dict(tables), setup.splits)


def _train(
    setup: Setup,
    method: MethodSpec,
    optimizer: str,
    total: int,
    parent: RunDirectory,
    name: str,
) -> Curve:
    mine = training_setup(setup, method, optimizer, total)
    path = parent.path / name
    if (path / "run.json").is_file():
        directory = RunDirectory.open(path)
    else:
        directory = RunDirectory.create(
            path, {"job": job_to_dict(mine.job), "state": "running", "work": describe(mine)}
        )
    account = Account(mine)
    spec = mine.job.optimizer
    ledger = None if has_reference(mine.job.backend) else Ledger(path)
    try:
        submission = None if ledger is None else open_submission(mine, ledger, wait=True)
        evaluator = make_evaluator(mine, submission=submission, charge=account.charge)
        training = Training(mine, evaluator, account, directory, Silent())
        reason = training.run(OPTIMIZERS.build(spec.name, spec.options)).reason
    except BudgetError:
        reason = "shots used up"
    finally:
        if ledger is not None:
            ledger.close()
    directory.update(state="done")
    history = directory.history()
    weights = np.array([mine.initial, *(entry["parameters"] for entry in history)])
    return Curve(
        method=method.title,
        shots=[0, *(int(entry["shots"]) for entry in history)],
        loss=[float(loss) for loss in exact_losses(mine, weights)],
        reason=reason or "all steps done",
    )


def exact_losses(setup: Setup, parameters: Array) -> Array:
    """Exact loss `[n]` of the training part at parameters `[n, P + readout]`."""
    evaluator = exact_evaluator(setup, setup.split_parameters(setup.initial)[0])
    train = setup.splits.train
    losses = []
    for point in parameters:
        weights, readout = setup.split_parameters(point)
        outputs = measure_outputs(evaluator, weights, train.features, None, Call("exact", ()))
        losses.append(float(setup.objective.loss_estimate(readout, outputs, train.targets).mean))
    return np.array(losses)
