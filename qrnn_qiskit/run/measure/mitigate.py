"""The correction of a job's outputs: measured and learned once, then the same for the whole run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError, SpecError
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.make import make_executor
from qrnn_qiskit.execution.mitigation.affine import AffineCorrection, no_correction
from qrnn_qiskit.execution.mitigation.linear import learned_correction
from qrnn_qiskit.execution.mitigation.readout import (
    calibration_circuit,
    calibration_plans,
    flips_of_calibration,
    measured_qubits,
    readout_correction,
)
from qrnn_qiskit.execution.noise import Noise, device_noise
from qrnn_qiskit.gradients.plan import forward_plan
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.spec.job import Job

MITIGATION_STREAM: Final = 9


@final
class Mitigation:
    """Makes the correction of one job when it is first needed."""

    def __init__(self, job: Job, unrolled: UnrolledCircuit, features: Array) -> None:
        """Prepare the correction.

        Args:
            job: with its `[mitigation]`.
            unrolled: the circuit.
            features: `[N, T, F]` sequences to learn from.

        Raises:
            SpecError: for outputs that no correction is known for.
        """
        if job.readout.output != "z" or unrolled.cell.postselected:
            raise SpecError(
                "[mitigation] corrects outputs <Z> of cells without post-selection: set "
                'readout.output = "z", or remove [mitigation]'
            )
        self._job = job
        self._unrolled = unrolled
        self._features = features

    def correction(self, evaluator: Evaluator) -> AffineCorrection:
        """The correction of an evaluator's outputs.

        Raises:
            BackendError: where the device states no readout errors, or rows are too few.
        """
        spec = self._job.mitigation
        made = no_correction(self._unrolled.num_steps, self._unrolled.num_bits)
        if spec.readout != "none":
            made = self._of_readout(evaluator)
        if spec.linear_rows:
            made = self._learned(evaluator, made).after(made)
        return made

    @property
    def _shots(self) -> int | None:
        sampled = self._job.backend.shots is not None or self._job.gradient.shots_total is not None
        return self._job.mitigation.shots if sampled else None

    def _of_readout(self, evaluator: Evaluator) -> AffineCorrection:
        isa = evaluator.executor.isa(self._unrolled)
        places = measured_qubits(isa, self._unrolled.num_steps, self._unrolled.num_bits)
        if self._job.mitigation.readout == "stated":
            noise = _stated(evaluator.executor)
            flips = {q: noise.flips(q) for step in places for q in step if q >= 0}
            return readout_correction(places, flips, None)
        flips = self._measured(evaluator, isa.qubits)
        return readout_correction(places, flips, self._shots)

    def _measured(
        self, evaluator: Evaluator, qubits: tuple[int, ...]
    ) -> dict[int, tuple[float, float]]:
        """Of all qubits in use, so that a device's own qubits are calibrated and no others."""
        on_them = self._job.backend.model_copy(
            update={"initial_layout": qubits, "layout_trials": 0}
        )
        executor = make_executor(on_them, self._job.noise)
        circuit = calibration_circuit(len(qubits))
        of_circuit = measured_qubits(executor.isa(circuit), 1, len(qubits))[0]
        calibrate = evaluator.on(circuit, executor)
        zeros, ones = (
            calibrate.raw_outputs(
                plan, self._shots, Call(f"mitigation/{name}", (MITIGATION_STREAM, place))
            )
            for place, (name, plan) in enumerate(
                zip(("zeros", "ones"), calibration_plans(), strict=True)
            )
        )
        return flips_of_calibration(tuple(of_circuit), zeros, ones)

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
        noisy = first.apply(evaluator.raw_outputs(plan, self._shots, call))
        angles = plan.angles(self._unrolled.angle_map, slice(0, rows))
        return learned_correction(noisy, ExactExecutor().forward(self._unrolled, angles, "z"))


def _stated(executor: Executor) -> Noise:
    noise: Noise | None = getattr(executor, "noise", None)
    target: Any = getattr(executor, "target", None)
    if noise is None and target is None:
        raise BackendError(
            f"mitigation.readout = 'stated': {executor.name} without noise states no readout "
            "errors; set noise, or leave it out"
        )
    return noise if noise is not None else device_noise(target)
