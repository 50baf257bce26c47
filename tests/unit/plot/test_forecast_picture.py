from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qrnn_qiskit.learning.metrics import rmse
from qrnn_qiskit.plot import plot_forecast
from qrnn_qiskit.plot.record import Predictions, read_record
from qrnn_qiskit.plot.series import make_series
from tests.unit.plot.recorded import elnino_run


def axes() -> Axes:
    return Figure().add_subplot()


def predictions_of(run: Path) -> Predictions:
    predictions = read_record(run).predictions
    assert predictions is not None
    return predictions


def small(targets: list[list[float]], times: list[list[str]] | None = None) -> Predictions:
    array = np.array(targets)[:, :, None]
    return Predictions(
        targets=array,
        mean=array + 1.0,
        standard_error=None,
        baselines={},
        mask=np.ones(array.shape[1], dtype=bool),
        times=None if times is None else np.array(times),
    )


@pytest.mark.parametrize("dated", [True, False])
def test_windows_that_overlap_give_their_last_step(tmp_path: Path, dated: bool) -> None:
    predictions = predictions_of(elnino_run(tmp_path, stride=1, dated=dated))
    series = make_series(predictions)
    assert series.dated is dated
    assert set(series.step) == {predictions.targets.shape[1] - 1}
    assert np.array_equal(series.window, np.arange(len(predictions.targets)))
    assert np.all(np.diff(series.time) > np.zeros(1, dtype=np.diff(series.time).dtype))


def test_windows_that_overlap_partly_give_the_steps_between_them() -> None:
    series = make_series(small([[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]))
    assert series.time.tolist() == [2, 3, 4, 5, 6, 7]
    assert series.step.tolist() == [2, 3] * 3


def test_windows_side_by_side_give_every_step() -> None:
    months = [["2001-01", "2001-02"], ["2001-03", "2001-04"]]
    series = make_series(small([[0, 1], [2, 3]], months))
    assert series.time.astype("datetime64[M]").astype(str).tolist() == months[0] + months[1]


def test_row_numbers_are_numbers_and_other_labels_are_counted() -> None:
    assert make_series(small([[0, 1], [2, 3]], [["7", "8"], ["9", "10"]])).time.tolist() == [
        7,
        8,
        9,
        10,
    ]
    assert make_series(small([[0, 1]], [["spring", "summer"]])).time.tolist() == [0, 1]


def test_steps_that_the_loss_leaves_out_are_not_drawn(tmp_path: Path) -> None:
    predictions = predictions_of(elnino_run(tmp_path, stride=6))
    assert set(make_series(predictions).step) == {4, 5}


def test_draws_truth_forecast_band_and_baselines(tmp_path: Path) -> None:
    predictions = predictions_of(elnino_run(tmp_path))
    ax = axes()
    artists = plot_forecast(predictions, ax=ax, name="temperature (°C)")
    labels = [str(artist.get_label()) for artist in artists]
    scored = {
        "QRNN": predictions.mean,
        "persistence": predictions.baselines["persistence"],
        "ridge": predictions.baselines["ridge"],
    }
    assert labels[0] == "truth"
    assert "± 2σ" in labels
    for name, values in scored.items():
        error = rmse(values, predictions.targets, predictions.mask)
        assert f"{name}, RMSE {error:.3g}" in labels
    forecast = artists[1]
    assert isinstance(forecast, Line2D)
    assert np.array_equal(np.asarray(forecast.get_ydata()), predictions.mean[:, -1, 0])
    assert ax.get_ylabel() == "temperature (°C)"


def test_exact_predictions_have_no_band() -> None:
    artists = plot_forecast(small([[0, 1, 2]]), ax=axes())
    assert [artist.get_label() for artist in artists] == ["truth", "QRNN, RMSE 1"]


def test_of_many_baselines_the_best_is_drawn_beside_the_two_that_everybody_knows() -> None:
    plain = small([[0, 1, 2], [3, 4, 5]])
    off = {"persistence": 5.0, "ridge": 4.0, "gru": 3.0, "echo_state": 0.5, "lstm": 2.0}
    baselines = {name: plain.targets + error for name, error in off.items()}
    artists = plot_forecast(replace(plain, baselines=baselines), ax=axes())
    labels = [str(artist.get_label()) for artist in artists]
    assert labels == [
        "truth",
        "QRNN, RMSE 1",
        "persistence, RMSE 5",
        "ridge, RMSE 4",
        "echo state, RMSE 0.5",
    ]
