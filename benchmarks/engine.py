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
import time
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


Make = Callable[[Case], Callable[[], object]]


def long_table(cases: Iterable[Case]) -> list[list[object]]:
    """One call of tools that take minutes; the call is the one that is compared with the engine."""
    rows = list[list[object]]()
    for title, names, make in LONG:
        for case in cases:
            if case.name not in names:
                continue
            before = time.process_time()
            try:
                make(case)
            except ImportError as error:
                print(f"left out: {title} ({error})", file=sys.stderr)
                continue
            theirs = Timing(time.process_time() - before, 0.0)
            mine = timed(peers.engine_gradient(case), 15)
            rows.append([title, case.name, 1, theirs, mine, theirs.over(mine)])
            print(*rows[-1], file=sys.stderr, flush=True)
    return rows


def gradient_table(cases: Iterable[Case], tools: list[tuple[str, str, Make]]) -> list[list[object]]:
    """Times of exact gradients by other tools over that of reverse mode.

    Args:
        cases: all of them.
        tools: title, names of the cases to run, and what makes the call.
    """
    own: dict[tuple[str, int], Timing] = {}
    rows = list[list[object]]()
    cases = list(cases)
    for case in cases:
        own[case.name, len(case.features)] = timed(peers.engine_gradient(case), 15)
    for title, names, make in tools:
        for case in cases:
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
            print(*rows[-1], file=sys.stderr, flush=True)
    return rows


TOOLS: list[tuple[str, str, Make]] = [
    ("Aer, density matrices, all shifted rows", "ABCD", peers.aer_exact_gradient),
    ("PennyLane lightning, adjoint, unrolled by hand", "A", peers.lightning_gradient),
    ("PennyLane default.qubit, as it comes", "A", peers.pennylane_gradient),
    ("qiskit-machine-learning on Aer", "A", peers.machine_learning_gradient),
]
LONG: list[tuple[str, str, Make]] = [
    ("PennyLane lightning, adjoint, unrolled by hand", "B", peers.lightning_gradient),
    ("qiskit-machine-learning on Aer", "BC", peers.machine_learning_gradient),
]
COMPILED: list[tuple[str, str, Make]] = [
    ("JAX, written by hand and compiled", "ABCD", peers.jax_gradient)
]


def forward_table(cases: Iterable[Case]) -> list[list[object]]:
    """Times of reverse mode over those of the forward pass alone."""
    rows = list[list[object]]()
    for case in cases:
        angles = case.unrolled.angle_map.angles(case.weights, case.features)

        def forward(case: Case = case, angles: np.ndarray = angles) -> object:
            return case.executor.forward(case.unrolled, angles, "z")

        one, both = timed(forward, 15), timed(peers.engine_gradient(case), 15)
        rows.append([case.name, len(case.features), one, both, both.over(one)])
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


def forward_shots(case: Case) -> Callable[[], object]:
    """Shots of the base rows alone."""
    request = EvaluationRequest(forward_plan(case.weights, case.features), SHOTS, 5)
    return lambda: case.executor.fetch(case.executor.submit(case.unrolled, request))


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
    parser.add_argument("--tables", default="shots,plan,gradient,long,compiled,forward")
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
    batches = [make_case(name, *size, sequences=32) for name, size in SIZES.items()]
    columns = ["tool", "case", "sequences", "tool's time", "own gradient", "ratio"]
    if "gradient" in chosen:
        show("Exact gradients", columns, gradient_table(cases, TOOLS))
    if "long" in chosen:
        show("Exact gradients that take minutes, one call each", columns, long_table(cases))
    if "compiled" in chosen:
        title = "Exact gradients beside a compiled program"
        show(title, columns, gradient_table([*cases, *batches], COMPILED))
    if "forward" in chosen:
        columns = ["case", "sequences", "forward pass", "gradient", "ratio"]
        show("Gradient over forward pass", columns, forward_table([*cases, *batches]))


if __name__ == "__main__":
    main()
