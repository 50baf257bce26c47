"""The scikit-learn estimators: its own checks, its tools, and what they predict."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import qrnn_qiskit as qrnn
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import QRNNError

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from qrnn_qiskit.sklearn import QRNNClassifier, QRNNRegressor, QuantumReservoirRegressor

# No check is expected to fail. Two skip themselves: array_api input needs SCIPY_ARRAY_API, and the
# check of data that are no arrays needs pandas. What scores are enough is left out by the tag
# `poor_score`: those tables have no order of their columns, and here 2 steps are trained.
QUICK: dict[str, Any] = {"cell": "parity2", "steps": 2}


@parametrize_with_checks(
    [QRNNRegressor(**QUICK), QRNNClassifier(**QUICK), QuantumReservoirRegressor("parity2")]
)
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


def test_a_reservoir_is_ridge_regression_on_its_outputs() -> None:
    x, following = sines(60)
    options = {"n_io": 3, "n_hidden": 2, "layers": 2}
    model = QuantumReservoirRegressor(cell_options=options, penalty=1e-6, random_state=5)
    model.fit(x[:40], following[:40, -1])
    assert model.n_iter_ == len(model.loss_curve_) == 1
    # The same outputs through scikit-learn's own regression on standardised columns.
    cell = qrnn.build_cell("hardware_efficient", options)
    weights = model.parameters_[: cell.num_weights]
    scaled = model.scaling_.scale_features(x[:, :, None])
    outputs = qrnn.evaluate(
        qrnn.unroll(cell, 5), weights, scaled, executor=qrnn.ExactExecutor()
    ).mean[:, -1]
    own = make_pipeline(StandardScaler(), Ridge(alpha=40 * 1e-6))
    own.fit(outputs[:40], following[:40, -1])
    np.testing.assert_allclose(model.predict(x), own.predict(outputs), atol=1e-6)
    assert model.score(x[40:], following[40:, -1]) > 0.5


def test_a_reservoir_with_shots_and_washout() -> None:
    x, following = sines()
    model = QuantumReservoirRegressor(shots=200, washout=2, random_state=1)
    model.fit(x, following[:, :, None])
    assert model.shots_used_ == 24 * 200
    assert model.job_["loss"] == {"name": "mse", "last": 3}
    mean, error = model.predict(x, return_std=True)
    assert mean.shape == error.shape == (24, 5, 1)
    assert np.all(error > 0)
    with pytest.raises(QRNNError, match="washout = 5: sequences have 5 steps"):
        clone(model).set_params(washout=5).fit(x, following[:, :, None])


@pytest.mark.parametrize(
    "model",
    [
        QRNNRegressor("reupload", steps=3, random_state=3),
        QuantumReservoirRegressor(random_state=3),
    ],
    ids=lambda model: type(model).__name__,
)
def test_workers_give_the_same_numbers(model: Any) -> None:
    x, following = sines()
    alone, together = (
        cross_val_score(make_pipeline(StandardScaler(), model), x, following[:, -1], cv=2, n_jobs=n)
        for n in (1, 2)
    )
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize(
    "model",
    [
        QRNNRegressor(**QUICK),
        QRNNClassifier(**QUICK),
        QuantumReservoirRegressor("parity2"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_is_fitted_ends_in_an_underscore(model: Any) -> None:
    assert clone(model).get_params() == model.get_params()
    before = set(vars(model))
    assert not [name for name in before if name.endswith("_")]
    fitted = clone(model).fit([[0, 0], [1, 1], [0, 1], [1, 0]], [0, 1, 0, 1])
    new = {name for name in set(vars(fitted)) - before if not name.startswith("_")}
    assert new
    assert all(name.endswith("_") for name in new)


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
