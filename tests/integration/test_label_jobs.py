"""Jobs whose targets are labels: training, scores beside baselines, forecasts, mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qrnn_qiskit as qrnn
from qrnn_qiskit.run.jobs import gradient_job, predict_run, run_job

NLL = {"readout.output": "probabilities", "loss.name": "nll"}
SEQUENCE = {
    "readout.head": "linear",
    "loss.name": "cross_entropy",
    "loss.classes": 2,
    "loss.pool": "mean",
    "loss.last": 2,
}


def write_data(folder: Path, **changed: Any) -> None:
    """Bits and their running parity; the label of a sequence is the parity of all its bits."""
    random = np.random.default_rng(3)
    arrays: dict[str, Any] = {}
    for prefix, count in (("", 6), ("validation_", 3), ("test_", 4)):
        bits = random.integers(0, 2, (count, 3, 1))
        arrays[f"{prefix}features"] = bits.astype(float)
        arrays[f"{prefix}targets"] = np.cumsum(bits, axis=1) % 2
    np.savez(folder / "data.npz", allow_pickle=False, **{**arrays, **changed})


def write_job(folder: Path, keys: dict[str, Any], **changed: Any) -> Path:
    write_data(folder, **changed)
    settings = {
        "cell.name": "parity2",
        "data.file": "data.npz",
        "backend.name": "exact",
        "training.steps": 8,
        "optimizer.name": "adam",
        "optimizer.learning_rate": 0.1,
        **keys,
    }
    path = folder / "job.toml"
    lines = (f"{key} = {json.dumps(value)}" for key, value in settings.items())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("shots", [None, 60])
@pytest.mark.parametrize("keys", [NLL, SEQUENCE], ids=["each step", "each sequence"])
def test_training_on_labels(tmp_path: Path, keys: dict[str, Any], shots: int | None) -> None:
    sampled = {} if shots is None else {"backend.shots": shots}
    run = run_job(write_job(tmp_path, keys | sampled), run_dir=tmp_path / "run").run_dir
    lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert len(losses) == 8
    if shots is None:
        assert losses[-1] < losses[0]
    document = json.loads((run / "table.json").read_text(encoding="utf-8"))
    network, frequencies, *rest = document["table"]
    assert [network["model"], frequencies["model"]] == ["QRNN", "class frequencies"]
    others = ["echo-state network", "logistic regression"]
    assert [entry["model"] for entry in rest] == (
        ["transition frequencies", *others] if keys is NLL else others
    )
    assert 0 <= network["accuracy"] <= 1 <= network["perplexity"]
    assert "perplexity on held-out data" in document["verdict"] or "NOT beat" in document["verdict"]

    found = predict_run(run, tmp_path / "data.npz")
    assert found["target_names"] == ["class 0", "class 1"]
    np.testing.assert_allclose(np.sum(found["predictions"], axis=2), 1.0)
    assert (found["standard_errors"] is None) == (shots is None)


def test_labels_of_sequences_are_a_vector(tmp_path: Path) -> None:
    """`targets` `[N]`: the same numbers as with the label at each step."""
    job = write_job(tmp_path, SEQUENCE)
    with np.load(tmp_path / "data.npz") as stored:
        labels = {name: stored[name][:, -1, 0] for name in stored.files if name.endswith("targets")}
    expected = gradient_job(job)
    write_data(tmp_path, **labels)
    assert gradient_job(job) == expected


def test_features_are_scaled_and_labels_are_not(tmp_path: Path) -> None:
    rows = [f"{t},{t % 3 - 1.0},{t % 2}" for t in range(24)]
    (tmp_path / "data.csv").write_text("time,level,state\n" + "\n".join(rows), encoding="utf-8")
    keys = NLL | {
        "data.file": "data.csv",
        "data.columns": ["level"],
        "data.target": "state",
        "data.window": 3,
        "data.scale": "minmax",
        "data.split": [1.0, 0.0, 0.0],
    }
    job = write_job(tmp_path, keys | {"data.scale_targets": False})
    assert np.isfinite(gradient_job(job)["loss"])
    with pytest.raises(qrnn.QRNNError, match=r"target -1 at sequence 0.*scale_targets = false"):
        gradient_job(write_job(tmp_path, keys))


@pytest.mark.parametrize(
    ("keys", "targets", "message"),
    [
        (NLL | {"readout.output": "z"}, None, "reads probabilities: set readout.output"),
        (NLL | {"readout.head": "linear"}, None, "readout.head = 'identity'"),
        (NLL, np.full((6, 3, 1), 2), "target 2 at sequence 0, step 0 .* from 0 to 1"),
        (NLL, np.full((6, 3, 1), 0.5), "target 0.5 at sequence 0"),
        (NLL, np.zeros((6, 3, 2)), "2 targets per step, but the loss needs one, the label"),
        (NLL | {"loss.pool": "mean"}, None, "loss.pool is not a key of loss.name = 'nll'"),
        ({"loss.name": "cross_entropy"}, None, "classes"),
        (SEQUENCE | {"readout.head": "scale"}, None, "2 predictions are needed"),
        (SEQUENCE | {"loss.correction": "some"}, None, "loss.correction"),
    ],
)
def test_mistakes(tmp_path: Path, keys: dict[str, Any], targets: Any, message: str) -> None:
    changed = {}
    if targets is not None:
        sizes = {"": 6, "validation_": 3, "test_": 4}
        changed = {f"{prefix}targets": targets[:size] for prefix, size in sizes.items()}
    with pytest.raises(qrnn.QRNNError, match=message):
        gradient_job(write_job(tmp_path, keys, **changed))
