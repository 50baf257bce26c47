"""Echo-state network: a random recurrent network whose readout alone is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import ClassVar, Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.baselines._softmax import LogisticRegression
from qrnn_qiskit.learning.dataset import Dataset
from qrnn_qiskit.learning.plugins import BaselineTask, Kind
from qrnn_qiskit.learning.ridge import PENALTIES, RidgeFit

Array = NDArray[np.float64]

_STREAM: Final = 6
_RADII: Final = (0.3, 0.6, 0.9)
_INPUT_SCALES: Final = (0.2, 1.0)
_LEAST: Final = 5
_MOST: Final = 300


@final
@dataclass(frozen=True, slots=True)
class EchoState:
    """s_t = tanh(W s_t-1 + V x_t + b) from s_0 = 0, and a linear readout of (s_t, x_t).

    H. Jaeger, GMD report 148 (2001). W is dense with a given spectral radius; it has as many units
    as give the readout the number of parameters that the quantum network trains (5 to 300). The
    radius (0.3, 0.6, 0.9) and the scale of V and b (0.2, 1) are the best on the validation part,
    or by cross-validation; the readout is a ridge or a logistic regression at the steps that count.
    """

    title: ClassVar[str] = "echo-state network"
    key: ClassVar[str] = "echo_state"
    kind: ClassVar[Kind] = "both"

    def predict(self, task: BaselineTask) -> Array:
        """Predictions or probabilities `[N, T, M]`."""
        width = task.splits.train.features.shape[2]
        size = int(np.clip(task.num_parameters // task.num_outputs - 1 - width, _LEAST, _MOST))
        best: tuple[float, Array] | None = None
        for radius, scale in product(_RADII, _INPUT_SCALES):
            stream = np.random.SeedSequence(task.seed, spawn_key=(_STREAM,))
            reservoir = _Reservoir(np.random.default_rng(stream), size, width, radius, scale)
            error, predicted = _judged(task, reservoir)
            if best is None or error < best[0]:
                best = error, predicted
        return np.empty(0) if best is None else best[1]


class _Reservoir:
    def __init__(
        self, random: np.random.Generator, size: int, width: int, radius: float, scale: float
    ) -> None:
        matrix = random.normal(size=(size, size))
        self._matrix = matrix * (radius / np.abs(np.linalg.eigvals(matrix)).max())
        self._inputs = scale * random.uniform(-1.0, 1.0, (size, width))
        self._bias = scale * random.uniform(-1.0, 1.0, size)

    def states(self, data: Dataset) -> Array:
        """States and features `[N, T, …]`."""
        driven = data.features @ self._inputs.T + self._bias
        states = np.empty_like(driven)
        state = np.zeros(driven[:, 0].shape)
        for t in range(driven.shape[1]):
            state = np.tanh(state @ self._matrix.T + driven[:, t])
            states[:, t] = state
        return np.concatenate([states, data.features], axis=2)


def _judged(task: BaselineTask, reservoir: _Reservoir) -> tuple[float, Array]:
    """Error on the validation part, and the predictions."""
    train, validation, mask = task.splits.train, task.splits.validation, task.mask
    held_out = validation.num_sequences > 0
    inputs = _flat(reservoir.states(train)[:, mask])
    judged = _flat(reservoir.states(validation)[:, mask]) if held_out else None
    new = reservoir.states(task.data)
    shape = (*new.shape[:2], task.num_outputs)
    if task.num_classes:
        labels = train.targets[:, mask, 0].ravel().astype(np.intp)
        wanted = validation.targets[:, mask, 0].ravel().astype(np.intp)
        pair: tuple[Array, NDArray[np.intp]] | None = None
        if judged is not None:
            pair = judged, wanted
        fit = LogisticRegression(inputs, labels, task.num_classes, pair)
        return fit.error, fit.probabilities(_flat(new)).reshape(shape)
    ridge = RidgeFit.of(inputs, _flat(train.targets[:, mask]))

    def error(penalty: float) -> float:
        if judged is None:
            return ridge.cross_validation(penalty)
        missed = ridge.predict(judged, penalty) - _flat(validation.targets[:, mask])
        return float(np.mean(missed**2))

    penalty = min(PENALTIES, key=error)
    return error(penalty), ridge.predict(_flat(new), penalty).reshape(shape)


def _flat(values: Array) -> Array:
    return values.reshape(-1, values.shape[2])


PROVIDES = EchoState
