"""How many shots a training needs: `python benchmarks/gradients.py [--quick]`.

Each instance is a cell with teacher weights: the targets are its ideal outputs at the teacher, and
training starts at a random point near it, with Adam. Every method trains on the same instances with
shots of the exact moments of the engine's outcomes (`gaussian_shots`); losses are evaluated exactly
and cost nothing. A method's shots are those until the mean exact loss of ten steps first reaches

    target = end + (start - end) / 20,    end = the loss of as many steps with exact gradients.

Plain parameter shift has the same shots in all rows and no causal mask. Constant numbers of shots
are tuned: the best median over the seeds of a configuration counts, as for the steps of
differences. Results are kept in a file (--out) as they come, all configurations of a seed before
the next seed; a second call continues, and --report alone prints. --check compares Gaussian shots
with sampled outcomes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

import qrnn_qiskit as qrnn
from benchmarks.trainings import run_instance
from qrnn_qiskit.gradients import GradientProblem
from qrnn_qiskit.run.measure.shots import ShotPlan

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "gradients.jsonl"
CELLS = ("parity2", "crx", "takaki_1_2", "viqueira_emcz2")
CONFIGURATIONS = [
    (cell, steps, noisy) for steps in (4, 8, 16) for cell in CELLS for noisy in (False, True)
]


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
    parser.add_argument("--quick", action="store_true", help="four configurations, one seed")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--report", action="store_true", help="only print what is there")
    options = parser.parse_args()
    out = options.out.with_suffix(".quick.jsonl") if options.quick else options.out
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    results = [json.loads(line) for line in lines]
    done = {(r["cell"], r["steps"], r["noisy"], r["seed"]) for r in results}
    configurations = CONFIGURATIONS[:4] if options.quick else CONFIGURATIONS
    tasks = [
        (*configuration, seed)
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
