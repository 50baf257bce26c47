"""The data sets that come with the library."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import sawtooth

from qrnn_qiskit import learning
from qrnn_qiskit.errors import DataError, SpecError
from qrnn_qiskit.learning.data import load_data, load_new
from qrnn_qiskit.learning.plugins import DATASETS
from qrnn_qiskit.spec.model import DataSpec

FOLDER = Path(learning.__path__[0]) / "datasets"


def test_names() -> None:
    assert set(DATASETS.names()) >= {"elnino", "dectriang", "parity"}


def test_elnino_file_is_complete() -> None:
    with (FOLDER / "elnino.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    months = [(int(row["year"]), int(row["month"])) for row in rows]
    assert months == [(y, m) for y in range(1950, 2011) for m in range(1, 13)]
    assert float(rows[0]["temperature"]) == 23.11
    assert float(rows[-1]["temperature"]) == 22.07
    temperatures = np.array([float(row["temperature"]) for row in rows])
    assert 15.0 < temperatures.min() < temperatures.max() < 32.0
    assert "public domain" in (FOLDER / "elnino.md").read_text()


def test_elnino() -> None:
    splits = load_data(DataSpec.model_validate({"name": "elnino"}), seed=0)
    assert [p.num_sequences for p in (splits.train, splits.validation, splits.test)] == [
        500,
        98,
        98,
    ]
    assert splits.train.features.shape == (500, 12, 1)
    assert splits.train.targets.shape == (500, 12, 1)
    assert splits.train.features.min() == pytest.approx(-1.0, abs=1e-14)
    assert splits.train.features.max() == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_array_equal(splits.train.features[:, 1:], splits.train.targets[:, :-1])
    assert splits.train.times is not None
    assert splits.test.times is not None
    assert splits.train.times[0, 0] == "1950-02"
    assert splits.test.times[-1, -1] == "2010-12"
    assert splits.test.scaling is not None
    last = splits.test.scaling.unscale_targets(splits.test.targets)[-1, -1, 0]
    assert last == pytest.approx(22.07)
    parts = (splits.train, splits.validation, splits.test)
    months = [set(p.times.ravel().tolist()) for p in parts if p.times is not None]
    assert not (months[0] & months[1])
    assert not (months[1] & months[2])
    assert not (months[0] & months[2])


def test_elnino_options() -> None:
    keys = {"name": "elnino", "window": 6, "horizon": 3, "stride": 6, "scale": "none"}
    splits = load_data(DataSpec.model_validate(keys), seed=0)
    assert splits.scaling is None
    assert splits.train.features[0, 0, 0] == 23.11
    assert splits.train.targets[0, 0, 0] == 23.86
    with pytest.raises(SpecError, match=r"data\.horizon = 0"):
        DATASETS.build("elnino", {"horizon": 0})
    with pytest.raises(SpecError, match=r"data\.windows is not a key"):
        load_data(DataSpec.model_validate({"name": "elnino", "windows": 5}), seed=0)
    with pytest.raises(DataError, match="needs at least 201 rows in each part"):
        load_data(DataSpec.model_validate({"name": "elnino", "window": 200}), seed=0)


def test_elnino_forecasts_beyond_its_end() -> None:
    splits = load_data(DataSpec.model_validate({"name": "elnino"}), seed=0)
    with pytest.warns(
        UserWarning, match=r"spans \[18\.95, 29\.24\], outside .* \[18\.95, 28\.85\]"
    ):
        new = load_new(FOLDER / "elnino.csv", splits.info)
    assert new.times is not None
    assert new.times[-1, -1] == "2011-01"
    assert np.isnan(new.targets[-1, -1, 0])
    assert np.isfinite(new.targets[-1, :-1]).all()


def test_sunspots() -> None:
    with (FOLDER / "sunspots.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["time"]) for row in rows] == list(range(1700, 2009))
    numbers = np.array([float(row["sunspots"]) for row in rows])
    assert (numbers[0], numbers[-1], numbers.max()) == (5.0, 2.9, 190.2)
    assert "public domain" in (FOLDER / "sunspots.md").read_text()
    splits = load_data(DataSpec.model_validate({"name": "sunspots"}), seed=0)
    assert splits.test.times is not None
    assert splits.test.times[-1, -1] == "2008"
    assert splits.test.scaling is not None
    last = splits.test.scaling.unscale_targets(splits.test.targets)[-1, -1, 0]
    assert last == pytest.approx(2.9)
    assert np.ptp(splits.train.features) == pytest.approx(1.6)


@pytest.mark.parametrize("read", ["rows", "pixels", "scans"])
def test_digits(read: str) -> None:
    """The images of scikit-learn's own loader, in another order, each with its own label."""
    datasets = pytest.importorskip("sklearn.datasets")
    images = datasets.load_digits()
    keys = {"name": "digits", "digits": [3, 6], "read": read}
    splits = load_data(DataSpec.model_validate(keys), seed=1)
    parts = (splits.train, splits.validation, splits.test)
    features = np.concatenate([part.features for part in parts])
    labels = np.concatenate([part.targets for part in parts])
    assert np.all(labels == labels[:, :1])
    steps, width = {"rows": (8, 8), "pixels": (64, 1), "scans": (64, 2)}[read]
    assert features.shape[1:] == (steps, width)
    if read == "scans":
        square = features[:, :, 0].reshape(-1, 8, 8)
        np.testing.assert_array_equal(
            features[:, :, 1].reshape(-1, 8, 8), square.transpose(0, 2, 1)
        )
        features = features[:, :, 0]
    found = {
        (round(label), *np.round(16 * image).astype(int))
        for label, image in zip(labels[:, 0, 0], features.reshape(-1, 64), strict=True)
    }
    expected = {
        (int(number == 6), *image.astype(int))
        for number, image in zip(images.target, images.data, strict=True)
        if number in (3, 6)
    }
    assert found == expected
    assert sum(part.num_sequences for part in parts) == len(expected)


def test_digits_options() -> None:
    keys = {"name": "digits", "digits": [0, 1, 2], "most": 10, "threshold": 0.5}
    splits = load_data(DataSpec.model_validate(keys), seed=0)
    parts = (splits.train, splits.validation, splits.test)
    assert sum(part.num_sequences for part in parts) == 30
    assert set(np.unique(splits.train.features)) == {0.0, 1.0}
    assert set(np.unique(splits.train.targets)) == {0.0, 1.0, 2.0}
    with pytest.raises(DataError, match="name two digits or more, once each"):
        load_data(DataSpec.model_validate({"name": "digits", "digits": [4]}), seed=0)


def test_dectriang() -> None:
    splits = load_data(DataSpec.model_validate({"name": "dectriang"}), seed=0)
    assert [p.num_sequences for p in (splits.train, splits.validation, splits.test)] == [32, 8, 10]
    assert splits.scaling is None
    assert splits.present == (0,)
    u = np.linspace(0.0, 112.0, 1120)
    signal = 0.75 * np.exp(-u / 50.0) * sawtooth(2.0 * np.pi * u / 5.0, width=0.5)
    windows, targets = signal[:1000].reshape(50, 20), signal[120:].reshape(50, 20)
    validation = [3, 5, 10, 13, 16, 19, 23, 38]
    np.testing.assert_allclose(splits.validation.features[..., 0], windows[validation], atol=1e-13)
    np.testing.assert_allclose(splits.test.features[..., 0], windows[40:], atol=1e-13)
    np.testing.assert_allclose(splits.test.targets[..., 0], targets[40:], atol=1e-13)
    np.testing.assert_allclose(splits.train.targets[3, :, 0], targets[4], atol=1e-13)
    assert splits.test.times is not None
    assert float(splits.test.times[-1, -1]) == pytest.approx(112.0 * 1119 / 1119)
    with pytest.raises(SpecError, match=r"data\.window is not a key of data\.name = 'dectriang'"):
        load_data(DataSpec.model_validate({"name": "dectriang", "window": 5}), seed=0)


def test_parity() -> None:
    splits = load_data(DataSpec.model_validate({"name": "parity", "steps": 3}), seed=0)
    bits = splits.train.features[..., 0]
    assert bits.shape == (8, 3)
    assert {tuple(row) for row in bits.tolist()} == {
        (float(a), float(b), float(c)) for a in (0, 1) for b in (0, 1) for c in (0, 1)
    }
    np.testing.assert_array_equal(splits.train.targets[..., 0], np.cumprod(1 - 2 * bits, axis=1))
    assert splits.validation.num_sequences == splits.test.num_sequences == 0
    for steps in (0, 17):
        with pytest.raises(SpecError, match=rf"data\.steps = {steps}"):
            load_data(DataSpec.model_validate({"name": "parity", "steps": steps}), seed=0)


def test_unknown_name_and_no_data() -> None:
    with pytest.raises(SpecError, match=r"elnino"):
        load_data(DataSpec.model_validate({"name": "elninno"}), seed=0)
    with pytest.raises(SpecError, match=r"give either data\.file"):
        load_data(DataSpec.model_validate({}), seed=0)
