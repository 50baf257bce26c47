"""Closed-loop forecasts and sampled words, recomputed window by window and word by word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qrnn_qiskit import ExactExecutor, build_cell, evaluate, unroll
from qrnn_qiskit.errors import DataError, SpecError
from qrnn_qiskit.learning.plugins import DATASETS
from qrnn_qiskit.run.jobs import predict_run, run_job
from qrnn_qiskit.run.onward import forecast_run, sample_run

Array = NDArray[np.float64]
CELL: dict[str, Any] = {"n_io": 1, "n_hidden": 1, "layers": 1}


def run_of(folder: Path, text: str) -> Path:
    job = folder / "job.toml"
    start = 'seed = 3\ntraining.steps = 2\ntraining.baselines = []\nbackend.name = "exact"\n'
    cell = 'cell = {name = "hardware_efficient", n_io = %d, n_hidden = 1, layers = 1%s}\n'
    words = "elman" in text or "simple" in text
    features = ", n_features = 3" if "simple" in text else ", n_features = 2"
    fitting = cell % ((3 if "simple" in text else 2), features) if words else cell % (1, "")
    job.write_text(start + fitting + text, encoding="utf-8")
    return run_job(job, run_dir=folder / "run").run_dir


@pytest.mark.parametrize("horizon", [1, 2])
def test_predictions_become_features(horizon: int, tmp_path: Path) -> None:
    keys = {"signal": "triangle", "points": 60, "window": 6, "scale": "minmax", "horizon": horizon}
    table = ", ".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
    run = run_of(
        tmp_path, f'data = {{name = "waveform", {table}}}\nreadout.head = "scale"\nloss.last = 3\n'
    )
    found = forecast_run(run, 5)
    saved = json.loads((run / "weights.json").read_text())
    raw, bias = saved["readout"]["best"]
    unrolled = unroll(build_cell("hardware_efficient", CELL), 6)
    test = DATASETS.build("waveform", keys).load(3).test
    window = test.features
    expected: list[Array] = []
    while len(expected) < 5:
        outputs = evaluate(unrolled, saved["best"], window, executor=ExactExecutor()).mean
        new = (10.0 * np.tanh(raw / 10.0) * outputs + bias)[:, -horizon:]
        expected += list(new.transpose(1, 0, 2))
        window = np.concatenate([window, new], axis=1)[:, horizon:]
    predictions = test.scaling.unscale_targets(np.stack(expected[:5], axis=1))
    np.testing.assert_allclose(found["predictions"], predictions, atol=1e-12)
    assert found["standard_errors"] is None
    assert found["target_names"] == ["triangle"]

    np.savez(tmp_path / "new.npz", features=test.scaling.unscale_features(test.features[:2]))
    again = forecast_run(run, 5, tmp_path / "new.npz")
    np.testing.assert_allclose(again["predictions"], found["predictions"][:2], atol=1e-9)


def test_with_shots_every_turn_has_its_own(tmp_path: Path) -> None:
    run = run_of(
        tmp_path,
        'data = {name = "waveform", points = 60, window = 4, scale = "none"}\nloss.last = 2\n',
    )
    np.savez(tmp_path / "new.npz", features=np.zeros((1, 4, 1)))
    # A linear head of zero would feed zeros back; here all windows are made equal by hand.
    shots = ["backend.shots=200"]
    found = forecast_run(run, 3, tmp_path / "new.npz", shots)
    again = forecast_run(run, 3, tmp_path / "new.npz", shots)
    assert found == again
    assert np.shape(found["standard_errors"]) == (1, 3, 1)
    first = predict_run(run, tmp_path / "new.npz", shots)["predictions"][0][-1]
    assert len({first[0], *(step[0] for step in found["predictions"][0])}) >= 3


def test_loops_that_cannot_be_closed(tmp_path: Path) -> None:
    run = run_of(
        tmp_path, 'data = {name = "narma", points = 100, window = 5, scale = "none"}\nloss.last = 2'
    )
    with pytest.raises(DataError, match="feature 'u' is no target"):
        forecast_run(run, 3)


def test_horizons_that_leave_a_gap(tmp_path: Path) -> None:
    run = run_of(
        tmp_path,
        'data = {name = "waveform", points = 99, window = 5, scale = "none", horizon = 3}\n'
        "loss.last = 2",
    )
    with pytest.raises(DataError, match=r"horizon = 3, but only the last 2 steps"):
        forecast_run(run, 3)


WORDS = (
    'data = {name = "simple_sequence", length = 5}\nloss.name = "nll"\n'
    'readout.output = "probabilities"\n'
)


@pytest.mark.statistical
def test_sampled_words(tmp_path: Path, seed: int) -> None:
    """Chances given all words before, also beyond the window; false alarm 1e-6 for 8 counts."""
    run = run_of(tmp_path, WORDS)
    saved = json.loads((run / "weights.json").read_text())
    unrolled = unroll(build_cell("hardware_efficient", {**CELL, "n_io": 3, "n_features": 3}), 4)

    def chances(words: list[int]) -> Array:
        bits = [[float(word >> k & 1) for k in (2, 1, 0)] for word in words[-4:]]
        padded = np.array(bits + [[0.0] * 3] * (4 - len(bits)))
        outputs = evaluate(
            unrolled, saved["best"], padded[None], executor=ExactExecutor(), output="probabilities"
        )
        result: Array = outputs.mean[0, len(bits) - 1]
        return result

    found = sample_run(run, [4, 1], 7, count=3, seed=seed)
    assert found == sample_run(run, [4, 1], 7, count=3, seed=seed)
    for words, value in zip(found["sequences"], found["log_probability"], strict=True):
        assert words[:2] == [4, 1]
        expected = sum(np.log(chances(words[:t])[words[t]]) for t in range(2, 7))
        assert value == pytest.approx(expected, abs=1e-9)
    many = sample_run(run, [4, 1], 3, count=4000, seed=seed)["sequences"]
    counts = np.bincount([words[2] for words in many], minlength=8)
    p = chances([4, 1])
    common = p > 0.02  # where the normal distribution is near enough
    assert np.count_nonzero(common) >= 3
    z = (counts - 4000 * p)[common] / np.sqrt(4000 * p * (1 - p))[common]
    assert np.abs(z).max() < 5.6


def test_what_cannot_be_sampled(tmp_path: Path) -> None:
    run = run_of(tmp_path, WORDS)
    with pytest.raises(DataError, match=r"each from 0 to 7, and no longer than length = 5"):
        sample_run(run, [8], 5)
    with pytest.raises(DataError, match="a closed loop needs a series; words are continued by"):
        forecast_run(run, 3, None)
    with pytest.raises(SpecError, match="backend.name"):
        sample_run(run, [1], 5, overrides=["backend.name=nowhere"])
