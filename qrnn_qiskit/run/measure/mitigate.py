"""The correction of a job's outputs: measured and learned once, then the same for the whole run."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, Final, final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError, SpecError
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.isa import ISACircuit
from qrnn_qiskit.execution.make import make_sibling
from qrnn_qiskit.execution.mitigation.affine import AffineCorrection, no_correction
from qrnn_qiskit.execution.mitigation.joint import JointReadout, check_no_conditions
from qrnn_qiskit.execution.mitigation.linear import learned_correction
from qrnn_qiskit.execution.mitigation.prediction import pays_from, predicted_outputs
from qrnn_qiskit.execution.mitigation.readout import (
    Place,
    calibration_circuit,
    calibration_plans,
    flips_of_calibration,
    measured_places,
    readout_correction,
)
from qrnn_qiskit.execution.noise import Noise, device_noise
from qrnn_qiskit.gradients.allocation import MIN_SHOTS
from qrnn_qiskit.gradients.plan import forward_plan
from qrnn_qiskit.occurrence import OccurrenceTable
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.extrapolate import Extrapolation
from qrnn_qiskit.run.measure.objective import Objective
from qrnn_qiskit.spec.job import Job
from qrnn_qiskit.spec.noise import DURATIONS_NS

MITIGATION_STREAM: Final = 9
_PREDICTED: Final = 4  # sequences


@final
class Mitigation:
    """What one job's outputs are mitigated with; corrections are made when first needed.

    Attributes:
        extrapolation: where the noise factors are measured; None for none.
    """

    def __init__(
        self,
        job: Job,
        unrolled: UnrolledCircuit,
        executor: Executor,
        objective: Objective,
        features: Array,
    ) -> None:
        """Prepare the mitigation.

        Args:
            job: with its `[mitigation]`.
            unrolled: the circuit.
            executor: where it runs.
            objective: from outputs to the loss.
            features: `[N, T, F]` sequences to learn from.

        Raises:
            SpecError: for outputs that no correction is known for, and what else does not fit.
        """
        _check(job, unrolled, objective)
        self._job = job
        self._unrolled = unrolled
        self._executor = executor
        self._features = features
        self.extrapolation: Extrapolation | None = None
        if job.mitigation.noise_factors:
            self.extrapolation = Extrapolation(job, unrolled, executor)

    def occurrences(self, unrolled: UnrolledCircuit) -> OccurrenceTable:
        """The circuit's occurrences, their influence as the noise leaves it."""
        if self.extrapolation is None:
            return self._executor.occurrences(unrolled)
        return self.extrapolation.occurrences()

    def apply_to(self, evaluator: Evaluator, weights: Array, shots: int | None) -> None:
        """Mitigate all outputs of an evaluator from now on.

        Args:
            evaluator: of the circuit.
            weights: `[P]` to start from.
            shots: of a row, to warn where extrapolation does not pay; None for exact values.
        """
        if self.extrapolation is not None:
            evaluator.extrapolate_by(self.extrapolation)
            self.extrapolation.shots(shots)  # refuses too few
            needed = None if shots is None else self.pays_from(weights)
            if shots is not None and needed is not None and shots < needed:
                warnings.warn(
                    f"extrapolation of mitigation.noise_factors does not pay: with {shots:,} shots "
                    "of a row the shot noise that it adds is more than the bias that it takes "
                    f"away; by prediction it pays from {needed:,} shots",
                    stacklevel=2,
                )
        spec = self._job.mitigation
        if spec.readout != "none" and self._joint:
            evaluator.read_by(self._of_readout)
        elif spec.readout != "none" or spec.linear_rows:
            evaluator.correct_by(self.correction)

    @property
    def _joint(self) -> bool:
        """Whether outputs are of joint outcomes, which no line corrects."""
        return self._job.readout.output != "z" or bool(self._unrolled.cell.postselected)

    def correction(self, evaluator: Evaluator) -> AffineCorrection:
        """The correction of an evaluator's outputs.

        Raises:
            BackendError: where the device states no readout errors, or rows are too few.
        """
        spec = self._job.mitigation
        made = no_correction(self._unrolled.num_steps, self._unrolled.num_bits)
        if spec.readout != "none" and not self._joint:
            read = self._of_readout(evaluator)
            made = readout_correction(read.places, read.flips, read.shots)
        if spec.linear_rows:
            made = self._learned(evaluator, made).after(made)
        return made

    def pays_from(self, weights: Array) -> int | None:
        """Shots of a row from which extrapolation lessens the error of outputs, by prediction.

        Args:
            weights: `[P]` where the outputs are predicted.

        Returns:
            None where nothing can be predicted: too many qubits, or no noise is known.
        """
        over = self.extrapolation
        if over is None:
            return None
        angles = self._unrolled.angle_map.angles(weights, self._features[:_PREDICTED])
        noise = _noise_of(self._executor, self._job)
        values = [
            predicted_outputs(self._unrolled, executor.isa(self._unrolled), noise, angles)
            for executor in over.executors
        ]
        found = [value for value in values if value is not None]
        return None if len(found) < len(values) else pays_from(found, over.factors, over.order)

    @property
    def calibration_rows(self) -> int:
        """Rows of calibration circuits: two for each kind of measurement."""
        if self._job.mitigation.readout != "measured":
            return 0
        places = self._places(self._executor.isa(self._unrolled))
        return 2 * len({final for step in places for _, final in step})

    @property
    def shots(self) -> int | None:
        """Shots of each calibration circuit and row learned from; None for exact values."""
        sampled = self._job.backend.shots is not None or self._job.gradient.shots_total is not None
        return self._job.mitigation.shots if sampled else None

    def _of_readout(self, evaluator: Evaluator) -> JointReadout:
        """Readout errors, stated or measured."""
        isa = evaluator.executor.isa(self._unrolled)
        places = self._places(isa)
        if self._joint:
            check_no_conditions(isa.circuit.count_ops())
        if self._job.mitigation.readout == "stated":
            noise = _stated(evaluator.executor)
            flips = {p: noise.flips(p[0]) for step in places for p in step if p[0] >= 0}
            return JointReadout(places, flips, None)
        kinds = sorted({final for step in places for _, final in step}, reverse=True)
        measured = {
            place: pair
            for final in kinds
            for place, pair in self._measured(evaluator, isa.qubits, final).items()
        }
        known = {place: measured[place] for step in places for place in step if place in measured}
        return JointReadout(places, known, self.shots)

    def _places(self, isa: ISACircuit) -> list[list[Place]]:
        return measured_places(isa, self._unrolled.num_steps, self._unrolled.num_clbits)

    def _measured(
        self, evaluator: Evaluator, qubits: tuple[int, ...], final: bool
    ) -> dict[Place, tuple[float, float]]:
        """Of all qubits in use, so that a device's own qubits are calibrated and no others."""
        on_them = self._job.backend.model_copy(
            update={"initial_layout": qubits, "layout_trials": 0}
        )
        executor = make_sibling(evaluator.executor, on_them, self._job.noise)
        circuit = calibration_circuit(len(qubits), final=final)
        of_circuit = measured_places(executor.isa(circuit), circuit.num_steps, len(qubits))[0]
        calibrate = evaluator.on(circuit, executor)
        calibrate.kind = "z"
        first, prefix = (0, "") if final else (4, "middle-")
        zeros, ones = (
            calibrate.raw_outputs(
                plan,
                self.shots,
                Call(f"mitigation/{prefix}{name}", (MITIGATION_STREAM, first + place)),
            )
            for place, (name, plan) in enumerate(
                zip(("zeros", "ones"), calibration_plans(final=final), strict=True)
            )
        )
        return flips_of_calibration(of_circuit, zeros, ones)

    def _learned(self, evaluator: Evaluator, first: AffineCorrection) -> AffineCorrection:
        rows, seed = self._job.mitigation.linear_rows, self._job.seed
        random = np.random.default_rng(
            np.random.SeedSequence(seed, spawn_key=(MITIGATION_STREAM, 2))
        )
        if not len(self._features):
            raise BackendError("mitigation.linear_rows needs sequences to learn from: give [data]")
        chosen = self._features[random.integers(0, len(self._features), rows)]
        points = random.uniform(-np.pi, np.pi, (rows, self._unrolled.cell.num_weights))
        plan = replace(forward_plan(points[0], chosen), weights=points, point=np.arange(rows))
        call = Call("mitigation/linear", (MITIGATION_STREAM, 3))
        noisy = first.apply(evaluator.raw_outputs(plan, self.shots, call))
        angles = plan.angles(self._unrolled.angle_map, slice(0, rows))
        return learned_correction(noisy, ExactExecutor().forward(self._unrolled, angles, "z"))


def _check(job: Job, unrolled: UnrolledCircuit, objective: Objective) -> None:
    spec = job.mitigation
    if job.kind == "compare" and (
        spec.noise_factors or spec.linear_rows or spec.readout == "measured"
    ):
        raise SpecError(
            "kind = 'compare' holds methods against each other at equal shots, and mitigation that "
            'is measured takes shots of its own: of [mitigation] it allows readout = "stated" alone'
        )
    if len(job.backend.names) > 1:
        raise SpecError(
            "[mitigation] is not for several devices, whose errors differ: give one "
            "backend.name, or remove [mitigation]"
        )
    if job.backend.tiles != 1:
        raise SpecError(
            "[mitigation] is not for backend.tiles: readout errors and times of measurement differ "
            "from tile to tile; set backend.tiles = 1, or remove [mitigation]"
        )
    if spec.noise_factors and job.backend.decoupling != "none" and job.backend.is_service:
        raise SpecError(
            "mitigation.noise_factors and backend.decoupling on a real device: a run keeps one "
            "transpiled circuit, whose pulses cannot be folded; set one of the two"
        )
    allocation = job.gradient.allocation or ("optimal" if job.gradient.method == "auto" else "")
    sampled = job.backend.shots is not None or job.gradient.shots_total is not None
    if sampled and allocation == "optimal" and 2 * len(spec.noise_factors) > MIN_SHOTS:
        raise SpecError(
            f"mitigation.noise_factors: optimal allocation may give a row {MIN_SHOTS} shots, too "
            f'few for {len(spec.noise_factors)} factors; set gradient.allocation = "uniform"'
        )
    if spec.linear_rows and (job.readout.output != "z" or unrolled.cell.postselected):
        raise SpecError(
            "mitigation.linear_rows corrects outputs <Z> of cells without post-selection: set "
            'readout.output = "z", or remove it'
        )
    joint = job.readout.output != "z" or bool(unrolled.cell.postselected)
    if joint and spec.readout != "none" and job.backend.sampling != "joint":
        raise SpecError('mitigation.readout of joint bits needs backend.sampling = "joint"')
    if objective.reads_counts:
        raise SpecError(
            f"loss.name = {job.loss.name!r} is estimated from counts, which mitigation does not "
            'leave: set loss.correction = "first_order", or remove [mitigation]'
        )


def _stated(executor: Executor) -> Noise:
    noise: Noise | None = getattr(executor, "noise", None)
    target: Any = getattr(executor, "target", None)
    if noise is None and target is None:
        raise BackendError(
            f"mitigation.readout = 'stated': {executor.name} without noise states no readout "
            "errors; set noise, or leave it out"
        )
    return noise if noise is not None else device_noise(target)


def _noise_of(executor: Executor, job: Job) -> Noise | None:
    """What an executor simulates, or what its device says of itself; None for no noise."""
    noise: Noise | None = getattr(executor, "noise", None)
    target: Any = getattr(executor, "target", None)
    if noise is not None or target is None:
        return noise
    # The client's local mode has no idle times.
    latency = DURATIONS_NS["feedforward_ns"] * 1e-9
    return device_noise(target, idle=job.backend.is_service, latency=latency)
