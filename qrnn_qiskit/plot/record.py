"""What a run directory holds for pictures, read as arrays.

Axes: N test sequences, T steps, M target values per step.
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

_BASELINES: Final = ("persistence", "ridge")


@final
@dataclass(frozen=True, slots=True)
class History:
    """What each training step reported; NaN where it reported nothing."""

    step: Array
    loss: Array
    loss_standard_error: Array
    validation_loss: Array
    gradient_norm: Array


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
class RunRecord:
    """A run as pictures need it.

    Attributes:
        name: of the job, or of the directory.
        target_names: M names; fewer (or none) where the run does not tell.
        best_step: step of the best weights, if kept.
        history: None before the first step.
        predictions: None where there is no test part.
    """

    name: str
    target_names: tuple[str, ...]
    best_step: int | None
    history: History | None
    predictions: Predictions | None


def read_record(run_dir: Path) -> RunRecord:
    """Read a run directory.

    Raises:
        RunError: when it is no run directory, or one of its files cannot be read.
    """
    if not (run_dir / "run.json").is_file():
        raise RunError(f"{run_dir} is not a run directory: it has no run.json")
    about = _read_json(run_dir / "run.json")
    weights = _read_json(run_dir / "weights.json") if (run_dir / "weights.json").is_file() else {}
    job = about.get("job") or {}
    return RunRecord(
        name=job.get("name") or run_dir.resolve().name,
        target_names=tuple(about.get("target_names") or ()),
        best_step=weights.get("best_step"),
        history=_read_history(run_dir / "history.jsonl"),
        predictions=_read_predictions(run_dir / "predictions.npz"),
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

    def column(key: str) -> Array:
        values = (entry.get(key) for entry in entries)
        return np.array([np.nan if value is None else float(value) for value in values])

    return History(
        step=column("step"),
        loss=column("loss"),
        loss_standard_error=column("loss_standard_error"),
        validation_loss=column("validation_loss"),
        gradient_norm=column("gradient_norm"),
    )


def _read_predictions(path: Path) -> Predictions | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        targets = np.asarray(arrays["targets"], dtype=np.float64)
        if targets.size == 0:
            return None
        return Predictions(
            targets=targets,
            mean=arrays["mean"],
            standard_error=arrays.get("standard_error"),
            baselines={name: arrays[name] for name in _BASELINES if name in arrays},
            mask=np.asarray(arrays.get("mask", np.ones(targets.shape[1])), dtype=bool),
            times=arrays.get("times"),
        )
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
