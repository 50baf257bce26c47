"""The layer in Keras 3 models on the PyTorch backend: both stacks that users ask about."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
os.environ["KERAS_BACKEND"] = "torch"
keras: Any = pytest.importorskip("keras")

from qrnn_qiskit.torch import QRNN, QuantumLayer  # noqa: E402

# Keras turns tensors into arrays in a way that NumPy 2 will not allow some day.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    keras.utils.set_random_seed(3)


def wrapped(module: Any, *output_shape: int | None) -> Any:
    """Keras cannot guess the shape: it would try the circuit out on the device `meta`."""
    return keras.layers.TorchModuleWrapper(module, output_shape=(None, *output_shape))


def series() -> tuple[Any, Any]:
    """Windows of three of 10, 20, ..., 90, and the next value, both scaled to [-1, 1]."""
    values = (np.arange(10, 100, 10) - 50) / 40
    windows = np.lib.stride_tricks.sliding_window_view(values, 4).astype("float32")
    return windows[:, :3, None], windows[:, 3:]


def fitted(model: Any, quantum: Any, epochs: int = 12) -> list[float]:
    """Losses of a training in which the quantum weights must move."""
    x, y = series()
    before = quantum.weights.detach().clone()
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse")
    found = model.fit(x, y, epochs=epochs, batch_size=3, verbose=0).history["loss"]
    assert not torch.equal(before, quantum.weights.detach())
    assert model.predict(x, verbose=0).shape == y.shape
    return [float(loss) for loss in found]


def test_lstm_then_quantum_layer_then_dense() -> None:
    quantum = QuantumLayer(2, 1)
    model = keras.Sequential(
        [
            keras.layers.Input((3, 1)),
            keras.layers.LSTM(2),
            wrapped(quantum, 2),
            keras.layers.Dense(1),
        ]
    )
    losses = fitted(model, quantum)
    assert losses[-1] < 0.5 * losses[0]
    assert any(weight.value is quantum.weights for weight in model.trainable_variables)


def test_quantum_recurrent_layer_then_deep_dense_head_with_dropout() -> None:
    quantum = QRNN("reupload", batch_first=True)
    model = keras.Sequential(
        [
            keras.layers.Input((3, 1)),
            wrapped(quantum, 3, 1),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(1),
        ]
    )
    losses = fitted(model, quantum)
    assert losses[-1] < 0.5 * losses[0]
