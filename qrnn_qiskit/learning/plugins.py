"""The registries of data sets, losses and optimizers, and what their entries offer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Protocol, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.registry import Registry

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Objective = Callable[[Array], tuple[float, Array]]

DATASETS: Final = Registry("qrnn_qiskit.learning.datasets", "data")
LOSSES: Final = Registry("qrnn_qiskit.learning.losses", "loss")
OPTIMIZERS: Final = Registry("qrnn_qiskit.learning.optimizers", "optimizer")


class DataSource(Protocol):
    """A named data set."""

    def load(self, seed: int) -> Splits:
        """The three parts; a data set without randomness does not use `seed`."""
        ...


class Loss(Protocol):
    """A loss of predictions `[B, T, M]` against targets `[B, T, M]`, read at the steps in `mask`.

    The loss itself is the mean of the per-sequence values over B.
    """

    def value_and_cotangent(
        self, predictions: Array, targets: Array, mask: Mask
    ) -> tuple[Array, Array]:
        """Value of each sequence `[B]`, and the derivative `[B, T, M]` of their mean."""
        ...

    def curvature(self, predictions: Array, mask: Mask) -> Array:
        """Second derivative of the mean by each prediction, `[B, T, M]`."""
        ...

    def correction(self, variance: Array, mask: Mask) -> float:
        """What the expected loss of noisy predictions exceeds the loss of their means by.

        Args:
            variance: `[B, T, M]` variance of each prediction.
            mask: `[T]` steps that the loss reads.
        """
        ...


class StepwiseOptimizer(Protocol):
    """Turns one gradient into one change of the weights; all memory is in `state`."""

    stepwise: ClassVar[Literal[True]]

    def init(self, num_parameters: int) -> dict[str, Array]:
        """The state before the first step."""
        ...

    def update(self, gradient: Array, state: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """What to add to the weights, and the next state; nothing is changed in place."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Minimum:
    """Where a minimizer stopped.

    Attributes:
        weights: `[n]` best point.
        value: the objective there.
        steps: iterations done.
        converged: whether the tolerance was reached.
        message: why it stopped, in the minimizer's words.
    """

    weights: Array
    value: float
    steps: int
    converged: bool
    message: str


class Minimizer(Protocol):
    """Minimizes a deterministic objective by itself, calling it as often as it needs."""

    stepwise: ClassVar[Literal[False]]

    def minimize(
        self,
        objective: Objective,
        start: Array,
        max_steps: int,
        callback: Callable[[Array], None] | None = None,
    ) -> Minimum:
        """Minimize `objective`, which returns value and gradient `[n]`, from `start` `[n]`.

        `callback` gets a copy of the weights after each iteration; raising StopIteration there
        ends the minimization at that point.
        """
        ...
