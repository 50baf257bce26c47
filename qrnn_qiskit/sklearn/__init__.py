"""scikit-learn: regressor, classifier and reservoir of sequences."""

from __future__ import annotations

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:
    raise ImportError(
        "qrnn_qiskit.sklearn needs scikit-learn: pip install 'qrnn-qiskit[sklearn]'"
    ) from error

from qrnn_qiskit.sklearn.classifier import QRNNClassifier as QRNNClassifier
from qrnn_qiskit.sklearn.regressor import QRNNRegressor as QRNNRegressor
from qrnn_qiskit.sklearn.reservoir import QuantumReservoirRegressor as QuantumReservoirRegressor

__all__ = ["QRNNClassifier", "QRNNRegressor", "QuantumReservoirRegressor"]
