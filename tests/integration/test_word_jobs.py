"""Jobs on words (Elman's XOR, DNA): a few steps lower the loss; the error rate by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qrnn_qiskit.run.jobs import evaluate_job, run_job
from qrnn_qiskit.run.setup import make_setup
from qrnn_qiskit.spec.compose import load_job

SMALL = [
    "cell.n_hidden=2",
    "cell.order=1",
    "cell.degree=2",
    "data.sequences=[12, 0, 6]",
    "training.batch_size=12",
    "optimizer.learning_rate=0.05",
    'training.baselines=["class_frequencies"]',
    "training.steps=15",
]
JOBS = {
    "bausch_elman_xor": ["data.triples=2"],
    "bausch_elman_letters": ["data.length=6"],
    "bausch_dna": ["data.length=3"],
}


def losses(run: Path) -> list[float]:
    lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


@pytest.mark.parametrize("name", JOBS)
def test_a_few_steps_lower_the_loss_and_the_error_rate_is_right(name: str, tmp_path: Path) -> None:
    """The published cell made small: no gradient noise, so the same bits again.

    Its accuracy is counted anew from the outputs at the steps that the task asks for: each third
    of XOR, the last of DNA, all letters.
    """
    overrides = [*SMALL, *JOBS[name]]
    done = run_job(f"papers/{name}", overrides=overrides, run_dir=tmp_path / "run")
    found = losses(tmp_path / "run")
    assert found[-1] < 0.85 * found[0]
    again = [*overrides, "training.steps=3"]
    run_job(f"papers/{name}", overrides=again, run_dir=tmp_path / "again")
    assert losses(tmp_path / "again") == found[:3]

    test = make_setup(load_job(f"papers/{name}", overrides)).splits.test
    np.savez(tmp_path / "test.npz", features=test.features, targets=test.targets)
    outputs = evaluate_job(tmp_path / "run", data=tmp_path / "test.npz")["outputs"]
    asked = {
        "bausch_elman_xor": slice(1, None, 3),
        "bausch_elman_letters": slice(None),
        "bausch_dna": slice(-1, None),
    }[name]
    told = [[max(range(len(p)), key=p.__getitem__) for p in steps[asked]] for steps in outputs]
    wanted = test.targets[:, asked, 0].astype(int).tolist()
    right = [a == b for pair in zip(told, wanted, strict=True) for a, b in zip(*pair, strict=True)]
    assert done.table[0]["accuracy"] == pytest.approx(sum(right) / len(right))
