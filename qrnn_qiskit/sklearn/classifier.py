"""The classifier."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from qrnn_qiskit.sklearn.estimator import SequenceEstimator


class QRNNClassifier(ClassifierMixin, SequenceEstimator):
    """Predicts a class for each sequence; options are those of `SequenceEstimator`.

    Attributes:
        classes_: the labels.
        parameters_: weights of the cell, then of the head.
        loss_curve_: cross-entropy of each step.
        n_iter_: steps.
        shots_used_: of the training.
        job_: the tables of the job that was trained.
        scaling_: of the features.
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train by cross-entropy of a softmax at the last step.

        Args:
            X: `[N, T, F]`, or `[N, T * F]` step by step.
            y: `[N]` labels of any kind.

        Raises:
            ValueError, QRNNError: for what does not fit.
        """
        flat, labels = validate_data(self, self._flat(X), y, dtype=np.float64)
        check_classification_targets(labels)
        features = self._sequences(flat)
        classes, index = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"QRNNClassifier needs at least two classes, but y has one class: {y}")
        targets = np.repeat(index.astype(np.float64)[:, None, None], features.shape[1], axis=1)
        loss = {"name": "cross_entropy", "classes": len(classes), "last": 1}
        self._train(features, targets, loss)
        self.classes_ = classes
        return self

    def predict(self, X: Any) -> Any:
        """The most probable label of each sequence, `[N]`."""
        probabilities = self.predict_proba(X)
        return self.classes_[np.argmax(probabilities, axis=1)]

    def predict_proba(self, X: Any, return_std: bool = False) -> Any:
        """Probabilities `[N, classes]`.

        Args:
            X: as for `fit`.
            return_std: also return the standard error that shots bring; 0 if exact.
        """
        estimate = self._forecast(X)
        mean, error = estimate.mean[:, -1], estimate.standard_error
        if not return_std:
            return mean
        return mean, np.zeros(mean.shape) if error is None else error[:, -1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # on tables without an order of the columns
        return tags
