"""What a trained network predicts, in the data's units, beside the baselines."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.estimate import Estimate, Outputs
from qrnn_qiskit.learning import metrics
from qrnn_qiskit.learning.dataset import Dataset
from qrnn_qiskit.learning.plugins import BaselineTask, CountedLoss, LabelLoss
from qrnn_qiskit.learning.postselection import survival
from qrnn_qiskit.run.baselines import chosen_baselines
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.gradient import measure_outputs
from qrnn_qiskit.run.measure.objective import Objective
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.setup import Setup

FORECAST_STREAM = 4

Scores = dict[str, Callable[[Array, Array, NDArray[np.bool_]], float]]
_Models = tuple[str, dict[str, tuple[str, Array]], Scores, Array, NDArray[np.bool_]]


def forecast(
    setup: Setup,
    evaluator: Evaluator,
    parameters: Array,
    data: Dataset,
    shots: int | None,
    address: str,
    keep: Callable[[Outputs], None] | None = None,
    place: tuple[int, ...] = (),
) -> Estimate:
    """Predictions `[N, T, M]` with standard errors, in the data's units.

    Of a loss of labels they are the probabilities of the classes. `keep` is handed the outputs
    that they were made from; `place` is that of the forecast among several of one command, whose
    shots must be independent.
    """
    weights, readout = setup.split_parameters(parameters)
    call = Call(address, (FORECAST_STREAM, *place))
    raw = measure_outputs(evaluator, weights, data.features, shots, call)
    if keep is not None:
        keep(raw)
    estimate = setup.objective.prediction(readout, raw)
    scaling = setup.splits.scaling
    if scaling is None or isinstance(setup.objective.loss, LabelLoss):
        return estimate
    error = estimate.standard_error
    return Estimate(
        scaling.unscale_targets(estimate.mean),
        None if error is None else scaling.unscale_error(error),
    )


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """The network and the baselines on the same held-out sequences.

    Attributes:
        table: one entry a model: its name and its scores: `rmse`, `mae`, `r2` in the data's units,
            or of labels `perplexity` and `accuracy`.
    """

    table: list[dict[str, Any]]

    @property
    def verdict(self) -> str:
        """One sentence: which baselines the network does not beat."""
        network, *baselines = self.table
        if not baselines:
            return "no baseline was asked for: nothing to hold the QRNN against"
        score, spelled = ("rmse", "RMSE") if "rmse" in network else ("perplexity", "perplexity")

        def of(entry: dict[str, Any]) -> float:
            return math.inf if entry[score] is None else float(entry[score])

        better = [b["model"] for b in baselines if of(b) <= of(network)]
        if not better:
            return f"the QRNN has the lowest {spelled} on held-out data"
        return f"the QRNN does NOT beat {' and '.join(better)} on held-out data"


def compare(
    setup: Setup, evaluator: Evaluator, parameters: Array, directory: RunDirectory
) -> Comparison | None:
    """Predict the test part, write outputs, predictions and `table.json`; None without such a part.

    Predictions go to `predictions.npz`, those of labels to `probabilities.npz`.
    """
    data = setup.splits.test
    if data.num_sequences == 0:
        return None
    estimate = forecast(
        setup,
        evaluator,
        parameters,
        data,
        setup.test_shots,
        "test",
        keep=lambda raw: write_outputs(setup.objective, raw, directory),
    )
    loss = setup.objective.loss
    if isinstance(loss, LabelLoss):
        name, models, scores, targets, mask = _class_models(setup, loss, estimate.mean, data)
    else:
        name, models, scores, targets, mask = _models(setup, estimate.mean, data)
    arrays: dict[str, Any] = {key: values for key, (_, values) in models.items()}
    arrays |= {"targets": targets, "mask": mask}
    if estimate.standard_error is not None:
        arrays["standard_error"] = estimate.standard_error
    if data.times is not None:
        arrays["times"] = data.times
    directory.write_arrays(name, arrays)
    table = [
        {"model": title}
        | {key: _finite(score(values, targets, mask)) for key, score in scores.items()}
        for title, values in models.values()
    ]
    comparison = Comparison(table)
    directory.write_json(
        "table.json", {"table": table, "verdict": comparison.verdict, "part": "test"}
    )
    return comparison


def write_outputs(objective: Objective, raw: Outputs, directory: RunDirectory) -> None:
    """Write `outputs.npz`: outputs `[N, T, K]`, and survival `[N, T]` with post-selection."""
    found = {"outputs": objective.condition(raw).estimate}
    if objective.postselected:
        found["survival"] = survival(raw)
    arrays: dict[str, Any] = {}
    for name, estimate in found.items():
        arrays[name] = estimate.mean
        if estimate.standard_error is not None:
            arrays[f"{name}_standard_error"] = estimate.standard_error
    directory.write_arrays("outputs.npz", arrays)


def _models(setup: Setup, mean: Array, data: Dataset) -> _Models:
    scaling, mask = setup.splits.scaling, setup.objective.steps

    def in_units(scaled: Array) -> Array:
        return scaled if scaling is None else scaling.unscale_targets(scaled)

    models = {"mean": ("QRNN", mean)}
    for key, (title, predicted) in _baselines(setup, data, mask, 0).items():
        models[key] = title, in_units(predicted)
    scores: Scores = {"rmse": metrics.rmse, "mae": metrics.mae, "r2": metrics.r2}
    return "predictions.npz", models, scores, in_units(data.targets), mask


def _class_models(setup: Setup, loss: LabelLoss, mean: Array, data: Dataset) -> _Models:
    mask, size = loss.label_steps(setup.objective.steps), mean.shape[2]
    if isinstance(loss, CountedLoss) and setup.test_shots is not None:
        # As in the baselines: what no shot has shown is not impossible.
        mean = (mean * setup.test_shots + 1.0) / (setup.test_shots + size)
    models = {"mean": ("QRNN", mean)} | _baselines(setup, data, mask, size)
    scores: Scores = {"perplexity": metrics.perplexity, "accuracy": metrics.accuracy}
    return "probabilities.npz", models, scores, data.targets, mask


def _baselines(
    setup: Setup, data: Dataset, mask: NDArray[np.bool_], num_classes: int
) -> dict[str, tuple[str, Array]]:
    """Title and predictions of each baseline, by its key."""
    chosen = chosen_baselines(
        setup.job.training.baselines,
        labels=num_classes > 0,
        many_steps=int(np.count_nonzero(mask)) > 1,
    )
    task = BaselineTask(
        setup.splits, data, mask, num_classes, len(setup.parameter_names), setup.job.seed
    )
    return {baseline.key: (baseline.title, baseline.predict(task)) for baseline in chosen}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
