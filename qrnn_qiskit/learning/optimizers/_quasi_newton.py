"""What SciPy's quasi-Newton methods share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qrnn_qiskit.learning.minimize import scipy_minimize
from qrnn_qiskit.learning.plugins import Minimum, Objective

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QuasiNewton:
    """For objectives without noise.

    Attributes:
        tolerance: stop when no component of the gradient is larger.
    """

    stepwise: ClassVar[Literal[False]] = False
    method: ClassVar[Literal["BFGS", "L-BFGS-B"]]
    more_options: ClassVar[dict[str, float]] = {}
    tolerance: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 1e-8

    def minimize(
        self,
        objective: Objective,
        start: Array,
        max_steps: int,
        callback: Callable[[Array], None] | None = None,
    ) -> Minimum:
        """Minimize `objective` from `start` `[n]`; StopIteration in `callback` ends it."""
        options = {"gtol": self.tolerance, **self.more_options}
        return scipy_minimize(self.method, objective, start, max_steps, callback, options)
