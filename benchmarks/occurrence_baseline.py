"""Does a baseline make random occurrences cheaper? `python -m benchmarks.occurrence_baseline`.

Along a training of `viqueira_emcz2` with 8 steps by exact gradients (Adam, learning rate 0.05),
`random_occurrences` with 100 rows is drawn anew at each step. With G_i a pair's contribution and
p_i its probability, the estimate from n drawn pairs with a baseline C_i that was known before is

    sum_i C_i + 1/n sum_drawn (G_i - C_i) / p_i,

unbiased for any C. Here C_i is the mean of what pair i has shown when it was drawn, with weight
`rate` for the newest, 0 before, and with the noise of so many shots a row: its contributions as
they were, or its outputs, contracted with the present cotangent. Printed is the variance (of the
draw and the shots, summed over the weights) over that without a baseline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import qrnn_qiskit as qrnn
from benchmarks.trainings import Instance
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.gradients.rules.random_occurrences import selection_probabilities
from qrnn_qiskit.learning.optimizers.adam import Adam

ROWS, STEPS, SETTLED = 100, 40, 10
SHOTS = (25, 1000)
RATES = (1.0, 0.3)


@dataclass(frozen=True)
class Point:
    """The pairs of rows at one step of the training.

    Attributes:
        slope: dL/dy `[T]` of the only sequence.
        change: `[pairs, T]` y(+) - y(-), 0 where an occurrence cannot matter.
        spread: `[pairs, T]` its variance at one shot a row.
        coefficient: `[pairs, P]`; a pair's contribution is that times slope times change.
        chance: `[pairs]` probabilities of a draw.
    """

    slope: Array
    change: Array
    spread: Array
    coefficient: Array
    chance: Array

    def contribution(self, change: Array) -> Array:
        """`[pairs, P]`."""
        found: Array = self.coefficient * (change @ self.slope)[:, None]
        return found


def trajectory(instance: Instance) -> Iterator[Point]:
    """Of a training with exact gradients."""
    optimizer = Adam(learning_rate=0.05)
    weights, state = instance.start, optimizer.init(len(instance.start))
    for _ in range(STEPS):
        plan = qrnn.ParameterShift().plan(instance.problem(weights))
        mean, covariance = instance.gaussian.moments(instance.unrolled, plan)
        mask = plan.masks[plan.mask[1::2]]
        variance = np.einsum("rtt->rt", covariance)
        coefficient = np.zeros((len(mask), len(weights)))
        plus = plan.term_row % 2 == 1
        pair = (plan.term_row[plus] - 1) // 2
        np.add.at(coefficient, (pair, plan.term_weight[plus]), plan.term_coefficient[plus])
        point = Point(
            2 * (mean[0] - instance.targets[0, :, 0]) / mean.shape[1],
            (mean[1::2] - mean[2::2]) * mask,
            (variance[1::2] + variance[2::2]) * mask,
            coefficient,
            selection_probabilities(plan),
        )
        yield point
        gradient = point.contribution(point.change).sum(axis=0)
        change, state = optimizer.update(gradient, state)
        weights = weights + change


def variance_ratio(shots: int, rate: float, seed: int, kept: str) -> float:
    """Variance with a baseline over that without, a geometric mean over the settled steps."""
    random = np.random.default_rng([seed, shots])
    instance = Instance("viqueira_emcz2", 8, False, seed)
    baseline: Array | None = None
    logs = []
    for step, point in enumerate(trajectory(instance)):
        value = point.contribution(point.change)
        shown = value if kept == "contributions" else point.change
        if baseline is None:
            baseline = np.zeros(shown.shape)
        known = baseline if kept == "contributions" else point.contribution(baseline)
        noise = point.coefficient**2 * (point.spread @ point.slope**2)[:, None] / shots
        if step >= SETTLED:
            logs.append(
                np.log(_variance(value - known, noise, point) / _variance(value, noise, point))
            )
        drawn = random.multinomial(ROWS // 2, point.chance)
        seen = drawn > 0
        error = np.sqrt(point.spread[seen] / shots / drawn[seen, None])
        measured = point.change.copy()
        measured[seen] += error * random.normal(size=error.shape)
        new = point.contribution(measured) if kept == "contributions" else measured
        baseline[seen] += rate * (new - baseline)[seen]
    return float(np.exp(np.mean(logs)))


def _variance(left: Array, noise: Array, point: Point) -> float:
    """Of the estimate from the draw and the shots, summed over the weights."""
    second = np.sum((left**2 + noise) / point.chance[:, None])
    return float(second - np.sum(left.sum(axis=0) ** 2)) / (ROWS // 2)


def main() -> None:
    """Print the table."""
    print("| kept | shots of a row | " + " | ".join(f"rate {rate}" for rate in RATES) + " |")
    print("| --- " * (2 + len(RATES)) + "|")
    for kept in ("contributions", "outputs"):
        for shots in SHOTS:
            cells = []
            for rate in RATES:
                found = [variance_ratio(shots, rate, seed, kept) for seed in range(3)]
                error = np.std(found, ddof=1) / np.sqrt(len(found))
                cells.append(f"{np.mean(found):.2f} ± {error:.2f}")
            print(f"| {kept} | {shots} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
