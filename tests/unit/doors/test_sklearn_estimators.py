"""The scikit-learn estimators: its own checks, its tools, and what they predict."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import QRNNError

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from qrnn_qiskit.sklearn import QRNNClassifier, QRNNRegressor

# No check is expected to fail. Two skip themselves: array_api input needs SCIPY_ARRAY_API, and the
# check of data that are no arrays needs pandas. What scores are enough is left out by the tag
# `poor_score`: those tables have no order of their columns, and here 2 steps are trained.
QUICK: dict[str, Any] = {"cell": "parity2", "steps": 2}


@parametrize_with_checks([QRNNRegressor(**QUICK), QRNNClassifier(**QUICK)])
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def sines(count: int = 24, steps: int = 5) -> tuple[Array, Array]:
    """Windows `[N, T]` of a sine, and the value after each step `[N, T]`."""
    series = 3.0 + 2.0 * np.sin(0.7 * np.arange(count + steps))
    windows = np.lib.stride_tricks.sliding_window_view(series, steps + 1)[:count]
    return windows[:, :-1].copy(), windows[:, 1:].copy()


def regressor(**options: Any) -> Any:
    return QRNNRegressor(
        **{"cell_options": {"n_hidden": 1, "layers": 2}, "random_state": 3, "steps": 40, **options}
    )


def test_a_regressor_learns_a_sine() -> None:
    x, following = sines()
    model = regressor(learning_rate=0.1).fit(x, following[:, -1])
    assert model.score(x, following[:, -1]) > 0.9
    assert model.loss_curve_[-1] < 0.2 * model.loss_curve_[0]
    assert len(model.loss_curve_) == model.n_iter_ == 40
    assert model.shots_used_ == 0


def test_forms_of_targets() -> None:
    x, following = sines()
    flat = regressor(steps=2).fit(x, following[:, -1]).predict(x)
    assert flat.shape == (24,)
    same = regressor(steps=2).fit(x[:, :, None], following[:, -1]).predict(x[:, :, None])
    np.testing.assert_array_equal(flat, same)
    column = regressor(steps=2).fit(x, following[:, -1:]).predict(x)
    np.testing.assert_array_equal(column, flat[:, None])
    two = regressor(steps=2).fit(x, following[:, -2:]).predict(x)
    assert two.shape == (24, 2)
    every = regressor(steps=2).fit(x, following[:, :, None]).predict(x)
    assert every.shape == (24, 5, 1)


def test_several_features_lie_step_by_step() -> None:
    x, following = sines()
    both = np.stack([x, -x], axis=2)
    options = {"cell_options": {"n_hidden": 1, "layers": 1, "n_features": 2}, "steps": 2}
    model = regressor(**options).fit(both, following[:, -1])
    again = regressor(**options).fit(both.reshape(24, 10), following[:, -1])
    np.testing.assert_array_equal(model.predict(both), again.predict(both.reshape(24, 10)))


def test_standard_errors_are_those_of_the_shots() -> None:
    x, following = sines()
    model = regressor(steps=3, shots=200, batch_size=4).fit(x, following[:, -1])
    assert model.shots_used_ > 0
    mean, error = model.predict(x, return_std=True)
    assert error.shape == mean.shape == (24,)
    assert np.all(error > 0)
    exact = clone(model).set_params(shots=None).fit(x, following[:, -1])
    exact.parameters_ = model.parameters_
    truth, none = exact.predict(x, return_std=True)
    assert not none.any()
    assert np.max(np.abs(mean - truth) / error) < 6  # 24 values, one seed


def test_the_same_random_state_gives_the_same_bits() -> None:
    x, following = sines()
    options = {"steps": 3, "shots": 50, "batch_size": 4}
    one, two = (regressor(**options).fit(x, following[:, -1]) for _ in range(2))
    np.testing.assert_array_equal(one.parameters_, two.parameters_)
    other = regressor(**options, random_state=4).fit(x, following[:, -1])
    assert not np.array_equal(one.parameters_, other.parameters_)
    loaded = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(loaded.predict(x), one.predict(x))


def words() -> tuple[Array, list[str]]:
    """All words of three bits, and their parity."""
    bits = np.array(list(np.ndindex(2, 2, 2)), dtype=float)
    return bits, ["odd" if word.sum() % 2 else "even" for word in bits]


def test_a_classifier_learns_parity() -> None:
    x, y = words()
    model = QRNNClassifier(
        "parity2",
        optimizer="l_bfgs_b",
        learning_rate=None,
        steps=60,
        feature_range=None,
        random_state=2,
    ).fit(x, y)
    assert model.classes_.tolist() == ["even", "odd"]
    assert model.score(x, y) == 1.0
    probabilities, error = model.predict_proba(x, return_std=True)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert not error.any()


def test_pipeline_and_search() -> None:
    x, following = sines()
    pipeline = make_pipeline(StandardScaler(), regressor(steps=4))
    search = GridSearchCV(
        pipeline,
        {"qrnnregressor__learning_rate": np.array([0.01, 0.2]), "qrnnregressor__steps": [2, 4]},
        cv=2,
    )
    search.fit(x, following[:, -1])
    assert search.best_params_["qrnnregressor__steps"] in (2, 4)
    assert search.predict(x).shape == (24,)


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("cell.n_hiden is not a key", {"cell_options": {"n_hiden": 1}}),
        ("optimizer.name = 'adamm' is unknown", {"optimizer": "adamm"}),
        ("'adjoint' is exact", {"gradient": "adjoint", "shots": 10}),
        ("backend.name = 'ear' is unknown", {"backend": "ear"}),
        ("range", {"feature_range": (1.0, -1.0)}),
        ("X has 5 columns", {"cell_options": {"n_features": 2}}),
    ],
)
def test_wrong_options(message: str, options: dict[str, Any]) -> None:
    x, following = sines()
    with pytest.raises(QRNNError, match=message):
        regressor(**options).fit(x, following[:, -1])


def test_wrong_forms() -> None:
    x, following = sines()
    with pytest.raises(QRNNError, match=r"X has shape \(24, 5, 2\)"):
        regressor().fit(np.stack([x, x], axis=2), following[:, -1])
    with pytest.raises(QRNNError, match=r"y has shape \(24, 2, 1\)"):
        regressor().fit(x, following[:, :2, None])
    with pytest.raises(ValueError, match="at least two classes"):
        QRNNClassifier().fit(x, np.zeros(24))
