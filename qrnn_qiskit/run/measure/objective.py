"""From outputs to a loss: its value, derivatives and statistics.

Axes: B sequences, T steps, K output values, M predicted values, n readout parameters. Raw values
are those of the executor: K, or K+1 of a post-selected circuit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.estimate import Estimate, Outputs
from qrnn_qiskit.learning import postselection
from qrnn_qiskit.learning.plugins import CountedLoss, LabelLoss, Loss
from qrnn_qiskit.learning.propagation import (
    directional,
    gradient_bias,
    principal_axes,
    quadratic_form,
    second_order,
)
from qrnn_qiskit.learning.readout import Readout

Correction = Literal["auto", "first_order", "none"]


@final
@dataclass(frozen=True, slots=True)
class Spread:
    """What shots do to numbers that are sums over sequences.

    The error of a quadratic form has a first order in the outputs' covariance and a second, which
    rules near a minimum; the first, taken at noisy outputs, is too large by twice the second.

    Attributes:
        value: `[..., B]` a sequence's part of the number.
        first, second: `[..., B]` its variance to both orders; None for exact values.
    """

    value: Array
    first: Array | None = None
    second: Array | None = None

    def without_errors(self) -> Spread:
        """The same with unknown errors."""
        unknown = np.full(self.value.shape, np.nan)
        return Spread(self.value, unknown, unknown)

    def total(self) -> Estimate:
        """The sum over sequences, `[...]`, with its standard error."""
        mean = np.asarray(self.value.sum(axis=-1))
        if self.first is None or self.second is None:
            return Estimate(mean)
        first, second = self.first.sum(axis=-1), self.second.sum(axis=-1)
        return Estimate(mean, np.sqrt(np.maximum(first - second, second)))


@final
@dataclass(frozen=True, slots=True)
class LossEstimate:
    """A loss and its derivatives from the unshifted rows.

    Attributes:
        value: each sequence's part of the loss.
        by_readout: of its derivative by the readout's parameters, `[n, B]`.
        cotangent: derivative by the raw values, `[B, T, K]`.
        cotangent_covariance: `[B, T*K, T*K]` of `cotangent`, to first order; None if exact.
        curvature: `[B, T*K, T*K]` derivative of `cotangent` by the raw values; None if exact, or
            if the estimators need counts.
    """

    value: Spread
    by_readout: Spread
    cotangent: Array
    cotangent_covariance: Array | None = None
    curvature: Array | None = None

    @property
    def loss(self) -> Estimate:
        """Its value."""
        return self.value.total()

    def without_errors(self) -> LossEstimate:
        """The same with all errors unknown."""
        spread = self.cotangent_covariance
        return replace(
            self,
            value=self.value.without_errors(),
            by_readout=self.by_readout.without_errors(),
            cotangent_covariance=None if spread is None else spread * np.nan,
        )


@final
@dataclass(frozen=True, slots=True)
class Objective:
    """From outputs to a loss.

    Attributes:
        readout: outputs to predictions.
        loss: predictions and targets to a number.
        steps: `[T]` True where the loss reads.
        postselected: whether raw values are those of a post-selected circuit.
        correction: of the bias that shots bring into the loss and its derivatives. "auto": the
            loss's own unbiased estimator where it has one, else "first_order": half the trace of
            second derivative times covariance is subtracted (all of the bias of a squared error).
            "none": plug-in values.
    """

    readout: Readout
    loss: Loss
    steps: NDArray[np.bool_]
    postselected: bool = False
    correction: Correction = "auto"

    @property
    def correction_name(self) -> str:
        """What is done about the bias of plug-in values: "unbiased", "first_order" or "none"."""
        if self.correction == "auto" and (self._counted is not None or self.loss.quadratic):
            return "unbiased"
        return "first_order" if self.correction == "auto" else self.correction

    @property
    def needs_counts(self) -> bool:
        """Whether estimators read the counts of one set of shots, the same for all steps."""
        return self.postselected or self.reads_counts

    @property
    def reads_counts(self) -> bool:
        """Whether the loss's own estimator is used, which reads counts."""
        return self._counted is not None

    def condition(self, raw: Outputs) -> Outputs:
        """Outputs `[B, T, K]` given that a shot is kept; the raw ones without post-selection.

        Raises:
            DataError: if fewer shots are kept than error bars need.
        """
        if not self.postselected:
            return raw
        postselection.check_survival(*postselection.kept_of(raw))
        return postselection.conditional(raw)

    def cotangent(
        self, parameters: Array, raw: Array, targets: Array
    ) -> tuple[float, Array, Array]:
        """Plug-in loss, its derivatives by the readout's parameters `[n]` and the raw values."""
        exact = self.estimate(parameters, Outputs(raw), targets)
        by_readout = exact.by_readout.total().mean
        return float(exact.loss.mean), by_readout, exact.cotangent

    def prediction(self, parameters: Array, raw: Outputs) -> Estimate:
        """Predictions `[B, T, M]` with standard errors; probabilities if the loss is of labels.

        A prediction reads its own step alone, so that its error is known of marginal shots, too;
        that of probabilities, which may pool steps, is NaN there.
        """
        if raw.covariance is not None and np.isnan(raw.covariance).any():
            found = self.prediction(parameters, _independent(raw))
            if not isinstance(self.loss, LabelLoss):
                return found
            return Estimate(found.mean, np.full(found.mean.shape, np.nan))
        outputs = self.condition(raw)
        shape = outputs.mean.shape

        def predict(flat: Array) -> Array:
            found = self.readout.predict(parameters, flat.reshape(shape))
            if isinstance(self.loss, LabelLoss):
                return self.loss.probabilities(found, self.steps)
            return found

        flat = outputs.mean.reshape(shape[0], -1)
        covariance = outputs.covariance_of_mean
        if covariance is None:
            return Estimate(predict(flat))
        variance = np.zeros(predict(flat).shape)
        for axis in principal_axes(covariance):
            variance += directional(predict, flat, axis) ** 2
        return Estimate(predict(flat), np.sqrt(variance))

    def loss_estimate(self, parameters: Array, raw: Outputs, targets: Array) -> Estimate:
        """The loss, corrected for the bias of noisy outputs, with its standard error."""
        return self.estimate(parameters, raw, targets).loss

    def estimate(self, parameters: Array, raw: Outputs, targets: Array) -> LossEstimate:
        """Loss and derivatives, corrected for the bias of noisy outputs, with their errors.

        Of marginal shots the covariance of different steps is unknown (NaN): the correction takes
        them as independent, and all errors are NaN.
        """
        if raw.covariance is not None and np.isnan(raw.covariance).any():
            return self.estimate(parameters, _independent(raw), targets).without_errors()
        outputs = self.condition(raw)
        shape = outputs.mean.shape
        value, by_readout, by_outputs = self._slopes(parameters, outputs.mean, targets)
        covariance, of_raw = outputs.covariance_of_mean, raw.covariance_of_mean
        if covariance is None or of_raw is None:
            cotangent = by_outputs
            if self.postselected:
                product = np.sum(by_outputs * outputs.mean, axis=2)
                inverse = postselection.inverse_probability(raw)
                cotangent = postselection.pull_back(by_outputs, product, inverse)
            return LossEstimate(Spread(value), Spread(by_readout), cotangent)
        if self._counted is not None:
            return self._from_counts(self._counted, raw, of_raw, targets)

        mean = outputs.mean.reshape(shape[0], -1)
        curvature = self._curvature(parameters, outputs.mean, targets)
        bent = curvature @ covariance
        first = quadratic_form(by_outputs.reshape(1, *mean.shape), covariance)[0]
        second = 0.5 * np.einsum("bij,bji->b", bent, bent)

        def jacobian_of(point: Array) -> Array:
            return self._readout_jacobian(parameters, point.reshape(shape), targets)

        of_readout = bias = second_of_readout = np.zeros(by_readout.shape)
        if len(by_readout):
            of_readout = quadratic_form(jacobian_of(mean), covariance)
            bias, second_of_readout = second_order(jacobian_of, mean, covariance)
        corrected = self.correction != "none"
        if corrected:
            value = value - 0.5 * np.einsum("bii->b", bent)
            by_readout = by_readout - bias
        if corrected and not self.loss.quadratic:

            def gradient_of(point: Array) -> Array:
                _, _, slope = self._slopes(parameters, point.reshape(shape), targets)
                return slope.reshape(mean.shape)

            by_outputs = by_outputs - gradient_bias(gradient_of, mean, covariance).reshape(shape)
        cotangent, by_raw = by_outputs, curvature
        if self.postselected:
            # Given the number of kept shots, y has no bias: 1/p and w y are corrected apart.
            diagonal = np.einsum("bii->bi", bent).reshape(shape) if corrected else 0.0
            product = np.sum(by_outputs * outputs.mean - diagonal, axis=2)
            inverse = postselection.inverse_probability(raw if corrected else Outputs(raw.mean))
            cotangent = postselection.pull_back(by_outputs, product, inverse)
            by_raw = postselection.quotient_curvature(raw.mean, by_outputs, curvature)
        return LossEstimate(
            Spread(value, first, second),
            Spread(by_readout, of_readout, second_of_readout),
            cotangent,
            by_raw @ of_raw @ by_raw,
            by_raw,
        )

    def curvature(self, parameters: Array, raw: Array, targets: Array) -> Array:
        """Second derivative of the loss by the raw values, `[B, T*K, T*K]`."""
        outputs = self.condition(Outputs(raw)).mean
        curvature = self._curvature(parameters, outputs, targets)
        if not self.postselected:
            return curvature
        _, _, by_outputs = self._slopes(parameters, outputs, targets)
        return postselection.quotient_curvature(raw, by_outputs, curvature)

    @property
    def _counted(self) -> CountedLoss | None:
        """The loss, where its own estimator is to be used."""
        frequencies = self.correction == "auto" and self.readout.head == "identity"
        return self.loss if frequencies and isinstance(self.loss, CountedLoss) else None

    def _slopes(
        self, parameters: Array, outputs: Array, targets: Array
    ) -> tuple[Array, Array, Array]:
        """Parts of the loss `[B]`, of its derivatives by the readout `[n, B]`; by the outputs."""
        predictions = self.readout.predict(parameters, outputs)
        value, slope = self.loss.value_and_cotangent(predictions, targets, self.steps)
        matrix, _ = self.readout.linear_map(parameters)
        jacobian = self.readout.parameter_jacobian(parameters, outputs)
        by_readout = np.einsum("btm,btmn->nb", slope, jacobian)
        return value / len(value), by_readout, slope @ matrix

    def _curvature(self, parameters: Array, outputs: Array, targets: Array) -> Array:
        """Second derivative of the loss by the (conditional) outputs, `[B, T*K, T*K]`."""
        predictions = self.readout.predict(parameters, outputs)
        bent = self.loss.curvature(predictions, targets, self.steps)
        if self.readout.head == "identity":
            return bent
        matrix, _ = self.readout.linear_map(parameters)
        all_steps = np.kron(np.eye(predictions.shape[1]), matrix)
        full: Array = all_steps.T @ bent @ all_steps
        return full

    def _readout_jacobian(self, parameters: Array, outputs: Array, targets: Array) -> Array:
        """Derivative `[n, B, T*K]` of the readout's gradient by the outputs."""
        predictions = self.readout.predict(parameters, outputs)
        _, slope = self.loss.value_and_cotangent(predictions, targets, self.steps)
        bent = self.loss.curvature(predictions, targets, self.steps)
        by_outputs = self.readout.gradient_sensitivity(parameters, outputs, slope, bent)
        return by_outputs.reshape(*by_outputs.shape[:2], outputs[0].size)

    def _from_counts(
        self, loss: CountedLoss, raw: Outputs, covariance: Array, targets: Array
    ) -> LossEstimate:
        """By the loss's own estimator. Its slopes are 1/p, so the spread is known to first order.

        A class that no shot has shown has no sample variance; it gets that of a single shot.
        """
        batch, steps, width = raw.mean.shape
        shots = np.zeros(batch) if raw.count is None else raw.count.astype(np.float64)
        counts = raw.mean * shots[:, None, None]
        kept = np.broadcast_to(shots[:, None], (batch, steps))
        if self.postselected:
            counts, kept = counts[:, :, :-1], counts[:, :, -1]
        value, cotangent, by_kept = loss.of_counts(counts, kept, shots, targets, self.steps)
        if self.postselected:
            cotangent = np.concatenate([cotangent, by_kept[:, :, None]], axis=2)
        index = np.arange(steps * width)
        unseen = raw.mean.reshape(batch, -1) == 0.0
        covariance[:, index, index] += unseen / shots[:, None] ** 2
        # d/dp of ∓1/p is ±1/p², and the derivatives are means over the steps that are read.
        bent = -cotangent * np.abs(cotangent) * batch * np.count_nonzero(self.steps)
        slope = bent.reshape(batch, -1)
        variance = quadratic_form(cotangent.reshape(1, batch, -1), covariance)[0]
        nothing = np.zeros((0, batch))
        return LossEstimate(
            Spread(value / batch, variance, np.zeros(batch)),
            Spread(nothing, nothing, nothing),
            cotangent,
            slope[:, :, None] * covariance * slope[:, None, :],
        )


def _independent(raw: Outputs) -> Outputs:
    """Marginal shots with steps taken as independent: their unknown covariance (NaN) is 0."""
    unknown = raw.covariance
    return raw if unknown is None else replace(raw, covariance=np.nan_to_num(unknown))
