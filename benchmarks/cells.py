"""Which cell to use: what each costs on a chip, and how it does on three tasks.

python benchmarks/cells.py                      # what is missing in results/cells.jsonl, then show
python benchmarks/cells.py --show               # the table of docs/which-cell.md and its picture
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from qrnn_qiskit.circuit import build_cell
from qrnn_qiskit.learning.baselines.linear_ridge import linear_ridge
from qrnn_qiskit.learning.metrics import rmse
from qrnn_qiskit.run.cost.evaluations import gradient_cost, qpu_seconds
from qrnn_qiskit.run.jobs import run_job
from qrnn_qiskit.run.setup import make_setup
from qrnn_qiskit.spec import job_from_dict

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results" / "cells.jsonl"
PICTURE: Final = HERE.parent / "docs" / "images" / "which-cell.png"
DEVICE: Final = "fake_marrakesh"
STEPS: Final = 6
SHOTS: Final = 1000
# With fewer, post-selection would leave too few for error bars, and the job would be refused.
BAUSCH_SHOTS: Final = 200_000

# Sizes with two to four qubits and one feature, so that the cells can be compared.
CELLS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "hardware_efficient": ("hardware_efficient", {}),
    "reupload": ("reupload", {"layers": 2}),
    "viqueira_emcz2": ("viqueira_emcz2", {}),
    "viqueira_emcz3": ("viqueira_emcz3", {}),
    "takaki 1 + 2": ("takaki", {"n_io": 1, "n_hidden": 2, "coupling": "line", "tau": 1.0}),
    "li_pqrnn 2 + 2": ("li_pqrnn", {"n_io": 2, "n_hidden": 2}),
    "li_sqrnn 2 + 2": ("li_sqrnn", {"n_io": 2, "n_hidden": 2}),
    "connerty 1 + 2": ("connerty", {"n_io": 1, "n_hidden": 2}),
    "qru 2 layers": ("qru", {"n_hidden": 1, "layers": 2}),
    "parity2": ("parity2", {}),
    "bausch 1 + 1": ("bausch", {"n_hidden": 1, "stages": 0}),
}
TASKS: Final[dict[str, dict[str, Any]]] = {
    "parity": {"data": {"name": "parity", "steps": 4}, "loss": {"last": 1}},
    "elnino": {"data": {"name": "elnino", "stride": 12, "range": [-0.8, 0.8]}, "loss": {"last": 6}},
    "dectriang": {"data": {"name": "dectriang"}, "loss": {"last": 5}},
}
SCORES: Final = {"parity": "accuracy", "elnino": "RMSE, °C", "dectriang": "RMSE"}


def job_of(name: str, task: str, **more: Any) -> Any:
    """A training of a cell on a task, exact."""
    family, options = CELLS[name]
    return {
        "name": "cells",
        "seed": 1,
        "cell": {"name": family, **options},
        "readout": {"head": "linear"},
        "optimizer": {"name": "l_bfgs_b"},
        "training": {"steps": 60, "baselines": []},
        "backend": {"name": "exact"},
        **TASKS[task],
        **more,
    }


def result_of(name: str, task: str) -> dict[str, Any]:
    """Score on held-out data (parity: on all strings, which are all training data), and seconds."""
    from qrnn_qiskit.spec.toml import toml_lines

    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.toml"
        path.write_text("\n".join(toml_lines(job_of(name, task))) + "\n", encoding="utf-8")
        done = run_job(path, run_dir=Path(folder) / "run")
        if task == "parity":
            # A bit is told wrong where the prediction has the wrong sign.
            error = float(done.summary["best_loss"])
            score = _accuracy(Path(folder) / "run", name, task)
        else:
            score = error = float(done.table[0]["rmse"])
    return {
        "cell": name,
        "task": task,
        "score": score,
        "loss": error,
        "seconds": round(time.process_time() - start, 1),
    }


def _accuracy(run: Path, name: str, task: str) -> float:
    from qrnn_qiskit.run.jobs import predict_run

    setup = make_setup(job_from_dict(job_of(name, task)))
    train = setup.splits.train
    np.savez(run / "all.npz", features=train.features)
    predicted = np.array(predict_run(run, run / "all.npz")["predictions"])
    return float(np.mean(np.sign(predicted[:, -1]) == np.sign(train.targets[:, -1])))


def cost_of(name: str) -> dict[str, Any]:
    """Qubits, weights, and what a gradient of one sequence of six steps takes on a chip."""
    shots = BAUSCH_SHOTS if CELLS[name][0] == "bausch" else SHOTS
    backend = {"name": DEVICE, "shots": shots}
    job = job_of(name, "parity", backend=backend, data={"name": "parity", "steps": STEPS})
    setup = make_setup(job_from_dict({**job, "optimizer": {"name": "adam"}}))
    cell = build_cell(*CELLS[name])
    gradient = gradient_cost(setup, 1)
    return {
        "cell": name,
        "qubits": cell.circuit.num_qubits,
        "weights": cell.num_weights,
        "gates": setup.executor.isa(setup.unrolled).two_qubit_gates / STEPS,
        "rows": gradient.rows,
        "qpu_seconds": qpu_seconds(setup, gradient.shots),
    }


def read() -> list[dict[str, Any]]:
    """What has been measured."""
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]


def measure() -> None:
    """Everything that is not in the file yet."""
    known = {(entry["cell"], entry.get("task")) for entry in read()}
    for name in CELLS:
        for task in (None, *TASKS):
            # Features of `bausch` are bits.
            bits = CELLS[name][0] == "bausch"
            if (name, task) in known or (bits and task in ("elnino", "dectriang")):
                continue
            entry = cost_of(name) if task is None else result_of(name, task)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            print(entry, flush=True)


def show() -> None:
    """The table, and the picture: results against what a gradient costs."""
    costs = {entry["cell"]: entry for entry in read() if "task" not in entry}
    scores = {(e["cell"], e["task"]): e["score"] for e in read() if "task" in e}
    heads = [f"{task} ({score})" for task, score in SCORES.items()]
    print(
        "| cell | qubits | weights | CZ a step | rows of a gradient | QPU s of a gradient | "
        + " | ".join(heads)
        + " |\n|"
        + " --- |" * (6 + len(heads))
    )
    for name, cost in costs.items():
        results = [f"{scores[name, t]:.3g}" if (name, t) in scores else "" for t in SCORES]
        print(
            f"| {name} | {cost['qubits']} | {cost['weights']} | {cost['gates']:.0f} "
            f"| {cost['rows']} | {cost['qpu_seconds']:.0f} | {' | '.join(results)} |"
        )
    references = {task: ridge_of(task) for task in ("elnino", "dectriang")}
    print(f"linear ridge: {', '.join(f'{t} {v:.2g}' for t, v in references.items())}")
    draw(costs, scores, references)


def ridge_of(task: str) -> float:
    """Root mean squared error of a linear ridge regression, in the data's units."""
    setup = make_setup(job_from_dict(job_of("parity2", task)))
    splits, mask = setup.splits, setup.objective.steps
    predicted, targets = linear_ridge(splits, splits.test, mask), splits.test.targets
    if splits.scaling is not None:
        predicted, targets = map(splits.scaling.unscale_targets, (predicted, targets))
    return rmse(predicted, targets, mask)


def draw(
    costs: dict[str, dict[str, Any]],
    scores: dict[tuple[str, str], float],
    references: dict[str, float],
) -> None:
    """One row for each cell; panels for the cost of a gradient and the three results."""
    names = list(costs)[::-1]
    with mpl.rc_context({"font.size": 9.0, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(10.0, 3.8), layout="constrained")
        panels = figure.subplots(1, 1 + len(SCORES), sharey=True)
        heads = ["QPU s of a gradient", *(f"{task}, {score}" for task, score in SCORES.items())]
        for axes, head, task in zip(panels, heads, [None, *SCORES], strict=True):
            for place, name in enumerate(names):
                value = costs[name]["qpu_seconds"] if task is None else scores.get((name, task))
                if value is not None:
                    axes.plot(value, place, "o", color="#0072B2", clip_on=False)
            if task is not None and task in references:
                known = [scores[name, task] for name in names if (name, task) in scores]
                text, where = "linear ridge", references[task]
                if where > min(known) / 10:
                    axes.axvline(where, color="#CC79A7", linestyle="--", linewidth=1.0)
                else:  # far to the left of everything: a line there would leave the rest no room
                    text, where = f"linear ridge: {where:.0e}", min(known)
                axes.text(where, len(names) - 0.4, text, color="#CC79A7", fontsize=8)
            if task in (None, "dectriang"):
                axes.set_xscale("log")
            axes.set_title(head, loc="left", fontsize=9, pad=14)
            axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
            axes.set_axisbelow(True)
        panels[0].set_yticks(range(len(names)), names)
        PICTURE.parent.mkdir(exist_ok=True)
        figure.savefig(PICTURE, dpi=150)


def main() -> None:
    """The command line of this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="measure nothing")
    if not parser.parse_args().show:
        measure()
    show()


if __name__ == "__main__":
    main()
