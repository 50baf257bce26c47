"""What a training's gradients say about its weights: dead ones, and ones lost in shot noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.run.measure.gradient import GradientResult
from qrnn_qiskit.run.measure.policy import Decision, Memory, average_factor, unbiased
from qrnn_qiskit.run.reporter import GradientReport

Mask = NDArray[np.bool_]


def gradient_report(
    names: Sequence[str],
    method: str,
    decision: Decision,
    result: GradientResult,
    memory: Memory,
) -> GradientReport:
    """How a step got its gradient.

    Args:
        names: of the weights.
        method: name of the decision's rule.
        decision: what was decided.
        result: what was found.
        memory: with the result in it.
    """
    error = result.gradient.standard_error
    step = getattr(decision.rule, "step", None)
    return GradientReport(
        method=method,
        step=step if isinstance(step, float) else None,
        shots=result.shots_total,
        rows=result.rows,
        error=None if error is None else float(np.linalg.norm(error)),
        reason=decision.reason,
        dead=_named(names, dead(memory)),
        in_noise=_named(names, in_noise(memory)),
        signal_to_noise=None if error is None else _rounded(signal_to_noise(memory)),
    )


def dead(memory: Memory) -> Mask:
    """`[P]` True for weights that have had no row and no gradient: nothing depends on them."""
    found: Mask = (memory["weight_shots"] == 0) & (memory["gradient"] == 0)
    return found


def in_noise(memory: Memory) -> Mask:
    """`[P]` True where the running mean of the gradient is smaller than its standard error."""
    found: Mask = (signal_to_noise(memory) < 1.0) & ~dead(memory) & (memory["variance"] > 0)
    return found


def signal_to_noise(memory: Memory) -> Array:
    """`[P]` size of the gradient's running mean over its standard error; 0 for dead weights."""
    error = np.sqrt(unbiased(memory, "variance") * average_factor(memory))
    size = np.abs(unbiased(memory, "gradient"))
    return np.divide(size, error, out=np.zeros_like(size), where=error > 0)


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(float(f"{value:.3g}") for value in values)


def summary(names: Sequence[str], memory: Memory) -> Mapping[str, Any]:
    """For people: dead weights, weights in noise, and the shots of each weight's rows."""
    if "weight_shots" not in memory:
        return {}
    shots = memory["weight_shots"]
    found: dict[str, Any] = {
        "dead_weights": list(_named(names, dead(memory))),
        "weights_in_noise": list(_named(names, in_noise(memory))),
    }
    if shots.any():
        found["shots_of_weights"] = [
            {"weight": name, "shots": int(count)} for name, count in zip(names, shots, strict=True)
        ]
    return found


def _named(names: Sequence[str], chosen: Mask) -> tuple[str, ...]:
    return tuple(name for name, one in zip(names, chosen, strict=True) if one)
