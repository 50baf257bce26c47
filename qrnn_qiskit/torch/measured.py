"""One circuit as a differentiable function of PyTorch tensors.

Axes: B sequences, T steps, F features, K output values, P weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.autograd.function import once_differentiable

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.estimate import Estimate, Outputs
from qrnn_qiskit.gradients.problem import GradientRule
from qrnn_qiskit.learning.postselection import check_survival, conditional, kept_of
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.gradient import Adjoint, measure_outputs
from qrnn_qiskit.run.measure.pull_back import PulledBack, measure_pull_back

LAYER_STREAM: Final = 10


@final
@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the last forward pass measured, beside the outputs themselves.

    Attributes:
        standard_errors: of the outputs, in their form (a tensor, or one for each sequence of a
            list); None for exact values.
        shots: over all sequences; 0 if exact.
    """

    standard_errors: Any
    shots: int


@final
@dataclass(frozen=True, slots=True)
class Backward:
    """What the last backward pass through the layer measured.

    Attributes:
        gradient: dL/d(weights) `[P]`, with the standard error that its own rows bring.
        rows: evaluated rows; 0 for reverse mode.
        shots: over all rows; 0 if exact.
    """

    gradient: Estimate
    rows: int
    shots: int


@final
@dataclass(frozen=True, slots=True)
class Measurement:
    """How a layer's circuit of one length is measured.

    Attributes:
        evaluator: circuit and executor.
        rule: of the backward pass.
        shots: of each row; None for exact values.
        name: of the layer in its run.
        place: gives every measurement its number, and so its own random stream.
        told_backward: hears of what a backward pass measured.
    """

    evaluator: Evaluator
    rule: GradientRule | Adjoint
    shots: int | None
    name: str
    place: Callable[[], int]
    told_backward: Callable[[PulledBack], None]

    def call(self) -> Call:
        """The place of the next measurement."""
        number = self.place()
        return Call(f"{self.name}/{number}", (LAYER_STREAM, number))

    def outputs(
        self, weights: Any, features: Any, learned: NDArray[np.bool_] | None = None
    ) -> tuple[Any, Outputs]:
        """Differentiable outputs `[B, T, K]`, and the same with their statistics.

        Args:
            weights: tensor `[P]`.
            features: tensor `[B, T, F]`.
            learned: `[F]` the features by which derivatives are wanted, where any are; all if None.
        """
        raw = measure_outputs(
            self.evaluator, to_array(weights), to_array(features), self.shots, self.call()
        )
        outputs = raw
        if self.evaluator.unrolled.postselected:
            check_survival(*kept_of(raw))
            outputs = conditional(raw)
        return _Circuit.apply(weights, features, outputs.mean, raw, self, learned), outputs


def to_array(tensor: Any) -> Array:
    """A tensor's values in double precision, wherever it lives."""
    values: Array = tensor.detach().to("cpu", torch.float64).numpy()
    return values


class _Circuit(torch.autograd.Function):
    """Outputs that were measured, and the derivatives that are measured when they are asked for."""

    @staticmethod
    def forward(
        ctx: Any,
        weights: Any,
        features: Any,
        mean: Array,
        raw: Outputs,
        measurement: Measurement,
        learned: NDArray[np.bool_] | None,
    ) -> Any:
        ctx.save_for_backward(weights, features)
        ctx.raw, ctx.measurement, ctx.learned = raw, measurement, learned
        return torch.from_numpy(np.ascontiguousarray(mean)).to(features)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cotangent: Any) -> Any:
        weights, features = ctx.saved_tensors
        measurement: Measurement = ctx.measurement
        found = measure_pull_back(
            measurement.evaluator,
            measurement.rule,
            weights=to_array(weights),
            features=to_array(features),
            raw=ctx.raw,
            cotangent=to_array(cotangent),
            shots=measurement.shots,
            call=measurement.call(),
            by_weights=ctx.needs_input_grad[0],
            by_features=ctx.needs_input_grad[1] and (True if ctx.learned is None else ctx.learned),
        )
        measurement.told_backward(found)
        by_features = None
        if found.by_features is not None:
            by_features = torch.from_numpy(found.by_features.mean).to(features)
        return (
            torch.from_numpy(found.by_weights.mean).to(weights),
            by_features,
            None,
            None,
            None,
            None,
        )
