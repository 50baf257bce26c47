"""What the estimators share: options to a job, sequences in, training, forecasts out.

Axes: N sequences, T steps, F features, M predicted values per step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit import FAMILIES
from qrnn_qiskit.errors import DataError
from qrnn_qiskit.estimate import Estimate
from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.learning.parts import checked_range
from qrnn_qiskit.learning.scaling import Scaling
from qrnn_qiskit.run.fit import fit
from qrnn_qiskit.run.forecast import forecast
from qrnn_qiskit.run.reporter import Silent, StepReport
from qrnn_qiskit.run.setup import make_cell, make_evaluator, make_setup
from qrnn_qiskit.spec.compose import job_from_dict
from qrnn_qiskit.spec.library import find
from qrnn_qiskit.spec.model import CellSpec

UNIT = (-1.0, 1.0)


class SequenceModel(BaseEstimator):
    """Sequences to a job, its training, and forecasts; a subclass brings the options.

    It needs the attributes `cell`, `cell_options`, `backend`, `noise`, `shots`, `feature_range` and
    `random_state`. Features are scaled by the bounds of the training sequences, and numbers to
    predict too. With shots, equal sequences in another order or another batch meet other random
    numbers.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _train(self, features: Array, targets: Array, loss: Mapping[str, Any]) -> None:
        """Fit to features `[N, T, F]` and targets `[N, T, M]`; labels are left unscaled."""
        labels = loss["name"] != "mse"
        scaling = self._scaling(features, targets, scale_targets=not labels)
        job = self._job(loss)
        scaled = targets if labels else scaling.scale_targets(targets)
        curve = _Curve()
        data = Dataset(scaling.scale_features(features), scaled, scaling)
        state = fit(job_from_dict(job), _splits(data), curve)
        self.job_, self.scaling_ = job, scaling
        self.parameters_ = state.best if len(state.best) else state.parameters
        self.num_targets_ = targets.shape[2]
        self.loss_curve_, self.n_iter_ = curve.losses, state.step
        self.shots_used_ = state.shots_used

    def _scaling(self, features: Array, targets: Array, *, scale_targets: bool) -> Scaling:
        low, high = UNIT if self.feature_range is None else checked_range(self.feature_range)
        if self.feature_range is None:  # bounds that are the range itself change nothing
            features = np.repeat([[low], [high]], features.shape[2], axis=1)
        return Scaling.fit(features, targets, (low, high), scale_targets=scale_targets)

    def _forecast(self, X: Any) -> Estimate:
        """Predictions `[N, T, M]` in the data's units; probabilities of labels."""
        check_is_fitted(self)
        flat = validate_data(self, self._flat(X), reset=False, dtype=np.float64)
        features = self.scaling_.scale_features(self._sequences(flat))
        unknown = np.full((*features.shape[:2], self.num_targets_), np.nan)
        data = Dataset(features, unknown, self.scaling_)
        setup = make_setup(job_from_dict(self.job_), _splits(data))
        evaluator = make_evaluator(setup)
        return forecast(setup, evaluator, self.parameters_, data, setup.test_shots, "predict")

    def _sequences(self, flat: Array) -> Array:
        """`[N, T, F]` of `[N, T * F]`, step by step."""
        if flat.shape[1] % self._width:
            raise DataError(
                f"X has {flat.shape[1]} columns, but cell {self.cell!r} reads {self._width} "
                "features a step: a multiple of it is needed (cell_options changes it)"
            )
        return flat.reshape(len(flat), -1, self._width)

    def _flat(self, X: Any) -> Any:
        """`[N, T * F]` of `[N, T, F]`; anything else as it is."""
        if not (isinstance(X, np.ndarray) and X.ndim == 3):
            return X
        if X.shape[2] != self._width:
            raise DataError(
                f"X has shape {X.shape}, but cell {self.cell!r} reads {self._width} features a "
                "step (cell_options changes it)"
            )
        return X.reshape(len(X), -1)

    @property
    def _width(self) -> int:
        """F."""
        return make_cell(CellSpec.model_validate(self._cell_table())).num_features

    def _cell_table(self) -> dict[str, Any]:
        if self.cell in FAMILIES.names():
            return {"name": self.cell, **(self.cell_options or {})}
        return {"file": find("circuits", self.cell), **(self.cell_options or {})}

    def _tables(self) -> dict[str, Any]:
        """Tables of the job besides those of cell, loss and backend."""
        raise NotImplementedError

    def _job(self, loss: Mapping[str, Any]) -> dict[str, Any]:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        backend: dict[str, Any] = {"name": self.backend}
        if self.shots is not None:
            backend["shots"] = plain(self.shots)
        return {
            "seed": seed,
            "cell": {key: plain(value) for key, value in self._cell_table().items()},
            "loss": dict(loss),
            "backend": backend,
            **({} if self.noise is None else {"noise": dict(self.noise)}),
            **self._tables(),
        }


class SequenceEstimator(SequenceModel):
    """A cell with a linear head, trained by the library's own trainer."""

    def __init__(
        self,
        cell: str = "hardware_efficient",
        *,
        cell_options: Mapping[str, Any] | None = None,
        steps: int = 100,
        batch_size: int | None = None,
        optimizer: str = "adam",
        learning_rate: float | None = 0.05,
        gradient: str = "auto",
        backend: str = "exact",
        noise: Mapping[str, Any] | None = None,
        shots: int | None = None,
        feature_range: tuple[float, float] | None = (-1.0, 1.0),
        random_state: Any = None,
    ) -> None:
        """Keep the options; they are checked in `fit`.

        Args:
            cell: a family, a file, or a name in the library.
            cell_options: of a family, such as `{"n_features": 2}`.
            steps: changes of the weights.
            batch_size: sequences of a step; all if None.
            optimizer: its name.
            learning_rate: None for the optimizer's own, and for those that have none.
            gradient: method; "auto" is adjoint if exact.
            backend: "exact", "aer" or a fake device.
            noise: the table `[noise]` of a job file.
            shots: of each row; None for exact values.
            feature_range: what each feature is scaled to; None leaves features as they are, such
                as the bits that a cell of bits reads.
            random_state: of initial weights, minibatches and shots.
        """
        self.cell = cell
        self.cell_options = cell_options
        self.steps = steps
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.gradient = gradient
        self.backend = backend
        self.noise = noise
        self.shots = shots
        self.feature_range = feature_range
        self.random_state = random_state

    def _tables(self) -> dict[str, Any]:
        optimizer: dict[str, Any] = {"name": self.optimizer}
        if self.learning_rate is not None:
            optimizer["learning_rate"] = float(self.learning_rate)
        training: dict[str, Any] = {"steps": plain(self.steps)}
        if self.batch_size is not None:
            training["batch_size"] = plain(self.batch_size)
        return {
            "readout": {"head": "linear"},
            "gradient": {"method": self.gradient},
            "optimizer": optimizer,
            "training": training,
        }


class _Curve(Silent):
    """Keeps the losses of a training."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def step(self, report: StepReport) -> None:
        self.losses.append(report.loss)


def plain(value: Any) -> Any:
    """A number of numpy's, which a search hands in, as one of Python's; paths as text."""
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, (int, float, bool, list, tuple)) else str(value)


def _splits(train: Dataset) -> Splits:
    empty = train.sequences(slice(0, 0))
    features, targets = train.features.shape[2], train.targets.shape[2]
    return Splits(
        train,
        empty,
        empty,
        tuple(f"feature {i}" for i in range(features)),
        tuple(f"target {i}" for i in range(targets)),
        (None,) * targets,
    )
