"""`.csv` series: defaults, windows, splits, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit.errors import DataError, SpecError
from qrnn_qiskit.learning.data import load_data, load_new, load_plain
from qrnn_qiskit.learning.dataset import DataInfo
from qrnn_qiskit.spec.model import DataSpec


def write(folder: Path, text: str) -> Path:
    path = folder / "series.csv"
    path.write_text(text)
    return path


def counting(folder: Path, rows: int, header: str = "a,b") -> Path:
    """Column j holds 100 j + row."""
    columns = header.count(",") + 1
    lines = [",".join(str(100 * j + i) for j in range(columns)) for i in range(rows)]
    return write(folder, "\n".join([header, *lines]) + "\n")


def spec(path: Path, **keys: Any) -> DataSpec:
    return DataSpec.model_validate({"file": path, **keys})


def test_defaults_are_all_columns_and_the_first_as_target(tmp_path: Path) -> None:
    splits = load_data(spec(counting(tmp_path, 100), window=5), seed=0)
    assert splits.feature_names == ("a", "b")
    assert splits.target_names == ("a",)
    assert splits.present == (0,)
    assert splits.scaling is None
    # 70, 15, 15 rows; disjoint windows, each needing one row more for its last target.
    assert [p.num_sequences for p in (splits.train, splits.validation, splits.test)] == [13, 2, 2]
    np.testing.assert_array_equal(splits.train.features[1, :, 1], [105, 106, 107, 108, 109])
    np.testing.assert_array_equal(splits.train.targets[1, :, 0], [6, 7, 8, 9, 10])
    assert splits.test.times is not None
    assert splits.test.times[0].tolist() == ["87", "88", "89", "90", "91"]


@pytest.mark.parametrize("window", [1, 4, 7])
@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("stride", [1, 3, 8])
def test_no_window_crosses_a_boundary(
    tmp_path: Path, window: int, horizon: int, stride: int
) -> None:
    path = counting(tmp_path, 83, "a")
    keys = {"window": window, "horizon": horizon, "stride": stride, "split": [0.5, 0.3, 0.2]}
    splits = load_data(spec(path, **keys), seed=0)
    bounds = [(0, 42), (42, 66), (66, 83)]
    for part, (start, stop) in zip(
        (splits.train, splits.validation, splits.test), bounds, strict=True
    ):
        assert part.num_sequences == (stop - start - window - horizon) // stride + 1
        assert part.features.min() == start
        assert part.targets.max() < stop
        assert part.targets.max() > stop - 1 - stride
        np.testing.assert_array_equal(part.targets, part.features + horizon)
        np.testing.assert_array_equal(np.diff(part.features[:, 0, 0]), stride)


def test_columns_target_and_scaling(tmp_path: Path) -> None:
    path = counting(tmp_path, 40, "a,b,c")
    keys = {"columns": ["c", "b"], "target": "a", "window": 3, "split": [0.5, 0.5, 0.0]}
    splits = load_data(spec(path, scale="minmax", **keys), seed=0)
    assert (splits.feature_names, splits.target_names) == (("c", "b"), ("a",))
    assert splits.present == (None,)
    assert splits.test.features.shape == (0, 3, 2)
    assert splits.test.targets.shape == (0, 3, 1)
    scaling = splits.scaling
    assert scaling is not None
    # Fitted on all 20 training rows, the held-out ones not among them.
    np.testing.assert_array_equal(scaling.low, [200, 100])
    np.testing.assert_array_equal(scaling.high, [219, 119])
    np.testing.assert_array_equal(scaling.target_high, [19])
    np.testing.assert_allclose(splits.train.features[0, 0], [-1, -1])
    first_held_out = scaling.unscale_features(splits.validation.features)[0, 0]
    np.testing.assert_allclose(first_held_out, [220, 120])


def test_a_time_column_labels_and_is_no_feature(tmp_path: Path) -> None:
    rows = "".join(f"day {i},{i}\n" for i in range(10))
    path = write(tmp_path, "Date,level\n" + rows)
    splits = load_data(spec(path, window=2, split=[1, 0, 0]), seed=0)
    assert splits.feature_names == ("level",)
    assert splits.train.times is not None
    assert splits.train.times[0].tolist() == ["day 1", "day 2"]
    new = load_new(path, splits.info)
    assert new.times is not None
    assert new.times[-1].tolist() == ["day 9", "day 9+1"]


def test_months_are_counted_on(tmp_path: Path) -> None:
    path = write(tmp_path, "year,month,x\n1999,11,1\n1999,12,2\n")
    data = load_plain(path, DataSpec.model_validate({"horizon": 2}))
    assert data.times is not None
    assert data.times.tolist() == [["2000-01", "2000-02"]]


def test_byte_order_mark_spaces_and_empty_lines_are_harmless(tmp_path: Path) -> None:
    path = tmp_path / "s.CSV"
    path.write_bytes("\ufeffx , y\r\n1, 2\r\n\r\n3,4\r\n5,6\r\n\r\n".encode())
    splits = load_data(spec(path, window=1, horizon=1, split=[1, 0, 0]), seed=0)
    assert splits.feature_names == ("x", "y")
    np.testing.assert_array_equal(splits.train.features[:, 0], [[1, 2], [3, 4]])


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("", {}, "holds no data: expected a header line"),
    ("a,b\n", {}, "holds no data"),
    ("1,2\n3,4\n", {}, "line 1 holds numbers, but must be a header line"),
    ("a;b\n1;2\n", {}, "separate the columns by commas"),
    ("a,a\n1,2\n", {}, "line 1: column 2 is named 'a'"),
    ("a,\n1,2\n", {}, "line 1: column 2 is named ''"),
    ("a,b\n1,2\n3\n", {}, "line 3 has 1 cells, but the header has 2"),
    ("a,b\n1,2\n\n3,nan\n", {}, "line 4, column 'b': 'nan'"),
    ("a,b\n1,2\n3,\n", {}, "line 3, column 'b': an empty cell"),
    ("a,b\n1,2\n-inf,4\n", {}, "line 3, column 'a': '-inf'"),
    ("a,b\n1,x\n", {}, "line 2, column 'b': 'x'"),
    ("day,b\n2001-01-01,1\n", {}, "choose other columns with data.columns"),
    ("date\n2001-01-01\n", {}, "no column to learn from"),
    ("alpha,b\n1,2\n", {"columns": ["alfa"]}, "no column 'alfa'"),
    ("a,b\n1,2\n", {"target": "c"}, "no column 'c'; its columns: a, b"),
    (
        "a\n" + "1\n" * 20,
        {"window": 12},
        "has 20 rows, 14 of them in the train part.*needs at least 13"
        "|has 20 rows, 3 of them in the validation part.*needs at least 13",
    ),
]


@pytest.mark.parametrize(("text", "keys", "message"), REFUSED)
def test_refused(tmp_path: Path, text: str, keys: dict[str, Any], message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        load_data(spec(path, **{"window": 2, **keys}), seed=0)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_only_columns_in_use_must_be_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "a,note\n1,x\n2,\n3,y\n")
    splits = load_data(spec(path, columns=["a"], window=1, split=[1, 0, 0]), seed=0)
    np.testing.assert_array_equal(splits.train.targets.ravel(), [2, 3])


def test_window_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"data\.window is missing"):
        load_data(spec(counting(tmp_path, 50)), seed=0)


def test_missing_file_and_unknown_suffix(tmp_path: Path) -> None:
    for name, message in (("no.csv", "does not exist"), ("no.txt", r"must end in \.npz")):
        with pytest.raises(DataError, match=message):
            load_data(spec(tmp_path / name, window=2), seed=0)
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(DataError, match="cannot be read as csv"):
        load_data(spec(folder, window=2), seed=0)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(DataError, match="cannot be read as csv"):
        load_data(spec(binary, window=2), seed=0)


def test_new_series_end_at_the_last_row(tmp_path: Path) -> None:
    splits = load_data(spec(counting(tmp_path, 100), window=5, scale="minmax"), seed=0)
    new = load_new(write(tmp_path, "a,b\n" + "".join(f"{i},100\n" for i in range(12))), splits.info)
    assert new.scaling is not None
    np.testing.assert_allclose(
        new.scaling.unscale_features(new.features)[:, :, 0], [[2, 3, 4, 5, 6], [7, 8, 9, 10, 11]]
    )
    known = new.scaling.unscale_targets(new.targets)[:, :, 0]
    np.testing.assert_allclose(known, [[3.0, 4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0, np.nan]])


def test_new_series_without_the_target_column(tmp_path: Path) -> None:
    path = counting(tmp_path, 100)
    splits = load_data(spec(path, columns=["a"], target="b", window=5), seed=0)
    new = load_new(write(tmp_path, "a\n1\n2\n3\n4\n5\n"), splits.info)
    assert new.features.shape == (1, 5, 1)
    assert np.isnan(new.targets).all()


def test_new_series_refused(tmp_path: Path) -> None:
    splits = load_data(spec(counting(tmp_path, 100), window=5), seed=0)
    with pytest.raises(DataError, match="has 4 rows, but the model reads sequences of 5"):
        load_new(counting(tmp_path, 4), splits.info)
    with pytest.raises(DataError, match="no column 'b'"):
        load_new(counting(tmp_path, 9, "a"), splits.info)


def test_info_saved_and_read_back(tmp_path: Path) -> None:
    path = counting(tmp_path, 100)
    info = load_data(spec(path, window=5, scale="minmax"), seed=0).info
    again = DataInfo.from_dict(info.to_dict())
    assert again.to_dict() == info.to_dict()
    with pytest.warns(UserWarning, match="outside the range") as caught:
        new = load_new(path, info.to_dict())
    assert [str(warning.message).split(" spans")[0] for warning in caught] == [
        "feature 'a'",
        "feature 'b'",
    ]
    assert Path(caught[0].filename).name == Path(__file__).name
    assert new.features.shape == (20, 5, 2)


def test_plain_series_is_one_sequence_unless_windowed(tmp_path: Path) -> None:
    path = counting(tmp_path, 6)
    whole = load_plain(path, DataSpec.model_validate({}))
    assert whole.features.shape == (1, 6, 2)
    np.testing.assert_array_equal(whole.targets[0, :, 0], [1, 2, 3, 4, 5, np.nan])
    assert load_plain(path, DataSpec.model_validate({"window": 3})).features.shape == (2, 3, 2)


@pytest.mark.parametrize("split", [[0.5, 0.2, 0.2], [0.0, 0.5, 0.5], [1.2, -0.1, -0.1]])
def test_split_must_sum_to_one(tmp_path: Path, split: list[float]) -> None:
    with pytest.raises((SpecError, ValueError), match=re.compile("split", re.DOTALL)):
        load_data(spec(counting(tmp_path, 100), window=3, split=split), seed=0)


def test_range_must_rise(tmp_path: Path) -> None:
    path = counting(tmp_path, 100)
    with pytest.raises((SpecError, ValueError), match="range"):
        load_data(spec(path, window=3, scale="minmax", range=[1, -1]), seed=0)
