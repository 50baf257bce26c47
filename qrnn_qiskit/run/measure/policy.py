"""How each step of a training measures its gradient: rule, shots and shares, from what is recorded.

Decisions depend on the memory alone, which is part of the checkpoint and made of recorded results:
a resumed training decides as the interrupted one did. Axes: B sequences, T steps, K output values
per step, P weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.gradients.allocation import FORWARD_SHARE, MIN_SHOTS
from qrnn_qiskit.gradients.choice import choose
from qrnn_qiskit.gradients.problem import GradientProblem, GradientRule
from qrnn_qiskit.gradients.rules.finite_difference import FiniteDifference
from qrnn_qiskit.gradients.rules.parameter_shift import ParameterShift
from qrnn_qiskit.run.measure.gradient import Adjoint, GradientResult
from qrnn_qiskit.run.measure.shots import ShotPlan

Memory = dict[str, Array]

DECAY: Final = 0.9  # of the running means: they look back over some ten steps
NOISE: Final = 10.0  # the variance of a gradient may be so many times its square
GROWTH: Final = 1.15  # of the shots, from one step to the next
AVERAGED: Final = 3.0  # gradients over which noise averages out and bias does not
SHARE_LIMITS: Final = (0.02, 0.4)  # of all shots, for the base rows


@final
@dataclass(frozen=True, slots=True)
class Decision:
    """How one gradient is measured.

    Attributes:
        rule: the rule.
        shots: how many, and how they are shared out.
        reason: in a few words; empty if the job leaves no choice.
    """

    rule: GradientRule | Adjoint
    shots: ShotPlan
    reason: str = ""


@final
@dataclass(frozen=True, slots=True)
class Policy:
    """Decides and learns.

    Attributes:
        rule: the job's rule; None to choose one at each step.
        shots: of the job; the most a gradient gets if `adaptive`.
        adaptive: take as few shots as the gradient's size allows. With the running mean G of the
            gradient and V of its variance times shots, N = V / (NOISE |G|²), from MIN_SHOTS a row
            to `shots`, changing by a factor of GROWTH at most. It is the rule of gCANS (A. Gu et
            al., arXiv:2108.10434) for a learning rate times curvature of 1 / NOISE.
    """

    rule: GradientRule | None
    shots: ShotPlan
    adaptive: bool

    def decide(self, problem: GradientProblem, memory: Memory) -> Decision:
        """How to measure the next gradient."""
        shots = self._informed(memory)
        if self.rule is not None and not self.adaptive:
            return Decision(self.rule, shots)
        total, reason = self._total(problem, memory)
        shots = replace(shots, per_row=None, total=total)
        if self.rule is not None:
            return Decision(self.rule, shots, reason)
        choice = choose(
            problem,
            int(total * (1 - shots.share)),
            spread=shots.spread,
            averaged=AVERAGED,
        )
        reasons = [choice.reason, reason] if reason else [choice.reason]
        return Decision(choice.rule, shots, "; ".join(reasons))

    def _informed(self, memory: Memory) -> ShotPlan:
        """The job's shots, with what is known of the best shares."""
        if "spread" not in memory or self.shots.allocation != "optimal":
            return self.shots
        forward, shifted = np.sqrt(memory["forward"]), np.sqrt(memory["shifted"])
        share = float(forward / (forward + shifted)) if shifted > 0 else FORWARD_SHARE
        share = min(max(share, SHARE_LIMITS[0]), SHARE_LIMITS[1])
        return replace(self.shots, spread=unbiased(memory, "spread"), share=share)

    def _total(self, problem: GradientProblem, memory: Memory) -> tuple[int, str]:
        """Shots of the next gradient, and why so many."""
        ceiling = self.shots.total or (self.shots.per_row or 0) * _rows(ParameterShift(), problem)
        if self.rule is not None and self.shots.per_row is not None:
            ceiling = self.shots.per_row * _rows(self.rule, problem)
        if not self.adaptive:
            return ceiling, ""
        floor = int(
            MIN_SHOTS * _rows(self.rule or FiniteDifference(), problem) / (1 - SHARE_LIMITS[1])
        )
        if floor >= ceiling:
            return ceiling, "all shots: few for the rows"
        if "last_shots" not in memory:
            return floor, "fewest shots to start with"
        noise = float(memory["variance"].sum()) * average_factor(memory)
        square = float(np.sum(unbiased(memory, "gradient") ** 2))
        noise /= 1 - DECAY ** float(memory["steps"])
        signal = max(square - noise, noise)
        wanted = float(unbiased(memory, "work")) / (NOISE * signal) if signal > 0 else ceiling
        last = float(memory["last_shots"])
        total = int(min(max(wanted, last / GROWTH, floor), last * GROWTH, ceiling))
        ratio = f"signal² / noise {square / noise:.2g}" if noise > 0 else "no noise"
        if total == ceiling:
            return total, f"{ratio}: all shots"
        return max(total, floor), f"{ratio}: {'more' if total > last else 'fewer'} shots"


def learn(memory: Memory, result: GradientResult, same_sequences: bool) -> Memory:
    """The memory after a gradient.

    Args:
        memory: before it; empty at the start.
        result: the gradient.
        same_sequences: every step sees the same sequences, so that what is known of one holds.
    """
    error, cost = result.gradient.standard_error, result.cost
    if error is None or cost is None:
        error, cost = np.zeros(len(result.gradient.mean)), None
    new = {"gradient": result.gradient.mean, "variance": error**2}
    if cost is not None:
        variance = float(new["variance"].sum())
        # Shots that serve both factors may make the whole smaller than the shifted rows' part.
        forward = min(max(cost.forward_variance, 0.0), 0.99 * variance)
        spread = cost.spread if same_sequences else cost.spread.mean(axis=0)
        new |= {
            "work": np.asarray(variance * result.shots_total),
            "forward": np.asarray(forward * cost.forward_shots),
            "shifted": np.asarray((variance - forward) * (result.shots_total - cost.forward_shots)),
            "spread": spread,
        }
    running = {
        name: DECAY * memory.get(name, np.zeros(())) + (1 - DECAY) * value
        for name, value in new.items()
    }
    spent = np.zeros(()) if cost is None else cost.weight_shots
    return {
        **running,
        "steps": memory.get("steps", np.zeros(())) + 1,
        "last_shots": np.asarray(float(result.shots_total)),
        "weight_shots": memory.get("weight_shots", np.zeros(len(error))) + spent,
    }


def unbiased(memory: Memory, name: str) -> Array:
    """A running mean, which starts at zero, without that start."""
    found: Array = memory[name] / (1 - DECAY ** float(memory["steps"]))
    return found


def average_factor(memory: Memory) -> float:
    """Variance of a running mean of independent numbers, in that of one."""
    left: float = DECAY ** float(memory["steps"])
    return (1 - DECAY) / (1 + DECAY) * (1 + left) / (1 - left)


def _rows(rule: GradientRule, problem: GradientProblem) -> int:
    return rule.plan(problem).total_repeats
