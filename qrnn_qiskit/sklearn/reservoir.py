"""The reservoir: a random circuit whose linear readout is solved for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from qrnn_qiskit.errors import DataError
from qrnn_qiskit.sklearn.estimator import plain
from qrnn_qiskit.sklearn.regressor import SequenceRegressor


class QuantumReservoirRegressor(SequenceRegressor):
    """Ridge regression on the outputs of a cell that is not trained: one circuit a sequence.

    Attributes:
        parameters_: weights of the cell, as drawn, then coefficients and intercepts of the readout
            as `[M * K]` and `[M]`, for scaled targets.
        loss_curve_: the mean squared error of the fit, one value.
        n_iter_: 1.
        shots_used_: of the fit.
        job_: the tables of the job.
        scaling_: of features and targets.
    """

    def __init__(
        self,
        cell: str = "hardware_efficient",
        *,
        cell_options: Mapping[str, Any] | None = None,
        penalty: float | Literal["auto"] = "auto",
        washout: int = 0,
        output: str = "z",
        spread: float = 1.0,
        backend: str = "exact",
        noise: Mapping[str, Any] | None = None,
        shots: int | None = None,
        feature_range: tuple[float, float] | None = (-1.0, 1.0),
        random_state: Any = None,
    ) -> None:
        """Keep the options; they are checked in `fit`.

        Args:
            cell: a family, a file, or a name in the library.
            cell_options: of a family, such as `{"n_io": 4, "n_hidden": 2}`.
            penalty: of the squared coefficients of standardised outputs; "auto" takes the best by
                generalized cross-validation.
            washout: first steps that are left out where every step has a target.
            output: "z" for one value of each bit, "probabilities" for one of each outcome.
            spread: weights are drawn between 0 and this, in rad.
            backend: "exact", "aer" or a fake device.
            noise: the table `[noise]` of a job file.
            shots: of each sequence; None for exact values.
            feature_range: what each feature is scaled to; None leaves features as they are.
            random_state: of the weights and the shots.
        """
        self.cell = cell
        self.cell_options = cell_options
        self.penalty = penalty
        self.washout = washout
        self.output = output
        self.spread = spread
        self.backend = backend
        self.noise = noise
        self.shots = shots
        self.feature_range = feature_range
        self.random_state = random_state

    def _loss(self, num_steps: int, *, per_step: bool) -> dict[str, Any]:
        if not 0 <= self.washout < num_steps:
            raise DataError(
                f"washout = {self.washout}: sequences have {num_steps} steps, and at least one "
                "must be left"
            )
        if not per_step:
            return super()._loss(num_steps, per_step=per_step)
        return {"name": "mse", "last": num_steps - int(self.washout)}

    def _tables(self) -> dict[str, Any]:
        return {
            "readout": {"head": "linear", "max_scale": "none", "output": self.output},
            "optimizer": {"name": "ridge", "penalty": plain(self.penalty)},
            "initial": {"high": float(self.spread)},
        }
