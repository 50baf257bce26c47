"""Scaling: exact inverses, constant columns, warnings."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qrnn_qiskit.learning.scaling import Scaling

VALUES = st.floats(-1e6, 1e6)
DATA = arrays(np.float64, (4, 3, 2), elements=VALUES)
RANGE = st.tuples(st.floats(-10, 0), st.floats(0.5, 10))


@settings(deadline=None)
@given(DATA, DATA, RANGE)
def test_unscaling_inverts_scaling(
    features: np.ndarray, targets: np.ndarray, range_: tuple[float, float]
) -> None:
    scaling = Scaling.fit(features, targets, range_)
    for values, scale, unscale in (
        (features, scaling.scale_features, scaling.unscale_features),
        (targets, scaling.scale_targets, scaling.unscale_targets),
    ):
        # Columns narrower than 1e-12 of their magnitude, or than 1e-290, count as constant.
        tolerance = 2e-12 * np.abs(values).max(axis=(0, 1)) + 1e-250
        assert np.all(np.abs(unscale(scale(values)) - values) <= tolerance)
        assert np.all(np.isfinite(scale(values)))
        assert range_[0] <= scale(values).min() <= scale(values).max() <= range_[1]


@settings(deadline=None)
@given(DATA, RANGE)
def test_training_data_fill_the_range(data: np.ndarray, range_: tuple[float, float]) -> None:
    scaling = Scaling.fit(data, data, range_)
    scaled = scaling.scale_features(data)
    for f in range(2):
        column = data[:, :, f]
        if np.ptp(column) <= 1e-6 * np.abs(column).max() + 1e-250:
            continue
        assert scaled[:, :, f].min() == pytest.approx(range_[0], abs=1e-8)
        assert scaled[:, :, f].max() == pytest.approx(range_[1], abs=1e-8)


def test_constant_column_keeps_its_unit() -> None:
    scaling = Scaling.fit(np.full((5, 1), 7.0), np.full((5, 1), -3.0), (0.0, 1.0))
    np.testing.assert_array_equal(scaling.scale_features(np.array([[7.0], [8.0]])), [[0.5], [1.5]])
    np.testing.assert_array_equal(scaling.unscale_targets(np.array([0.5])), [-3.0])
    np.testing.assert_array_equal(scaling.unscale_error(np.array([0.2])), [0.2])


def test_errors_scale_like_differences() -> None:
    scaling = Scaling.fit(np.zeros((2, 1)), np.array([[10.0], [30.0]]), (-1.0, 1.0))
    difference = scaling.unscale_targets(np.array([0.3])) - scaling.unscale_targets(np.array([0.1]))
    np.testing.assert_allclose(scaling.unscale_error(np.array([0.2])), difference)


def test_warns_of_features_outside_the_fitted_range() -> None:
    scaling = Scaling.fit(np.array([[0.0, 0.0], [1.0, 5.0]]), np.zeros((2, 1)), (-1.0, 1.0))
    with pytest.warns(
        UserWarning, match=r"feature 'wind' spans \[2, 6\], outside the range \[0, 5\]"
    ):
        scaling.warn_outside(np.array([[0.5, 2.0], [0.6, 6.0]]), ("pressure", "wind"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaling.warn_outside(np.array([[0.0, 5.0]]), ("pressure", "wind"))


@settings(deadline=None)
@given(DATA, RANGE)
def test_saved_and_read_back_is_the_same(data: np.ndarray, range_: tuple[float, float]) -> None:
    scaling = Scaling.fit(data, 2.0 * data, range_)
    again = Scaling.from_dict(json.loads(json.dumps(scaling.to_dict())))
    np.testing.assert_array_equal(again.scale_features(data), scaling.scale_features(data))
    np.testing.assert_array_equal(again.scale_targets(data), scaling.scale_targets(data))
