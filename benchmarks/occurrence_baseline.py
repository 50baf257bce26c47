"""Does a baseline make random occurrences cheaper? `python -m benchmarks.occurrence_baseline`.

Along a training of `viqueira_emcz2` with 8 steps by exact gradients (Adam, learning rate 0.05),
`random_occurrences` with 100 rows is drawn anew at each step. With G_i a pair's contribution and
p_i its probability, the estimate from n drawn pairs with a baseline C_i that was known before is

    sum_i C_i + 1/n sum_drawn (G_i - C_i) / p_i,

unbiased for any C. Here C_i is the mean of what pair i has shown when it was drawn, with weight
`rate` for the newest, 0 before; contributions carry the shot noise of so many shots a row. Printed
is the variance (of the draw and the shots, summed over the weights) over that without a baseline.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import qrnn_qiskit as qrnn
from benchmarks.trainings import Instance
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.gradients.rules.random_occurrences import selection_probabilities
from qrnn_qiskit.learning.optimizers.adam import Adam

ROWS, STEPS, SETTLED = 100, 60, 10
SHOTS = (25, 250, 2500)
RATES = (1.0, 0.5, 0.2)


def trajectory(instance: Instance) -> Iterator[tuple[Array, Array, Array]]:
    """At each step contributions `[pairs, P]`, their variances at one shot, probabilities."""
    optimizer = Adam(learning_rate=0.05)
    weights, state = instance.start, optimizer.init(len(instance.start))
    for _ in range(STEPS):
        plan = qrnn.ParameterShift().plan(instance.problem(weights))
        mean, covariance = instance.gaussian.moments(instance.unrolled, plan)
        base = plan.num_sequences
        slope = 2 * (mean[:base, :, None] - instance.targets) / mean[:base].size
        weighted = plan.weighted(slope)[:, :, 0]
        values = np.einsum("rt,rt->r", weighted, mean)
        variances = np.einsum("rt,rts,rs->r", weighted, covariance, weighted)
        pairs = (plan.num_rows - base) // 2
        contribution = np.zeros((pairs, len(weights)))
        noise = np.zeros((pairs, len(weights)))
        pair = (plan.term_row - base) // 2
        np.add.at(
            contribution,
            (pair, plan.term_weight),
            plan.term_coefficient * values[plan.term_row],
        )
        np.add.at(
            noise, (pair, plan.term_weight), plan.term_coefficient**2 * variances[plan.term_row]
        )
        yield contribution, noise, selection_probabilities(plan)
        change, state = optimizer.update(contribution.sum(axis=0), state)
        weights = weights + change


def variance_ratio(shots: int, rate: float, seed: int) -> float:
    """Variance with a baseline over that without, a geometric mean over the settled steps."""
    random = np.random.default_rng([seed, shots])
    instance = Instance("viqueira_emcz2", 8, False, seed)
    baseline: Array | None = None
    logs = []
    for step, (value, noise, chance) in enumerate(trajectory(instance)):
        if baseline is None:
            baseline = np.zeros(value.shape)
        drawn = random.multinomial(ROWS // 2, chance)

        def variance(left: Array, noise: Array = noise, chance: Array = chance) -> float:
            second = np.sum((left**2 + noise / shots) / chance[:, None])
            return float((second - np.sum(left.sum(axis=0) ** 2)) / (ROWS // 2))

        if step >= SETTLED:
            logs.append(np.log(variance(value - baseline) / variance(value)))
        seen = drawn > 0
        spread = np.sqrt(noise[seen] / shots / drawn[seen, None])
        measured = value[seen] + spread * random.normal(size=spread.shape)
        baseline[seen] += rate * (measured - baseline[seen])
    return float(np.exp(np.mean(logs)))


def main() -> None:
    """Print the table."""
    print("| shots of a row | " + " | ".join(f"rate {rate}" for rate in RATES) + " |")
    print("| --- " * (1 + len(RATES)) + "|")
    for shots in SHOTS:
        cells = []
        for rate in RATES:
            found = [variance_ratio(shots, rate, seed) for seed in range(3)]
            error = np.std(found, ddof=1) / np.sqrt(len(found))
            cells.append(f"{np.mean(found):.2f} ± {error:.2f}")
        print(f"| {shots} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
