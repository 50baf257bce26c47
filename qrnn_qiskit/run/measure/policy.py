"""How each step of a training measures its gradient: rule, shots and shares, from what is recorded.

Decisions depend on the memory alone, which is part of the checkpoint and made of recorded results:
a resumed training decides as the interrupted one did. Axes: B sequences, T steps, K output values
per step, P weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np

from qrnn_qiskit.angle_map import Array, Index
from qrnn_qiskit.gradients.allocation import FORWARD_SHARE
from qrnn_qiskit.gradients.choice import choose
from qrnn_qiskit.gradients.problem import GradientProblem, GradientRule
from qrnn_qiskit.gradients.rules.finite_difference import FiniteDifference
from qrnn_qiskit.gradients.rules.parameter_shift import ParameterShift
from qrnn_qiskit.run.measure.gradient import Adjoint, GradientResult
from qrnn_qiskit.run.measure.known import remembered
from qrnn_qiskit.run.measure.progress import MEMORY, PATIENCE, progress
from qrnn_qiskit.run.measure.shots import ShotPlan

Memory = dict[str, Array]

DECAY: Final = 0.9  # of the running means: they look back over some ten steps
START: Final = 7  # shots of a row, as long as the loss falls
GROWTH: Final = 2.0  # of the shots, where the loss has stopped falling
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
        adaptive: start with START shots a row, and take GROWTH times as many, up to `shots`, each
            time that the loss has stopped falling (`progress`) with what there are.
    """

    rule: GradientRule | None
    shots: ShotPlan
    adaptive: bool

    def decide(
        self, problem: GradientProblem, memory: Memory, sequences: Index | None = None
    ) -> Decision:
        """How to measure the next gradient.

        Args:
            problem: the point, and the step's sequences.
            memory: of the training so far.
            sequences: `[B]` which ones of the training they are; None for all, in order.
        """
        shots = self._informed(memory, sequences)
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

    def _informed(self, memory: Memory, sequences: Index | None) -> ShotPlan:
        """The job's shots, with what is known of the best shares."""
        if "seen" not in memory or self.shots.allocation != "optimal":
            return self.shots
        forward, shifted = np.sqrt(memory["forward"]), np.sqrt(memory["shifted"])
        share = float(forward / (forward + shifted)) if shifted > 0 else FORWARD_SHARE
        share = min(max(share, SHARE_LIMITS[0]), SHARE_LIMITS[1])
        return replace(self.shots, spread=spread_of(memory, sequences), share=share)

    def total_range(self, problem: GradientProblem, steps: int) -> tuple[int, int]:
        """Fewest and most shots that the gradients of a training can take together.

        Raises are PATIENCE steps apart at least.
        """
        floor, ceiling = self._limits(problem)
        times = GROWTH ** (np.arange(steps) // PATIENCE)
        return floor * steps, int(np.minimum(np.round(floor * times), ceiling).sum())

    def _limits(self, problem: GradientProblem) -> tuple[int, int]:
        """Fewest and most shots of a gradient."""
        ceiling = self.shots.total or (self.shots.per_row or 0) * _rows(ParameterShift(), problem)
        if self.rule is not None and self.shots.per_row is not None:
            ceiling = self.shots.per_row * _rows(self.rule, problem)
        if not self.adaptive:
            return ceiling, ceiling
        floor = START * _rows(self.rule or FiniteDifference(), problem)
        return min(floor, ceiling), ceiling

    def _total(self, problem: GradientProblem, memory: Memory) -> tuple[int, str]:
        """Shots of the next gradient, and why so many."""
        floor, ceiling = self._limits(problem)
        if not self.adaptive:
            return ceiling, ""
        if floor >= ceiling:
            return ceiling, "all shots: few for the rows"
        if "asked" not in memory:
            return floor, "fewest shots to start with"
        asked = min(max(int(memory["asked"]), floor), ceiling)
        if asked == ceiling:
            return ceiling, "all shots"
        stalled, seen = progress(memory["losses"])
        if stalled:
            return min(round(GROWTH * asked), ceiling), f"{seen}: more shots"
        return asked, f"{seen}: as many shots"


def learn(
    memory: Memory,
    result: GradientResult,
    asked: int | None = None,
    sequences: Index | None = None,
    num_sequences: int | None = None,
) -> Memory:
    """The memory after a gradient.

    Args:
        memory: before it; empty at the start.
        result: the gradient.
        asked: the total of the decision, if it had one; with another, losses are seen anew.
        sequences: `[B]` which ones of the training it was measured on; None for all, in order.
        num_sequences: of the training, where `sequences` is given.
    """
    error, cost = result.gradient.standard_error, result.cost
    if error is None or cost is None:
        error, cost = np.zeros(len(result.gradient.mean)), None
    new = {"gradient": result.gradient.mean, "variance": error**2}
    if cost is not None:
        variance = float(new["variance"].sum())
        # Shots that serve both factors may make the whole smaller than the shifted rows' part.
        forward = min(max(cost.forward_variance, 0.0), 0.99 * variance)
        new |= {
            "forward": np.asarray(forward * cost.forward_shots),
            "shifted": np.asarray((variance - forward) * (result.shots_total - cost.forward_shots)),
        }
    running = {
        name: DECAY * memory.get(name, np.zeros(())) + (1 - DECAY) * value
        for name, value in new.items()
    }
    spent = np.zeros(()) if cost is None else cost.weight_shots
    total = np.asarray(float(asked or 0))
    loss_error = result.loss.standard_error
    loss = [float(result.loss.mean), 0.0 if loss_error is None else float(loss_error) ** 2]
    seen = memory.get("losses", np.empty((0, 2)))
    seen = seen if total == memory.get("asked", total) else seen[:0]
    if cost is not None:
        running |= _spread(memory, cost.spread, sequences, num_sequences)
    if result.differences is not None:
        known = remembered(memory.get("known"), result.differences, sequences, num_sequences)
        running |= {} if known is None else {"known": known}
    lags = result.lags if result.lags is not None else memory.get("lags")
    return {
        **running,
        **({} if lags is None else {"lags": lags}),
        "asked": total,
        "losses": np.concatenate([seen, [loss]])[-MEMORY:],
        "steps": memory.get("steps", np.zeros(())) + 1,
        "weight_shots": memory.get("weight_shots", np.zeros(len(error))) + spent,
    }


def _spread(
    memory: Memory, found: Array, sequences: Index | None, num_sequences: int | None
) -> Memory:
    """The spread of each sequence of the training, as a running mean over the steps with it."""
    which = np.arange(len(found)) if sequences is None else sequences
    size = len(found) if num_sequences is None else num_sequences
    spread = memory.get("spread", np.zeros((size, *found.shape[1:]))).copy()
    seen = memory.get("seen", np.zeros(size)).copy()
    spread[which] = DECAY * spread[which] + (1 - DECAY) * found
    seen[which] += 1
    return {"spread": spread, "seen": seen}


def spread_of(memory: Memory, sequences: Index | None = None) -> Array:
    """What is known of some sequences' spread, `[B, T, K]`; the mean of the others for a new one.

    Args:
        memory: with a spread in it.
        sequences: `[B]`; None for all.
    """
    seen = memory["seen"]
    weight = 1 - DECAY ** seen[:, None, None]
    known = seen > 0
    each = memory["spread"] / np.where(weight > 0, weight, 1.0)
    each[~known] = each[known].mean(axis=0)
    return each if sequences is None else each[sequences]


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
