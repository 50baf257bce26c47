from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.plot import plot_losses, plot_runs, plot_scores, plot_sweep
from qrnn_qiskit.plot.record import RunRecord, read_record
from qrnn_qiskit.plot.runs import names, varied_key
from tests.unit.plot.recorded import write_history


def axes() -> Axes:
    return Figure().add_subplot()


def write(directory: Path, rate: float, *, score: float | None = 0.5, shots: bool = True) -> Path:
    directory.mkdir(parents=True)
    job: dict[str, Any] = {"name": "a job", "seed": int(100 * rate), "optimizer": {"name": "adam"}}
    job["optimizer"]["learning_rate"] = rate
    (directory / "run.json").write_text(json.dumps({"job": job}), encoding="utf-8")
    write_history(directory, steps=5, shots=shots)
    if score is not None:
        table = [
            {"model": "QRNN", "rmse": score},
            {"model": "persistence", "rmse": 1.0},
            {"model": "linear ridge", "rmse": 0.4},
        ]
        (directory / "table.json").write_text(json.dumps({"table": table}), encoding="utf-8")
    return directory


@pytest.fixture
def records(tmp_path: Path) -> list[RunRecord]:
    scores = {0.01: 0.9, 0.1: 0.3, 1.0: 0.6}
    return [
        read_record(write(tmp_path / str(rate), rate, score=score))
        for rate, score in reversed(scores.items())
    ]


def test_one_picture_for_several_runs(tmp_path: Path) -> None:
    runs = [write(tmp_path / str(rate), rate) for rate in (0.1, 0.2)]
    (path,) = plot_runs(runs, tmp_path / "out")
    assert path == tmp_path / "out" / "runs.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    (runs[0] / "history.jsonl").unlink()
    (runs[0] / "table.json").unlink()
    with pytest.raises(RunError, match="nothing to draw yet"):
        plot_runs(runs[:1], tmp_path)


def test_runs_are_named_by_what_was_varied(records: list[RunRecord], tmp_path: Path) -> None:
    assert varied_key(records) == "optimizer.learning_rate"
    assert names(records) == [f"learning_rate = {rate}" for rate in (1.0, 0.1, 0.01)]
    same = [records[0], records[0]]
    assert varied_key(same) is None
    assert names(same) == ["a job (1)", "a job (2)"]


def test_losses_against_shots_leave_exact_runs_out(
    records: list[RunRecord], tmp_path: Path
) -> None:
    exact = read_record(write(tmp_path / "exact", 2.0, shots=False))
    assert len(plot_losses([*records, exact], ax=axes())) == 4
    lines = plot_losses([*records, exact], ax=axes(), against="shots")
    assert len(lines) == 3
    assert isinstance(lines[0], Line2D)
    assert np.asarray(lines[0].get_xdata())[0] == 4096
    assert (
        len({(line.get_color(), line.get_marker()) for line in lines if isinstance(line, Line2D)})
        == 3
    )


def test_scores_stand_beside_their_best_baseline(records: list[RunRecord], tmp_path: Path) -> None:
    ax = axes()
    unscored = read_record(write(tmp_path / "none", 3.0, score=None))
    artists = plot_scores([unscored, *records], ax=ax)
    bars = [artist for artist in artists if isinstance(artist, Rectangle)]
    assert [bar.get_width() for bar in bars] == [0.6, 0.3, 0.9]
    lines = [artist for artist in artists if isinstance(artist, Line2D)]
    assert [np.asarray(line.get_xdata())[0] for line in lines] == [0.4, 0.4, 0.4]


def test_a_sweep_is_in_the_order_of_its_key(records: list[RunRecord]) -> None:
    ax = axes()
    own, best = plot_sweep(records, ax=ax)
    assert isinstance(own, Line2D)
    assert isinstance(best, Line2D)
    assert np.asarray(own.get_xdata()).tolist() == [0.01, 0.1, 1.0]
    assert np.asarray(own.get_ydata()).tolist() == [0.9, 0.3, 0.6]
    assert set(np.asarray(best.get_ydata())) == {0.4}
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "optimizer.learning_rate"
    with pytest.raises(RunError, match="do not differ in one number alone"):
        plot_sweep([records[0], records[0]], ax=ax)
