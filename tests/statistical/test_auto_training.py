"""A whole training with `auto`: fewest shots at first, the unbiased rule near the minimum."""

from __future__ import annotations

import qrnn_qiskit as qrnn
from benchmarks.trainings import Case, Instance, train

STEPS = 150


def test_auto_changes_to_the_unbiased_rule_and_ends_as_low() -> None:
    """Two steps a sequence, where bias matters early; a fixed seed, so nothing is left to chance.

    Power: central differences with as many shots in all end at more than twice that loss.
    """
    task = ("takaki_1_2", 2, False, 0)
    instance = Instance(*task)
    rows = instance.rows(qrnn.FiniteDifference(step=0.5))
    auto = train(instance, Case(*task, "auto"), ceiling=400 * rows, num_steps=STEPS)
    assert set(auto["rules"]) == {"FiniteDifference", "ParameterShift"}
    each = auto["shots"] / STEPS

    def end(method: str) -> float:
        other = train(instance, Case(*task, method), num_steps=STEPS, to_the_end=True)
        assert abs(other["shots"] / auto["shots"] - 1) < 0.05
        return float(other["end"])

    assert auto["end"] < 1.1 * end(f"unbiased {each}")
    assert 2 * auto["end"] < end(f"difference 0.5 {each / rows}")
