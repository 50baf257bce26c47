"""The regressor, and what the reservoir shares with it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import DataError
from qrnn_qiskit.sklearn.estimator import SequenceEstimator, SequenceModel


class SequenceRegressor(RegressorMixin, SequenceModel):
    """Numbers from sequences: forms of targets in, the same forms out."""

    def fit(self, X: Any, y: Any) -> Self:
        """Fit by squared errors.

        Args:
            X: `[N, T, F]`, or `[N, T * F]` step by step.
            y: `[N]` or `[N, M]` targets at the last step, or `[N, T, M]` at each.

        Raises:
            ValueError, QRNNError: for what does not fit.
        """
        per_step = isinstance(y, np.ndarray) and y.ndim == 3
        shape = y.shape if per_step else ()
        flat, targets = validate_data(
            self,
            self._flat(X),
            y.reshape(len(y), -1) if per_step else y,
            multi_output=True,
            y_numeric=True,
            dtype=np.float64,
        )
        features = self._sequences(flat)
        targets = np.asarray(targets, dtype=np.float64)
        if per_step and shape[:2] != features.shape[:2]:
            raise DataError(f"y has shape {shape}, but X {features.shape[1]} steps a sequence")
        axes = 3 if per_step else targets.ndim
        if per_step:
            targets = targets.reshape(shape)
        else:
            each = targets.reshape(len(targets), 1, -1)
            targets = np.repeat(each, features.shape[1], axis=1)
        self._train(features, targets, self._loss(features.shape[1], per_step=per_step))
        self._axes = axes
        return self

    def _loss(self, num_steps: int, *, per_step: bool) -> dict[str, Any]:
        """The table `[loss]`: which steps count."""
        return {"name": "mse"} if per_step else {"name": "mse", "last": 1}

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predictions in the form and units of y.

        Args:
            X: as for `fit`.
            return_std: also return the standard error that shots bring; 0 if exact.
        """
        estimate = self._forecast(X)
        mean = self._formed(estimate.mean)
        if not return_std:
            return mean
        error = estimate.standard_error
        return mean, np.zeros(mean.shape) if error is None else self._formed(error)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = False
        tags.regressor_tags.poor_score = True  # on tables without an order of the columns
        return tags

    def _formed(self, values: Array) -> Array:
        if self._axes == 3:
            return values
        last: Array = values[:, -1]
        return last if self._axes == 2 else last[:, 0]


class QRNNRegressor(SequenceRegressor, SequenceEstimator):
    """Predicts numbers from sequences; options are those of `SequenceEstimator`.

    Attributes:
        parameters_: weights of the cell, then of the head.
        loss_curve_: loss of each step, of scaled targets.
        n_iter_: steps.
        shots_used_: of the training.
        job_: the tables of the job that was trained.
        scaling_: of features and targets.
    """
