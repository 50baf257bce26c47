"""What mitigation gives back: errors of outputs and gradients under the noise of devices.

    python benchmarks/mitigation.py                  the table of docs/noise.md, about a minute
    python benchmarks/mitigation.py --figure PATH    its figure

All methods get the same shots for each row of a gradient; extrapolation shares them out between its
two noise factors. Calibration and learning rows are made once for a whole training and not counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit import ExactExecutor, ParameterShift, build_cell, unroll
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.isa import TranspileOptions
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.execution.mitigation.affine import AffineCorrection, no_correction
from qrnn_qiskit.execution.mitigation.linear import learned_correction
from qrnn_qiskit.execution.mitigation.readout import measured_qubits, readout_correction
from qrnn_qiskit.execution.mitigation.zero_noise import extrapolate, weights
from qrnn_qiskit.gradients import GradientProblem
from qrnn_qiskit.gradients.plan import EvaluationPlan, forward_plan
from qrnn_qiskit.spec.noise import NoiseSpec

Array = NDArray[np.float64]
STEPS, POINTS, LEARNED = 4, 4, 40
UNROLLED = unroll(build_cell("viqueira_emcz2", {"layers": 1, "reuploads": 1}), STEPS)
FOLDS = (1, 3)
DEVICES = ["fake_boston", "fake_marrakesh", "fake_torino"]


@dataclass(frozen=True)
class Method:
    """One way to get outputs.

    Attributes:
        title: in the table.
        folds: of its circuits.
        readout: undo readout errors.
        line: learn a line.
    """

    title: str
    folds: tuple[int, ...] = (1,)
    readout: bool = False
    line: bool = False


METHODS = (
    Method("none"),
    Method("readout", readout=True),
    Method("learned line", line=True),
    Method("readout, extrapolation", FOLDS, readout=True),
    Method("readout, extrapolation, line", FOLDS, readout=True, line=True),
)


class Measured:
    """A device's noise and a method: corrected outputs, exact or with shots."""

    def __init__(self, spec: NoiseSpec, method: Method, seed: int) -> None:
        noise = make_noise(spec)
        self.executors = [
            ExactExecutor(noise, TranspileOptions(layout_trials=4, folds=f)) for f in method.folds
        ]
        self.method = method
        self.coefficients = weights(method.folds) if len(method.folds) > 1 else np.ones(1)
        self.correction = no_correction(STEPS, UNROLLED.num_bits)
        if method.readout and noise is not None:
            places = measured_qubits(self.executors[0].isa(UNROLLED), STEPS, UNROLLED.num_bits)
            flips = {q: noise.flips(q) for step in places for q in step}
            self.correction = readout_correction(places, flips, None)
        if method.line:
            self.correction = self._learned(seed).after(self.correction)

    def outputs(self, plan: EvaluationPlan, shots: int | None, seed: int) -> Outputs:
        """Corrected outputs; each of the folded circuits gets its part of the shots."""
        parts = [
            executor.exact_outputs(UNROLLED, plan, "z")
            if shots is None
            else executor.fetch(
                executor.submit(
                    UNROLLED, EvaluationRequest(plan, shots // len(self.executors), seed + i)
                )
            ).outputs("z")
            for i, executor in enumerate(self.executors)
        ]
        raw = parts[0] if len(parts) == 1 else extrapolate(parts, self.method.folds)
        return self.correction.apply(raw)

    def _learned(self, seed: int) -> AffineCorrection:
        random = np.random.default_rng(seed)
        points = random.uniform(-np.pi, np.pi, (LEARNED, UNROLLED.cell.num_weights))
        features = random.uniform(-1, 1, (LEARNED, STEPS, 1))
        plan = forward_plan(points[0], features)
        plan = replace(plan, weights=points, point=np.arange(LEARNED))
        return learned_correction(
            self.outputs(plan, None, 0), ExactExecutor().exact_outputs(UNROLLED, plan, "z").mean
        )


def plan_at(point: int) -> EvaluationPlan:
    """All rows of a parameter-shift gradient at one random point."""
    random = np.random.default_rng(point)
    return ParameterShift().plan(
        GradientProblem(
            UNROLLED.angle_map,
            UNROLLED.occurrences,
            random.uniform(-np.pi, np.pi, UNROLLED.cell.num_weights),
            random.uniform(-1, 1, (1, STEPS, 1)),
            np.ones(STEPS, dtype=bool),
        )
    )


def errors(measured: Measured, shots: int | None) -> tuple[float, float]:
    """RMS error of outputs, and that of the gradient of their sum over its norm."""
    ideal_executor = ExactExecutor()
    of_outputs, of_gradient, norm = [], [], []
    for point in range(POINTS):
        plan = plan_at(point)
        ideal = ideal_executor.exact_outputs(UNROLLED, plan, "z")
        seen = measured.outputs(plan, shots, 1000 + 10 * point)
        cotangent = np.ones((1, STEPS, UNROLLED.num_bits))
        exact = plan.contract(ideal, cotangent).mean
        of_outputs.append(np.mean((seen.mean - ideal.mean) ** 2))
        of_gradient.append(np.sum((plan.contract(seen, cotangent).mean - exact) ** 2))
        norm.append(np.sum(exact**2))
    return float(np.sqrt(np.mean(of_outputs))), float(np.sqrt(np.mean(of_gradient) / np.mean(norm)))


def table(devices: Sequence[str], levels: Sequence[int | None]) -> None:
    """Print errors of all methods as a table in Markdown."""
    head = [
        f"{'exact' if n is None else f'{n:,} shots'}: {what}"
        for n in levels
        for what in ("outputs", "gradient")
    ]
    print("| device | mitigation | " + " | ".join(head) + " |")
    print("| --- | --- |" + " --- |" * len(head))
    for device in devices:
        for method in METHODS:
            measured = Measured(NoiseSpec(device=device), method, seed=7)
            cells = [f"{e:.4f}" for n in levels for e in errors(measured, n)]
            print(f"| {device} | {method.title} | " + " | ".join(cells) + " |", flush=True)


def figure(path: Path, device: str) -> None:
    """Draw errors and training against the scale of a device's noise."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from qrnn_qiskit.plot.style import LINES, house_style, logarithmic

    scales = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
    with house_style():
        picture = Figure(figsize=(10.0, 3.6), layout="constrained")
        FigureCanvasAgg(picture)
        outputs, gradient, training = picture.subplots(1, 3)
        for (color, marker), method in zip(LINES, METHODS, strict=False):
            both = [
                errors(Measured(NoiseSpec(device=device, scale=s), method, seed=7), None)
                for s in scales
            ]
            for axes, values in zip((outputs, gradient), zip(*both, strict=True), strict=True):
                axes.plot(
                    scales, values, color=color, marker=marker, markersize=4, label=method.title
                )
        for (color, marker), overrides in (
            (LINES[0], ()),
            (LINES[1], ("mitigation.readout=stated",)),
            (LINES[2], ("mitigation.linear_rows=40",)),
        ):
            losses = [final_loss(device, scale, overrides) for scale in scales]
            training.plot(scales, losses, color=color, marker=marker, markersize=4)
        for axes, title, label in (
            (outputs, "Outputs", "RMS error"),
            (gradient, "Gradient", "error / norm"),
            (training, "Training on parity", "loss after 100 steps"),
        ):
            axes.set_xscale("log")
            axes.set_xticks(scales, [f"{s:g}" for s in scales])
            axes.minorticks_off()
            axes.set_xlabel("noise.scale")
            axes.set_ylabel(label)
            axes.set_title(title)
            logarithmic(axes)
        handles, labels = outputs.get_legend_handles_labels()
        picture.legend(handles, labels, loc="outside lower center", ncols=5)
        picture.savefig(path, dpi=144)


def final_loss(device: str, scale: float, overrides: tuple[str, ...]) -> float:
    """Best loss of a training under a device's noise."""
    from qrnn_qiskit.run.runs import run_job

    changed = [f"noise.device={device}", f"noise.scale={scale}", "training.steps=100", *overrides]
    with TemporaryDirectory() as folder:
        result = run_job("train_parity2", run_dir=Path(folder) / "run", overrides=changed)
    return float(result.summary["best_loss"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", type=Path)
    parser.add_argument(
        "--devices", nargs="+", default=["fake_boston", "fake_marrakesh", "fake_torino"]
    )
    parser.add_argument("--shots", nargs="+", type=int, default=[1000, 10_000])
    chosen = parser.parse_args(arguments)
    if chosen.figure:
        figure(chosen.figure, "fake_marrakesh")
    else:
        table(chosen.devices, [None, *chosen.shots])


if __name__ == "__main__":
    main()
