"""What a training's gradients say: dead weights, ones lost in shot noise, vanishing derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.run.measure.gradient import GradientResult
from qrnn_qiskit.run.measure.lags import far_over_near
from qrnn_qiskit.run.measure.policy import Decision, Memory, average_factor, unbiased
from qrnn_qiskit.run.reporter import GradientReport

Mask = NDArray[np.bool_]
VANISHING: Final = 0.01  # mean squared derivative far back over that nearby: a tenth in size


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
        far=None if result.lags is None else far(memory),
        vanishing=vanishing(memory),
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


def far(memory: Memory) -> tuple[float, float] | None:
    """Mean squared derivative of outputs by angles far back, over that by near ones, and its error.

    Far back is half a sequence or more. None if it is not known (see `lags`).
    """
    return far_over_near(memory["lags"]) if "lags" in memory else None


def vanishing(memory: Memory) -> bool | None:
    """Whether it is below `VANISHING` by two standard errors; None if it is not known."""
    found = far(memory)
    return None if found is None else found[0] + 2 * found[1] < VANISHING


def signal_to_noise(memory: Memory) -> Array:
    """`[P]` size of the gradient's running mean over its standard error; 0 for dead weights."""
    error = np.sqrt(unbiased(memory, "variance") * average_factor(memory))
    size = np.abs(unbiased(memory, "gradient"))
    return np.divide(size, error, out=np.zeros_like(size), where=error > 0)


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(float(f"{value:.3g}") for value in values)


def summary(names: Sequence[str], memory: Memory) -> Mapping[str, Any]:
    """For people: dead weights, weights in noise, vanishing derivatives, and shots by weight."""
    if "weight_shots" not in memory:
        return {}
    shots = memory["weight_shots"]
    found: dict[str, Any] = {
        "dead_weights": list(_named(names, dead(memory))),
        "weights_in_noise": list(_named(names, in_noise(memory))),
    }
    ratio = far(memory)
    if ratio is not None:
        found["far_over_near"], found["far_over_near_error"] = ratio
        found["vanishing"] = vanishing(memory)
    if shots.any():
        found["shots_of_weights"] = [
            {"weight": name, "shots": int(count)} for name, count in zip(names, shots, strict=True)
        ]
    return found


def _named(names: Sequence[str], chosen: Mask) -> tuple[str, ...]:
    return tuple(name for name, one in zip(names, chosen, strict=True) if one)
