"""How the shots of a gradient are shared out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.gradients.plan import EvaluationPlan, Rows, build_plan, forward_plan
from qrnn_qiskit.run.measure.shots import ShotPlan


def plan(sequences: int, shifted: int) -> EvaluationPlan:
    """A plan with so many base rows and shifted rows."""
    rows = np.arange(shifted)
    zeros = np.zeros(shifted, dtype=np.intp)
    return build_plan(
        np.zeros((1, 1)),
        np.zeros((sequences, 1, 1)),
        rows=Rows(zeros, zeros, zeros, np.zeros(shifted), zeros),
        masks=np.ones((1, 1), dtype=bool),
        terms=(rows, zeros, np.zeros(shifted)),
    )


def test_without_shots_the_plan_stays_exact() -> None:
    original = plan(2, 6)
    assert ShotPlan().apply(original) == (original, None)


def test_each_row_gets_its_shots() -> None:
    applied, shots = ShotPlan(100).apply(plan(2, 6))
    assert shots == 100
    assert applied.repeats.tolist() == [1] * 8


@pytest.mark.parametrize(("forward", "times"), [(100, 1), (300, 3), (260, 3), (240, 2), (7, 1)])
def test_base_rows_get_a_multiple_of_the_others_shots(forward: int, times: int) -> None:
    applied, shots = ShotPlan(100, forward=forward).apply(plan(2, 6))
    assert shots == 100
    assert applied.repeats.tolist() == [times] * 2 + [1] * 6


@given(
    sequences=st.integers(1, 5),
    shifted=st.integers(0, 40),
    total=st.integers(1, 20_000),
    forward=st.none() | st.integers(1, 3_000),
)
def test_a_total_is_never_exceeded_and_well_used(
    sequences: int, shifted: int, total: int, forward: int | None
) -> None:
    rows = sequences + shifted
    try:
        applied, shots = ShotPlan(total=total, forward=forward).apply(plan(sequences, shifted))
    except BackendError:
        base = 2 if forward is None else max(2, forward)
        assert total < sequences * base + 2 * shifted
        return
    assert shots is not None
    assert shots >= 2
    spent = shots * applied.total_repeats
    assert spent <= total
    assert len(set(applied.repeats[:sequences].tolist())) == 1
    assert np.all(applied.repeats[sequences:] == 1)
    if forward is None or forward <= total // rows or shifted == 0:
        assert shots == total // rows
    else:
        each_base = shots * int(applied.repeats[0])
        assert forward - shots < each_base <= forward
        assert shots == (total - sequences * forward) // shifted


def test_too_small_a_total_is_refused_with_what_it_takes() -> None:
    with pytest.raises(BackendError, match="shots_total = 15 is too few for 8 rows: at least 16,"):
        ShotPlan(total=15).apply(plan(2, 6))
    ShotPlan(total=16).apply(plan(2, 6))
    with pytest.raises(BackendError, match="at least 112,"):
        ShotPlan(total=111, forward=50).apply(plan(2, 6))
    applied, shots = ShotPlan(total=112, forward=50).apply(plan(2, 6))
    assert (shots, applied.repeats[0]) == (2, 25)


def test_a_forward_plan_has_base_rows_only() -> None:
    applied, shots = ShotPlan(total=90).apply(forward_plan(np.zeros(1), np.zeros((3, 1, 1))))
    assert (applied.num_rows, shots) == (3, 30)
