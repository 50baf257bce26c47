"""Training of the readout alone: what is solved, left, paid and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit import ExactExecutor, evaluate
from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.run.cost.plan import plan_job
from qrnn_qiskit.run.jobs import run_job
from qrnn_qiskit.run.setup import make_setup
from tests.unit.run.small import history, make_job, write_job

RIDGE: dict[str, Any] = {
    "optimizer": {"name": "ridge"},
    "readout": {"output": "probabilities", "head": "linear", "max_scale": "none"},
    "loss": {"last": 2},
}


def test_readout_is_the_least_squares_solution_on_frozen_outputs(tmp_path: Path) -> None:
    tables = {**RIDGE, "optimizer": {"name": "ridge", "penalty": 0.0}}
    setup = make_setup(make_job(tmp_path, **tables))
    result = run_job(write_job(tmp_path, **tables), run_dir=tmp_path / "run")
    weights = json.loads((tmp_path / "run" / "weights.json").read_text())
    np.testing.assert_array_equal(weights["best"], setup.initial[:3])

    def samples(part: str) -> tuple[Any, Any]:
        data = getattr(setup.splits, part)
        outputs = evaluate(
            setup.unrolled,
            setup.initial[:3],
            data.features,
            executor=ExactExecutor(),
            output="probabilities",
        )
        # Two probabilities that sum to one: the first and a constant say the same.
        first = outputs.mean[:, 1:, :1].reshape(-1, 1)
        return np.column_stack([first, np.ones(len(first))]), data.targets[:, 1:].reshape(-1, 1)

    inputs, targets = samples("train")
    solution, residual, *_ = np.linalg.lstsq(inputs, targets, rcond=None)
    others, wanted = samples("test")
    expected = np.sqrt(np.mean((others @ solution - wanted) ** 2))
    assert result.table[0]["rmse"] == pytest.approx(expected, rel=1e-6)
    assert history(tmp_path / "run")[0]["loss"] == pytest.approx(residual[0] / 12, rel=1e-6)
    assert result.summary["reason"] == "readout solved in closed form"
    readout = json.loads((tmp_path / "run" / "readout.json").read_text())
    assert readout["part"] == "validation"
    assert readout["effective_coefficients"] == pytest.approx(2.0)
    assert set(readout["coefficients"]) == {"matrix[0,0]", "matrix[0,1]", "bias"}
    held, truth = samples("validation")
    correlation = np.corrcoef((held @ solution)[:, 0], truth[:, 0])[0, 1] ** 2
    assert readout["capacity"] == pytest.approx(correlation, rel=1e-6)


def test_sequences_are_measured_once_and_the_plan_says_so(tmp_path: Path) -> None:
    tables = {**RIDGE, "backend": {"shots": 50}}
    plan = plan_job(make_setup(make_job(tmp_path, **tables)))
    assert (plan["shots_total"], plan["rows_per_gradient"], plan["jobs"]) == (50 * 11, 0, 3)
    result = run_job(write_job(tmp_path, **tables), run_dir=tmp_path / "run")
    assert result.summary["shots"] == 550
    arrays = np.load(tmp_path / "run" / "predictions.npz")
    assert np.all(arrays["standard_error"] > 0.0)
    again = run_job(write_job(tmp_path, **tables), run_dir=tmp_path / "again")
    assert again.table == result.table


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"readout": {"head": "scale", "output": "z"}}, 'set readout.head = "linear"'),
        ({"readout": {**RIDGE["readout"], "max_scale": 10.0}}, 'readout.max_scale = "none"'),
        (
            {"readout": {**RIDGE["readout"], "train_bias": False}},
            "leave readout.train_scale and readout.train_bias true",
        ),
    ],
)
def test_refused_before_anything_is_made(
    changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    job = write_job(tmp_path, **{**RIDGE, **changed})
    with pytest.raises(SpecError) as error:
        run_job(job, run_dir=tmp_path / "run")
    assert message in str(error.value)
    assert not (tmp_path / "run").exists()
