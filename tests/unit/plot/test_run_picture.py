from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.plot import plot_gradient_norm, plot_loss, plot_run
from qrnn_qiskit.plot.record import History, read_record
from qrnn_qiskit.plot.run import draw_summary
from qrnn_qiskit.plot.style import house_style
from tests.unit.plot.recorded import elnino_run, write_history, write_predictions, write_run

PNG = b"\x89PNG\r\n\x1a\n"


def axes() -> Axes:
    return Figure().add_subplot()


def drawn(run: Path) -> Figure:
    with house_style():
        return draw_summary(read_record(run))


def history_of(run: Path) -> History:
    history = read_record(run).history
    assert history is not None
    return history


def test_writes_one_picture_and_leaves_settings_alone(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    paths = plot_run(elnino_run(tmp_path / "run"))
    assert paths == [tmp_path / "run" / "summary.png"]
    assert paths[0].read_bytes().startswith(PNG)
    assert dict(matplotlib.rcParams) == before


def test_writes_into_another_directory(tmp_path: Path) -> None:
    paths = plot_run(elnino_run(tmp_path / "run"), tmp_path / "new" / "pictures")
    assert paths == [tmp_path / "new" / "pictures" / "summary.png"]
    assert not (tmp_path / "run" / "summary.png").exists()


def test_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run = elnino_run(tmp_path / "run")
    (first,), (second,) = plot_run(run, tmp_path / "a"), plot_run(run, tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


def test_names_the_job_and_the_target(tmp_path: Path) -> None:
    figure = drawn(elnino_run(tmp_path))
    assert figure.get_suptitle() == "elnino-demo"
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "Forecast on held-out data",
        "Loss",
        "Gradient",
        "Spent",
    ]
    assert figure.axes[0].get_ylabel() == "Niño 3.4 temperature (°C)"


def test_a_run_without_predictions_shows_its_training(tmp_path: Path) -> None:
    run = tmp_path / "parity"
    write_run(run, name=None)
    write_history(run, steps=5, shots=False)
    figure = drawn(run)
    assert figure.get_suptitle() == "parity"
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["Loss", "Gradient"]


def test_a_run_without_shots_has_no_bands(tmp_path: Path) -> None:
    figure = drawn(elnino_run(tmp_path, shots=False))
    assert not [c for ax in figure.axes for c in ax.collections if isinstance(c, PolyCollection)]


def test_each_target_has_its_row(tmp_path: Path) -> None:
    write_run(tmp_path, name="two", target_names=["east"])
    write_predictions(tmp_path, shots=True, stride=1, dated=True, num_targets=2)
    figure = drawn(tmp_path)
    assert [ax.get_ylabel() for ax in figure.axes] == ["east", "target 2"]


def test_loss_is_logarithmic_only_when_positive(tmp_path: Path) -> None:
    history = history_of(elnino_run(tmp_path))
    ax = axes()
    labels = [str(a.get_label()) for a in plot_loss(history, ax=ax, best_step=50)]
    assert ax.get_yscale() == "log"
    assert labels == ["training", "± 2σ", "validation", "best weights"]
    below_zero = replace(
        history,
        loss=history.loss - 1.0,
        validation_loss=np.full_like(history.loss, np.nan),
        gradient_norm=np.zeros_like(history.loss),
    )
    ax = axes()
    labels = [str(a.get_label()) for a in plot_loss(below_zero, ax=ax)]
    assert ax.get_yscale() == "linear"
    assert labels == ["training", "± 2σ"]
    ax = axes()
    plot_gradient_norm(below_zero, ax=ax)
    assert ax.get_yscale() == "linear"


@pytest.mark.parametrize("span", [1.5, 30.0, 1e5])
def test_logarithmic_axes_have_few_labels_and_more_than_one(span: float) -> None:
    step = np.arange(1.0, 6.0)
    loss = np.geomspace(0.03 * span, 0.03, 5)
    nothing = np.full(5, np.nan)
    figure = Figure()
    ax = figure.add_subplot()
    plot_loss(
        History(step, loss, nothing, nothing, nothing, nothing, None, nothing, nothing), ax=ax
    )
    low, high = ax.get_ylim()
    labels = [tick for tick in ax.get_yticks() if low <= tick <= high]
    assert 2 <= len(labels) <= 8


def test_one_step_can_be_drawn(tmp_path: Path) -> None:
    write_run(tmp_path, name="short")
    write_history(tmp_path, steps=1, shots=True)
    assert plot_run(tmp_path)[0].is_file()


def test_a_torn_last_line_is_passed_over_and_another_is_an_error(tmp_path: Path) -> None:
    run = elnino_run(tmp_path, steps=7)
    path = run / "history.jsonl"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + '{"step": 8, "lo', encoding="utf-8")
    assert history_of(run).step.tolist() == [1, 2, 3, 4, 5, 6, 7]
    path.write_text("{torn\n" + text, encoding="utf-8")
    with pytest.raises(RunError, match=r"history\.jsonl line 1 is not JSON"):
        read_record(run)


def test_what_cannot_be_drawn_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is no run directory: it has no run\.json"):
        plot_run(tmp_path)
    write_run(tmp_path, name="young")
    with pytest.raises(RunError, match="nothing to draw yet"):
        plot_run(tmp_path)
    write_history(tmp_path, steps=3, shots=True)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="cannot write"):
        plot_run(tmp_path, tmp_path / "file")
    (tmp_path / "predictions.npz").write_bytes(b"no archive")
    with pytest.raises(RunError, match=r"predictions\.npz cannot be read"):
        plot_run(tmp_path)
    (tmp_path / "run.json").write_text("[]", encoding="utf-8")
    with pytest.raises(RunError, match="must hold a JSON object"):
        plot_run(tmp_path)
