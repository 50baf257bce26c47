"""What a trained network predicts, in the data's units, beside the baselines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.estimate import Estimate
from qrnn_qiskit.learning import metrics
from qrnn_qiskit.learning.baselines import linear_ridge, persistence
from qrnn_qiskit.learning.dataset import Dataset
from qrnn_qiskit.run.directory import RunDirectory
from qrnn_qiskit.run.evaluator import Call, Evaluator
from qrnn_qiskit.run.gradient import measure_outputs
from qrnn_qiskit.run.setup import Setup

FORECAST_STREAM = 4


def forecast(
    setup: Setup,
    evaluator: Evaluator,
    parameters: Array,
    data: Dataset,
    shots: int | None,
    address: str,
) -> Estimate:
    """Predictions `[N, T, M]` with standard errors, in the data's units."""
    weights, readout = setup.split_parameters(parameters)
    call = Call(address, (FORECAST_STREAM,))
    outputs = measure_outputs(evaluator, weights, data.features, shots, call)
    mean = setup.objective.readout.predict(readout, outputs.mean)
    error: Array | None = None
    if outputs.covariance is not None and outputs.count is not None:
        covariance = outputs.covariance / outputs.count[:, None, None]
        variance = setup.objective.readout.prediction_variance(readout, covariance)
        error = np.sqrt(variance)
    scaling = setup.splits.scaling
    if scaling is None:
        return Estimate(mean, error)
    return Estimate(
        scaling.unscale_targets(mean), None if error is None else scaling.unscale_error(error)
    )


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """The network and the baselines on the same held-out sequences.

    Attributes:
        table: one entry a model: its name, `rmse`, `mae`, `r2` in the data's units.
    """

    table: list[dict[str, Any]]

    @property
    def verdict(self) -> str:
        """One sentence: which baselines the network does not beat."""
        network, *baselines = self.table
        better = [b["model"] for b in baselines if b["rmse"] <= network["rmse"]]
        if not better:
            return "the QRNN has the lowest RMSE on held-out data"
        return f"the QRNN does NOT beat {' and '.join(better)} on held-out data"


def compare(
    setup: Setup, evaluator: Evaluator, parameters: Array, directory: RunDirectory
) -> Comparison | None:
    """Predict the test part, write `predictions.npz` and `table.json`; None without such a part."""
    data = setup.splits.test
    if data.num_sequences == 0:
        return None
    mask = setup.objective.steps
    estimate = forecast(setup, evaluator, parameters, data, setup.test_shots, "test")
    scaling = setup.splits.scaling

    def in_units(scaled: Array) -> Array:
        return scaled if scaling is None else scaling.unscale_targets(scaled)

    targets = in_units(data.targets)
    predictions = {
        "mean": estimate.mean,
        "persistence": in_units(persistence(setup.splits, data)),
        "ridge": in_units(linear_ridge(setup.splits, data, mask)),
    }
    arrays: dict[str, Any] = {**predictions, "targets": targets, "mask": mask}
    if estimate.standard_error is not None:
        arrays["standard_error"] = estimate.standard_error
    if data.times is not None:
        arrays["times"] = data.times
    directory.write_arrays("predictions.npz", arrays)
    names = {"mean": "QRNN", "persistence": "persistence", "ridge": "linear ridge"}
    table = [
        {"model": names[key]}
        | {
            name: _finite(score(values, targets, mask))
            for name, score in (("rmse", metrics.rmse), ("mae", metrics.mae), ("r2", metrics.r2))
        }
        for key, values in predictions.items()
    ]
    comparison = Comparison(table)
    directory.write_json(
        "table.json", {"table": table, "verdict": comparison.verdict, "part": "test"}
    )
    return comparison


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
