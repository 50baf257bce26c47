"""Which steps a loss reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.errors import SpecError


def step_mask(num_steps: int, last: int | None, every: int = 1) -> NDArray[np.bool_]:
    """`[T]` True at the last `last` steps (all when it is None), counted back by `every` steps.

    Raises:
        SpecError: when there are fewer steps than that.
    """
    if last is not None and not 1 <= last <= num_steps:
        raise SpecError(
            f"loss.last = {last}: must be from 1 to {num_steps}, the number of steps of a sequence"
        )
    back = np.arange(num_steps)[::-1]
    mask: NDArray[np.bool_] = (back < (num_steps if last is None else last)) & (back % every == 0)
    return mask
