"""Multinomial logistic regression with a penalty chosen on validation data."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.losses.cross_entropy import softmax

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

_PENALTIES: Final = (1e-4, 1e-3, 1e-2, 1e-1)


class LogisticRegression:
    """Softmax of a linear map of standardised inputs `[n, K]`.

    It minimizes the mean of -ln p(label) + penalty |c|² / 2 by L-BFGS.

    Attributes:
        error: mean -ln p(label) on the validation samples, or on the training samples.
    """

    def __init__(
        self,
        inputs: Array,
        labels: Labels,
        num_classes: int,
        validation: tuple[Array, Labels] | None,
    ) -> None:
        self._mean, spread = inputs.mean(axis=0), inputs.std(axis=0)
        self._spread = np.where(spread > 0.0, spread, 1.0)
        scaled = self._scaled(inputs)
        judged, wanted = (inputs, labels) if validation is None else validation
        best, self.error = None, np.inf
        # Without validation the least blunt penalty would always look best: take a middle one.
        for penalty in _PENALTIES if validation is not None else _PENALTIES[2:3]:
            found = _fit(scaled, labels, num_classes, penalty)
            chances = softmax(self._scaled(judged) @ found)[np.arange(len(wanted)), wanted]
            error = -float(np.mean(np.log(np.maximum(chances, 1e-300))))
            if best is None or error < self.error:
                best, self.error = found, error
        self._matrix: Array = np.zeros((scaled.shape[1], num_classes)) if best is None else best

    def probabilities(self, inputs: Array) -> Array:
        """Of each class, `[n, M]`."""
        return softmax(self._scaled(inputs) @ self._matrix)

    def _scaled(self, inputs: Array) -> Array:
        standard = (inputs - self._mean) / self._spread
        return np.concatenate([standard, np.ones((len(inputs), 1))], axis=1)


def _fit(inputs: Array, labels: Labels, num_classes: int, penalty: float) -> Array:
    chosen = np.eye(num_classes)[labels]
    shape = (inputs.shape[1], num_classes)
    penalties = np.full(shape, penalty)
    penalties[-1] = 0.0  # the constant is free

    def objective(flat: Array) -> tuple[float, Array]:
        matrix = flat.reshape(shape)
        logits = inputs @ matrix
        logits -= logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(logits).sum(axis=1))
        value = np.mean(total - np.sum(logits * chosen, axis=1))
        slope = inputs.T @ (softmax(logits) - chosen) / len(inputs) + penalties * matrix
        return float(value + 0.5 * np.sum(penalties * matrix**2)), slope.ravel()

    from scipy.optimize import minimize

    start = np.zeros(shape[0] * shape[1])
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    result: Array = found.x.reshape(shape)
    return result
