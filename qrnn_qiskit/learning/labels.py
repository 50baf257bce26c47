"""Losses of labels: whether the data and the readout fit them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.errors import DataError, SpecError
from qrnn_qiskit.learning.plugins import CountedLoss, Loss
from qrnn_qiskit.learning.readout import Head

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def check_readout(loss: Loss, name: str, head: Head, output: str) -> None:
    """Refuse a loss of probabilities on anything else.

    Raises:
        SpecError: saying which keys to set.
    """
    if isinstance(loss, CountedLoss) and (head != "identity" or output != "probabilities"):
        raise SpecError(
            f"loss.name = {name!r} reads probabilities: set readout.output = 'probabilities' and "
            f"readout.head = 'identity' (they are {output!r} and {head!r})"
        )


def check_labels(targets: Array, num_classes: int, steps: Mask, where: str) -> None:
    """Refuse targets `[N, T, M]` that are no labels; NaN (not known) passes.

    Args:
        targets: `[N, T, M]`.
        num_classes: labels are below it.
        steps: `[T]` that are read.
        where: which data, for the message.

    Raises:
        DataError: with the first wrong entry.
    """
    if targets.shape[2] != 1:
        raise DataError(
            f"{where}: {targets.shape[2]} targets per step, but the loss needs one, the label"
        )
    read = np.where(steps[None, :], targets[:, :, 0], 0.0)
    known = np.isfinite(read)
    good = (read == np.round(read)) & (read >= 0) & (read < num_classes)
    wrong = np.argwhere(known & ~good)
    if len(wrong):
        sequence, step = (int(i) for i in wrong[0])
        raise DataError(
            f"{where}: target {read[sequence, step]:g} at sequence {sequence}, step {step} "
            f"({len(wrong)} such values) is no label: the loss needs whole numbers from 0 to "
            f"{num_classes - 1}; scaled targets are none (data.scale_targets = false)"
        )
