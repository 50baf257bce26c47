"""What a training that chooses its own shots can come to: fewest, likely, most."""

from __future__ import annotations

from typing import Any, Final

from qrnn_qiskit.run.setup import Setup

# Shots of 80 steps of `auto` over the fewest possible: median of docs/benchmarks/gradients.md.
LIKELY: Final = 3.7


def shot_range(
    setup: Setup, each: int, shots: int, seconds: float, per_shot: float
) -> dict[str, Any]:
    """`shots_fewest`, `shots_likely`, `shots_most`, and QPU seconds of the same on a device.

    Empty where all gradients get the same.

    Args:
        setup: of the job.
        each: shots of a gradient at most, with which `shots` counts.
        shots: of the job at most.
        seconds: on the device for these.
        per_shot: seconds; 0 on simulators.
    """
    policy, steps = setup.policy, setup.job.training.steps
    if setup.job.kind != "train" or policy is None or not policy.adaptive:
        return {}
    fewest, most = policy.total_range(setup.problem(setup.batch_size), steps)
    likely = min(round(LIKELY * fewest), most)
    found: dict[str, Any] = {}
    for name, count in (("fewest", fewest), ("likely", likely), ("most", most)):
        left_out = steps * each - count
        found[f"shots_{name}"] = shots - left_out
        if per_shot:
            found[f"qpu_seconds_{name}"] = round(seconds - per_shot * left_out, 1)
    return found
