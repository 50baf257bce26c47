"""Trainings whose shots are counted: instances, methods, and one training. See `gradients.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import qrnn_qiskit as qrnn
from benchmarks.gaussian_shots import GaussianExecutor
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.gradients import GradientProblem
from qrnn_qiskit.gradients.choice import LARGEST_STEP
from qrnn_qiskit.learning.optimizers.adam import Adam
from qrnn_qiskit.learning.plugins import LOSSES
from qrnn_qiskit.learning.readout import Readout
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.gradient import GradientResult, measure_gradient
from qrnn_qiskit.run.measure.objective import Objective
from qrnn_qiskit.run.measure.policy import AVERAGED, GROWTH, START, Decision, Memory, Policy, learn
from qrnn_qiskit.run.measure.progress import CLEARLY, MEMORY, PATIENCE
from qrnn_qiskit.run.measure.shots import ShotPlan

HERE = Path(__file__).parent
STEPS, WINDOW, AWAY, RATE = 80, 10, 0.4, 0.05
# Constant choices, of which the best one counts, tuned afterwards: step of a difference, shots of a
# row on average. The likely best ones first, since `GIVE_UP` cuts others short.
TUNED = (
    *(f"difference auto {n}" for n in (10, 5, 20, 40)),
    "difference 1.3 10",
    "difference 0.5 20",
    *(f"shift {n}" for n in (4, 16)),
)
PLAIN = tuple(f"plain {n}" for n in (4, 20, 100))
# What auto goes by: results with other numbers are out of date.
RULE = (
    f"start {START}, growth {GROWTH}, losses {PATIENCE} to {MEMORY}, rise {CLEARLY}, "
    f"averaged {AVERAGED}, largest step {LARGEST_STEP}"
)
CEILING = 400  # shots of a row of a central difference that auto may take at most
GIVE_UP = 3  # a constant number is lost once it has taken so many times the shots of another one


@dataclass(frozen=True)
class Case:
    """One training: a configuration, a seed and a method."""

    cell: str
    steps: int
    noisy: bool
    seed: int
    method: str


class Instance:
    """A circuit, data and a start."""

    def __init__(
        self,
        cell_name: str,
        steps: int,
        noisy: bool,
        seed: int,
        *,
        sampled: bool = False,
        away: float = AWAY,
    ) -> None:
        """Make it.

        Args:
            cell_name: a file of `cells/`, or a family.
            steps: T.
            noisy: with errors of gates and readout.
            seed: of data, teacher and start.
            sampled: shots of the exact engine instead of Gaussian ones.
            away: standard deviation of the start's distance from the teacher, for each weight.
        """
        file = HERE / "cells" / f"{cell_name}.qasm"
        cell = qrnn.load_cell(file) if file.exists() else qrnn.build_cell(cell_name)
        self.unrolled = qrnn.unroll(cell, steps)
        noise = qrnn.simple_noise(depolarizing_1q=3e-4, depolarizing_2q=5e-3, readout=0.015)
        self.exact = qrnn.ExactExecutor(noise=noise if noisy else None)
        self.gaussian = GaussianExecutor(self.exact)
        self.executor: Any = self.exact if sampled else self.gaussian
        random = np.random.default_rng([seed, steps, len(cell_name)])
        bits = cell_name == "parity2"
        shape = (4 if bits else 1, steps, cell.num_features)
        self.features: Array = (
            random.integers(0, 2, shape).astype(float) if bits else random.uniform(-1, 1, shape)
        )
        teacher = random.uniform(0, 2 * np.pi, cell.num_weights)
        angles = self.unrolled.angle_map.angles(teacher, self.features)
        self.targets = qrnn.ExactExecutor().forward(self.unrolled, angles, "z")
        self.start: Array = teacher + away * random.normal(size=cell.num_weights)
        loss = LOSSES.build("mse", {})
        self.objective = Objective(Readout("identity", 1, 1), loss, np.ones(steps, dtype=bool))
        self.occurrences = self.exact.occurrences(self.unrolled)

    def loss(self, outputs: Array) -> float:
        """Of exact outputs, those with the noise."""
        return float(np.mean((outputs - self.targets) ** 2))

    def loss_at(self, weights: Array) -> float:
        """Exact."""
        angles = self.unrolled.angle_map.angles(weights, self.features)
        return self.loss(self.gaussian.forward(self.unrolled, angles))

    def problem(self, weights: Array) -> GradientProblem:
        """The gradient at some weights."""
        return GradientProblem(
            self.unrolled.angle_map,
            self.occurrences,
            weights,
            self.features,
            self.objective.steps,
        )

    def gradient(self, decision: Decision, weights: Array, seed: int, step: int) -> GradientResult:
        """One gradient, measured."""
        return measure_gradient(
            Evaluator(self.unrolled, self.executor, seed=seed),
            decision.rule,
            self.objective,
            weights=weights,
            readout=np.empty(0),
            features=self.features,
            targets=self.targets,
            shots=decision.shots,
            call=Call("gradient", (2, step)),
        )

    def rows(self, rule: Any) -> int:
        """Of a rule's plan."""
        found: int = rule.plan(self.problem(self.start)).num_rows
        return found


def policy_of(instance: Instance, method: str, ceiling: float) -> Policy:
    """The policy of a method's name; `ceiling` is the most that auto takes, in shots."""
    kind, *rest = method.split()
    if kind == "auto":
        return Policy(None, ShotPlan(total=round(ceiling), allocation="optimal"), True)
    if kind == "exact":
        return Policy(qrnn.ParameterShift(), ShotPlan(), False)
    rule: Any = qrnn.ParameterShift(causal=kind != "plain")
    if kind == "difference":
        rule = qrnn.FiniteDifference(step=0.5)
    rows = instance.rows(rule)
    if kind == "difference":
        rule = qrnn.FiniteDifference("auto" if rest[0] == "auto" else float(rest[0]))
    allocation: Any = "uniform" if kind == "plain" else "optimal"
    total = float(rest[-1]) if kind == "unbiased" else float(rest[-1]) * rows
    return Policy(rule, ShotPlan(total=round(max(total, 3 * rows)), allocation=allocation), False)


def train(
    instance: Instance,
    case: Case,
    *,
    policy: Any = None,
    target: float | None = None,
    ceiling: float = np.inf,
    most: float = np.inf,
    rate: float = RATE,
    num_steps: int = STEPS,
    to_the_end: bool | None = None,
) -> dict[str, Any]:
    """One training.

    Args:
        instance: of the case.
        case: which.
        policy: another than that of the method.
        target: mean exact loss of `WINDOW` steps; None for none.
        ceiling: as for `policy_of`.
        most: shots after which it is given up.
        rate: of Adam.
        num_steps: of the training.
        to_the_end: whether to go on at the target; None to do so where the final loss is wanted.
    """
    policy = policy or policy_of(instance, case.method, ceiling)
    optimizer = Adam(learning_rate=rate)
    state = optimizer.init(len(instance.start))
    weights, shots = instance.start, 0
    memory: Memory = {}
    losses: list[float] = []
    paid: list[int] = []
    needed: int | None = None
    rules: dict[str, int] = {}
    if to_the_end is None:
        to_the_end = case.method.startswith(("exact", "auto", "unbiased"))
    for step in range(num_steps):
        decision = policy.decide(instance.problem(weights), memory)
        result = instance.gradient(decision, weights, case.seed, step)
        if step:  # the base rows are at the weights that the step before has led to
            losses.append(_loss_of_base(instance, weights))
        if needed is None and target is not None and _average(losses) <= target:
            needed = paid[-1]
            if not to_the_end:
                break
        if shots > most and not to_the_end:
            break
        memory = learn(memory, result, decision.shots.total)
        shots += result.shots_total
        paid.append(shots)
        name = type(decision.rule).__name__
        rules[name] = rules.get(name, 0) + 1
        change, state = optimizer.update(result.gradient.mean, state)
        weights = weights + change
    else:
        losses.append(instance.loss_at(weights))
        if needed is None and target is not None and _average(losses) <= target:
            needed = shots
    return {
        **asdict(case),
        "start": instance.loss_at(instance.start),
        "end": float(np.mean(losses[-WINDOW:])),
        "needed": needed,
        "shots": shots,
        "steps_done": len(paid),
        "rules": rules,
    }


def _loss_of_base(instance: Instance, weights: Array) -> float:
    if instance.executor is instance.gaussian:
        return instance.loss(instance.gaussian.base)
    return instance.loss_at(weights)


def _average(losses: list[float]) -> float:
    return float(np.mean(losses[-WINDOW:])) if len(losses) >= WINDOW else np.inf


def target_of(exact: dict[str, Any]) -> float:
    """The loss to reach, from the training with exact gradients."""
    end, start = float(exact["end"]), float(exact["start"])
    return end + (start - end) / 20


def run_constants(task: tuple[str, int, bool, int]) -> list[dict[str, Any]]:
    """The exact training and all constant choices on one instance: nothing here depends on auto."""
    instance = Instance(*task)
    found = [train(instance, Case(*task, "exact"))]
    target = target_of(found[0])
    for group in (TUNED, PLAIN):
        best = np.inf
        for name in group:
            case = Case(*task, name)
            found.append(train(instance, case, target=target, most=GIVE_UP * best))
            best = min(best, found[-1]["needed"] or np.inf)
    return [{**result, "target": target} for result in found]


def run_auto(task: tuple[str, int, bool, int], target: float) -> list[dict[str, Any]]:
    """`auto` on one instance."""
    instance = Instance(*task)
    ceiling = CEILING * instance.rows(qrnn.FiniteDifference(step=0.5))
    auto = train(instance, Case(*task, "auto"), target=target, ceiling=ceiling)
    return [{**auto, "target": target, "rule": RULE}]


def run_unbiased(auto: dict[str, Any]) -> list[dict[str, Any]]:
    """Parameter shift with as many shots as a training with `auto` took, spread evenly."""
    task = auto["cell"], auto["steps"], auto["noisy"], auto["seed"]
    case = Case(*task, f"unbiased {auto['shots'] / STEPS}")
    found = train(Instance(*task), case, target=auto["target"])
    return [{**found, "method": "unbiased", "target": auto["target"], "rule": RULE}]


REFERENCE_LOSS = 0.005
REFERENCE_METHODS = (
    "auto",
    *(f"difference 0.5 {n}" for n in (10, 20, 40)),
    *(f"difference auto {n}" for n in (5, 10, 20)),
    *(f"shift {n}" for n in (8, 16)),
    *(f"plain {n}" for n in (32, 64, 128)),
)


def run_reference(seed: int) -> Iterator[dict[str, Any]]:
    """Shots to a loss of 0.005 for a larger learning rate and longer trainings, P = 22, T = 8."""
    task = ("rotations_rzz", 8, False, seed)
    instance = Instance(*task, away=0.55)
    ceiling = CEILING * instance.rows(qrnn.FiniteDifference(step=0.5))
    for name in REFERENCE_METHODS:
        yield train(
            instance,
            Case(*task, name),
            target=REFERENCE_LOSS,
            ceiling=ceiling,
            rate=0.1,
            num_steps=150,
            to_the_end=False,
        )


LONG_STEPS = 240


def run_long(seed: int, num_steps: int = LONG_STEPS) -> Iterator[dict[str, Any]]:
    """A training that goes on until bias matters: auto, and others with as many shots in all."""
    task = ("takaki_1_2", 2, False, seed)
    instance = Instance(*task)
    ceiling = CEILING * instance.rows(qrnn.FiniteDifference(step=0.5))
    auto = train(instance, Case(*task, "auto"), ceiling=ceiling, num_steps=num_steps)
    yield auto
    each = auto["shots"] / num_steps
    per_row = each / instance.rows(qrnn.FiniteDifference(step=0.5))
    for name in (f"unbiased {each}", f"difference auto {per_row}", f"difference 0.5 {per_row}"):
        yield train(instance, Case(*task, name), num_steps=num_steps, to_the_end=True)
