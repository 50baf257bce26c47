"""Comparisons of gradient methods: statistics, verdict, continuing after a kill, the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import qrnn_qiskit as qrnn
from qrnn_qiskit.cli import main
from qrnn_qiskit.plot.comparison import plot_comparison
from qrnn_qiskit.run.compare import compare_job

JOB = """
kind = "compare"
seed = 5
defaults = ["cell/parity2", "data/parity"]

[compare]
methods = ["parameter_shift", {name = "finite_difference", step = 1.2, label = "wide"}]
shots_total = [2_000, 8_000]
repetitions = 40
sequences = 2
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.toml"
    path.write_text(JOB, encoding="utf-8")
    return path


def test_statistics(job: Path, tmp_path: Path) -> None:
    """Parameter shift is unbiased and scatters as 1/sqrt(shots); a wide difference is biased.

    The scatter's ratio has a relative error of about 1/sqrt(2 * 40 * 3) = 6 % per entry, so 9 %
    together: bounds 5 sigma away. The seed is fixed, so a pass stays a pass.
    """
    result = compare_job(job, run_dir=tmp_path / "run")
    few, wide_few, many, wide_many = result.entries
    assert [entry.method for entry in result.entries] == ["parameter_shift", "wide"] * 2
    assert few.std / many.std == pytest.approx(2.0, rel=0.45)
    assert few.bias < 3 * few.bias_error
    assert many.bias < 3 * many.bias_error
    assert wide_many.bias > 5 * wide_many.bias_error
    assert wide_many.bias == pytest.approx(wide_few.bias, abs=5 * wide_few.bias_error)
    assert 0.9 < many.coverage <= 1.0
    assert wide_many.coverage < many.coverage
    for entry in result.entries:
        assert entry.shots_used <= entry.shots
        # Over m repetitions mean square error = bias² + (m - 1)/m variance.
        assert entry.rmse**2 == pytest.approx(entry.bias**2 + 39 / 40 * entry.std**2)
    assert "wide" in result.verdict


def test_exact_reference_is_the_gradient(job: Path, tmp_path: Path) -> None:
    """With very many shots the entry's RMSE goes to zero: the reference is the right vector."""
    result = compare_job(
        job,
        run_dir=tmp_path / "run",
        overrides=["compare.shots_total=[2000000]", "compare.repetitions=2"],
    )
    assert result.entries[0].rmse < 0.05
    assert result.entries[0].cosine > 0.998


def test_continues_with_the_same_bits(job: Path, tmp_path: Path) -> None:
    """Cut after its first entry, a comparison ends as if it had never stopped."""
    whole = compare_job(job, run_dir=tmp_path / "whole")
    compare_job(job, run_dir=tmp_path / "cut")
    kept = (tmp_path / "cut" / "comparison.jsonl").read_text(encoding="utf-8").splitlines()[:1]
    (tmp_path / "cut" / "comparison.jsonl").write_text(kept[0] + "\n", encoding="utf-8")
    assert compare_job(tmp_path / "cut").entries == whole.entries


def test_command(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--json` is one document with entries, verdict and the picture; the files are there."""
    monkeypatch.chdir(tmp_path)
    small = ["--set", "compare.repetitions=3", "--set", "compare.shots_total=[2000]"]
    with pytest.raises(SystemExit) as stopped:
        main(["compare", str(job), "--run-dir", "run", "--json", *small])
    assert stopped.value.code == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert len(document["entries"]) == 2
    assert Path(document["pictures"][0]).read_bytes().startswith(b"\x89PNG")
    rows = (tmp_path / "run" / "comparison.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("method,shots,shots_used,rows,bias")
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("compare.methods=['parameter_shfit']", "did you mean 'parameter_shift'"),
        ("compare.methods=[{name='finite_difference', stepp=1}]", "stepp"),
        ("compare.shots_total=[50]", "too few"),
        ("compare.repetitions=1", "at least 2"),
        ("kind='train'", "qrnn compare is for"),
    ],
)
def test_refused(
    job: Path, tmp_path: Path, override: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 2, and nothing is left behind."""
    with pytest.raises(SystemExit) as stopped:
        main(["compare", str(job), "--run-dir", str(tmp_path / "run"), "--set", override])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_picture_needs_a_comparison(tmp_path: Path) -> None:
    with pytest.raises(qrnn.QRNNError, match="no finished comparison"):
        plot_comparison(tmp_path)
    assert not list(tmp_path.iterdir())
