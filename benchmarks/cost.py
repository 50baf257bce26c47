"""What the exact engine's time grows with, and where Aer overtakes; prints Markdown.

python -m benchmarks.cost --figure docs/images/engine_cost.png > docs/benchmarks/cost.md
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from benchmarks import peers  # noqa: E402
from benchmarks.cases import Case, make_case  # noqa: E402
from benchmarks.engine import SHOTS, forward_shots, show  # noqa: E402
from benchmarks.timing import Timing, timed  # noqa: E402
from qrnn_qiskit import ExactExecutor, Noise, named_device_noise  # noqa: E402
from qrnn_qiskit.engine.sample import Way, sample  # noqa: E402
from qrnn_qiskit.execution.backends.aer import AerExecutor  # noqa: E402
from qrnn_qiskit.execution.executor import EvaluationRequest  # noqa: E402
from qrnn_qiskit.execution.program import compile_isa  # noqa: E402
from qrnn_qiskit.gradients.plan import forward_plan  # noqa: E402

Call = Callable[[], object]
INTRODUCTION = """# What the engine's time grows with

`python -m benchmarks.cost --figure docs/images/engine_cost.png` makes this page: CPU time of one
thread, medians and their standard errors, for the ring cell of
[the comparison](engine.md). Unless a table varies it: n = 3 qubits, T = 8 steps, B = 1 sequence,
P = 12 weights, no noise. `gradient` is exact, by reverse mode, of all weights; `shots` are 1024
joint shots of one sequence; `all rows` are the exact values of all rows of the parameter-shift
rule. The exponent is fitted to the last three points.
"""
READING = """## Where the engine stops being the right tool

- **Exact values and gradients** know no other limit than time and memory, which is estimated before
  anything is allocated: a density matrix takes 8 * 4^n bytes (n = 10: 8 MiB), and a state vector,
  where the state stays pure, 16 * 2^n. Rows are cut to fit into the limit; what does not fit as a
  single row is refused, with the figures. Beyond nine qubits of a density matrix a warning comes.
- **Shots** are drawn in the faster of two ways, as the circuit's width asks for: by histories, that
  all shots of a row share, and rows that agree so far, or by trajectories, a state vector for each
  shot. With noise a history's state has 4^n components, and trees that hold all histories soon
  end: trajectories win from five qubits on, by 50 where shots have many bits. What they lose where
  a row of few bits has many thousand shots is less. Without noise they win from ten qubits on, or
  from 15 where a shot has at most ten bits, so that a tree holds all histories.
- **Aer** draws shots of more than 16 qubits, from the same circuit with the same noise, and a
  warning says so: on one thread it is still slower there, but threads and memory count from then
  on. Bits that a later condition reads count as qubits. `qrnn plan` shows what is simulated
  (`simulation`). The choice depends on the circuit alone, so that a resumed run goes on in the
  same way.
- **Marginal shots** need exact probabilities only and stay with the engine at any width.
"""


WIDE = """On a device's lattice the ring needs swaps, and qubits that only pass states on are in
use too. Aer draws each of the many Kraus operators of such noise by norms; a block of the engine
asks for one norm.
"""


@dataclass(frozen=True)
class Curve:
    """Times of one computation along one axis."""

    what: str
    axis: str
    values: list[int]
    times: list[Timing]

    @property
    def exponent(self) -> str:
        """How the time grows: a power of the axis, or of a base where the axis is n."""
        times = np.log([t.seconds for t in self.times[-3:]])
        by_qubits = self.axis.startswith("n")
        x = np.array(self.values[-3:], dtype=float)
        slope = float(np.polyfit(x if by_qubits else np.log(x), times, 1)[0])
        return f"{np.exp(slope):.2g}^n" if by_qubits else f"{self.axis[0]}^{slope:.2f}"

    @property
    def cells(self) -> list[object]:
        """A row of the table."""
        shown = "; ".join(f"{v}: {t}" for v, t in zip(self.values, self.times, strict=True))
        return [self.what, self.axis, shown, self.exponent]


def exact_rows(case: Case) -> Call:
    """Exact values of all rows of the parameter-shift plan."""
    plan = case.plan()
    return lambda: case.executor.exact_outputs(case.unrolled, plan, "z")


def curve(
    what: str,
    axis: str,
    values: list[int],
    make: Callable[[int], Case],
    call: Callable[[Case], Call],
) -> Curve:
    """Time a computation along an axis."""
    return Curve(what, axis, values, [timed(call(make(v)), 5, 3.0) for v in values])


def curves() -> list[Curve]:
    """All of them."""
    gradient, shots = peers.engine_gradient, forward_shots
    return [
        curve("gradient", "n", [2, 3, 4, 5, 6, 7], lambda n: make_case("A", n, 8), gradient),
        curve("gradient, noise", "n", [2, 3, 4, 5, 6], lambda n: make_case("C", n, 8), gradient),
        curve("shots", "n", [2, 4, 6, 8, 10], lambda n: make_case("A", n, 8), shots),
        curve("shots, noise", "n", [2, 3, 4, 5, 6], lambda n: make_case("C", n, 8), shots),
        curve("gradient", "T", [8, 32, 128, 512], lambda t: make_case("A", 3, t), gradient),
        curve("shots", "T", [8, 32, 128, 512], lambda t: make_case("A", 3, t), shots),
        curve("gradient", "B", [1, 8, 64, 512], lambda b: make_case("A", 3, 8, b), gradient),
        curve("shots", "B", [1, 8, 64, 512], lambda b: make_case("A", 3, 8, b), shots),
        curve("gradient", "P", [12, 24, 48, 96], _with_weights, gradient),
        curve("shots", "P", [12, 24, 48, 96], _with_weights, shots),
        curve("all rows", "P", [12, 24, 48, 96], _with_weights, exact_rows),
    ]


def _with_weights(count: int) -> Case:
    return make_case("A", 3, 8, layers=count // 12)


def border() -> list[list[object]]:
    """Shots of one row on more and more qubits, by Aer and by the engine."""
    rows = list[list[object]]()
    for name, noise, sizes in (("A", "none", (4, 8, 10, 12)), ("C", "yes", (3, 4, 5, 6, 7))):
        for n in sizes:
            case = make_case(name, n, 8)
            theirs, ours = timed(peers.aer_shots(case, 1, SHOTS), 3), timed(forward_shots(case), 3)
            way = case.executor.simulation(case.unrolled, shots=True)
            rows.append([n, noise, theirs, ours, way.partition(",")[0], theirs.over(ours)])
    return rows


def sampled(case: Case, rows: int, shots: int, way: Way) -> Call:
    """Shots of the plan's first rows, drawn in one way."""
    compiled = compile_isa(case.unrolled, case.executor.isa(case.unrolled), case.executor.noise)
    angles = case.plan().angles(case.unrolled.angle_map, slice(0, rows))
    values = compiled.angles(angles)
    return lambda: sample(compiled.program, values, shots, 5, way=way)


def ways() -> list[list[object]]:
    """Histories and trajectories, where the choice between them is made."""
    rows = list[list[object]]()
    for name, n, steps, number, shots in (
        ("C", 3, 8, 60, 200),
        ("C", 4, 8, 60, 200),
        ("C", 4, 20, 1, 1024),
        ("C", 5, 8, 1, 1024),
        ("C", 5, 8, 60, 200),
        ("C", 5, 20, 1, 1024),
        ("A", 8, 20, 10, 100),
        ("A", 10, 8, 1, 1024),
        ("A", 10, 8, 10, 100),
        ("A", 10, 20, 4, 100),
    ):
        case = make_case(name, n, steps)
        shared = timed(sampled(case, number, shots, "histories"), 3)
        single = timed(sampled(case, number, shots, "trajectories"), 3)
        noise = "yes" if name == "C" else "none"
        rows.append([n, noise, steps, number, shots, shared, single, shared.over(single)])
    return rows


def wide() -> list[list[object]]:
    """One shot of wide registers, by trajectories and by Aer."""
    rows = list[list[object]]()
    for hidden, shots in ((8, 128), (10, 64), (12, 32), (14, 16), (16, 8)):
        for name, noise in (("C", "depolarizing"), ("A", "none")):
            case = make_case(name, 1 + hidden, 8)
            ours = timed(sampled(case, 1, shots, "trajectories"), 3).scaled(1 / shots)
            theirs = timed(peers.aer_shots(case, 1, shots), 3).scaled(1 / shots)
            rows.append([hidden, 1 + hidden, noise, theirs, ours, theirs.over(ours)])
    device = named_device_noise("fake_boston")
    for hidden, shots in ((3, 128), (5, 64), (7, 32)):
        case = replace(make_case("A", 1 + hidden, 8), executor=ExactExecutor(noise=device))
        ours = timed(sampled(case, 1, shots, "trajectories"), 3).scaled(1 / shots)
        theirs = timed(_aer_executor(case, device, shots), 3).scaled(1 / shots)
        qubits = len(case.executor.isa(case.unrolled).qubits)
        rows.append([hidden, qubits, "fake_boston", theirs, ours, theirs.over(ours)])
    return rows


def _aer_executor(case: Case, noise: Noise, shots: int) -> Call:
    executor = AerExecutor(noise)
    request = EvaluationRequest(forward_plan(case.weights, case.features), shots, 5)
    return lambda: executor.fetch(executor.submit(case.unrolled, request))


def draw(found: list[Curve], path: Path) -> None:
    """One panel for each axis."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from qrnn_qiskit.plot.style import LINES, house_style

    titles = {"n": "qubits n", "T": "steps T", "B": "sequences B", "P": "weights P"}
    lines = dict(zip(("gradient", "shots", "all rows"), LINES, strict=False))
    with house_style():
        figure = Figure(figsize=(11.0, 3.6), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(titles), sharey=True)
        for panel, (axis, title) in zip(panels, titles.items(), strict=True):
            for one in (c for c in found if c.axis == axis):
                what, _, noise = one.what.partition(", ")
                color, marker = lines[what]
                panel.errorbar(
                    one.values,
                    [t.seconds for t in one.times],
                    [t.error for t in one.times],
                    color=color,
                    marker=marker,
                    markersize=4,
                    linestyle="--" if noise else "-",
                    label=f"{one.what} ~ {one.exponent}",
                )
            panel.set_yscale("log")
            if axis != "n":
                panel.set_xscale("log", base=2)
            panel.set_xlabel(title)
            panel.legend(fontsize=7, frameon=False)
        panels[0].set_ylabel("CPU time (s)")
        figure.savefig(path, dpi=144)


def main() -> None:
    """Measure, draw and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", type=Path)
    figure = parser.parse_args().figure
    found = curves()
    print(INTRODUCTION)
    if figure is not None:
        draw(found, figure)
        print(f"![CPU time against n, T, B and P](../images/{figure.name})\n")
    columns = ["what", "in", "time at each value", "grows as"]
    show("Exponents", columns, [one.cells for one in found])
    print(READING)
    columns = ["qubits", "noise", "Aer SamplerV2", "joint shots", "by", "ratio"]
    show(f"Shots of one row of 8 steps, {SHOTS} shots", columns, border())
    columns = ["qubits", "noise", "steps", "rows", "shots", "histories", "trajectories", "ratio"]
    show("Histories or trajectories", columns, ways())
    columns = ["hidden", "qubits in use", "noise", "Aer", "trajectories", "ratio"]
    show("One shot of 8 steps on wide registers", columns, wide())
    print(WIDE)


if __name__ == "__main__":
    main()
