"""`.npz` sequences: parts, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit.errors import DataError, SpecError
from qrnn_qiskit.learning.data import load_data, load_new, load_plain
from qrnn_qiskit.spec.model import DataSpec

FEATURES = np.arange(60.0).reshape(10, 3, 2)
TARGETS = -np.arange(30.0).reshape(10, 3, 1)


def save(folder: Path, **arrays: Any) -> Path:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return path


def spec(path: Path, **keys: Any) -> DataSpec:
    return DataSpec.model_validate({"file": path, **keys})


def test_all_sequences_are_for_training_by_default(tmp_path: Path) -> None:
    splits = load_data(spec(save(tmp_path, features=FEATURES, targets=TARGETS)), seed=0)
    np.testing.assert_array_equal(splits.train.features, FEATURES)
    np.testing.assert_array_equal(splits.train.targets, TARGETS)
    assert splits.validation.features.shape == (0, 3, 2)
    assert splits.test.targets.shape == (0, 3, 1)
    assert splits.feature_names == ("feature 0", "feature 1")
    assert splits.target_names == ("target 0",)
    assert splits.present == (None,)
    assert splits.series is None


def test_split_in_order_when_asked(tmp_path: Path) -> None:
    path = save(tmp_path, features=FEATURES, targets=TARGETS)
    splits = load_data(spec(path, split=[0.5, 0.2, 0.3], scale="minmax", range=[0, 1]), seed=0)
    assert [p.num_sequences for p in (splits.train, splits.validation, splits.test)] == [5, 2, 3]
    assert splits.scaling is not None
    np.testing.assert_array_equal(splits.scaling.high, FEATURES[:5].max(axis=(0, 1)))
    np.testing.assert_allclose(splits.scaling.unscale_features(splits.test.features), FEATURES[7:])
    np.testing.assert_allclose(splits.scaling.unscale_targets(splits.test.targets), TARGETS[7:])


def test_parts_of_the_file(tmp_path: Path) -> None:
    arrays = {
        "features": FEATURES.astype(np.float32),
        "targets": TARGETS.astype(np.int64),
        "test_features": FEATURES[:1],
        "test_targets": TARGETS[:1],
    }
    path = save(tmp_path, **arrays)
    splits = load_data(spec(path), seed=0)
    assert [p.num_sequences for p in (splits.train, splits.validation, splits.test)] == [10, 0, 1]
    assert splits.train.features.dtype == splits.train.targets.dtype == np.float64
    with pytest.raises(SpecError, match=r"data\.split cannot be given: .* its own test part"):
        load_data(spec(path, split=[0.8, 0.1, 0.1]), seed=0)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"targets": TARGETS}, "array 'features' is missing .*it holds: targets"),
    ({"features": FEATURES}, "array 'targets' is missing"),
    ({"feature": FEATURES, "targets": TARGETS}, "array 'features' is missing"),
    (
        {"features": FEATURES[:, :, 0], "targets": TARGETS},
        r"array 'features' .* has shape \(10, 3\), but must be \[sequences, steps, features\].*"
        r"save features\[:, :, None\]",
    ),
    (
        {"features": FEATURES, "targets": TARGETS[:, 0, 0]},
        r"array 'targets' .* has shape \(10,\), but must be \[sequences, steps, targets\]",
    ),
    ({"features": FEATURES[:0], "targets": TARGETS[:0]}, r"has shape \(0, 3, 2\)"),
    (
        {"features": FEATURES, "targets": TARGETS[:, :2]},
        r"array 'targets' .* has shape \(10, 2, 1\), but 'features' has \(10, 3, 2\)",
    ),
    (
        {"features": np.where(FEATURES == 9.0, np.nan, FEATURES), "targets": TARGETS},
        r"array 'features' .* holds nan at \[1, 1, 1\] \(1 such",
    ),
    ({"features": FEATURES, "targets": TARGETS * 1j}, "array 'targets' .* dtype complex128"),
    ({"features": FEATURES.astype(str), "targets": TARGETS}, "array 'features' .* dtype <U"),
    (
        {"features": FEATURES.astype(object), "targets": TARGETS},
        "array 'features' .* holds Python objects",
    ),
    (
        {"features": FEATURES, "targets": TARGETS, "validation_features": FEATURES},
        "array 'validation_targets' is missing",
    ),
    (
        {
            "features": FEATURES,
            "targets": TARGETS,
            "test_features": FEATURES[:, :2],
            "test_targets": TARGETS[:, :2],
        },
        r"array 'test_features' .* has shape \(10, 2, 2\), but 'features' has \(10, 3, 2\)",
    ),
]


@pytest.mark.parametrize(("arrays", "message"), REFUSED)
def test_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = save(tmp_path, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        load_data(spec(path), seed=0)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"features,targets\n1,2\n"])
def test_files_that_are_no_npz(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"data\.npz (cannot be read as|is not a) \.npz"):
        load_data(spec(path), seed=0)


def test_torn_file(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez_compressed(path, features=FEATURES, targets=TARGETS)
    whole = path.read_bytes()
    middle = 100
    path.write_bytes(whole[:middle] + b"\xff" * 40 + whole[middle + 40 :])
    with pytest.raises(DataError, match=r"data\.npz"):
        load_data(spec(path), seed=0)


def test_single_array_and_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    with pytest.raises(DataError, match="does not exist"):
        load_data(spec(path), seed=0)
    with path.open("wb") as file:
        np.save(file, FEATURES)
    with pytest.raises(DataError, match="is a single array"):
        load_data(spec(path), seed=0)


def test_keys_of_a_series_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path, features=FEATURES, targets=TARGETS)
    with pytest.raises(SpecError, match=r"data\.window is for a \.csv series"):
        load_data(spec(path, window=3), seed=0)


def test_split_that_leaves_nothing_to_train_on(tmp_path: Path) -> None:
    path = save(tmp_path, features=FEATURES[:1], targets=TARGETS[:1])
    with pytest.raises(DataError, match=r"has 1 sequences.*leaves none for training"):
        load_data(spec(path, split=[0.1, 0.1, 0.8]), seed=0)


def test_new_data_with_and_without_targets(tmp_path: Path) -> None:
    path = save(tmp_path, features=FEATURES, targets=TARGETS)
    info = load_data(spec(path, scale="minmax"), seed=0).info
    with_targets = load_new(path, info)
    assert with_targets.scaling is not None
    np.testing.assert_allclose(with_targets.scaling.unscale_targets(with_targets.targets), TARGETS)
    without = load_new(save(tmp_path, features=FEATURES[:2]), info)
    assert np.isnan(without.targets).all()
    assert without.targets.shape == (2, 3, 1)
    with pytest.raises(DataError, match="has 1 features per step, but the model was made for 2"):
        load_new(save(tmp_path, features=FEATURES[:, :, :1]), info)
    with pytest.warns(UserWarning, match=r"feature 'feature 1' spans \[1, 581\]"):
        load_new(save(tmp_path, features=FEATURES * [1.0, 10.0] + [0.0, -9.0]), info)


def test_plain(tmp_path: Path) -> None:
    empty = DataSpec.model_validate({})
    data = load_plain(save(tmp_path, features=FEATURES), empty)
    assert data.targets.shape == (10, 3, 0)
    data = load_plain(save(tmp_path, features=FEATURES, targets=TARGETS), empty)
    np.testing.assert_array_equal(data.targets, TARGETS)
