"""Gradient descent, with momentum if wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class GradientDescent:
    """Steps against the gradient.

    Attributes:
        learning_rate: step per unit of gradient.
        momentum: part of the last step that is kept; 0: none.
    """

    stepwise: ClassVar[Literal[True]] = True
    learning_rate: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 0.01
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0

    def init(self, num_parameters: int) -> dict[str, Array]:
        """The last step `[n]`."""
        return {"delta": np.zeros(num_parameters)}

    def update(self, gradient: Array, state: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """What to add to the parameters `[n]`, and the next state."""
        delta = self.momentum * state["delta"] - self.learning_rate * gradient
        return delta, {"delta": delta}


PROVIDES = GradientDescent
