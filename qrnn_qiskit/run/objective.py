"""From outputs to a loss: its value, derivatives and statistics.

Axes: B sequences, T steps, K output values, M target values, n readout parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.estimate import Estimate, Outputs
from qrnn_qiskit.learning.plugins import Loss
from qrnn_qiskit.learning.readout import Readout


@final
@dataclass(frozen=True, slots=True)
class Objective:
    """From outputs to a loss.

    Attributes:
        readout: outputs to predictions.
        loss: predictions and targets to a number.
        steps: `[T]` True where the loss reads.
    """

    readout: Readout
    loss: Loss
    steps: NDArray[np.bool_]

    def cotangent(
        self, parameters: Array, outputs: Array, targets: Array
    ) -> tuple[float, Array, Array]:
        """Plug-in loss, its derivatives by the readout's parameters `[n]` and the outputs."""
        predictions = self.readout.predict(parameters, outputs)
        value, slope = self.loss.value_and_cotangent(predictions, targets, self.steps)
        by_parameters, by_outputs = self.readout.pull_back(parameters, outputs, slope)
        return float(value.mean()), by_parameters, by_outputs

    def loss_estimate(self, parameters: Array, outputs: Outputs, targets: Array) -> Estimate:
        """The loss, corrected for the bias of noisy outputs, with its standard error.

        The plug-in value of a squared error exceeds its expectation by the predictions' variance;
        that is subtracted. The error of a quadratic form has a first order in the outputs'
        covariance and a second, which rules near a minimum; the first, taken at noisy outputs, is
        too large by twice the second.
        """
        value, _, by_outputs = self.cotangent(parameters, outputs.mean, targets)
        if outputs.count is None or outputs.covariance is None:
            return Estimate(np.asarray(value))
        covariance = outputs.covariance / outputs.count[:, None, None]
        variance = self.readout.prediction_variance(parameters, covariance)
        value -= self.loss.correction(variance, self.steps)
        first = outputs.contracted_variance(by_outputs).sum()
        curved = self.curvature(parameters, outputs.mean) @ covariance
        second = 0.5 * np.einsum("bij,bji->", curved, curved)
        variance_of_loss = max(first - second, second)
        return Estimate(np.asarray(value), np.asarray(np.sqrt(variance_of_loss)))

    def readout_bias(self, parameters: Array, outputs: Outputs) -> Array:
        """What noisy outputs add to the gradient by the readout's parameters, `[n]`.

        The derivative of the predictions' variance that `loss_estimate` subtracts from the loss.
        Without it, training would shrink the scale.
        """
        if outputs.count is None or outputs.covariance is None:
            return np.zeros(len(parameters))
        batch, steps, width = outputs.mean.shape
        covariance = outputs.covariance / outputs.count[:, None, None]
        covariance = covariance.reshape(batch, steps, width, steps, width)
        same_step = np.einsum("btktl->btkl", covariance)
        matrix, _ = self.readout.linear_map(parameters)
        bent = self.loss.curvature(self.readout.predict(parameters, outputs.mean), self.steps)
        fixed = self.readout.parameter_jacobian(parameters, np.zeros(outputs.mean.shape))
        bias = np.zeros(len(parameters))
        for m, row in enumerate(matrix):
            linear = self.readout.parameter_jacobian(parameters, row @ same_step) - fixed
            bias += np.einsum("bt,btn->n", bent[:, :, m], linear[:, :, m])
        return bias

    def curvature(self, parameters: Array, outputs: Array) -> Array:
        """Second derivative of the loss by the outputs, `[B, T*K, T*K]`, block by step."""
        batch, steps, width = outputs.shape
        matrix, _ = self.readout.linear_map(parameters)
        predictions = self.readout.predict(parameters, outputs)
        bent = self.loss.curvature(predictions, self.steps)
        blocks = np.einsum("mk,btm,ml->btkl", matrix, bent, matrix, optimize=True)
        full = np.zeros((batch, steps, width, steps, width))
        index = np.arange(steps)
        full[:, index, :, index, :] = blocks.transpose(1, 0, 2, 3)
        return full.reshape(batch, steps * width, steps * width)
