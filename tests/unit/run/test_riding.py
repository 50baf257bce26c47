"""Evaluations that travel together: the same rows with no fewer shots, told apart again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.gradients.plan import forward_plan
from qrnn_qiskit.run.measure.evaluator import Call
from qrnn_qiskit.run.measure.riding import MOST_EXTRA, Rider, common_shots, join
from qrnn_qiskit.run.setup import Setup, make_setup
from tests.unit.run.small import make_job

CALL = Call("", ())


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return make_setup(make_job(tmp_path, gradient={"method": "parameter_shift"}))


@given(
    st.integers(1, 4000), st.lists(st.integers(1, 4000), min_size=1, max_size=3), st.integers(1, 40)
)
def test_one_count_serves_all(first: int, others: list[int], tiles: int) -> None:
    first, others = first * tiles, [each * tiles for each in others]
    count = common_shots(first, others, tiles)
    assert first % count == 0
    assert count % tiles == 0
    for each in others:
        assert -(-each // count) * count <= (1 + MOST_EXTRA) * each


@pytest.mark.parametrize(
    ("first", "others", "tiles", "count"),
    [
        (1000, [1000], 1, 1000),
        (600, [1000], 1, 200),
        (5, [1000], 1, 5),
        (7, [1000], 1, 7),  # 1001 shots
        (997, [1000], 1, 1),
        (58, [1015], 29, 58),  # 1044 shots
    ],
)
def test_the_count_is_the_largest_that_serves(
    first: int, others: list[int], tiles: int, count: int
) -> None:
    assert common_shots(first, others, tiles) == count


@pytest.mark.parametrize("shots", [(40, 40), (60, 100), (100, 60)])
def test_the_joint_plan_holds_the_rows_of_all(setup: Setup, shots: tuple[int, int]) -> None:
    problem = setup.problem(2)
    plan = setup.rule.plan(problem)  # type: ignore[union-attr]
    repeats = np.arange(plan.num_rows) % 3 + 1
    plan = plan.with_repeats(repeats)
    parts = [setup.splits.validation.features, setup.splits.test.features]
    joint = join(plan, shots[0], [Rider(part, shots[1], CALL) for part in parts], 1)
    assert joint is not None
    own = joint.plan
    alone = [plan, *(forward_plan(problem.weights, part) for part in parts)]
    angle_map = setup.unrolled.angle_map

    # Every row carries its angles as outputs, so that each part must get its own back.
    angles = own.angles(angle_map, slice(None))
    found = joint.split(Outputs(angles[:, :, None]))
    for one, each in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one.mean[:, :, 0], each.angles(angle_map, slice(None)))
    counts = joint.split(Outputs(np.zeros((own.num_rows, 1, 1)), own.repeats * joint.shots))
    np.testing.assert_array_equal(counts[0].count, repeats * shots[0])
    for one in counts[1:]:
        assert one.count is not None
        assert np.all((one.count >= shots[1]) & (one.count <= (1 + MOST_EXTRA) * shots[1]))

    # A plan like any other: unshifted rows first, terms at the rows that they had.
    np.testing.assert_array_equal(own.sequence[: own.num_sequences], np.arange(own.num_sequences))
    assert np.all(own.occurrence[: own.num_sequences] == -1)
    for name in ("sequence", "occurrence", "shift"):
        np.testing.assert_array_equal(
            getattr(own, name)[own.term_row], getattr(plan, name)[plan.term_row]
        )


def test_exact_values_have_nothing_to_share(setup: Setup) -> None:
    plan = setup.rule.plan(setup.problem(2))  # type: ignore[union-attr]
    features = setup.splits.validation.features
    assert join(plan, None, [Rider(features, None, CALL)], 1) is None
    assert join(plan, 100, [Rider(features, None, CALL)], 1) is None
    assert join(plan, 100, [], 1) is None
