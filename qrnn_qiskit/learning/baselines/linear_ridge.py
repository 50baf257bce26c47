"""Linear ridge regression on the same steps that the network reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from qrnn_qiskit.learning.baselines._lagged import Array, LaggedRidge, Mask
from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.learning.plugins import BaselineTask, Kind


@final
@dataclass(frozen=True, slots=True)
class LinearRidge:
    """A linear filter of the features."""

    title: ClassVar[str] = "linear ridge"
    key: ClassVar[str] = "ridge"
    kind: ClassVar[Kind] = "values"

    def predict(self, task: BaselineTask) -> Array:
        """Predictions `[N, T, M]`."""
        return linear_ridge(task.splits, task.data, task.mask)


def linear_ridge(splits: Splits, data: Dataset, mask: Mask, lags: int | None = None) -> Array:
    """Predictions `[N, T, M]` of a linear regression on the last `lags` steps' features.

    Args:
        splits: training and validation parts.
        data: sequences to predict, of the same number of steps.
        mask: `[T]` steps that count.
        lags: steps back that are used, the present one included; None: the whole window, or fewer
            where few sequences would leave less samples than inputs.
    """
    num_steps = splits.train.num_steps
    if lags is None:
        # The regression that all later steps share must have as many samples as inputs.
        sequences, features = splits.train.num_sequences, splits.train.features.shape[2]
        lags = max(1, sequences * (num_steps + 1) // (sequences + features))
    return LaggedRidge(splits, mask, min(lags, num_steps), lambda inputs: inputs).predict(data)


PROVIDES = LinearRidge
