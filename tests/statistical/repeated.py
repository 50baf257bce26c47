"""One gradient measured many thousand times at once, its bits drawn from exact distributions.

Each repetition is a sequence of its own in one plan, so that nothing loops over repetitions; the
distribution of a row comes from the dense reference (`tests/reference.py`).

Axes: N repetitions, R rows of one of them, S possible outcomes of a shot, D raw values of a shot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit import Cell, ParameterShift, unroll
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.gradients import EvaluationPlan, GradientProblem
from qrnn_qiskit.gradients.contraction import Contraction
from qrnn_qiskit.run.measure.gradient import contracted
from qrnn_qiskit.run.measure.objective import LossEstimate, Objective, Spread
from tests.reference import reference_joint

Values = Callable[[NDArray[np.int64]], Array]
"""Bits `[S, T, K]` to raw values `[S, T, W]` of a step."""


@dataclass(frozen=True)
class Found:
    """Numbers with their errors, `[G, N]`, and what they should be, `[G]`."""

    mean: Array
    error: Array
    truth: Array

    @property
    def coverage(self) -> Array:
        """Part of the 95 % intervals that hold the truth, `[G]`."""
        off = np.abs(self.mean - self.truth[:, None])
        return np.asarray(np.mean(off < 1.959963984540054 * self.error, axis=1))

    @property
    def ratio(self) -> Array:
        """Scatter by stated error, `[G]`."""
        scatter = np.sqrt(np.mean((self.mean - self.truth[:, None]) ** 2, axis=1))
        return np.asarray(scatter / np.sqrt(np.mean(self.error**2, axis=1)))


@dataclass(frozen=True)
class Repeated:
    """A problem: cell, point, data of one sequence, and how raw values come from bits."""

    cell: Cell
    weights: Array
    features: Array  # [T, F]
    targets: Array  # [T, M]
    objective: Objective
    readout: Array
    values: Values

    def unrolled(self) -> UnrolledCircuit:
        return unroll(self.cell, len(self.features))

    def plan(self, repetitions: int) -> EvaluationPlan:
        unrolled = self.unrolled()
        features = np.broadcast_to(self.features, (repetitions, *self.features.shape))
        return ParameterShift().plan(
            GradientProblem(
                unrolled.angle_map,
                unrolled.occurrences,
                self.weights,
                features,
                self.objective.steps,
            )
        )

    def distributions(self) -> tuple[Array, Array]:
        """Probabilities `[R, S]` of the rows' outcomes, and their raw values `[S, T, W]`."""
        unrolled, plan = self.unrolled(), self.plan(1)
        angles = plan.angles(unrolled.angle_map, slice(None))
        table = {p.name: p for p in unrolled.circuit.parameters}
        parameters = [table[name] for name in unrolled.occurrences.names]
        joints = [
            reference_joint(unrolled.circuit, dict(zip(parameters, row, strict=True)))
            for row in angles
        ]
        bits = sorted({key for joint in joints for key in joint})
        probabilities = np.array([[joint.get(key, 0.0) for key in bits] for joint in joints])
        shape = (len(bits), len(self.features), -1)
        return probabilities, self.values(np.array(bits).reshape(shape))

    def exact(self) -> tuple[LossEstimate, Array]:
        """Loss statistics and gradient `[P]` without shots."""
        probabilities, values = self.distributions()
        plan = self.plan(1)
        outputs = Outputs(np.einsum("rs,stw->rtw", probabilities, values))
        estimate = self.objective.estimate(
            self.readout, plan.base_outputs(outputs), self.targets[None]
        )
        by_weights = Contraction.by_weights(plan)
        return estimate, contracted(plan, by_weights, outputs, estimate).total().mean

    def outputs(self, repetitions: int, base: int, shots: int, seed: int) -> Outputs:
        """Outputs of all rows of all repetitions: `base` shots of base rows, else `shots`."""
        probabilities, values = self.distributions()
        per_sequence = len(probabilities) - 1
        which = np.concatenate(
            [np.zeros(repetitions, int), np.tile(1 + np.arange(per_sequence), repetitions)]
        )
        count = np.where(which == 0, base, shots)
        return _drawn(probabilities, which, values, count, seed)

    def losses(self, repetitions: int, shots: int, seed: int) -> Found:
        """The loss alone, of every repetition."""
        probabilities, values = self.distributions()
        count = np.full(repetitions, shots)
        outputs = _drawn(probabilities[:1], np.zeros(repetitions, int), values, count, seed)
        targets = np.broadcast_to(self.targets, (repetitions, *self.targets.shape))
        value = self.objective.estimate(self.readout, outputs, targets).value
        return _found(value, self.exact()[0].loss.mean, repetitions)

    def measure(
        self,
        repetitions: int,
        base: int,
        shots: int,
        seed: int,
        *,
        change: Callable[[Outputs], Outputs] = lambda outputs: outputs,
        change_plan: Callable[[EvaluationPlan], EvaluationPlan] = lambda plan: plan,
        forward: bool = True,
    ) -> dict[str, Found]:
        """Loss, gradient and readout gradient of every repetition.

        The last three plant faults: in the outputs' statistics, in the plan, and by forgetting the
        error of the cotangent.
        """
        exact, gradient = self.exact()
        plan = change_plan(self.plan(repetitions))
        outputs = change(self.outputs(repetitions, base, shots, seed))
        targets = np.broadcast_to(self.targets, (repetitions, *self.targets.shape))
        estimate = self.objective.estimate(self.readout, plan.base_outputs(outputs), targets)
        if not forward:
            spread = np.zeros_like(estimate.cotangent_covariance)
            estimate = LossEstimate(estimate.value, estimate.by_readout, estimate.cotangent, spread)
        by_weights = Contraction.by_weights(plan)
        # The loss is a mean over sequences: a sequence's part times their number is a repetition.
        return {
            name: _found(spread, truth, repetitions)
            for name, spread, truth in (
                ("loss", estimate.value, exact.loss.mean),
                ("gradient", contracted(plan, by_weights, outputs, estimate), gradient),
                ("readout", estimate.by_readout, exact.by_readout.total().mean),
            )
        }


def _drawn(
    probabilities: Array,
    which: NDArray[np.int64],
    values: Array,
    count: NDArray[np.int64],
    seed: int,
) -> Outputs:
    """Shots of rows: row r has distribution `which[r]` and `count[r]` shots."""
    chances = probabilities / probabilities.sum(axis=1, keepdims=True)
    drawn = np.random.default_rng(seed).multinomial(count, chances[which])
    flat = values.reshape(len(values), -1)
    mean = drawn @ flat / count[:, None]
    squares = (flat[:, :, None] * flat[:, None, :]).reshape(len(flat), -1)
    second = (drawn @ squares).reshape(-1, flat.shape[1], flat.shape[1])
    covariance = second - count[:, None, None] * mean[:, :, None] * mean[:, None, :]
    return Outputs(
        mean.reshape(-1, *values.shape[1:]), count, covariance / (count - 1)[:, None, None]
    )


def _found(spread: Spread, truth: Array, repetitions: int) -> Found:
    first: Any = spread.first
    second: Any = spread.second
    error = np.sqrt(np.maximum(first - second, second))
    return Found(
        repetitions * np.atleast_2d(spread.value),
        repetitions * np.atleast_2d(error),
        np.atleast_1d(truth),
    )
