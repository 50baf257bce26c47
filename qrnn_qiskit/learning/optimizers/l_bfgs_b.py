"""L-BFGS-B, BFGS with limited memory, as in SciPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

from qrnn_qiskit.learning.optimizers._quasi_newton import QuasiNewton


@final
@dataclass(frozen=True, slots=True)
class LBFGSB(QuasiNewton):
    """Quasi-Newton steps from the last few gradients; for objectives without noise.

    Attributes:
        tolerance: stop when no component of the gradient is larger.
    """

    method: ClassVar[Literal["L-BFGS-B"]] = "L-BFGS-B"
    # The gradient decides, or a step that no longer lowers the value at all.
    more_options: ClassVar[dict[str, float]] = {"ftol": 0.0}


PROVIDES = LBFGSB
