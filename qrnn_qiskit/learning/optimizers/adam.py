"""Adam: D. P. Kingma, J. Ba, https://arxiv.org/abs/1412.6980."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Adam:
    """Gradient descent with bias-corrected running moments of the gradient.

    Attributes:
        learning_rate: size of a step, per parameter.
        beta1, beta2: decay of the running mean and of the running mean square.
        epsilon: keeps the division finite.
    """

    stepwise: ClassVar[Literal[True]] = True
    learning_rate: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 0.01
    beta1: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    beta2: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999
    epsilon: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1e-8

    def init(self, num_parameters: int) -> dict[str, Array]:
        """Number of steps done `[]`, mean `[n]` and mean square `[n]` of the gradient."""
        return {
            "count": np.zeros(()),
            "mean": np.zeros(num_parameters),
            "square": np.zeros(num_parameters),
        }

    def update(self, gradient: Array, state: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """What to add to the parameters `[n]`, and the next state."""
        count = np.asarray(state["count"] + 1.0)
        mean = self.beta1 * state["mean"] + (1.0 - self.beta1) * gradient
        square = self.beta2 * state["square"] + (1.0 - self.beta2) * gradient**2
        root = np.sqrt(square / (1.0 - self.beta2**count))
        delta = -self.learning_rate * (mean / (1.0 - self.beta1**count)) / (root + self.epsilon)
        return delta, {"count": count, "mean": mean, "square": square}


PROVIDES = Adam
