"""The readout in closed form on a frozen circuit: reservoir computing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qrnn_qiskit.learning.plugins import ReadoutFit
from qrnn_qiskit.learning.ridge import PENALTIES, RidgeFit

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Ridge:
    """Ridge regression from outputs to targets; the cell keeps its initial weights.

    Attributes:
        penalty: of the squared coefficients of standardised outputs; `auto`: of 1e-8 … 1e2 the best
            on the validation part, or by generalized cross-validation where there is none.
    """

    stepwise: ClassVar[Literal[False]] = False
    solves_readout: ClassVar[Literal[True]] = True
    penalty: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | Literal["auto"] = "auto"

    def solve(
        self, inputs: Array, targets: Array, validation: tuple[Array, Array] | None
    ) -> ReadoutFit:
        """From outputs `[n, K]` to targets `[n, M]`; `validation` is another such pair."""
        fit = RidgeFit.of(inputs, targets)
        penalty = self._chosen(fit, validation) if self.penalty == "auto" else self.penalty
        matrix, bias = fit.linear_map(penalty)
        return ReadoutFit(
            matrix, bias, *fit.standard_errors(penalty), penalty, fit.freedom(penalty)
        )

    def _chosen(self, fit: RidgeFit, validation: tuple[Array, Array] | None) -> float:
        if validation is None:
            return min(PENALTIES, key=fit.cross_validation)
        inputs, targets = validation

        def error(penalty: float) -> float:
            return float(np.mean((fit.predict(inputs, penalty) - targets) ** 2))

        return min(PENALTIES, key=error)


PROVIDES = Ridge
