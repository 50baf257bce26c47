"""How many shots a training needs: `python benchmarks/gradients.py [--quick]`.

Each instance is a cell with teacher weights: the targets are its ideal outputs at the teacher, and
training starts at a random point near it, with Adam. Every method trains on the same instances with
sampled outcomes of the exact engine; losses are evaluated exactly, without shots, and cost nothing.
A method's shots are those until the mean exact loss of ten steps first reaches

    target = end + (start - end) / 20,    end = the loss of as many steps with exact gradients.

Plain parameter shift has the same shots in all rows and no causal mask. Constant numbers of shots
are tuned: the best median over the seeds of an instance counts, as for the steps of differences.
Results are kept in a file (--out) as they come; a second call continues, and --report alone prints.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import qrnn_qiskit as qrnn
from qrnn_qiskit.gradients import GradientProblem
from qrnn_qiskit.learning.optimizers.adam import Adam
from qrnn_qiskit.learning.plugins import LOSSES
from qrnn_qiskit.learning.readout import Readout
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.gradient import GradientResult, measure_gradient
from qrnn_qiskit.run.measure.objective import Objective
from qrnn_qiskit.run.measure.policy import Decision, Memory, Policy, learn
from qrnn_qiskit.run.measure.shots import ShotPlan

Array = NDArray[np.float64]
HERE = Path(__file__).parent
RESULTS = HERE / "results" / "gradients.jsonl"
STEPS, WINDOW, START, RATE = 80, 10, 0.4, 0.05
LEVELS = (10, 40)  # shots of a row of a central difference, on average
CONFIGURATIONS = [
    ("parity2", 4, False),
    ("crx", 4, False),
    ("takaki_1_2", 4, True),
    ("viqueira_emcz2", 8, False),
    ("parity2", 8, True),
    ("crx", 8, True),
    ("takaki_1_2", 16, False),
    ("viqueira_emcz2", 16, True),
]


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

    def __init__(self, case: Case) -> None:
        folder = HERE / "cells" / f"{case.cell}.qasm"
        cell = qrnn.load_cell(folder) if folder.exists() else qrnn.build_cell(case.cell)
        self.unrolled = qrnn.unroll(cell, case.steps)
        ideal = qrnn.ExactExecutor()
        noise = qrnn.simple_noise(depolarizing_1q=3e-4, depolarizing_2q=5e-3, readout=0.015)
        self.executor = qrnn.ExactExecutor(noise=noise) if case.noisy else ideal
        random = np.random.default_rng([case.seed, case.steps, len(case.cell)])
        bits = case.cell == "parity2"
        shape = (4 if bits else 1, case.steps, cell.num_features)
        self.features: Array = (
            random.integers(0, 2, shape).astype(float) if bits else random.uniform(-1, 1, shape)
        )
        teacher = random.uniform(0, 2 * np.pi, cell.num_weights)
        angles = self.unrolled.angle_map.angles(teacher, self.features)
        self.targets = ideal.forward(self.unrolled, angles, "z")
        self.start: Array = teacher + START * random.normal(size=cell.num_weights)
        loss = LOSSES.build("mse", {})
        self.objective = Objective(Readout("identity", 1, 1), loss, np.ones(case.steps, dtype=bool))
        self.occurrences = self.executor.occurrences(self.unrolled)

    def loss(self, weights: Array) -> float:
        """Exact, with the noise."""
        angles = self.unrolled.angle_map.angles(weights, self.features)
        outputs = self.executor.forward(self.unrolled, angles, "z")
        return float(np.mean((outputs - self.targets) ** 2))

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


def rows_of_difference(instance: Instance) -> int:
    """Rows of a central difference: the unit in which shots are given."""
    return qrnn.FiniteDifference(step=0.5).plan(instance.problem(instance.start)).num_rows


def policy_of(instance: Instance, method: str) -> Policy | None:
    """The policy of a method's name; None for exact gradients."""
    kind, *rest = method.split()
    if kind == "exact":
        return None
    rows = rows_of_difference(instance)
    if kind == "auto":
        return Policy(None, ShotPlan(total=2 * LEVELS[-1] * rows, allocation="optimal"), True)
    level = float(rest[-1])
    if kind == "difference":
        step = rest[0] if rest[0] == "auto" else float(rest[0])
        shots = ShotPlan(total=round(level * rows), allocation="optimal")
        return Policy(qrnn.FiniteDifference(step=step), shots, False)  # type: ignore[arg-type]
    plain = kind == "plain"
    rule = qrnn.ParameterShift(causal=not plain)
    least = 3 * rule.plan(instance.problem(instance.start)).num_rows
    total = max(round(level * rows), least)
    return Policy(rule, ShotPlan(total=total, allocation="uniform" if plain else "optimal"), False)


def train(case: Case, target: float | None) -> dict[str, Any]:
    """One training; it ends early where only the shots to the target are asked for."""
    instance = Instance(case)
    policy = policy_of(instance, case.method)
    optimizer = Adam(learning_rate=RATE)
    state = optimizer.init(len(instance.start))
    weights, memory, shots = instance.start, Memory(), 0
    losses: list[float] = []
    needed: int | None = None
    rules: dict[str, int] = {}
    to_the_end = case.method == "exact" or case.method.startswith(("auto", "unbiased"))
    for step in range(STEPS):
        if policy is None:
            decision = Decision(qrnn.Adjoint(), ShotPlan())
        else:
            decision = policy.decide(instance.problem(weights), memory)
        result = instance.gradient(decision, weights, case.seed, step)
        memory = learn(memory, result, True)
        shots += result.shots_total
        name = type(decision.rule).__name__
        rules[name] = rules.get(name, 0) + 1
        change, state = optimizer.update(result.gradient.mean, state)
        weights = weights + change
        losses.append(instance.loss(weights))
        reached = target is not None and len(losses) >= WINDOW
        if reached and needed is None and np.mean(losses[-WINDOW:]) <= (target or 0.0):
            needed = shots
            if not to_the_end:
                break
    return {
        **asdict(case),
        "start": instance.loss(instance.start),
        "end": float(np.mean(losses[-WINDOW:])),
        "needed": needed,
        "shots": shots,
        "steps_done": len(losses),
        "rules": rules,
    }


def methods(quick: bool) -> list[str]:
    """All that is tuned."""
    found = [f"plain {n}" for n in (LEVELS[-1], 10 * LEVELS[-1])]
    found += [f"shift {n}" for n in LEVELS]
    found += [f"difference {h} {n}" for h in ("auto", "0.5") for n in LEVELS]
    return found[::3] if quick else found


def run_instance(task: tuple[str, int, bool, int, bool]) -> list[dict[str, Any]]:
    """All methods on one instance."""
    cell, steps, noisy, seed, quick = task
    exact = train(Case(cell, steps, noisy, seed, "exact"), None)
    target = exact["end"] + (exact["start"] - exact["end"]) / 20
    found = [exact, train(Case(cell, steps, noisy, seed, "auto"), target)]
    rows = rows_of_difference(Instance(Case(cell, steps, noisy, seed, "exact")))
    level = found[1]["shots"] / STEPS / rows
    found.append(train(Case(cell, steps, noisy, seed, f"unbiased {level}"), target))
    found[-1]["method"] = "unbiased"
    found += [train(Case(cell, steps, noisy, seed, m), target) for m in methods(quick)]
    for result in found:
        result["target"] = target
    return found


def median_shots(results: list[dict[str, Any]], method: str) -> float:
    """Median over the seeds; a training that never gets there counts as infinite."""
    found = [r["needed"] for r in results if r["method"] == method]
    return float(np.median([np.inf if n is None else n for n in found])) if found else np.inf


def ratio_text(logs: list[float]) -> str:
    """Geometric mean with its standard error, from logarithms."""
    if not logs:
        return "-"
    mean = float(np.exp(np.mean(logs)))
    if len(logs) < 2:
        return f"{mean:.2f}"
    return f"{mean:.2f} ± {mean * np.std(logs, ddof=1) / np.sqrt(len(logs)):.2f}"


def number(value: float) -> str:
    """Shots, for people."""
    return "never" if not np.isfinite(value) else f"{value:,.0f}"


def report(results: list[dict[str, Any]]) -> Iterator[str]:
    """The tables, as Markdown."""
    groups: dict[tuple[str, int, bool], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["cell"], result["steps"], result["noisy"]), []).append(result)
    yield (
        "| cell | T | noise | seeds | plain parameter shift | parameter shift | central difference "
        "| auto | plain / auto | auto / best | final loss, auto / unbiased |"
    )
    yield "| --- " * 11 + "|"
    all_plain: list[float] = []
    all_best: list[float] = []
    all_final: list[float] = []
    for (cell, steps, noisy), group in groups.items():
        names = sorted({r["method"] for r in group})
        best = {
            kind: min(
                ((median_shots(group, n), n) for n in names if n.startswith(kind)),
                default=(np.inf, "-"),
            )
            for kind in ("plain", "shift", "difference")
        }
        auto = median_shots(group, "auto")
        tuned = min(best["shift"], best["difference"])

        def logs(method: str, group: list[dict[str, Any]] = group) -> list[float]:
            """Of shots by the method over shots by auto, seed by seed; plain lower bounds count."""
            by_seed = {(r["seed"], r["method"]): r for r in group}
            found = []
            for seed in sorted({r["seed"] for r in group}):
                one, other = by_seed[seed, "auto"], by_seed.get((seed, method))
                if other is None or (one["needed"] is None and other["needed"] is None):
                    continue
                found.append(
                    np.log((other["needed"] or other["shots"]) / (one["needed"] or one["shots"]))
                )
            return found

        plain_logs = logs(best["plain"][1])
        best_logs = [-x for x in logs(tuned[1])]
        final = [
            np.log(a["end"] / u["end"])
            for a in group
            for u in group
            if a["method"] == "auto" and u["method"] == "unbiased" and a["seed"] == u["seed"]
        ]
        all_plain += plain_logs
        all_best += best_logs
        all_final += final
        yield (
            f"| {cell} | {steps} | {'yes' if noisy else 'no'} | "
            f"{len({r['seed'] for r in group})} | {number(best['plain'][0])} | "
            f"{number(best['shift'][0])} | {number(best['difference'][0])} | {number(auto)} | "
            f"{ratio_text(plain_logs)} | {ratio_text(best_logs)} | {ratio_text(final)} |"
        )
    yield (
        f"| all | | | | | | | | {ratio_text(all_plain)} | {ratio_text(all_best)} | "
        f"{ratio_text(all_final)} |"
    )


def time_of_plans() -> Iterator[str]:
    """Seconds for plans and contractions of B = 32 sequences, T = 20 steps, P = 64 weights."""
    from qrnn_qiskit.circuit.families.viqueira_emcz2 import ViqueiraEMCZ2
    from qrnn_qiskit.estimate import Outputs

    unrolled = qrnn.unroll(ViqueiraEMCZ2(2, 3, 5, 3).build(), 20)
    random = np.random.default_rng(0)
    problem = GradientProblem(
        unrolled.angle_map,
        unrolled.occurrences,
        random.uniform(0, 6, 64),
        random.uniform(-1, 1, (32, 20, 2)),
        np.ones(20, dtype=bool),
    )
    yield "| rule | rows | plan, ms | allocation, ms | contraction, ms | engine, ms |"
    yield "| --- | --- | --- | --- | --- | --- |"
    executor = qrnn.ExactExecutor()
    for rule in (qrnn.ParameterShift(), qrnn.FiniteDifference()):
        plan, planned = timed(lambda rule=rule: rule.plan(problem))
        shots = ShotPlan(total=100 * plan.num_rows, allocation="optimal")
        _, allocated = timed(lambda plan=plan, shots=shots: shots.apply(plan))
        outputs = Outputs(random.uniform(-1, 1, (plan.num_rows, 20, 2)))
        cotangent = random.normal(size=(32, 20, 2))
        _, contracted = timed(
            lambda plan=plan, outputs=outputs, cotangent=cotangent: plan.contract(
                outputs, cotangent
            )
        )
        some = plan.angles(unrolled.angle_map, slice(0, 64))
        _, engine = timed(lambda some=some: executor.forward(unrolled, some, "z"))
        yield (
            f"| {type(rule).__name__} | {plan.num_rows} | {1e3 * planned:.1f} | "
            f"{1e3 * allocated:.1f} | {1e3 * contracted:.1f} | "
            f"{1e3 * engine * plan.num_rows / 64:.0f} |"
        )


def timed(work: Any) -> tuple[Any, float]:
    """A result and the least processor time of three goes."""
    best = np.inf
    for _ in range(3):
        start = time.process_time()
        found = work()
        best = min(best, time.process_time() - start)
    return found, float(best)


def main() -> None:
    """Measure what is missing, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="three cells, one seed, fewer shots")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--report", action="store_true", help="only print what is there")
    options = parser.parse_args()
    out = options.out.with_suffix(".quick.jsonl") if options.quick else options.out
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    results = [json.loads(line) for line in lines]
    done = {(r["cell"], r["steps"], r["noisy"], r["seed"]) for r in results}
    configurations = CONFIGURATIONS[::4] if options.quick else CONFIGURATIONS
    tasks = [
        (*configuration, seed, options.quick)
        for seed in range(1 if options.quick else options.seeds)
        for configuration in configurations
        if (*configuration, seed) not in done
    ]
    if tasks and not options.report:
        out.parent.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(options.workers) as pool, out.open("a", encoding="utf-8") as file:
            for future in as_completed([pool.submit(run_instance, task) for task in tasks]):
                found = future.result()
                results += found
                file.writelines(json.dumps(result) + "\n" for result in found)
                file.flush()
    print("\n".join(report(results)), end="\n\n")
    print("\n".join(time_of_plans()))


if __name__ == "__main__":
    main()
