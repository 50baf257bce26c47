"""GRU: a classical recurrent network with as many parameters as the quantum one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray

from qrnn_qiskit.learning.plugins import BaselineTask, Kind
from qrnn_qiskit.torch.baselines._recurrent import predict_by


@final
@dataclass(frozen=True, slots=True)
class GRU:
    """`torch.nn.GRU` with a linear readout; see `predict_by` for how it is trained."""

    title: ClassVar[str] = "GRU"
    key: ClassVar[str] = "gru"
    kind: ClassVar[Kind] = "both"

    def predict(self, task: BaselineTask) -> NDArray[np.float64]:
        """Predictions or probabilities `[N, T, M]`."""
        return predict_by(torch.nn.GRU, task)


PROVIDES = GRU
