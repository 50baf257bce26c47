"""What a run directory holds for pictures, read as arrays.

Axes: N test sequences, T steps, M target values per step, K output values per step, P weights,
H training steps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.errors import RunError

Array = NDArray[np.float64]

_NO_BASELINES: Final = ("targets", "mean", "standard_error", "mask", "times")


@final
@dataclass(frozen=True, slots=True)
class History:
    """What each training step reported; NaN where it reported nothing.

    Attributes:
        step: `[H]` number of the step, from 0.
        loss: `[H]`.
        loss_standard_error: `[H]`.
        validation_loss: `[H]`.
        gradient_norm: `[H]`.
        gradient_error: `[H]` root of the summed variances of the gradient's components.
        signal_to_noise: `[H, P]` of each weight's gradient; None where no step has shots.
        shots: `[H]` since the start of the run.
        qpu_seconds: `[H]` predicted, since the start of the run.
    """

    step: Array
    loss: Array
    loss_standard_error: Array
    validation_loss: Array
    gradient_norm: Array
    gradient_error: Array
    signal_to_noise: Array | None
    shots: Array
    qpu_seconds: Array


@final
@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions of the test part, in the data's units.

    Attributes:
        targets: `[N, T, M]`.
        mean: `[N, T, M]`.
        standard_error: `[N, T, M]`; None for exact outputs.
        baselines: `[N, T, M]` by name.
        mask: `[T]` steps that the loss and the metrics read.
        times: `[N, T]` labels of the targets' times, if known.
    """

    targets: Array
    mean: Array
    standard_error: Array | None
    baselines: Mapping[str, Array]
    mask: NDArray[np.bool_]
    times: NDArray[Any] | None


@final
@dataclass(frozen=True, slots=True)
class HeldOutOutputs:
    """What the circuit gave for the test part, before the readout.

    Attributes:
        mean: `[N, T, K]`.
        standard_error: `[N, T, K]`; None if exact.
        survival: `[N, T]` probability that a shot is kept; None without post-selection.
        survival_error: `[N, T]`; None if exact.
    """

    mean: Array
    standard_error: Array | None = None
    survival: Array | None = None
    survival_error: Array | None = None


@final
@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as pictures need it.

    Attributes:
        name: of the job, or of the directory.
        job: the resolved job's tables.
        target_names: M names; fewer (or none) where the run does not tell.
        weight_names: P names; none where the run does not tell.
        best_step: step of the best weights, if kept.
        history: None before the first step.
        predictions: None where there is no test part.
        outputs: None where there is no test part.
        scores: of the held-out data, one entry a model.
    """

    name: str
    job: Mapping[str, Any]
    target_names: tuple[str, ...]
    weight_names: tuple[str, ...]
    best_step: int | None
    history: History | None
    predictions: Predictions | None
    outputs: HeldOutOutputs | None
    scores: tuple[Mapping[str, Any], ...]


def read_record(run_dir: Path) -> RunRecord:
    """Read a run directory.

    Raises:
        RunError: when it is no run directory, or one of its files cannot be read.
    """
    if not (run_dir / "run.json").is_file():
        raise RunError(f"{run_dir} is no run directory: it has no run.json")
    about = _read_json(run_dir / "run.json")
    weights, scores = (
        _read_json(run_dir / name) if (run_dir / name).is_file() else {}
        for name in ("weights.json", "table.json")
    )
    job = about.get("job") or {}
    return RunRecord(
        name=job.get("name") or run_dir.resolve().name,
        job=job,
        target_names=tuple(about.get("target_names") or ()),
        weight_names=tuple((about.get("work") or {}).get("weights") or ()),
        best_step=weights.get("best_step"),
        history=_read_history(run_dir / "history.jsonl"),
        predictions=_read_predictions(run_dir / "predictions.npz"),
        outputs=_read_outputs(run_dir / "outputs.npz"),
        scores=tuple(scores.get("table") or ()),
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise RunError(f"{path} cannot be read: it must hold a JSON object")
    return content


def _read_history(path: Path) -> History | None:
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    entries = []
    for i, line in enumerate(lines):
        try:
            entries.append(json.loads(line))
        except ValueError:
            if i + 1 == len(lines):  # torn by a crash, or being written now
                break
            raise RunError(f"{path} line {i + 1} is not JSON") from None
    if not entries:
        return None

    gradients = [entry.get("gradient") or {} for entry in entries]

    def column(key: str, of: list[dict[str, Any]] = entries) -> Array:
        values = (entry.get(key) for entry in of)
        return np.array([np.nan if value is None else float(value) for value in values])

    return History(
        step=column("step"),
        loss=column("loss"),
        loss_standard_error=column("loss_standard_error"),
        validation_loss=column("validation_loss"),
        gradient_norm=column("gradient_norm"),
        gradient_error=column("error", gradients),
        signal_to_noise=_ratios(gradients),
        shots=column("shots"),
        qpu_seconds=column("qpu_seconds"),
    )


def _ratios(gradients: list[dict[str, Any]]) -> Array | None:
    """`[H, P]`, NaN at steps that tell nothing."""
    found = [entry.get("signal_to_noise") for entry in gradients]
    size = next((len(ratios) for ratios in found if ratios), 0)
    if not size:
        return None
    return np.array([ratios or [np.nan] * size for ratios in found], dtype=np.float64)


def _read_outputs(path: Path) -> HeldOutOutputs | None:
    arrays = _read_arrays(path)
    if arrays is None or "outputs" not in arrays or arrays["outputs"].size == 0:
        return None
    return HeldOutOutputs(
        mean=arrays["outputs"],
        standard_error=arrays.get("outputs_standard_error"),
        survival=arrays.get("survival"),
        survival_error=arrays.get("survival_standard_error"),
    )


def _read_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None


def _read_predictions(path: Path) -> Predictions | None:
    arrays = _read_arrays(path)
    if arrays is None:
        return None
    try:
        targets = np.asarray(arrays["targets"], dtype=np.float64)
        if targets.size == 0:
            return None
        return Predictions(
            targets=targets,
            mean=arrays["mean"],
            standard_error=arrays.get("standard_error"),
            baselines={
                name: values
                for name, values in arrays.items()
                if name not in _NO_BASELINES and values.shape == targets.shape
            },
            mask=np.asarray(arrays.get("mask", np.ones(targets.shape[1])), dtype=bool),
            times=arrays.get("times"),
        )
    except (ValueError, KeyError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
