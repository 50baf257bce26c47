"""The pieces and jobs that come with the library: each is complete, explained and valid."""

from __future__ import annotations

from pathlib import Path

import pytest

from qrnn_qiskit.circuit import FAMILIES
from qrnn_qiskit.gradients import RULES
from qrnn_qiskit.learning.plugins import DATASETS, LOSSES, OPTIMIZERS
from qrnn_qiskit.spec import job_from_dict, job_to_dict, load_job

ROOT = Path(__file__).parents[3]
PIECES = sorted((ROOT / "configs").rglob("*.toml"))
JOBS = sorted([*(ROOT / "jobs").glob("*.toml"), *(ROOT / "jobs/hardware").glob("*.toml")])
GROUPS = {"cell", "data", "gradient", "optimizer", "backend", "noise", "budget"}


def test_groups() -> None:
    assert {path.parent.name for path in PIECES} == GROUPS
    assert len(JOBS) >= 6


@pytest.mark.parametrize("path", [*PIECES, *JOBS], ids=lambda path: path.stem)
def test_says_what_it_is(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert first[2].isupper()


@pytest.mark.parametrize("path", PIECES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_piece(path: Path, tmp_path: Path) -> None:
    group = path.parent.name
    cell = "" if group == "cell" else '[cell]\nname = "parity2"\n'
    job_file = tmp_path / "job.toml"
    job_file.write_text(f'defaults = ["{group}/{path.stem}"]\n{cell}')
    assert group in load_job(job_file).model_fields_set


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_job(path: Path) -> None:
    job = load_job(path)
    assert job.name == path.stem
    assert job_from_dict(job_to_dict(job)) == job
    # Names and options are those of plug-ins that exist.
    FAMILIES.build(job.cell.name or "", job.cell.options)
    OPTIMIZERS.build(job.optimizer.name, job.optimizer.options)
    LOSSES.build(job.loss.name, job.loss.options)
    assert job.data is not None
    assert job.data.name in DATASETS.names()
    if job.gradient.method not in ("auto", "adjoint"):
        RULES.build(job.gradient.method, job.gradient.options)
