"""How many shots a training needs: `python -m benchmarks.gradients [--quick]`.

Each instance is a cell with teacher weights: the targets are its ideal outputs at the teacher, and
training starts at a random point near it, with Adam. Every method trains on the same instances with
shots of the exact moments of the engine's outcomes (`gaussian_shots`); losses are evaluated exactly
and cost nothing. A method's shots are those until the mean exact loss of ten steps first reaches

    target = end + (start - end) / 20,    end = the loss of as many steps with exact gradients.

Plain parameter shift has the same shots in all rows and no causal mask. Constant numbers of shots
are tuned afterwards, as are the steps of differences: of a configuration the surest counts, with
which most seeds are seen to get there, and the thriftiest, of fewest shots. Results are kept in a
file (--out) as they come, all configurations of a seed before the next seed; a second call makes up
what is missing: with another rule of `auto` only its own trainings, and those of as many shots with
the unbiased rule. --report alone prints. --check compares Gaussian shots with sampled outcomes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import qrnn_qiskit as qrnn
from benchmarks.trainings import (
    CEILING,
    RULE,
    STEPS,
    Case,
    Instance,
    run_auto,
    run_constants,
    run_unbiased,
    target_of,
    train,
)
from qrnn_qiskit.gradients import GradientProblem
from qrnn_qiskit.run.measure.policy import START as AUTO_START
from qrnn_qiskit.run.measure.shots import ShotPlan

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "gradients.jsonl"
Task = tuple[str, int, bool, int]
CELLS = ("parity2", "crx", "takaki_1_2", "viqueira_emcz2")
CONSTANT = ("shift", "difference")  # the constant choices that auto is held against
PENALTY = 3  # times the shots of a training that never gets there, as in solvers' PAR scores
GOAL = 1.1  # times the best of them that auto may take
CONFIGURATIONS = [
    (cell, steps, noisy) for steps in (4, 8, 16) for cell in CELLS for noisy in (False, True)
]


def never(result: dict[str, Any]) -> bool:
    """Whether a training has gone through all steps without reaching the target."""
    return result["needed"] is None and result["steps_done"] == STEPS


def cost(result: dict[str, Any]) -> float:
    """Shots to the target; `PENALTY` times all shots of a training that never gets there.

    Of one that was given up its shots, fewer than it would have taken: a lower bound.
    """
    needed: int | None = result["needed"]
    shots: int = result["shots"]
    return PENALTY * shots if never(result) else needed or shots


@dataclass(frozen=True)
class Row:
    """A configuration's results.

    Attributes:
        name: cell, T, noise.
        results: of all seeds and methods.
    """

    name: tuple[str, int, bool]
    results: list[dict[str, Any]]

    @property
    def seeds(self) -> list[int]:
        return sorted({r["seed"] for r in self.results})

    def median(self, method: str) -> float:
        """Over the seeds; infinite for a training that never gets there.

        One that was given up counts with its shots, fewer than it would have taken.
        """
        found = [r for r in self.results if r["method"] == method]
        return float(np.median([np.inf if never(r) else r["needed"] or r["shots"] for r in found]))

    def thriftiest(self, *kinds: str) -> str:
        """The constant choice of fewest shots (`cost`), geometric mean over the seeds."""
        return min(self._names(kinds), key=self._mean)

    def surest(self, *kinds: str) -> str:
        """The one that most seeds are seen to get there with; of several that of fewest shots."""
        return min(self._names(kinds), key=lambda name: (-self.arrived(name), self._mean(name)))

    def _names(self, kinds: tuple[str, ...]) -> list[str]:
        return sorted({r["method"] for r in self.results if r["method"].startswith(kinds)})

    def _mean(self, name: str) -> float:
        return float(np.mean([np.log(cost(r)) for r in self.results if r["method"] == name]))

    def arrived(self, method: str) -> int:
        """Seeds that are seen to get there."""
        return sum(bool(r["needed"]) for r in self.results if r["method"] == method)

    def arrives(self, method: str) -> bool:
        """Whether it gets there with every seed."""
        return self.arrived(method) == len(self.seeds)

    def missed(self, method: str) -> int:
        """Seeds that never get there."""
        return sum(never(r) for r in self.results if r["method"] == method)

    def logs(self, method: str, over: str) -> list[float]:
        """Logarithms of a method's shots over another's, seed by seed; none if neither arrives."""
        found = []
        for seed in self.seeds:
            one, other = (
                next(r for r in self.results if (r["method"], r["seed"]) == (m, seed))
                for m in (method, over)
            )
            if one["needed"] or other["needed"]:
                found.append(float(np.log(cost(one) / cost(other))))
        return found

    def spent(self) -> list[float]:
        """Shots of a step of auto over those that it starts with."""
        each = {(r["method"], r["seed"]): r["shots"] / r["steps_done"] for r in self.results}
        five = [shots for (method, _), shots in each.items() if method == "difference auto 5"]
        first = max(five) * AUTO_START / 5
        return [shots / first for (method, _), shots in each.items() if method == "auto"]

    def final(self) -> list[float]:
        """Logarithms of the final loss of auto over that of the unbiased rule."""
        ends = {(r["method"], r["seed"]): r["end"] for r in self.results}
        return [
            float(np.log(ends["auto", seed] / ends["unbiased", seed]))
            for seed in self.seeds
            if ("unbiased", seed) in ends
        ]


def rows_of(results: list[dict[str, Any]]) -> list[Row]:
    """By configuration, in their order."""
    groups: dict[tuple[str, int, bool], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["cell"], result["steps"], result["noisy"]), []).append(result)
    order = {c: i for i, c in enumerate(CONFIGURATIONS)}
    return [Row(name, groups[name]) for name in sorted(groups, key=lambda n: order[n])]


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
    rows = rows_of(results)
    heads = ("plain / auto", "auto / surest", "auto / thriftiest", "final loss, auto / unbiased")
    yield (
        "| cell | T | noise | plain parameter shift | parameter shift | central difference "
        f"| auto | get there: auto, surest, thriftiest | {' | '.join(heads)} |"
    )
    yield "| --- " * 12 + "|"
    for row in rows:
        cell, steps, noisy = row.name
        shots = [row.median(row.surest(kind)) for kind in ("plain", "shift", "difference")]
        arrived = [
            row.arrived(name) for name in ("auto", row.surest(*CONSTANT), row.thriftiest(*CONSTANT))
        ]
        yield (
            f"| {cell} | {steps} | {'yes' if noisy else 'no'} | "
            + " | ".join(number(value) for value in [*shots, row.median("auto")])
            + f" | {', '.join(map(str, arrived))} of {len(row.seeds)}"
            + f" | {' | '.join(ratio_text(logs) for logs in ratios(row))} |"
        )
    yield ""
    yield f"| over | configurations | {' | '.join(heads)} |"
    yield "| --- " * 6 + "|"
    parts: dict[str, Callable[[Row], bool]] = {"all": lambda row: True}
    parts |= {cell: lambda row, cell=cell: row.name[0] == cell for cell in CELLS}  # type: ignore[misc]
    parts |= {f"T = {t}": lambda row, t=t: row.name[1] == t for t in (4, 8, 16)}  # type: ignore[misc]
    parts |= {"ideal": lambda row: not row.name[2], "noisy": lambda row: row.name[2]}
    for name, belongs in parts.items():
        chosen = [ratios(row) for row in rows if belongs(row)]
        if chosen:
            together = [
                [x for logs in column for x in logs] for column in zip(*chosen, strict=True)
            ]
            yield f"| {name} | {len(chosen)} | {' | '.join(map(ratio_text, together))} |"
    autos = [r for r in results if r["method"] == "auto"]
    spent = [x for row in rows for x in row.spent()]
    low, middle, high = np.quantile(spent, [0.1, 0.5, 0.9])
    switched = sum("ParameterShift" in r["rules"] for r in autos)
    counts = [
        f"{sum(map(never, autos))} with auto",
        missed_text(rows, [row.surest(*CONSTANT) for row in rows], "the surest constant choice"),
        missed_text(rows, [row.thriftiest(*CONSTANT) for row in rows], "the thriftiest"),
        missed_text(rows, [row.surest("plain") for row in rows], "plain parameter shift"),
    ]
    yield ""
    yield (
        f"Of {len(autos)} trainings these do not reach the target in {STEPS} steps: "
        f"{', '.join(counts)}. {switched} with auto change to parameter shift. All steps with auto "
        f"take {middle:.1f} times the shots of the first (10 to 90 %: {low:.1f} to {high:.1f}). "
        f"Final losses are known of {sum(len(row.final()) for row in rows)}."
    )
    for name, choices in (("surest", Row.surest), ("thriftiest", Row.thriftiest)):
        yield ""
        yield above_text(name, [(row, choices(row, *CONSTANT)) for row in rows])
    yield ""
    yield tuned_apart_text(rows)


def missed_text(rows: list[Row], names: list[str], what: str) -> str:
    """How many trainings a choice for each configuration misses, and how many were given up."""
    each = list(zip(rows, names, strict=True))
    missed = sum(row.missed(name) for row, name in each)
    lost = sum(len(row.seeds) - row.arrived(name) - row.missed(name) for row, name in each)
    return f"{missed} with {what}" + (f" ({lost} more given up)" if lost else "")


def above_text(kind: str, choices: list[tuple[Row, str]]) -> str:
    """Where auto takes more than `GOAL` times a constant choice, and how sure that is.

    One-sided t test of the logarithms of each configuration; Holm's correction for their number.
    """
    from scipy.stats import ttest_1samp

    found: list[tuple[float, str, float]] = []
    for row, name in choices:
        logs = row.logs("auto", name)
        if len(logs) > 1:
            chance = ttest_1samp(logs, np.log(GOAL), alternative="greater").pvalue
            cell, steps, noisy = row.name
            text = f"{cell} T = {steps}{' noisy' if noisy else ''} ({ratio_text(logs)})"
            found.append((float(chance), text, float(np.mean(logs))))
    found.sort()
    above = [text for _, text, mean in found if mean > np.log(GOAL)]
    sure = 0
    while sure < len(found) and found[sure][0] * (len(found) - sure) < 0.05:
        sure += 1
    return (
        f"auto / {kind} is above {GOAL} in {len(above)} of {len(choices)} configurations, in "
        f"{sure} of them by more than chance (one-sided t tests, 5 % in all, Holm): "
        f"{', '.join(above) or 'none'}."
    )


def tuned_apart_text(rows: list[Row]) -> str:
    """Each seed's ratio to the choice that is the surest with the other seeds.

    A choice that is judged by the seeds that it was tuned with looks better than it is.
    """
    means, together, missed = list[float](), list[float](), 0
    for row in rows:
        logs = list[float]()
        for seed in row.seeds:
            others = Row(row.name, [r for r in row.results if r["seed"] != seed])
            own = Row(row.name, [r for r in row.results if r["seed"] == seed])
            choice = others.surest(*CONSTANT) if others.results else own.surest(*CONSTANT)
            logs += own.logs("auto", choice)
            missed += own.missed(choice)
        together += logs
        means += [float(np.exp(np.mean(logs)))] if logs else []
    return (
        f"Against the choice that is the surest with the other seeds: auto takes "
        f"{ratio_text(together)} times the shots, is above {GOAL} in "
        f"{sum(mean > GOAL for mean in means)} configurations, and that choice misses {missed}."
    )


def ratios(row: Row) -> tuple[list[float], ...]:
    """The ratios of the table, as logarithms by seed."""
    return (
        row.logs(row.surest("plain"), "auto"),
        row.logs("auto", row.surest(*CONSTANT)),
        row.logs("auto", row.thriftiest(*CONSTANT)),
        row.final(),
    )


def figure(results: list[dict[str, Any]], path: Path) -> None:
    """Shots of the tuned constant choices over those of auto, configuration by configuration."""
    from matplotlib.figure import Figure

    rows = rows_of(results)
    drawing = Figure(figsize=(7.0, 0.25 * len(rows) + 1.4), layout="constrained")
    axes = drawing.add_subplot()
    kinds = {
        "plain": "plain parameter shift",
        "shift": "parameter shift",
        "difference": "central difference",
    }
    colors, markers = ("#0072B2", "#009E73", "#D55E00"), ("o", "s", "^")
    for i, (kind, label) in enumerate(kinds.items()):
        for place, row in enumerate(rows):
            logs = row.logs(row.surest(kind), "auto")
            if not logs:
                continue
            mean = float(np.exp(np.mean(logs)))
            error = float(np.std(logs, ddof=1) / np.sqrt(len(logs))) if len(logs) > 1 else 0.0
            axes.errorbar(
                mean,
                place + 0.2 * (i - 1),
                xerr=[[mean - mean * np.exp(-error)], [mean * np.exp(error) - mean]],
                fmt=markers[i],
                color=colors[i],
                markersize=4,
                linewidth=1,
                label=f"{label}, tuned" if place == 0 else None,
                fillstyle="full" if row.arrives(row.surest(kind)) else "none",
            )
    axes.axvline(1.0, color="black", linewidth=1)
    axes.axvline(1 / 1.1, color="black", linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_yticks(
        range(len(rows)),
        [f"{c}, T = {t}{', noisy' if noisy else ''}" for c, t, noisy in (r.name for r in rows)],
        fontsize=7,
    )
    axes.invert_yaxis()
    axes.set_xlabel("shots to the target over those of auto")
    axes.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    axes.grid(axis="x", linewidth=0.3)
    drawing.savefig(path, dpi=150)


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


def check() -> str:
    """Shots to the target with Gaussian shots over those with sampled outcomes."""
    logs, both = [], 0
    for seed in range(3):
        for cell in ("crx", "takaki_1_2"):
            task = (cell, 4, False, seed)
            exact = train(Instance(*task), Case(*task, "exact"))
            target = exact["end"] + (exact["start"] - exact["end"]) / 20
            for method in ("difference auto 10", "auto", "shift 8", "plain 20"):
                gaussian, sampled = (
                    train(
                        instance,
                        Case(*task, method),
                        target=target,
                        ceiling=CEILING * instance.rows(qrnn.FiniteDifference(step=0.5)),
                        to_the_end=False,
                    )
                    for instance in (Instance(*task), Instance(*task, sampled=True))
                )
                both += 1
                if gaussian["needed"] and sampled["needed"]:
                    logs.append(float(np.log(gaussian["needed"] / sampled["needed"])))
    return (
        f"{len(logs)} of {both} pairs of trainings (crx and takaki_1_2, T = 4, three seeds, four "
        f"methods) that both get there, the ratio of shots is {ratio_text(logs)}."
    )


def task_of(result: dict[str, Any]) -> Task:
    """The instance of a result."""
    return result["cell"], result["steps"], result["noisy"], result["seed"]


def not_auto(result: dict[str, Any]) -> bool:
    """Whether a result does not depend on the rule of auto."""
    return result["method"] not in ("auto", "unbiased")


def measure(tasks: list[Task], results: list[dict[str, Any]], out: Path, workers: int) -> None:
    """Make up what is missing, all constant choices first; kept in the file as it comes."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(result) + "\n" for result in results), encoding="utf-8")

    def of(method: str) -> dict[Task, dict[str, Any]]:
        return {task_of(r): r for r in results if r["method"] == method}

    def keep(futures: list[Future[list[dict[str, Any]]]]) -> None:
        with out.open("a", encoding="utf-8") as file:
            for future in as_completed(futures):
                found = future.result()
                results.extend(found)
                file.writelines(json.dumps(result) + "\n" for result in found)
                file.flush()

    with ProcessPoolExecutor(workers) as pool:
        done = of("exact")
        keep([pool.submit(run_constants, task) for task in tasks if task not in done])
        exact, done = of("exact"), of("auto")
        missing = [task for task in tasks if task not in done]
        keep([pool.submit(run_auto, task, target_of(exact[task])) for task in missing])
        auto, done = of("auto"), of("unbiased")
        keep([pool.submit(run_unbiased, auto[task]) for task in tasks if task not in done])


def main() -> None:
    """Measure what is missing, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="four configurations, one seed")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--report", action="store_true", help="only print what is there")
    parser.add_argument("--check", action="store_true", help="compare with sampled outcomes")
    parser.add_argument("--figure", type=Path, help="draw what is there into this file too")
    options = parser.parse_args()
    if options.check:
        print(check())
        return
    out = options.out.with_suffix(".quick.jsonl") if options.quick else options.out
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    results = [json.loads(line) for line in lines]
    results = [r for r in results if not_auto(r) or r.get("rule") == RULE]
    configurations = CONFIGURATIONS[:4] if options.quick else CONFIGURATIONS
    tasks = [
        (*configuration, seed)
        for seed in range(1 if options.quick else options.seeds)
        for configuration in configurations
    ]
    if not options.report:
        measure(tasks, results, out, options.workers)
    have = {task_of(r) for r in results if r["method"] == "auto"}
    there = [r for r in results if task_of(r) in have and r["seed"] < options.seeds]
    if not there:
        raise SystemExit("nothing measured with this rule of auto yet: run without --report")
    if options.figure:
        figure(there, options.figure)
    print("\n".join(report(there)), end="\n\n")
    print("\n".join(time_of_plans()))


if __name__ == "__main__":
    main()
