"""Trains the published models with several seeds and prints the tables of docs/papers.md.

python benchmarks/papers.py takaki_cosine --seeds 5      # added to results/papers.jsonl
python benchmarks/papers.py --show                      # the table of all that was added
python benchmarks/papers.py --costs fake_marrakesh fake_boston fake_nighthawk
python benchmarks/papers.py --parity                    # per-occurrence against global shift
python benchmarks/papers.py --identity                  # parameter shift against reverse mode
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from qrnn_qiskit import ExactExecutor, IBMExecutor, ParameterShift, build_cell, unroll
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit import FAMILIES, Cell
from qrnn_qiskit.execution.isa import TranspileOptions, device_duration
from qrnn_qiskit.execution.layout import predicted_error
from qrnn_qiskit.gradients import GradientProblem
from qrnn_qiskit.learning.datasets.parity import Parity
from qrnn_qiskit.learning.optimizers.adam import Adam
from qrnn_qiskit.run.comparison.compare import compare_job
from qrnn_qiskit.run.jobs import run_job
from qrnn_qiskit.spec.compose import load_job

JOBS = Path(__file__).parents[1] / "jobs" / "papers"
RESULTS = Path(__file__).parent / "results" / "papers.jsonl"
Rule = Literal["per_occurrence", "global"]


def parity_runs(
    num_steps: int, rule: Rule, seeds: int = 20, epochs: int = 300
) -> tuple[Array, Array]:
    """Final squared error and accuracy `[seeds]` of the two-qubit cell on strings of T bits.

    All seeds train side by side, with Adam at 0.05 from U(-pi, pi), on p(memory qubit = 1) after
    the last bit. `global` shifts a weight at all steps at once by +-pi/2, as published; it is not
    the gradient.
    """
    unrolled = unroll(build_cell("parity2"), num_steps)
    executor, angle_map = ExactExecutor(), unrolled.angle_map
    data = Parity(num_steps).load(0).train
    wanted = (1.0 - data.targets[:, -1, 0]) / 2.0
    count = len(wanted)

    def angles(weights: Array) -> Array:
        return angle_map.angles(weights[:, None, :], data.features).reshape(
            -1, angle_map.num_occurrences
        )

    def chances(weights: Array) -> Array:
        outputs = executor.forward(unrolled, angles(weights), "z")
        result: Array = (1.0 - outputs[:, -1, 0].reshape(-1, count)) / 2.0
        return result

    def exact(weights: Array) -> Array:
        def cotangent(outputs: Array) -> Array:
            slope = np.zeros_like(outputs)
            error = (1.0 - outputs[:, -1, 0]) / 2.0 - np.tile(wanted, len(weights))
            slope[:, -1, 0] = -error / count
            return slope

        _, by_angles = executor.value_and_vjp(unrolled, angles(weights), cotangent, "z")
        parts = by_angles.reshape(len(weights), count, -1)
        return np.stack(
            [
                angle_map.pull_back_weights(point, data.features, part)
                for point, part in zip(weights, parts, strict=True)
            ]
        )

    def shifted_at_once(weights: Array) -> Array:
        units = np.eye(weights.shape[1]) * math.pi / 2.0
        moves = np.concatenate([np.zeros_like(units[:1]), units, -units])
        points = (weights + moves[:, None]).reshape(-1, weights.shape[1])
        here, plus, minus = np.split(
            chances(points).reshape(len(moves), len(weights), count), [1, 1 + len(units)]
        )
        error = here[0] - wanted
        slopes: Array = np.mean(error * (plus - minus), axis=2).T
        return slopes

    weights = np.stack(
        [np.random.default_rng(s).uniform(-math.pi, math.pi, 4) for s in range(seeds)]
    )
    optimizer = Adam(learning_rate=0.05)
    state = optimizer.init(weights.size)
    for _ in range(epochs):
        gradient = exact(weights) if rule == "per_occurrence" else shifted_at_once(weights)
        change, state = optimizer.update(gradient.ravel(), state)
        weights = weights + change.reshape(weights.shape)
    final = chances(weights)
    return np.mean((final - wanted) ** 2, axis=1), np.mean((final > 0.5) == (wanted > 0.5), axis=1)


def converged(num_steps: int, rule: Rule) -> int:
    """Of 20 seeds, those that end with a squared error below 0.05 and 87.5 % accuracy."""
    error, accuracy = parity_runs(num_steps, rule)
    return int(np.sum((error < 0.05) & (accuracy >= 0.875)))


def print_parity() -> None:
    """The table of seeds that learn."""
    print("| T | global shift | per occurrence |\n| --- | --- | --- |")
    for num_steps in (3, 4, 5):
        counts = [converged(num_steps, rule) for rule in ("global", "per_occurrence")]
        print(f"| {num_steps} | {counts[0]}/20 | {counts[1]}/20 |")


def print_identity() -> None:
    """Largest difference of parameter shift from reverse mode, and how far global shift is off."""
    print("| cell | T | largest difference | cosine with the global shift |\n|" + " --- |" * 4)
    for name, num_steps in (
        ("parity2", 3),
        ("parity2", 5),
        *(("viqueira_emcz2", t) for t in (5, 20)),
        ("connerty", 3),
    ):
        difference, cosine = identity(name, num_steps)
        print(f"| {name} | {num_steps} | {difference:.1e} | {cosine:.2f} |")


def identity(name: str, num_steps: int) -> tuple[float, float]:
    """Both for the derivative of the last output by the weights, at random weights (seed 0).

    The global shift is half the difference of outputs with a weight shifted by pi/2 and -pi/2 at
    all of its gates at once.
    """
    cell = build_cell(name)
    unrolled, executor = unroll(cell, num_steps), ExactExecutor()
    random = np.random.default_rng(0)
    weights = random.uniform(-math.pi, math.pi, cell.num_weights)
    features = random.integers(0, 2, (1, num_steps, cell.num_features)).astype(np.float64)
    last = np.arange(num_steps) == num_steps - 1
    cotangent = np.zeros((1, num_steps, cell.num_bits))
    cotangent[0, -1] = 1.0
    problem = GradientProblem(
        unrolled.angle_map, executor.occurrences(unrolled), weights, features, last
    )
    plan = ParameterShift().plan(problem)
    shifted = plan.contract(executor.exact_outputs(unrolled, plan, "z"), cotangent).mean

    def angles(points: Array) -> Array:
        return unrolled.angle_map.angles(points[:, None, :], features).reshape(len(points), -1)

    _, slopes = executor.value_and_vjp(unrolled, angles(weights[None]), lambda _: cotangent, "z")
    exact = unrolled.angle_map.pull_back_weights(weights, features, slopes)
    moved = np.eye(cell.num_weights) * math.pi / 2.0
    outputs = executor.forward(
        unrolled, angles(np.concatenate([weights + moved, weights - moved])), "z"
    )
    plus, minus = np.split(outputs[:, -1].sum(axis=1), 2)
    together = (plus - minus) / 2.0
    cosine = together @ exact / np.linalg.norm(together) / np.linalg.norm(exact)
    return float(np.max(np.abs(shifted - exact))), float(cosine)


SIZES: list[tuple[str, str, dict[str, int]]] = [
    *((name, name, {}) for name in FAMILIES.names()),
    ("bausch, 1 + 1, no stage", "bausch", {"n_hidden": 1, "stages": 0}),
    ("takaki, 1 + 1", "takaki", {"n_io": 1, "n_hidden": 1}),
    ("viqueira_emcz2, 2 + 3", "viqueira_emcz2", {"n_exchange": 2, "n_memory": 3, "layers": 5}),
]


def print_costs(devices: list[str], num_steps: int = 6) -> None:
    """A row for each family at its published size: what a step and a gradient cost on chips.

    On each device: two-qubit gates a step; microseconds a step; the chance that nothing goes wrong
    in `num_steps` steps by the calibration's errors. Transpiled at level 2.
    """
    options = TranspileOptions(optimization_level=2)
    executors = [IBMExecutor(device, transpile=options) for device in devices]
    heads = [f"{device}: CZ, us, all right" for device in devices]
    print(f"| family | qubits | weights | {' | '.join(heads)} | rows of a gradient |")
    print("|" + " --- |" * (4 + len(devices)))
    for label, name, chosen in SIZES:
        cell = build_cell(name, chosen)
        long = unroll(cell, num_steps)
        problem = GradientProblem(
            long.angle_map,
            long.occurrences,
            np.full(cell.num_weights, 0.5),
            np.full((1, num_steps, cell.num_features), 0.5),
            np.ones(num_steps, dtype=bool),
        )
        rows = ParameterShift().plan(problem).num_rows
        costs = [_cost(executor, cell, num_steps) for executor in executors]
        print(
            f"| {label} | {cell.circuit.num_qubits} | {cell.num_weights} | {' | '.join(costs)} "
            f"| {rows} |",
            flush=True,
        )


def _cost(executor: IBMExecutor, cell: Cell, num_steps: int) -> str:
    circuits = [executor.isa(unroll(cell, steps)) for steps in (num_steps // 2, num_steps)]
    gates = [circuit.two_qubit_gates for circuit in circuits]
    seconds = [device_duration(circuit, executor.target) for circuit in circuits]
    added = num_steps - num_steps // 2
    error = predicted_error(circuits[1].circuit, executor.target)
    return f"{(gates[1] - gates[0]) / added:.0f}, {_per_step(seconds, added)}, {1.0 - error:.2f}"


def _per_step(seconds: list[float | None], steps: int) -> str:
    short, long = seconds
    return "unknown" if short is None or long is None else f"{(long - short) / steps * 1e6:.1f}"


# The score that is compared; what was published for it is in the job.
SCORES: Final[dict[str, str]] = {
    "viqueira_weights": "rmse",
    "viqueira_gradients": "error",
    "duoneural_parity": "loss",
    "takaki_cosine": "rmse",
    "takaki_spins": "rmse",
    "viqueira_dectriang": "rmse",
    "bausch_simple_sequence": "accuracy",
    "bausch_elman_xor": "accuracy",
    "bausch_elman_letters": "accuracy",
    "bausch_dna": "accuracy",
    "connerty_lorenz": "rmse",
    "li_sentences": "accuracy",
    "sunspots": "rmse",
    "digits_rows": "accuracy",
    "digits_pixels": "accuracy",
}
# Seconds on two cores that a job is to stay below: those of the original codes or less.
AT_MOST: Final[dict[str, int]] = {
    "bausch_simple_sequence": 20,
    "bausch_elman_xor": 50,
    "bausch_dna": 70,
    "viqueira_dectriang": 25,
}


def measure_jobs(names: list[str], seeds: int, overrides: list[str]) -> None:
    """Run each job with some seeds and add what it reports to the results."""
    for name in names:
        path = JOBS / f"{name}.toml"
        job = load_job(path)
        first = next((int(o[5:]) for o in overrides if o.startswith("seed=")), job.seed)
        hidden = ("training.baselines", "seed=")
        changed = [key for key in overrides if not key.startswith(hidden)]
        for seed in range(first, first + seeds):
            start = time.process_time(), time.perf_counter()
            found = _result(path, job.kind, [*overrides, f"seed={seed}"])
            entry = {"job": name, "seed": seed, "set": changed, **found}
            entry["cpu_seconds"] = round(time.process_time() - start[0], 1)
            entry["wall_seconds"] = round(time.perf_counter() - start[1], 1)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            print(entry, flush=True)


def _result(path: Path, kind: str, overrides: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        if kind == "compare":
            found = compare_job(path, overrides=overrides, run_dir=Path(folder) / "run")
            table = [
                {"model": f"{e.method}, T = {e.num_steps}", "error": e.rmse} for e in found.entries
            ]
            return {"loss": None, "steps": None, "table": table}
        done = run_job(path, overrides=overrides, run_dir=Path(folder) / "run")
        summary = done.summary
        return {"loss": summary["best_loss"], "steps": summary["steps"], "table": done.table}


def print_jobs() -> None:
    """The table of docs/papers.md, from the results."""
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        entry = json.loads(line)
        groups.setdefault((entry["job"], " ".join(entry["set"])), []).append(entry)
    print("| job | published | score | ours (seeds) | best baselines | CPU s (at most) |")
    print("|" + " --- |" * 6)
    for job, score in SCORES.items():
        for (name, changed), entries in groups.items():
            if name != job:
                continue
            title = f"`{name}`" + (f" with `{changed}`" if changed else "")
            seconds = f"{max(entry['cpu_seconds'] for entry in entries):.0f}"
            quick = name in AT_MOST and "gradient." not in changed
            limit = f" ({AT_MOST[name]})" if quick else ""
            print(
                f"| {title} | {load_job(JOBS / f'{name}.toml').published or ''} | {score} "
                f"| {_ours(entries, score)} | {_best(entries[0], score)} | {seconds}{limit} |"
            )


def _ours(entries: list[dict[str, Any]], score: str) -> str:
    if score == "error":
        return "; ".join(f"{row['model']} {row['error']:.2g}" for row in entries[0]["table"])
    return _spread([_score(entry, 0, score) for entry in entries])


def _score(entry: dict[str, Any], model: int, score: str) -> float:
    table = entry["table"]
    value = table[model].get(score) if table and score != "loss" else entry["loss"]
    return float("nan") if value is None else float(value)


def _spread(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3g} (1)"
    shown = ", ".join(f"{value:.3g}" for value in values)
    return f"{shown}; mean {np.mean(values):.3g} ({len(values)})"


def _best(entry: dict[str, Any], score: str) -> str:
    """The two best baselines of a report."""
    if not entry["table"] or score in ("loss", "error"):
        return ""
    better = -1.0 if score == "accuracy" else 1.0
    found = sorted((better * _score(entry, i, score), i) for i in range(1, len(entry["table"])))
    return ", ".join(f"{entry['table'][i]['model']} {better * v:.2g}" for v, i in found[:2])


def main() -> None:
    """The command line of this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", nargs="*", help="names of jobs in jobs/papers; all by default")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of each job")
    parser.add_argument("--set", action="append", default=[], help="key=value, as for qrnn run")
    parser.add_argument("--show", action="store_true", help="only the table of what was measured")
    parser.add_argument("--parity", action="store_true", help="the table of the parity cell")
    parser.add_argument("--identity", action="store_true", help="parameter shift is the gradient")
    parser.add_argument("--costs", metavar="DEVICE", nargs="+", help="the table of costs on chips")
    arguments = parser.parse_args()
    if arguments.parity:
        print_parity()
        return
    if arguments.identity:
        print_identity()
        return
    if arguments.costs:
        print_costs(arguments.costs)
        return
    if not arguments.show:
        measure_jobs(arguments.jobs or list(SCORES), arguments.seeds, arguments.set)
    print_jobs()


if __name__ == "__main__":
    main()
