"""The registries of data sets, losses, optimizers and baselines, and what their entries offer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.registry import Registry

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Objective = Callable[[Array], tuple[float, Array]]

DATASETS: Final = Registry("qrnn_qiskit.learning.datasets", "data")
LOSSES: Final = Registry("qrnn_qiskit.learning.losses", "loss")
OPTIMIZERS: Final = Registry("qrnn_qiskit.learning.optimizers", "optimizer")
BASELINES: Final = Registry("qrnn_qiskit.learning.baselines", "training", "baselines")


class DataSource(Protocol):
    """A named data set."""

    def load(self, seed: int) -> Splits:
        """The three parts; a data set without randomness does not use `seed`."""
        ...


class Loss(Protocol):
    """A loss of predictions `[B, T, M]`, read at the steps in `mask` `[T]`.

    The loss itself is the mean of the per-sequence values over B. Targets are `[B, T, M]`, or
    labels `[B, T, 1]`.
    """

    @property
    def quadratic(self) -> bool:
        """Whether the curvature is the same everywhere."""
        ...

    def num_predictions(self, num_values: int, num_targets: int) -> int:
        """M, for so many output values and target values of a step."""
        ...

    def value_and_cotangent(
        self, predictions: Array, targets: Array, mask: Mask
    ) -> tuple[Array, Array]:
        """Value of each sequence `[B]`, and the derivative `[B, T, M]` of their mean."""
        ...

    def curvature(self, predictions: Array, targets: Array, mask: Mask) -> Array:
        """Second derivative of the mean by the predictions, `[B, T*M, T*M]`."""
        ...


@runtime_checkable
class LabelLoss(Loss, Protocol):
    """A loss of labels, integers from 0 to M - 1; predictions stand for probabilities."""

    def label_steps(self, mask: Mask) -> Mask:
        """`[T]` steps whose targets are read."""
        ...

    def probabilities(self, predictions: Array, mask: Mask) -> Array:
        """Probability of each class, `[B, T, M]`."""
        ...


@runtime_checkable
class CountedLoss(Protocol):
    """A loss with an estimator of its own for predictions that are relative frequencies."""

    def of_counts(
        self, counts: Array, kept: Array, shots: Array, targets: Array, mask: Mask
    ) -> tuple[Array, Array, Array]:
        """Value `[B]` and derivatives without bias.

        Args:
            counts: `[B, T, M]` kept shots of each outcome.
            kept: `[B, T]` kept shots; all of them without post-selection.
            shots: `[B]` shots.
            targets: `[B, T, 1]`.
            mask: `[T]`.

        Returns:
            Value of each sequence `[B]`; derivatives of their mean by the probability of an
            outcome that is kept `[B, T, M]`, and by the probability to be kept `[B, T]`.
        """
        ...


def block_diagonal(blocks: Array) -> Array:
    """`[B, T*M, T*M]` with the blocks `[B, T, M, M]` of the steps on its diagonal."""
    batch, steps, width, _ = blocks.shape
    full = np.zeros((batch, steps, width, steps, width))
    index = np.arange(steps)
    full[:, index, :, index, :] = blocks.transpose(1, 0, 2, 3)
    return full.reshape(batch, steps * width, steps * width)


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


@final
@dataclass(frozen=True, slots=True)
class ReadoutFit:
    """A linear readout solved in closed form.

    Attributes:
        matrix: `[M, K]`.
        bias: `[M]`.
        matrix_error, bias_error: their standard errors.
        penalty: that was used.
        freedom: effective number of fitted coefficients of a target.
    """

    matrix: Array
    bias: Array
    matrix_error: Array
    bias_error: Array
    penalty: float
    freedom: float


@runtime_checkable
class ReadoutSolver(Protocol):
    """Solves for a linear readout; the weights of the cell stay as they are."""

    stepwise: ClassVar[Literal[False]]
    solves_readout: ClassVar[Literal[True]]

    def solve(
        self, inputs: Array, targets: Array, validation: tuple[Array, Array] | None
    ) -> ReadoutFit:
        """From outputs `[n, K]` to targets `[n, M]`; `validation` is another such pair."""
        ...


Kind = Literal["values", "labels", "label_sequences", "both"]


@final
@dataclass(frozen=True, slots=True)
class BaselineTask:
    """What a baseline has to predict, and what it may learn from.

    Attributes:
        splits: training and validation parts.
        data: sequences to predict, of the same number of steps; no targets may be used but those
            that are known by then.
        mask: `[T]` steps that count.
        num_classes: of labels; 0 for values.
        num_parameters: trained numbers of the network, for models of a like size.
        seed: of random initial weights.
    """

    splits: Splits
    data: Dataset
    mask: Mask
    num_classes: int
    num_parameters: int
    seed: int

    @property
    def num_outputs(self) -> int:
        """M: classes, or values of a step."""
        return self.num_classes or int(self.splits.train.targets.shape[2])


class Baseline(Protocol):
    """A forecast to compare the network with.

    Attributes:
        title: its name in a report.
        key: the array's name in a run directory.
        kind: what it predicts: "values", "labels" (probabilities of classes), "label_sequences"
            (labels, where several steps are read), or "both" values and labels.
    """

    title: ClassVar[str]
    key: ClassVar[str]
    kind: ClassVar[Kind]

    def predict(self, task: BaselineTask) -> Array:
        """Predictions or probabilities `[N, T, M]`, at step t from features up to t."""
        ...
