"""What `--json` prints is one document, and its numbers are those of the Python functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qrnn_qiskit
from qrnn_qiskit import (
    ExactExecutor,
    FiniteDifference,
    ParameterShift,
    UnrolledCircuit,
    load_cell,
    unroll,
)
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.run.jobs import run_job
from qrnn_qiskit.spec import job_from_dict, job_to_dict, load_job
from tests.integration.conftest import Command
from tests.unit.run.small import arrays, contents, history, write_data, write_job

WEIGHTS = [0.3, -1.2, 2.1]
DATA = arrays()
SERIES_ROWS = 60


@pytest.fixture
def unrolled(tmp_path: Path) -> UnrolledCircuit:
    write_job(tmp_path)
    return unroll(load_cell(tmp_path / "cell.qasm"), num_steps=3)


def write_series(path: Path, low: float = 20.0, rows: int = SERIES_ROWS) -> Array:
    """A wave between `low` and `low + 8` with a little trend."""
    time = np.arange(rows)
    values: Array = low + 4.0 + 4.0 * np.sin(0.7 * time) * (1 - 0.3 * time / SERIES_ROWS)
    lines = ["date,temperature", *(f"m{i},{float(v)!r}" for i, v in enumerate(values))]
    path.write_text("\n".join(lines) + "\n")
    return values


SERIES = {"window": 3, "scale": "minmax", "range": [-0.9, 0.9], "split": [0.6, 0.2, 0.2]}


def series_job(folder: Path, **tables: Any) -> Path:
    """A job on a scaled series, in the folder of the data."""
    write_series(folder / "series.csv")
    write_job(folder, **tables)
    text = (folder / "job.toml").read_text()
    data = "\n".join(f"data.{key} = {json.dumps(value)}" for key, value in SERIES.items())
    kept = [line for line in text.splitlines() if not line.startswith("data.")]
    job = folder / "job.toml"
    job.write_text("\n".join([*kept, 'data.file = "series.csv"', data]) + "\n")
    return job


def exact(unrolled: UnrolledCircuit, weights: Any, features: Array) -> Array:
    return qrnn_qiskit.evaluate(unrolled, weights, features, executor=ExactExecutor()).mean


def test_evaluate(qrnn: Command, unrolled: UnrolledCircuit, tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", WEIGHTS)
    (tmp_path / "w.json").write_text(json.dumps(WEIGHTS))
    np.savez(tmp_path / "new.npz", features=DATA["test_features"])
    expected = exact(unrolled, WEIGHTS, DATA["test_features"])
    for weights in ("w.npy", "w.json"):
        found = qrnn("evaluate", "job.toml", "--weights", weights, "--data", "new.npz", "--json")
        assert list(found.document) == ["outputs", "standard_errors", "shots"]
        assert found.err == ""
        np.testing.assert_allclose(found.document["outputs"], expected, rtol=0, atol=1e-12)
        assert found.document["standard_errors"] is None
        assert found.document["shots"] is None
    # Without --data, the sequences of the job; without --weights, its initial ones.
    own = qrnn("evaluate", "job.toml", "--weights", "w.json", "--json").document["outputs"]
    np.testing.assert_allclose(own, exact(unrolled, WEIGHTS, DATA["features"]), rtol=0, atol=1e-12)
    initial = qrnn("evaluate", "job.toml", "--json").document["outputs"]
    assert np.shape(initial) == (6, 3, 1)
    assert not np.allclose(initial, own)
    reseeded = qrnn("evaluate", "job.toml", "--set", "seed=6", "--json").document["outputs"]
    assert not np.allclose(initial, reseeded)


@pytest.mark.parametrize("backend", ["exact", "aer"])
def test_evaluate_with_shots(
    backend: str, qrnn: Command, unrolled: UnrolledCircuit, tmp_path: Path
) -> None:
    (tmp_path / "w.json").write_text(json.dumps(WEIGHTS))
    arguments = ["evaluate", "job.toml", "--weights", "w.json", "--json"]
    arguments += ["--set", f"backend.name={backend}", "--set", "backend.shots=200"]
    document = qrnn(*arguments).document
    assert document == qrnn(*arguments).document, "the same seed gives the same bits"
    mean, error = np.array(document["outputs"]), np.array(document["standard_errors"])
    assert document["shots"] == 200
    np.testing.assert_allclose(error**2, (1 - mean**2) / 199, rtol=0, atol=1e-12)
    # The seed is fixed; 5 sigma on 18 values.
    truth = exact(unrolled, WEIGHTS, DATA["features"])
    assert np.all(np.abs(mean - truth) < 5 * np.sqrt((1 - truth**2) / 200))


def test_evaluate_probabilities(qrnn: Command, unrolled: UnrolledCircuit, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(json.dumps(WEIGHTS))
    overrides = ["--set", "readout.output=probabilities", "--set", "readout.head=linear"]
    found = qrnn("evaluate", "job.toml", "--weights", "w.json", *overrides, "--json").document
    probabilities = np.array(found["outputs"])
    z = exact(unrolled, WEIGHTS, DATA["features"])[..., 0]
    np.testing.assert_allclose(probabilities[..., 0], (1 + z) / 2, rtol=0, atol=1e-12)
    np.testing.assert_allclose(probabilities[..., 1], (1 - z) / 2, rtol=0, atol=1e-12)


def test_gradient(qrnn: Command, unrolled: UnrolledCircuit, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(json.dumps(WEIGHTS))
    overrides = ["--set", "readout.head=identity", "--set", "loss.last=2"]
    for method, rule, rows in (
        ("adjoint", ParameterShift(), 0),
        ("parameter_shift", ParameterShift(), None),
        ("finite_difference", FiniteDifference(), None),
    ):
        document = qrnn(
            "gradient",
            "job.toml",
            "--weights",
            "w.json",
            *overrides,
            "--set",
            f"gradient.method={method}",
            "--json",
        ).document
        assert list(document) == [
            "method",
            "loss",
            "loss_standard_error",
            "gradient",
            "standard_errors",
            "rows",
            "shots_total",
            "weights",
        ]
        expected = qrnn_qiskit.gradient(
            unrolled,
            WEIGHTS,
            DATA["features"],
            DATA["targets"],
            executor=ExactExecutor(),
            rule=rule,
            last=2,
        )
        assert document["method"] == method
        assert document["loss"] == pytest.approx(float(expected.loss.mean), abs=1e-12)
        np.testing.assert_allclose(document["gradient"], expected.gradient.mean, rtol=0, atol=1e-9)
        assert document["rows"] == (expected.rows if rows is None else rows)
        assert document["weights"] == ["a", "b", "c"]
        for key in ("loss_standard_error", "standard_errors", "shots_total"):
            assert document[key] is None


def test_gradient_with_shots_has_errors(qrnn: Command, unrolled: UnrolledCircuit) -> None:
    overrides = ["--set", "gradient.shots_total=20_000"]
    document = qrnn("gradient", "job.toml", *overrides, "--json").document
    assert document["method"] == "parameter_shift"
    assert 0 <= 20_000 - document["shots_total"] < 4 * document["rows"]
    truth = qrnn("gradient", "job.toml", "--json").document
    assert document["loss_standard_error"] > 0
    # Five parameters and the loss at 5 sigma; the seed is fixed.
    off = abs(document["loss"] - truth["loss"]) / document["loss_standard_error"]
    assert off < 5
    for found, right in ((document, truth), (document["readout"], truth["readout"])):
        error = np.array(found["standard_errors"])
        assert np.all(error > 0)
        assert np.all(np.abs(np.subtract(found["gradient"], right["gradient"])) < 5 * error)
    assert document["readout"]["names"] == ["scale", "bias"]
    assert truth["readout"]["standard_errors"] is None


def test_gradient_of_other_data(qrnn: Command, unrolled: UnrolledCircuit, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(json.dumps(WEIGHTS))
    np.savez(tmp_path / "new.npz", features=DATA["test_features"], targets=DATA["test_targets"])
    document = qrnn(
        "gradient",
        "job.toml",
        "--weights",
        "w.json",
        "--data",
        "new.npz",
        "--set",
        "readout.head=identity",
        "--json",
    ).document
    expected = qrnn_qiskit.gradient(
        unrolled,
        WEIGHTS,
        DATA["test_features"],
        DATA["test_targets"],
        executor=ExactExecutor(),
        rule=qrnn_qiskit.Adjoint(),
    )
    np.testing.assert_allclose(document["gradient"], expected.gradient.mean, rtol=0, atol=1e-12)


def test_evaluate_and_gradient_read_a_series(
    qrnn: Command, unrolled: UnrolledCircuit, tmp_path: Path
) -> None:
    (tmp_path / "w.json").write_text(json.dumps(WEIGHTS))
    values = np.linspace(-0.8, 0.8, 7)
    lines = ["value", *(repr(float(v)) for v in values)]
    (tmp_path / "new.csv").write_text("\n".join(lines))
    job = tmp_path / "bare.toml"
    job.write_text('cell.file = "cell.qasm"\ndata.window = 3\ndata.stride = 1\n')
    found = qrnn("evaluate", job, "--weights", "w.json", "--data", "new.csv", "--json").document
    windows = np.lib.stride_tricks.sliding_window_view(values, 3)[..., None]
    expected = exact(unrolled, WEIGHTS, windows)
    np.testing.assert_allclose(found["outputs"], expected, rtol=0, atol=1e-12)


@pytest.fixture
def series_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run on a scaled series."""
    monkeypatch.chdir(tmp_path)
    return run_job(series_job(tmp_path), run_dir=tmp_path / "run").run_dir


def by_hand(run: Path, features: Array) -> tuple[Array, Array]:
    """Predictions of a run's best weights in the data's units, and d(prediction)/d(output)."""
    saved = json.loads((run / "weights.json").read_text())
    low, high = saved["scaling"]["low"][0], saved["scaling"]["high"][0]
    scaled = -0.9 + 1.8 * (features - low) / (high - low)
    unrolled = unroll(load_cell(run / "cell.qasm"), num_steps=features.shape[1])
    raw, bias = saved["readout"]["best"]
    scale = 10.0 * np.tanh(raw / 10.0)
    predicted = scale * exact(unrolled, saved["best"], scaled) + bias
    slope = (high - low) / 1.8
    return low + (predicted + 0.9) * slope, scale * slope


def test_predict_in_the_units_of_the_data(qrnn: Command, series_run: Path, tmp_path: Path) -> None:
    values = write_series(tmp_path / "new.csv", rows=10)
    found = qrnn("predict", "run", "--data", "new.csv", "--json")
    assert found.err == ""
    document = found.document
    assert document["target_names"] == ["temperature"]
    assert document["standard_errors"] is None
    assert document["shots"] is None
    windows = np.stack([values[start : start + 3] for start in (1, 4, 7)])[..., None]
    expected, _ = by_hand(series_run, windows)
    np.testing.assert_allclose(document["predictions"], expected, rtol=0, atol=1e-10)

    np.savez(tmp_path / "new.npz", features=windows)
    again = qrnn("predict", "run", "--data", "new.npz", "--json").document
    assert again["predictions"] == document["predictions"]


def test_predict_with_shots_has_errors_in_the_same_units(
    qrnn: Command, series_run: Path, tmp_path: Path
) -> None:
    values = write_series(tmp_path / "new.csv", rows=9)
    before = contents(series_run)
    document = qrnn(
        "predict",
        "run",
        "--data",
        "new.csv",
        "--set",
        "backend.name=aer",
        "--set",
        "backend.shots=300",
        "--json",
    ).document
    assert contents(series_run) == before
    assert document["shots"] == 300
    expected, slope = by_hand(series_run, values.reshape(3, 3, 1))
    mean, error = np.array(document["predictions"]), np.array(document["standard_errors"])
    saved, _ = by_hand(series_run, values.reshape(3, 3, 1))
    assert np.all(np.abs(mean - saved) < 5 * abs(slope) / np.sqrt(300))
    # The error is that of <Z>, (1 - z²)/(n - 1), times the slope from output to prediction.
    offset = expected - slope * outputs_of(series_run, values.reshape(3, 3, 1))
    z = (mean - offset) / slope
    np.testing.assert_allclose(error, abs(slope) * np.sqrt((1 - z**2) / 299), rtol=1e-9)


def test_a_job_scales_other_data_as_its_own(
    qrnn: Command, series_run: Path, tmp_path: Path
) -> None:
    values = write_series(tmp_path / "new.csv", rows=9)
    (job,) = tmp_path.glob("*.toml")
    found = qrnn("evaluate", job, "--weights", "run", "--data", "new.csv", "--json").document
    expected = outputs_of(series_run, values.reshape(3, 3, 1))
    np.testing.assert_allclose(found["outputs"], expected, rtol=0, atol=1e-10)


def outputs_of(run: Path, features: Array) -> Array:
    saved = json.loads((run / "weights.json").read_text())
    low, high = saved["scaling"]["low"][0], saved["scaling"]["high"][0]
    unrolled = unroll(load_cell(run / "cell.qasm"), num_steps=features.shape[1])
    return exact(unrolled, saved["best"], -0.9 + 1.8 * (features - low) / (high - low))


def test_predict_takes_the_shots_of_the_runs_own_forecast(qrnn: Command, tmp_path: Path) -> None:
    total = {"gradient": {"shots_total": 2500}, "training": {"steps": 1, "batch_size": 3}}
    job = write_job(tmp_path, **total)
    run_job(job, run_dir=tmp_path / "run")
    rows = qrnn("plan", "job.toml", "--json").document["rows_per_gradient"]
    features = np.repeat(DATA["features"], 300, axis=0)  # as a batch: too few shots for its rows
    np.savez(tmp_path / "new.npz", features=features)
    document = qrnn("predict", "run", "--data", "new.npz", "--json").document
    assert document["shots"] == 2500 // rows
    assert np.shape(document["standard_errors"]) == (1800, 3, 1)
    more = ["--set", "backend.shots=77"]
    assert qrnn("predict", "run", "--data", "new.npz", *more, "--json").document["shots"] == 77


@pytest.mark.filterwarnings("always:feature")
def test_predict_warns_of_data_outside_the_range_of_training(
    qrnn: Command, series_run: Path, tmp_path: Path
) -> None:
    write_series(tmp_path / "new.csv", low=20.3, rows=9)
    found = qrnn("predict", "run", "--data", "new.csv", "--json")
    assert np.shape(found.document["predictions"]) == (3, 3, 1)
    assert found.err.startswith("warning: feature 'temperature' spans [")
    assert "outside the range [" in found.err
    assert found.err.count("\n") == 1


def test_predict_does_not_need_where_the_run_came_from(
    qrnn: Command, series_run: Path, tmp_path: Path
) -> None:
    second = run_job("job.toml", overrides=["initial.from=run"], run_dir=tmp_path / "second")
    write_series(tmp_path / "new.csv", rows=9)
    expected = qrnn("predict", "second", "--data", "new.csv", "--json").document
    series_run.rename(tmp_path / "elsewhere")
    for name in ("series.csv", "cell.qasm", "job.toml"):
        (tmp_path / name).unlink()
    assert qrnn("predict", second.run_dir, "--data", "new.csv", "--json").document == expected


def test_a_run_as_source_means_its_best_weights_and_its_scaling(
    qrnn: Command, series_run: Path, tmp_path: Path
) -> None:
    of_run = qrnn("evaluate", "run", "--json").document
    of_job = qrnn("evaluate", "job.toml", "--weights", "run", "--json").document
    assert of_run == of_job
    assert of_run != qrnn("evaluate", "job.toml", "--json").document
    values = write_series(tmp_path / "new.csv", rows=9)
    found = qrnn("evaluate", "run", "--data", "new.csv", "--json").document
    expected = outputs_of(series_run, values.reshape(3, 3, 1))
    np.testing.assert_allclose(found["outputs"], expected, rtol=0, atol=1e-10)


def test_starting_from_a_finished_run(qrnn: Command, series_run: Path, tmp_path: Path) -> None:
    loss = qrnn("gradient", "job.toml", "--weights", "run", "--json").document["loss"]
    for source in ("run", "run/weights.json"):
        run = tmp_path / f"from-{Path(source).name}"
        run_job("job.toml", overrides=[f"initial.from={source}"], run_dir=run)
        assert history(run)[0]["loss"] == pytest.approx(loss, abs=1e-14)
    # A readout of another kind starts anew; the cell's weights are taken all the same.
    document = qrnn(
        "gradient", "job.toml", "--weights", "run", "--set", "readout.head=identity", "--json"
    ).document
    assert "readout" not in document
    run_job("job.toml", overrides=["readout.head=identity"], run_dir=tmp_path / "plain")
    document = qrnn("gradient", "job.toml", "--weights", "plain", "--json").document
    assert document["readout"]["names"] == ["scale", "bias"]


def test_run_plan_and_status(qrnn: Command, tmp_path: Path) -> None:
    write_job(tmp_path, backend={"shots": 10}, gradient={"method": "parameter_shift"})
    plan = qrnn("plan", "job.toml", "--json").document
    assert plan["rows_per_gradient"] * 10 == plan["shots_per_gradient"]
    assert plan["within_budget"] is True
    assert contents(tmp_path).keys() == {"job.toml", "cell.qasm", "data.npz"}
    over = qrnn("plan", "job.toml", "--set", "budget.shots=100", "--json").document
    assert over["within_budget"] is False

    done = qrnn("run", "job.toml", "--run-dir", "runs/one", "--json")
    document = done.document
    assert document["run_dir"] == "runs/one"
    assert document["shots"] == plan["shots_total"]
    models = [row["model"] for row in document["table"]]
    assert models[:3] == ["QRNN", "persistence", "linear ridge"]
    assert document["pictures"] == ["runs/one/summary.png"]
    assert document["verdict"].startswith("the QRNN ")
    assert "step 3/4" in done.err or "3/4" in done.err

    status = qrnn("status", "runs/one", "--json").document
    assert (status["state"], status["step"], status["steps"]) == ("done", 4, 4)
    assert status["shots"] == plan["shots_total"]
    assert status["requests_completed"] == plan["jobs"]
    assert qrnn("status", "--json").document == [status]
    assert qrnn("plot", "runs/one", "--json").document == {"pictures": ["runs/one/summary.png"]}


def test_cells(qrnn: Command, unrolled: UnrolledCircuit) -> None:
    known = qrnn("cells", "list", "--json").document
    assert {"parity2", "viqueira_emcz2"} <= {c["name"] for c in known if c["kind"] == "family"}
    shown = qrnn("cells", "show", "cell.qasm", "--steps", "3", "--json").document
    assert shown["weights"] == ["a", "b", "c"]
    assert shown["features"] == ["u (arccos)"]
    assert shown["occurrences"] == len(unrolled.occurrences)
    assert shown["dead_weights"] == []
    checked = qrnn("cells", "check", "cell.qasm", "--json").document
    assert (checked["fit"], checked["notices"]) == (True, [])
    exported = qrnn("cells", "export", "parity2", "--json").document
    assert exported["qasm"].splitlines()[1] == "OPENQASM 3.0;"


def test_config(qrnn: Command, tmp_path: Path) -> None:
    job = write_job(tmp_path)
    shown = qrnn("config", "show", "job.toml", "--set", "training.steps=9", "--json").document
    assert shown == job_to_dict(load_job(job, ["training.steps=9"]))
    assert job_from_dict(shown).training.steps == 9
    for schema in (qrnn("config", "schema", "--json"), qrnn("config", "schema")):
        assert schema.document["properties"]["backend"]
        assert schema.document["$schema"].startswith("https://json-schema.org/")


def test_numbers_that_json_lacks_are_null(qrnn: Command, tmp_path: Path) -> None:
    # A constant target has no R².
    constant = {name: np.ones_like(a) for name, a in arrays().items() if "targets" in name}
    write_data(tmp_path, **constant)
    write_job(tmp_path, training={"steps": 1, "validate_every": 1})
    document = qrnn("run", "job.toml", "--run-dir", "run", "--json").document
    assert document["table"][0]["r2"] is None
    json.loads((tmp_path / "run" / "table.json").read_text(), parse_constant=pytest.fail)
