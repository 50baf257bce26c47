"""L-BFGS-B, BFGS with limited memory, as in SciPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qrnn_qiskit.learning.minimize import scipy_minimize
from qrnn_qiskit.learning.plugins import Minimum, Objective

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class LBFGSB:
    """Quasi-Newton steps from the last few gradients; for objectives without noise.

    Attributes:
        tolerance: stop when no component of the gradient is larger.
    """

    stepwise: ClassVar[Literal[False]] = False
    tolerance: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 1e-8

    def minimize(
        self,
        objective: Objective,
        start: Array,
        max_steps: int,
        callback: Callable[[Array], None] | None = None,
    ) -> Minimum:
        """Minimize `objective` from `start` `[n]`; StopIteration in `callback` ends it."""
        # ftol = 0: the gradient decides, or a step that no longer lowers the value at all.
        options = {"gtol": self.tolerance, "ftol": 0.0}
        return scipy_minimize("L-BFGS-B", objective, start, max_steps, callback, options)


PROVIDES = LBFGSB
