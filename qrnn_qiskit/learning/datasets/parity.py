"""The parity of a bit string, read bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, final

import numpy as np
from pydantic import Field

from qrnn_qiskit.learning.dataset import Dataset, Splits

_MOST_STEPS: Final = 16


@final
@dataclass(frozen=True, slots=True)
class Parity:
    """All 2^steps bit strings, all of them for training.

    The feature of a step is its bit (0 or 1). The target is 1 - 2p, with p the parity of the bits
    so far: what <Z> of a qubit that holds p gives. The task asks for the last step only:
    `loss.last = 1`.

    Attributes:
        steps: bits in a string (T).
    """

    steps: Annotated[int, Field(gt=0, le=_MOST_STEPS)] = 4

    def load(self, seed: int) -> Splits:
        """Training part `[2^T, T, 1]`, in the order of the binary numbers; the others are empty."""
        numbers = np.arange(2**self.steps)[:, None]
        bits = (numbers >> np.arange(self.steps)[::-1]) & 1
        targets = 1.0 - 2.0 * (np.cumsum(bits, axis=1) % 2)
        train = Dataset(bits[:, :, None].astype(np.float64), targets[:, :, None])
        empty = train.sequences(slice(0))
        return Splits(train, empty, empty, ("bit",), ("1 - 2 parity",), (None,))


PROVIDES = Parity
