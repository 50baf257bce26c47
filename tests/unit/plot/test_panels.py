"""Panels of a run beyond forecast and loss: what they draw, and when there is nothing to draw."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from qrnn_qiskit.circuit import build_cell, unroll
from qrnn_qiskit.errors import RunError
from qrnn_qiskit.plot import (
    plot_cell,
    plot_circuit,
    plot_gradient_norm,
    plot_outputs,
    plot_signal_to_noise,
    plot_spending,
    plot_survival,
)
from qrnn_qiskit.plot.record import HeldOutOutputs, History, read_record
from qrnn_qiskit.plot.run import panels
from tests.unit.plot.recorded import elnino_run, write_run


def axes() -> Axes:
    return Figure().add_subplot()


def history(directory: Path, *, weights: int = 3, seconds: bool = True) -> History:
    """A training with shots: each weight twice as clear as the one before it."""
    write_run(directory, name="shots")
    lines = [
        {
            "step": step,
            "loss": 0.5,
            "loss_standard_error": 0.1,
            "validation_loss": None,
            "gradient_norm": 1.0,
            "shots": 100 * (step + 1),
            "qpu_seconds": 0.5 * (step + 1) if seconds else 0.0,
            "gradient": {
                "error": 0.25,
                "signal_to_noise": [2.0**p for p in range(weights)] if step else None,
            },
        }
        for step in range(4)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (directory / "history.jsonl").write_text(text, encoding="utf-8")
    found = read_record(directory).history
    assert found is not None
    return found


def test_signal_to_noise_is_a_map_of_weights_and_steps(tmp_path: Path) -> None:
    ax = axes()
    found = history(tmp_path)
    (image,) = plot_signal_to_noise(found, ax=ax, weights=["a", "b", "c"])
    assert isinstance(image, AxesImage)
    values = image.get_array()
    assert values is not None
    assert values.shape == (3, 4)
    np.testing.assert_array_equal(values[:, 1], [1.0, 2.0, 4.0])
    assert np.all(np.isnan(np.ma.filled(values[:, 0], np.nan)))  # a step that told nothing
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    exact = read_record(elnino_run(tmp_path / "exact")).history
    assert exact is not None
    with pytest.raises(RunError, match="no shots"):
        plot_signal_to_noise(exact, ax=axes())


def test_the_gradient_has_its_error_beside_it(tmp_path: Path) -> None:
    norm, error = plot_gradient_norm(history(tmp_path), ax=axes())
    assert isinstance(norm, Line2D)
    assert isinstance(error, Line2D)
    assert set(np.asarray(error.get_ydata())) == {0.25}
    assert norm.get_linestyle() != error.get_linestyle()


def test_spending_has_shots_seconds_and_the_budget(tmp_path: Path) -> None:
    ax = axes()
    artists = plot_spending(history(tmp_path), ax=ax, limit=1000)
    labels = [str(artist.get_label()) for artist in artists]
    assert labels == ["shots", "budget (shots)", "QPU seconds (predicted)"]
    assert isinstance(artists[0], Line2D)
    assert np.asarray(artists[0].get_ydata()).tolist() == [100, 200, 300, 400]
    assert len(ax.figure.axes) == 2
    ax = axes()
    assert len(plot_spending(history(tmp_path / "sim", seconds=False), ax=ax)) == 1
    assert len(ax.figure.axes) == 1


def outputs(*, values: int = 1, kept: bool = False) -> HeldOutOutputs:
    mean = np.linspace(-1, 1, 11)[:, None, None] * np.ones((11, 3, values))
    survival = 0.5 ** np.arange(1, 4) * np.linspace(0.8, 1.2, 11)[:, None]
    return HeldOutOutputs(mean, np.full(mean.shape, 0.1), survival if kept else None)


def test_outputs_show_the_middle_and_the_spread_of_sequences() -> None:
    ax = axes()
    band, line = plot_outputs(outputs(), ax=ax)
    assert isinstance(band, PolyCollection)
    heights = np.asarray(band.get_paths()[0].vertices)[:, 1]
    assert [heights.min(), heights.max()] == pytest.approx([-0.8, 0.8])
    assert isinstance(line, Line2D)
    assert np.asarray(line.get_ydata()) == pytest.approx([0.0, 0.0, 0.0])
    many = plot_outputs(outputs(values=6), ax=ax)
    assert len(many) == 2 * 4
    assert "first 4 of 6" in ax.get_title(loc="left") + ax.get_title()


def test_survival_falls_with_the_steps() -> None:
    ax = axes()
    _, mean = plot_survival(outputs(kept=True), ax=ax)
    assert isinstance(mean, Line2D)
    assert np.asarray(mean.get_ydata()) == pytest.approx([0.5, 0.25, 0.125])
    assert ax.get_yscale() == "log"
    with pytest.raises(RunError, match="post-selects nothing"):
        plot_survival(outputs(), ax=axes())


def test_a_run_has_the_panels_that_it_has_something_for(tmp_path: Path) -> None:
    run = elnino_run(tmp_path)
    about = [panel.about for panel in panels(read_record(run))]
    assert len(about) == 4
    found = outputs(kept=True)
    np.savez(run / "outputs.npz", outputs=found.mean, survival=np.asarray(found.survival))
    more = panels(read_record(run))
    assert len(more) == 6
    assert [panel.wide for panel in more] == [True] + 5 * [False]
    assert all(panel.about for panel in more)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_cell_is_drawn_with_what_it_is_unrolled_to(tmp_path: Path, ending: str) -> None:
    path = plot_cell(unroll(build_cell("parity2"), 2), tmp_path / "new" / f"cell.{ending}")
    assert path.stat().st_size > 5000
    if ending == "svg":
        assert "<svg" in path.read_text(encoding="utf-8")


def test_what_is_drawn_of_a_circuit_is_returned() -> None:
    ax = axes()
    assert len(plot_circuit(build_cell("parity2").circuit, ax=ax)) > 10


def test_a_picture_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    unrolled = unroll(build_cell("parity2"), 1)
    with pytest.raises(RunError, match="cannot write"):
        plot_cell(unrolled, tmp_path / "cell.docx")
