"""Comparisons of gradient methods: statistics, verdict, continuing after a kill, the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qrnn_qiskit as qrnn
from qrnn_qiskit.cli import main
from qrnn_qiskit.errors import BudgetError, SpecError
from qrnn_qiskit.plot.comparison import plot_comparison
from qrnn_qiskit.run.comparison.compare import compare_job
from qrnn_qiskit.run.comparison.gradients import shortened
from qrnn_qiskit.run.setup import make_setup
from qrnn_qiskit.spec.compose import load_job
from tests.reference import reference_outputs

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


def test_methods_are_compared_on_corrected_outputs(job: Path, tmp_path: Path) -> None:
    """Readout errors change the gradient; once undone, the reference is the ideal one."""
    noise = ["noise.readout=0.1"]
    few = ["compare.repetitions=2", "compare.shots_total=[2_000]"]
    stated = [*noise, "mitigation.readout=stated", "compare.shots_total=[8_000]"]
    (ideal, *_), (noisy, *_), (mended, wide) = (
        compare_job(job, run_dir=tmp_path / f"run-{i}", overrides=more).entries
        for i, more in enumerate((few, [*few, *noise], stated))
    )
    assert abs(noisy.reference_norm / ideal.reference_norm - 1) > 0.05
    assert mended.reference_norm == pytest.approx(ideal.reference_norm, rel=1e-9)
    assert mended.bias < 5 * mended.bias_error
    assert wide.bias > 5 * wide.bias_error
    assert mended.coverage > 0.9
    with pytest.raises(SpecError, match='allows readout = "stated" alone'):
        compare_job(
            job, run_dir=tmp_path / "run", overrides=[*noise, "mitigation.noise_factors=[1,3]"]
        )


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
    assert rows[0].startswith("method,num_steps,shots,shots_used,rows,step,bias")
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("compare.methods=['parameter_shfit']", "did you mean 'parameter_shift'"),
        ("compare.methods=[{name='finite_difference', stepp=1}]", "stepp"),
        ("compare.shots_total=[50]", "too few"),
        ("compare.repetitions=1", "at least 2"),
        ("kind='train'", "qrnn compare is for"),
        ("compare.num_steps=[2, 50]", "compare.num_steps: 50 is longer than"),
        ("compare.methods=['adjoint']", "is exact and needs"),
        ("compare.training_shots=100", "too few"),
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


FULL = [
    "compare.num_steps=[2, 4]",
    "compare.step_sweep=[0.3, 1.0]",
    "compare.shots_total=[2_000]",
    "compare.repetitions=2",
    "compare.training_shots=20_000",
    "training.steps=4",
]


def test_lengths_steps_and_trainings(job: Path, tmp_path: Path) -> None:
    """Every length and swept step is measured; trainings share the shots and start alike."""
    result = compare_job(job, run_dir=tmp_path / "run", overrides=FULL)
    assert [entry.num_steps for entry in result.entries] == [2] * 4 + [4] * 4
    steps = [entry.step for entry in result.entries]
    assert steps[::4] == [None, None]
    assert steps[1:4] == steps[5:] == pytest.approx([1.2, 0.3, 1.0])
    shift, wide, bfgs = result.curves
    assert bfgs.method == "BFGS, SciPy's default step"
    for curve in result.curves:
        assert curve.shots[0] == 0
        assert curve.shots[-1] <= 20_000
        assert len(curve.shots) == len(curve.loss)
        assert curve.loss[0] == shift.loss[0]
    assert len(shift.shots) == len(wide.shots) == 5
    assert "In training" in result.verdict
    assert plot_comparison(tmp_path / "run")[0].is_file()


def test_losses_along_a_training_are_exact(job: Path, tmp_path: Path) -> None:
    """The curve's losses are those of the kept weights, by the dense reference."""
    result = compare_job(job, run_dir=tmp_path / "run", overrides=FULL)
    lines = (tmp_path / "run/training-0/history.jsonl").read_text(encoding="utf-8").splitlines()
    weights = np.array(json.loads(lines[-1])["parameters"])
    setup = shortened(make_setup(load_job(job, FULL)), 2)
    train = setup.splits.train
    losses = []
    for features, targets in zip(train.features, train.targets, strict=True):
        angles = setup.unrolled.angle_map.angles(weights[None], features[None])[0]
        values = dict(zip(setup.unrolled.occurrences.names, angles, strict=True))
        circuit = setup.unrolled.circuit
        bound = {parameter: values[parameter.name] for parameter in circuit.parameters}
        outputs = reference_outputs(circuit, bound)
        losses.append(np.mean((outputs[-1] - targets[-1]) ** 2))
    assert result.curves[0].loss[-1] == pytest.approx(np.mean(losses), abs=1e-12)


def test_trainings_continue_with_the_same_bits(job: Path, tmp_path: Path) -> None:
    """Cut between two trainings, and inside one, a comparison ends as if it had never stopped."""
    whole = compare_job(job, run_dir=tmp_path / "whole", overrides=FULL)
    compare_job(job, run_dir=tmp_path / "cut", overrides=FULL)
    path = tmp_path / "cut" / "training.jsonl"
    path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    (tmp_path / "cut" / "training-1" / "checkpoint.npz").unlink()
    assert compare_job(tmp_path / "cut").curves == whole.curves


@pytest.mark.slow
@pytest.mark.statistical
def test_published_crossover(tmp_path: Path) -> None:
    """Central differences with a wide step win at T = 20, parameter shift at T = 5.

    Root mean square over the 25 weights of the error of d<Z_T>/d(weight) at 2e6 shots, each row
    measured, from an independent study: 0.0165 and 0.019 at T = 5; 0.058 ± 0.01 and
    0.0145 ± 0.003 at T = 20. Weights are others than there; the scatter depends on them little.
    """
    path = tmp_path / "job.toml"
    path.write_text(CROSSOVER, encoding="utf-8")
    result = compare_job(path, run_dir=tmp_path / "run")
    error = [entry.rmse * entry.reference_norm / 5 for entry in result.entries]
    shift_5, wide_5, widest_5, shift_20, _, widest_20 = error
    assert shift_5 == pytest.approx(0.0165, abs=0.004)
    assert min(wide_5, widest_5) == pytest.approx(0.019, abs=0.006)
    assert shift_20 == pytest.approx(0.058, abs=0.01)
    assert widest_20 == pytest.approx(0.0145, abs=0.005)


CROSSOVER = """
kind = "compare"
seed = 7
defaults = ["cell/viqueira_emcz2", "data/dectriang"]
loss = { name = "mean", last = 1 }

[compare]
methods = [
    { name = "parameter_shift", causal = false },
    { name = "finite_difference", step = 0.2 },
    { name = "finite_difference", step = 0.3 },
]
num_steps = [5, 20]
shots_total = [2_000_000]
repetitions = 5
"""


def test_over_budget(job: Path, tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match=r"of budget\.shots = 1,000"):
        compare_job(job, run_dir=tmp_path / "run", overrides=["budget.shots=1000"])
    assert not (tmp_path / "run").exists()


def test_picture_needs_a_comparison(tmp_path: Path) -> None:
    with pytest.raises(qrnn.QRNNError, match="no finished comparison"):
        plot_comparison(tmp_path)
    assert not list(tmp_path.iterdir())
