"""The classical readout: from output values of a step to the prediction of its targets.

Axes: B sequences, T steps, K output values, M target values, n readout parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.spec.model import ReadoutSpec

Array = NDArray[np.float64]
Head = Literal["identity", "scale", "linear"]


@final
@dataclass(frozen=True, slots=True)
class Readout:
    """`prediction = matrix @ y + bias` at each step, with few trainable parameters.

    The matrix is the identity (`identity`, which has no bias), full (`linear`), or a scale for
    each target times the mean of its values (`scale`): value k belongs to target k modulo M. With
    K = M that is a diagonal matrix. It multiplies shot noise, so its trainable entries are bounded
    smoothly: `entry = max_scale * tanh(parameter / max_scale)`. Parameters are ordered: entries of
    the matrix (row by row), then the bias; those that are not trained are none.

    Attributes:
        head: kind of the matrix.
        num_values: K.
        num_targets: M.
        scale: size of the initial entries; the fixed one when `train_scale` is False.
        max_scale: bound of the trainable entries; None: no bound.
        train_scale: whether the entries of the matrix are trained.
        train_bias: whether there is a bias, starting at 0.
    """

    head: Head
    num_values: int
    num_targets: int
    scale: float = 1.0
    max_scale: float | None = 10.0
    train_scale: bool = True
    train_bias: bool = True

    @classmethod
    def from_spec(cls, spec: ReadoutSpec, *, num_values: int, num_targets: int) -> Readout:
        """The readout of a job.

        Raises:
            SpecError: when the head cannot make M targets of K values, or `scale` is out of bounds.
        """
        fits = spec.head == "scale" and num_values % num_targets == 0
        if spec.head != "linear" and num_values != num_targets and not fits:
            raise SpecError(
                f"readout.head = {spec.head!r}: the cell gives {num_values} output values per "
                f"step, but {num_targets} predictions are needed, one for each target or class; "
                "use readout.head = 'linear'"
            )
        bounded = spec.head != "identity" and spec.train_scale and spec.max_scale is not None
        if bounded and spec.max_scale is not None and abs(spec.scale) >= spec.max_scale:
            raise SpecError(
                f"readout.scale = {spec.scale}: must be smaller than readout.max_scale = "
                f"{spec.max_scale} in magnitude"
            )
        return cls(
            spec.head,
            num_values,
            num_targets,
            spec.scale,
            spec.max_scale,
            spec.train_scale,
            spec.train_bias,
        )

    @property
    def num_parameters(self) -> int:
        """n."""
        return self._num_entries + self._num_biases

    def names(self) -> list[str]:
        """Names of the parameters, such as `scale`, `bias`, `scale[1]`, `matrix[0,2]`."""
        names: list[str] = []
        if self._num_entries and self.head == "linear":
            names = [f"matrix[{m},{k}]" for m, k in np.ndindex(self.num_targets, self.num_values)]
        elif self._num_entries:
            names = _indexed("scale", self._num_entries)
        return names + _indexed("bias", self._num_biases)

    def initial(self) -> Array:
        """Parameters `[n]` to start from: each target reads `scale` times the mean of its values.

        For `linear` value k belongs to target `k modulo M` (K > M), and target m reads value
        `m modulo K` (M > K): no value is left without influence.
        """
        entries = self._start().ravel() if self._num_entries else np.zeros(0)
        if self.max_scale is not None:
            entries = self.max_scale * np.arctanh(entries / self.max_scale)
        return np.concatenate([entries, np.zeros(self._num_biases)])

    def linear_map(self, parameters: Array) -> tuple[Array, Array]:
        """Matrix `[M, K]` and bias `[M]`: all that is needed to propagate covariances."""
        entries, bias = self._start(), np.zeros(self.num_targets)
        if self._num_entries:
            entries = self._bounded(parameters[: self._num_entries]).reshape(entries.shape)
        if self._num_biases:
            bias = parameters[self._num_entries :].copy()
        matrix: Array = entries if self.head == "linear" else entries[:, None] * self._means()
        return matrix, bias

    def predict(self, parameters: Array, outputs: Array) -> Array:
        """Predictions `[B, T, M]` from outputs `[B, T, K]`."""
        matrix, bias = self.linear_map(parameters)
        predictions: Array = outputs @ matrix.T + bias
        return predictions

    def prediction_variance(self, parameters: Array, covariance: Array) -> Array:
        """Variance `[B, T, M]` of predictions made from estimated outputs.

        Args:
            parameters: `[n]`.
            covariance: `[B, T*K, T*K]` of the outputs' means, i.e. already divided by the shots.
        """
        matrix, _ = self.linear_map(parameters)
        num_steps = covariance.shape[1] // self.num_values
        shape = (len(covariance), num_steps, self.num_values, num_steps, self.num_values)
        same_step = np.einsum("btktl->btkl", covariance.reshape(shape))
        variance: Array = np.einsum("mk,btkl,ml->btm", matrix, same_step, matrix, optimize=True)
        return np.maximum(variance, 0.0)

    def parameter_jacobian(self, parameters: Array, outputs: Array) -> Array:
        """Derivative of each prediction by each parameter, `[B, T, M, n]`."""
        slopes = self._slopes(parameters)
        identity = np.eye(self.num_targets)
        jacobian = np.zeros((*outputs.shape[:2], self.num_targets, self.num_parameters))
        if self._num_entries and self.head == "linear":
            full = identity[:, :, None] * outputs[:, :, None, None, :]
            jacobian[..., : self._num_entries] = slopes * full.reshape(*full.shape[:3], -1)
        elif self._num_entries:
            means = outputs @ self._means().T
            jacobian[..., : self._num_entries] = slopes * identity * means[:, :, None, :]
        if self._num_biases:
            jacobian[..., self._num_entries :] = identity
        return jacobian

    def pull_back(self, parameters: Array, outputs: Array, cotangent: Array) -> tuple[Array, Array]:
        """Derivatives of a loss by the parameters `[n]` and by the outputs `[B, T, K]`.

        Args:
            parameters: `[n]`.
            outputs: `[B, T, K]`.
            cotangent: `[B, T, M]` derivative of the loss by the predictions.
        """
        matrix, _ = self.linear_map(parameters)
        jacobian = self.parameter_jacobian(parameters, outputs)
        by_outputs: Array = cotangent @ matrix
        by_parameters: Array = np.einsum("btm,btmn->n", cotangent, jacobian)
        return by_parameters, by_outputs

    def gradient_sensitivity(
        self, parameters: Array, outputs: Array, cotangent: Array, curvature: Array
    ) -> Array:
        """Derivative `[n, B, T, K]` of each parameter's gradient by the outputs.

        Contracted with the outputs' covariance this is the variance of the readout's gradient to
        first order.

        Args:
            parameters: `[n]`.
            outputs: `[B, T, K]`.
            cotangent: `[B, T, M]` derivative of the loss by the predictions.
            curvature: `[B, T*M, T*M]` second derivative.
        """
        matrix, _ = self.linear_map(parameters)
        jacobian = self.parameter_jacobian(parameters, outputs)
        batch, steps, width = cotangent.shape
        flat = jacobian.reshape(batch, steps * width, -1)
        bent = (curvature @ flat).reshape(jacobian.shape)
        result: Array = np.moveaxis(bent, 3, 0) @ matrix
        slopes = self._slopes(parameters)
        for i in range(self._num_entries):
            if self.head == "linear":
                target, value = divmod(i, self.num_values)
                result[i, :, :, value] += slopes[i] * cotangent[:, :, target]
            else:
                result[i] += slopes[i] * cotangent[:, :, i, None] * self._means()[i]
        return result

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Readout:
        """Inverse of `to_dict`."""
        return cls(**saved)

    @property
    def _num_entries(self) -> int:
        if self.head == "identity" or not self.train_scale:
            return 0
        return self.num_targets * (self.num_values if self.head == "linear" else 1)

    @property
    def _num_biases(self) -> int:
        return self.num_targets if self.head != "identity" and self.train_bias else 0

    def _start(self) -> Array:
        """Entries before training: `[M]`, for `linear` `[M, K]`."""
        if self.head == "linear":
            return self.scale * self._means()
        return np.full(self.num_targets, 1.0 if self.head == "identity" else self.scale)

    def _means(self) -> Array:
        """`[M, K]` that gives each target the mean of its values."""
        rows, columns = np.indices((self.num_targets, self.num_values))
        modulus = min(self.num_targets, self.num_values)
        mine = rows % modulus == columns % modulus
        matrix: Array = mine / np.count_nonzero(mine, axis=1, keepdims=True)
        return matrix

    def _bounded(self, parameters: Array) -> Array:
        if self.max_scale is None:
            return parameters
        bounded: Array = self.max_scale * np.tanh(parameters / self.max_scale)
        return bounded

    def _slopes(self, parameters: Array) -> Array:
        """Derivative of each trained entry of the matrix by its parameter."""
        entries = parameters[: self._num_entries]
        if self.max_scale is None:
            return np.ones_like(entries)
        slopes: Array = 1.0 - np.tanh(entries / self.max_scale) ** 2
        return slopes


def _indexed(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}[{i}]" for i in range(count)]
