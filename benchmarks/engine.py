"""The exact engine against other tools, one thread each, all in one run; prints Markdown.

    pip install "qrnn-qiskit[bench]"
    python -m benchmarks.engine > docs/benchmarks/engine.md

Tools that are not installed are left out, with a message.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import numpy as np  # noqa: E402

from benchmarks import peers  # noqa: E402
from benchmarks.cases import SIZES, Case, make_case  # noqa: E402
from benchmarks.timing import Timing, timed  # noqa: E402
from qrnn_qiskit import ExactExecutor  # noqa: E402
from qrnn_qiskit.execution.backends.exact import Precision, Sampling  # noqa: E402
from qrnn_qiskit.execution.executor import EvaluationRequest  # noqa: E402
from qrnn_qiskit.gradients.plan import EvaluationPlan, forward_plan  # noqa: E402

SHOTS = 1024
AER_ROWS = 8
PACKAGES = ("numpy", "qiskit", "qiskit-aer", "jax", "pennylane", "qiskit-machine-learning")


def sampling(
    case: Case, mode: Sampling = "joint", precision: Precision = "double"
) -> Callable[[], object]:
    """All rows of the parameter-shift plan with shots, packed bits as the answer."""
    executor = case.executor
    if (mode, precision) != ("joint", "double"):
        executor = ExactExecutor(case.executor.noise, sampling=mode, precision=precision)
    request = EvaluationRequest(case.plan(), SHOTS, 5)
    return lambda: executor.fetch(executor.submit(case.unrolled, request))


def shots_table(cases: Iterable[Case]) -> list[list[object]]:
    """Times of sampling and how often Aer's they are."""
    rows = list[list[object]]()
    for case in cases:
        total = case.plan().num_rows
        theirs = timed(peers.aer_shots(case, AER_ROWS, SHOTS), 2).scaled(total / AER_ROWS)
        ours = timed(sampling(case))
        single = timed(sampling(case, precision="single"))
        marginal = timed(sampling(case, "marginal"))
        ratios = [theirs.over(mine) for mine in (ours, single, marginal)]
        rows.append([case.name, total, theirs, ours, *ratios])
    return rows


def gradient_table(cases: Iterable[Case]) -> list[list[object]]:
    """Times of exact gradients by other tools over that of reverse mode."""
    tools: list[tuple[str, str, Callable[[Case], Callable[[], object]]]] = [
        ("Aer, density matrices, all shifted rows", "ABCD", peers.aer_exact_gradient),
        ("PennyLane lightning, adjoint, unrolled by hand", "A", peers.lightning_gradient),
        ("PennyLane default.qubit, as it comes", "A", peers.pennylane_gradient),
        ("qiskit-machine-learning on Aer", "A", peers.machine_learning_gradient),
        ("JAX, written by hand and compiled", "ABCD", peers.jax_gradient),
    ]
    cases = list(cases)
    own: dict[tuple[str, int], Timing] = {}
    rows = list[list[object]]()
    batches = [make_case(case.name, *SIZES[case.name], sequences=32) for case in cases]
    for case in [*cases, *batches]:
        sequences = len(case.features)
        gradient = peers.engine_gradient(case)
        own[case.name, sequences] = timed(gradient, 15)
    for title, names, make in tools:
        for case in [*cases, *(batches if "JAX" in title else [])]:
            if case.name not in names:
                continue
            sequences = len(case.features)
            try:
                theirs = timed(make(case), 3, 4.0)
            except ImportError as error:
                print(f"left out: {title} ({error})", file=sys.stderr)
                continue
            mine = own[case.name, sequences]
            rows.append([title, case.name, sequences, theirs, mine, theirs.over(mine)])
    for case in [*cases, *batches]:
        angles = case.unrolled.angle_map.angles(case.weights, case.features)

        def forward(case: Case = case, angles: np.ndarray = angles) -> object:
            return case.executor.forward(case.unrolled, angles, "z")

        mine, theirs = own[case.name, len(case.features)], timed(forward, 15)
        title = "own forward pass (gradient over forward)"
        rows.append([title, case.name, len(case.features), theirs, mine, mine.over(theirs)])
    return rows


def plan_table(cases: Iterable[Case]) -> list[list[object]]:
    """Exact values of all rows of the plan: beside the base row, and one by one."""
    rows = list[list[object]]()
    for case in cases:
        plan = case.plan()

        def each(case: Case = case, plan: EvaluationPlan = plan) -> object:
            angles = plan.angles(case.unrolled.angle_map, slice(0, plan.num_rows))
            return case.executor.forward(case.unrolled, angles, "z")

        def together(case: Case = case, plan: EvaluationPlan = plan) -> object:
            return case.executor.exact_outputs(case.unrolled, plan, "z")

        one, both = timed(each), timed(together)
        rows.append([case.name, plan.num_rows, one, both, one.over(both)])
    return rows


def cost_table() -> list[list[object]]:
    """Exponents of time in qubits, steps and sequences, from doublings of one of them."""
    rows = list[list[object]]()
    sizes = {
        "n (qubits, base of the exponential)": [(n, 8, 1) for n in (2, 3, 4, 5, 6)],
        "T (steps)": [(3, steps, 1) for steps in (8, 16, 32, 64)],
        "B (sequences)": [(3, 8, count) for count in (8, 32, 128)],
    }
    rows += weights_rows()
    for title, points in sizes.items():
        cases = [make_case("A", *point) for point in points]
        for what in ("gradient", "shots"):
            times, shown = list[float](), list[str]()
            for case, point in zip(cases, points, strict=True):
                call = peers.engine_gradient(case) if what == "gradient" else forward_shots(case)
                found = timed(call, 5, 5.0)
                times.append(found.seconds)
                shown.append(f"{point}: {found}")
            by_qubits = title.startswith("n")
            axis = [point[0] if by_qubits else max(point[1:]) for point in points]
            if title.startswith("B"):
                axis = [point[2] for point in points]
            x = np.array(axis, dtype=float) if by_qubits else np.log(axis)
            slope = float(np.polyfit(x[-3:], np.log(times[-3:]), 1)[0])
            value = f"{np.exp(slope):.2g}^n" if by_qubits else f"{slope:.2f}"
            rows.append([what, title, "; ".join(shown), value])
    return rows


def weights_rows() -> list[list[object]]:
    """The same for the number of weights: a ring of rotations once, twice, ... in each step."""
    rows = list[list[object]]()
    counts = (1, 2, 4, 8)
    cases = [make_case("A", 3, 8, layers=count) for count in counts]
    for what in ("gradient", "shots", "all rows, exact"):
        times, shown = list[float](), list[str]()
        for case in cases:
            call = forward_shots(case) if what == "shots" else peers.engine_gradient(case)
            if what.startswith("all"):
                call = exact_rows(case)
            found = timed(call, 5, 5.0)
            times.append(found.seconds)
            shown.append(f"{len(case.weights)}: {found}")
        slope = np.polyfit(np.log([len(c.weights) for c in cases])[-3:], np.log(times[-3:]), 1)
        rows.append([what, "P (weights; n = 3, T = 8)", "; ".join(shown), f"{slope[0]:.2f}"])
    return rows


def exact_rows(case: Case) -> Callable[[], object]:
    """Exact values of all rows of the parameter-shift plan."""
    plan = case.plan()
    return lambda: case.executor.exact_outputs(case.unrolled, plan, "z")


def forward_shots(case: Case) -> Callable[[], object]:
    """Shots of the base rows alone."""
    request = EvaluationRequest(forward_plan(case.weights, case.features), SHOTS, 5)
    return lambda: case.executor.fetch(case.executor.submit(case.unrolled, request))


def border_table() -> list[list[object]]:
    """Shots of one row on more and more qubits, against Aer: who is faster."""
    rows = list[list[object]]()
    for name, noise, sizes in (("A", "none", (4, 6, 8, 10, 12)), ("C", "yes", (3, 4, 5, 6, 7))):
        for n in sizes:
            case = make_case(name, n, 8)
            theirs, ours = timed(peers.aer_shots(case, 1, SHOTS), 3), timed(forward_shots(case), 3)
            rows.append([n, noise, theirs, ours, theirs.over(ours)])
    return rows


def show(title: str, columns: list[str], rows: list[list[object]]) -> None:
    """Print one table."""
    print(f"## {title}\n")
    print("| " + " | ".join(columns) + " |")
    print("|" + " --- |" * len(columns))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def main() -> None:
    """Run all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", default="shots,plan,gradient,cost,border")
    chosen = parser.parse_args().tables.split(",")
    cases = [make_case(name, *size) for name, size in SIZES.items()]
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            print(f"not installed: {package}", file=sys.stderr)
    print("# The exact engine beside other tools\n")
    print(f"One thread each, {os.cpu_count()} cores; Python {platform.python_version()},")
    print(f"{', '.join(found)}. Medians of CPU time and their standard errors.\n")
    print("Cell: RY(x) on io; RX RZ on each qubit; a ring of RZZ; RX on each qubit; measure and")
    print(
        "reset io. A: 3 qubits, 8 steps, 12 weights; B: 4 qubits, 20 steps, 16 weights; C: A with"
    )
    print("depolarizing noise of 0.01 after each RZZ; D: 5 qubits, 20 steps, 20 weights.\n")
    if "shots" in chosen:
        columns = ["case", "rows", "Aer SamplerV2", "joint shots", "ratio"]
        columns += ["ratio, single precision", "ratio, marginal"]
        title = f"All rows of a parameter-shift plan, {SHOTS} shots each"
        show(title, columns, shots_table(cases))
        print(f"Aer's time is that of {AER_ROWS} rows, scaled.\n")
    if "plan" in chosen:
        columns = ["case", "rows", "row by row", "beside the base row", "ratio"]
        show("Exact values of all rows", columns, plan_table(cases))
    if "gradient" in chosen:
        columns = ["tool", "case", "sequences", "tool's time", "own gradient", "ratio"]
        show("Exact gradients", columns, gradient_table(cases))
    if "cost" in chosen:
        columns = ["what", "in", "(n, T, B): time", "grows as"]
        show("Cost", columns, cost_table())
    if "border" in chosen:
        columns = ["qubits", "noise", "Aer SamplerV2", "joint shots", "ratio"]
        show(f"Shots of one row of 8 steps, {SHOTS} shots", columns, border_table())


if __name__ == "__main__":
    main()
