"""TensorBoard: a training's progress as event files, without TensorBoard itself."""

from __future__ import annotations

try:
    import tensorboardX as _tensorboard_x  # noqa: F401
except ImportError as error:
    raise ImportError(
        "qrnn_qiskit.tensorboard needs tensorboardX: pip install 'qrnn-qiskit[tensorboard]'"
    ) from error

from qrnn_qiskit.tensorboard.reporter import TensorBoard as TensorBoard

__all__ = ["TensorBoard"]
