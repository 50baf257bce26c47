"""BFGS (Broyden, Fletcher, Goldfarb, Shanno), as in SciPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

from qrnn_qiskit.learning.optimizers._quasi_newton import QuasiNewton


@final
@dataclass(frozen=True, slots=True)
class BFGS(QuasiNewton):
    """Quasi-Newton steps with a full inverse Hessian; for objectives without noise.

    Attributes:
        tolerance: stop when no component of the gradient is larger.
    """

    method: ClassVar[Literal["BFGS"]] = "BFGS"


PROVIDES = BFGS
