"""Rules for the shots of `auto`, compared on many trainings: `python -m benchmarks.shots_of_auto`.

Trainings as those of `gradients.py`, with seeds of their own (100 and up), all with central
differences, and all of a configuration at once on the exact engine, in a tenth of the time. For
that the steps of a row get independent errors, normal with the exact variance, where
`gaussian_shots` has the exact covariance. Each stops at the target.

A rule counts as in `gradients.py`: shots to the target, three times all shots where a training does
not get there; here over those of a constant 10 a row, geometric mean over trainings and
configurations, and the share of trainings that do not get there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

import qrnn_qiskit as qrnn
from benchmarks.trainings import CEILING, RATE, STEPS, WINDOW, Case, Instance, target_of, train
from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.gradients.allocation import MIN_SHOTS
from qrnn_qiskit.gradients.choice import LARGEST_STEP
from qrnn_qiskit.run.measure.policy import AVERAGED, DECAY, SHARE_LIMITS
from qrnn_qiskit.run.measure.progress import MEMORY, PATIENCE, line

PENALTY: Final = 3
CONFIGURATIONS: Final = (
    ("parity2", 4, False),
    ("parity2", 8, False),
    ("crx", 4, False),
    ("crx", 8, False),
    ("crx", 16, False),
    ("takaki_1_2", 4, False),
    ("takaki_1_2", 8, True),
    ("viqueira_emcz2", 8, False),
)


@dataclass(frozen=True)
class Rule:
    """How many shots a step gets.

    Attributes:
        start: shots of a row at first.
        rise: standard errors by which a line through the losses must rise; None for never.
        growth: of the shots then.
        wanted: part of the loss by which it must fall in the steps left, as the line goes.
        at_end: the fewest shots at the last step over `start`, growing geometrically; noise that
            contracts with the loss asks for shots that grow as its inverse root.
    """

    start: float
    rise: float | None = None
    growth: float = 2.0
    wanted: float = 0.0
    at_end: float = 1.0

    def shots(self, step: int, before: float, losses: list[tuple[float, float]]) -> float:
        """Of a row at a step; `losses` are those seen with the shots of the step before."""
        now: float = max(before, self.start * self.at_end ** (step / STEPS))
        if self.rise is None or len(losses) < PATIENCE:
            return now
        last = np.array(losses[-MEMORY:])
        slope, error = line(last)
        level = max(last[:, 0].mean() + slope * (len(last) - 1) / 2, 0.0)
        stalled = slope + self.wanted * level / max(STEPS - step, 1) > self.rise * error
        return self.growth * now if stalled else now


RULES: Final = {
    "5 shots": Rule(5),
    "10 shots": Rule(10),
    "20 shots": Rule(20),
    "40 shots": Rule(40),
    "from 5, rise 0.7 (the rule before)": Rule(5, 0.7),
    "from 8, rise 0.7": Rule(8, 0.7),
    "from 6, rise 0.3": Rule(6, 0.3),
    "from 7, rise 0.3 (chosen)": Rule(7, 0.3),
    "from 8, rise 0.3": Rule(8, 0.3),
    "from 8, rise 0": Rule(8, 0.0),
    "from 8, rise 0.7, four times as many": Rule(8, 0.7, growth=4.0),
    "from 6, rise 0.3, or too slow to halve in the steps left": Rule(6, 0.3, wanted=0.5),
    "from 8, rise 0, or too slow to halve in the steps left": Rule(8, 0.0, wanted=0.5),
    "from 8, rise 0.7, or too slow, four times as many": Rule(8, 0.7, growth=4.0, wanted=0.5),
    "growing eightfold from 5": Rule(5, at_end=8.0),
    "growing fourfold from 6, rise 0.7": Rule(6, 0.7, at_end=4.0),
}


class Trainings:
    """All trainings of a configuration: every seed with every rule."""

    def __init__(self, configuration: tuple[str, int, bool], seeds: range) -> None:
        """Make the instances and find their targets."""
        self.instances = [Instance(*configuration, seed) for seed in seeds]
        first = self.instances[0]
        self.batch, self.steps = first.features.shape[:2]
        self.size = len(first.start)
        self.rows = first.rows(qrnn.FiniteDifference(step=0.5))
        self.live = (self.rows // self.batch - 1) // 2
        self.target = np.array(
            [
                target_of(train(one, Case(*configuration, seed, "exact")))
                for one, seed in zip(self.instances, seeds, strict=True)
            ]
        )
        # Angles are weights times a matrix, and what is encoded.
        angles = first.unrolled.angle_map.angles
        zero = np.zeros(self.size)
        self.encoded = np.array(
            [one.unrolled.angle_map.angles(zero, one.features) for one in self.instances]
        )
        unit = np.eye(self.size)
        self.by_weight = np.array(
            [angles(unit[p], first.features)[0] - self.encoded[0][0] for p in range(self.size)]
        )

    def outputs(self, weights: Array, instance: Index) -> Array:
        """Exact outputs `[N, B, T]` at weights `[N, P]` of some instances `[N]`."""
        angles = self.encoded[instance] + (weights @ self.by_weight)[:, None]
        flat = angles.reshape(-1, angles.shape[-1])
        exact, unrolled = self.instances[0].exact, self.instances[0].unrolled
        parts = [  # a few hundred rows stay in the cache
            exact.forward(unrolled, flat[i : i + 400], "z") for i in range(0, len(flat), 400)
        ]
        return np.concatenate(parts)[:, :, 0].reshape(len(weights), self.batch, self.steps)

    def differences(
        self, weights: Array, instance: Index, steps: Array
    ) -> tuple[Array, Array, Array]:
        """Outputs `[N, B, T]`, and `[N, P, B, T]` at plus and minus the step of each weight."""
        count, size = weights.shape
        points = np.repeat(weights[:, None], 2 * size + 1, axis=1)
        every = np.arange(size)
        points[:, 1 + every, every] += steps[:, None]
        points[:, 1 + size + every, every] -= steps[:, None]
        found = self.outputs(points.reshape(-1, size), np.repeat(instance, 2 * size + 1))
        found = found.reshape(count, 2 * size + 1, self.batch, self.steps)
        return found[:, 0], found[:, 1 : size + 1], found[:, size + 1 :]

    def run(self, rules: list[Rule], seed: int) -> tuple[Array, Array]:
        """Shots `[rules, seeds]`, to the target or in all, and whether the target was reached."""
        seeds = len(self.instances)
        instance = np.tile(np.arange(seeds), len(rules))
        rule = np.repeat(np.arange(len(rules)), seeds)
        count = len(rule)
        random = np.random.default_rng([seed, len(rules), seeds])
        weights = np.array([self.instances[i].start for i in instance])
        targets = np.array([self.instances[i].targets[:, :, 0] for i in instance])
        mean, square = np.zeros((2, count, self.size))
        asked, paid = np.zeros(count), np.zeros(count)
        forward, shifted = np.zeros((2, count))  # running variances of one shot
        seen: list[list[tuple[float, float]]] = [[] for _ in range(count)]
        exact: list[list[float]] = [[] for _ in range(count)]
        got = np.zeros(count, dtype=bool)
        still = np.arange(count)
        scale = 2 / (self.batch * self.steps)
        for step in range(STEPS + 1):
            here = weights[still]
            share = np.full(len(still), 0.1)
            if step:
                roots = np.sqrt(forward[still]), np.sqrt(shifted[still])
                share = np.clip(roots[0] / (roots[0] + roots[1]), *SHARE_LIMITS)
            for i in still:
                more = rules[rule[i]].shots(step, asked[i], seen[i])
                if more > asked[i] * 1.5:  # seen anew, as `learn` does
                    seen[i] = []
                asked[i] = more
            total = np.minimum(asked[still], CEILING) * self.rows
            each = np.floor(total * (1 - share) / (2 * self.live * self.batch))
            each = np.maximum(each, MIN_SHOTS)
            base = np.maximum(total / self.batch - 2 * self.live * each, MIN_SHOTS)
            widths = (18 * self.live / (AVERAGED * total * (1 - share))) ** (1 / 6)
            widths = np.minimum(widths, LARGEST_STEP)
            y, plus, minus = self.differences(here, instance[still], widths)
            if step:
                arrived = np.zeros(len(still), dtype=bool)
                for k, i in enumerate(still):
                    exact[i].append(float(np.mean((y[k] - targets[i]) ** 2)))
                    last = exact[i][-WINDOW:]
                    enough = len(last) == WINDOW and np.mean(last) <= self.target[instance[i]]
                    arrived[k] = got[i] = enough
                stay = ~arrived
                still, y, plus, minus = still[stay], y[stay], plus[stay], minus[stay]
                each, base, widths = each[stay], base[stay], widths[stay]
            if step == STEPS or not len(still):
                break
            of_base = (1 - y**2) / base[:, None, None]
            of_rows = (2 - plus**2 - minus**2) / each[:, None, None, None]
            measured = y + random.normal(size=y.shape) * np.sqrt(of_base)
            change = plus - minus + random.normal(size=plus.shape) * np.sqrt(of_rows)
            left = measured - targets[still]
            twice = 2 * widths[:, None]
            gradient = np.einsum("nbt,npbt->np", scale * left, change) / twice
            slopes = scale * (plus - minus) / twice[:, :, None, None]
            noise = np.einsum("nbt,npbt->n", (scale * left) ** 2, of_rows) / twice[:, 0] ** 2
            first = np.einsum("npbt,nbt->n", slopes**2, of_base) * base * self.batch
            second = noise * each * 2 * self.live * self.batch
            forward[still] = DECAY * forward[still] + (1 - DECAY) * first
            shifted[still] = DECAY * shifted[still] + (1 - DECAY) * second
            loss = (left**2 - of_base).mean(axis=(1, 2))
            error = (scale**2 * (left**2 * of_base + of_base**2 / 2)).sum(axis=(1, 2))
            for k, i in enumerate(still):
                seen[i].append((float(loss[k]), float(error[k])))
            paid[still] += (each * 2 * self.live + base) * self.batch
            mean[still] = 0.9 * mean[still] + 0.1 * gradient
            square[still] = 0.999 * square[still] + 0.001 * gradient**2
            root = np.sqrt(square[still] / (1 - 0.999 ** (step + 1)))
            weights[still] -= RATE * mean[still] / (1 - 0.9 ** (step + 1)) / (root + 1e-8)
        shape = len(rules), seeds
        return paid.reshape(shape), got.reshape(shape)


def table(seeds: range) -> Iterator[str]:
    """The comparison, as Markdown."""
    names = list(RULES)
    logs: dict[str, list[float]] = {name: [] for name in names}
    missed = dict.fromkeys(names, 0)
    for number, configuration in enumerate(CONFIGURATIONS):
        shots, got = Trainings(configuration, seeds).run(list(RULES.values()), number)
        cost = np.log(np.where(got, shots, PENALTY * shots))
        ten = names.index("10 shots")
        for place, name in enumerate(names):
            either = got[place] | got[ten]
            logs[name] += (cost[place] - cost[ten])[either].tolist()
            missed[name] += int(np.sum(~got[place]))
    yield "| shots of a row | shots over those of 10 a row | do not get there |"
    yield "| --- | --- | --- |"
    trainings = len(CONFIGURATIONS) * len(seeds)
    for name in names:
        ratio, error = np.exp(np.mean(logs[name])), np.std(logs[name], ddof=1)
        error *= ratio / np.sqrt(len(logs[name]))
        yield f"| {name} | {ratio:.2f} ± {error:.2f} | {100 * missed[name] / trainings:.0f} % |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=12)
    print("\n".join(table(range(100, 100 + parser.parse_args().seeds))))


if __name__ == "__main__":
    main()
