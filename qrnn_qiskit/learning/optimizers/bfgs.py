"""BFGS (Broyden, Fletcher, Goldfarb, Shanno), as in SciPy."""

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
class BFGS:
    """Quasi-Newton steps with a full inverse Hessian; for objectives without noise.

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
        options = {"gtol": self.tolerance}
        return scipy_minimize("BFGS", objective, start, max_steps, callback, options)


PROVIDES = BFGS
