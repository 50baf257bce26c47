"""PyTorch: a quantum recurrent layer that trains like `torch.nn.GRU`."""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError(
        "qrnn_qiskit.torch needs PyTorch: pip install 'qrnn-qiskit[torch]'; to save gigabytes of "
        "GPU libraries, install its CPU build first, as its own site says"
    ) from error

from qrnn_qiskit.run.cost.loops import LoopCost as LoopCost
from qrnn_qiskit.torch.gated import QGRU as QGRU
from qrnn_qiskit.torch.gated import QLSTM as QLSTM
from qrnn_qiskit.torch.layer import QRNN as QRNN
from qrnn_qiskit.torch.measured import Backward as Backward
from qrnn_qiskit.torch.measured import Evaluation as Evaluation
from qrnn_qiskit.torch.variational import QuantumLayer as QuantumLayer

__all__ = [
    "QGRU",
    "QLSTM",
    "QRNN",
    "Backward",
    "Evaluation",
    "LoopCost",
    "QuantumLayer",
]
