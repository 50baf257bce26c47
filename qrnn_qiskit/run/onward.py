"""Beyond the data: predictions that become features, and words that become the next input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.errors import DataError, RunError
from qrnn_qiskit.estimate import Estimate
from qrnn_qiskit.learning.data import load_data, load_new
from qrnn_qiskit.learning.dataset import DataInfo, Dataset
from qrnn_qiskit.learning.plugins import LabelLoss
from qrnn_qiskit.run.forecast import forecast
from qrnn_qiskit.run.jobs import setup_on, trained
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.service.hardware import recorded
from qrnn_qiskit.run.setup import Setup, make_evaluator
from qrnn_qiskit.spec.compose import job_from_dict

SAMPLE_STREAM = 8


def forecast_run(
    run: Path,
    steps: int,
    data: Path | None = None,
    overrides: Sequence[str] = (),
    run_dir: Path | None = None,
    wait: bool = True,
) -> dict[str, Any]:
    """Closed-loop forecast: predictions take the place of the features that are not known yet.

    The circuit is that of the training, over a window of as many steps, which moves on by the
    horizon each time. All features must be targets too. With shots every prediction has its
    standard error given the window; what noise does to the windows that follow is not in it.

    Args:
        run: run directory.
        steps: how far to go beyond the last known step.
        data: `.npz` (each sequence goes on) or `.csv` (its last window does); without it the
            sequences of the run's test part.
        overrides: settings such as `backend.name=aer` and `backend.shots=4096`.
        run_dir: keeps the ledger that a real device needs.
        wait: wait for QPU jobs instead of raising `PendingError`.

    Returns:
        `predictions` `[B][steps][M]` in the data's units, `standard_errors` likewise or None,
        `target_names`, `shots`.

    Raises:
        DataError: if the features cannot be made from the targets.
    """
    record, job = trained(run, overrides)
    info = DataInfo.from_dict(record["data"])
    if info.horizon is None:
        raise DataError("a closed loop needs a series; words are continued by qrnn sample")
    dataset = _context(run, data, info)
    setup = setup_on(record, job, dataset)
    horizon, source = info.horizon, _sources(setup, info, info.horizon)
    shots = setup.test_shots
    with recorded(setup, run_dir, wait=wait) as submission:
        evaluator = make_evaluator(setup, submission=submission)
        found: list[Estimate] = []
        for turn in range(-(-steps // horizon)):
            estimate = forecast(
                setup, evaluator, setup.initial, dataset, shots, f"forecast/{turn}", place=(turn,)
            )
            last = Estimate(
                estimate.mean[:, -horizon:],
                None if estimate.standard_error is None else estimate.standard_error[:, -horizon:],
            )
            found.append(last)
            dataset = _moved_on(setup, dataset, last.mean[:, :, source], info)
    mean = np.concatenate([part.mean for part in found], axis=1)[:, :steps]
    errors = [part.standard_error for part in found if part.standard_error is not None]
    return {
        "predictions": mean.tolist(),
        "standard_errors": np.concatenate(errors, axis=1)[:, :steps].tolist() if errors else None,
        "target_names": list(info.target_names),
        "shots": shots,
    }


def sample_run(
    run: Path,
    prompt: Sequence[int],
    length: int,
    count: int = 1,
    seed: int = 0,
    overrides: Sequence[str] = (),
    run_dir: Path | None = None,
    wait: bool = True,
) -> dict[str, Any]:
    """Sequences of words: each next word is drawn by its probability and becomes the next input.

    For networks that read words as bits, the highest first, and predict the next one as a label.
    The probabilities are those of a step given the words before it; beyond the steps of the
    training the first words are forgotten. Equal beginnings are evaluated once.

    Args:
        run: run directory.
        prompt: first words, at least one.
        length: words of each sequence, the prompt included.
        count: sequences.
        seed: of the draws.
        overrides: settings such as `backend.name=aer` and `backend.shots=4096`.
        run_dir: keeps the ledger that a real device needs.
        wait: wait for QPU jobs instead of raising `PendingError`.

    Returns:
        `sequences` `[count][length]`, and `log_probability` `[count]` of what was drawn.

    Raises:
        DataError: if the network does not continue words, or the prompt is none.
    """
    record, job = trained(run, overrides)
    info, num_steps = DataInfo.from_dict(record["data"]), int(record["work"]["num_steps"])
    width = len(info.feature_names)
    if not prompt or min(prompt) < 0 or max(prompt) >= 2**width or length < len(prompt):
        raise DataError(
            f"the prompt {list(prompt)} must be one word or more, each from 0 to {2**width - 1}, "
            f"and no longer than length = {length}"
        )
    words = np.tile(np.array(prompt, dtype=np.intp), (count, 1))
    places = 1 << np.arange(width)[::-1]
    empty = Dataset(np.zeros((1, num_steps, width)), np.zeros((1, num_steps, 1)))
    setup = setup_on(record, job, empty)
    _check_words(setup, info)
    shots, log_probability = setup.test_shots, np.zeros(count)
    with recorded(setup, run_dir, wait=wait) as submission:
        evaluator = make_evaluator(setup, submission=submission)
        for place in range(len(prompt), length):
            known, which = np.unique(words[:, -num_steps:], axis=0, return_inverse=True)
            features = np.zeros((len(known), num_steps, width))
            features[:, : known.shape[1]] = (known[:, :, None] & places) > 0
            data = Dataset(features, np.zeros((len(known), num_steps, 1)))
            found = forecast(
                setup, evaluator, setup.initial, data, shots, f"sample/{place}", place=(place,)
            ).mean[:, known.shape[1] - 1]
            stream = np.random.SeedSequence(seed, spawn_key=(SAMPLE_STREAM, place))
            chances = np.maximum(found, 0.0)[which.ravel()]
            chances /= chances.sum(axis=1, keepdims=True)
            drawn = _drawn(np.random.default_rng(stream), chances)
            log_probability += np.log(chances[np.arange(count), drawn])
            words = np.concatenate([words, drawn[:, None]], axis=1)
    return {"sequences": words.tolist(), "log_probability": log_probability.tolist()}


def _drawn(random: np.random.Generator, chances: Array) -> NDArray[np.intp]:
    """One class for each row of `[B, M]`."""
    below = np.cumsum(chances, axis=1) < random.uniform(size=(len(chances), 1))
    drawn: NDArray[np.intp] = np.minimum(below.sum(axis=1), chances.shape[1] - 1)
    return drawn


def _context(run: Path, data: Path | None, info: DataInfo) -> Dataset:
    """Sequences to go on from."""
    if data is not None:
        dataset = load_new(Path(data), info)
        return dataset.sequences(slice(-1, None)) if Path(data).suffix == ".csv" else dataset
    job = job_from_dict(RunDirectory.open(Path(run)).record()["job"])
    if job.data is None:
        raise RunError(f"{run}: its job names no data; say where to go on from with --data")
    test = load_data(job.data, job.seed).test
    if not test.num_sequences:
        raise RunError(f"{run}: its data have no test part; say where to go on from with --data")
    return test


def _sources(setup: Setup, info: DataInfo, horizon: int) -> list[int]:
    """For each feature the target that it becomes."""
    missing = [name for name in info.feature_names if name not in info.target_names]
    if missing:
        raise DataError(
            f"feature {missing[0]!r} is no target (these are {', '.join(info.target_names)}): its "
            "later values are not predicted, so the loop cannot be closed"
        )
    read = int(np.count_nonzero(setup.objective.steps))
    if not 1 <= horizon <= read:
        raise DataError(
            f"data.horizon = {horizon}, but only the last {read} steps of a window are "
            "trained to predict: the values between are not known; set loss.last to the horizon "
            "or more, and the horizon to 1 or more"
        )
    return [info.target_names.index(name) for name in info.feature_names]


def _moved_on(setup: Setup, window: Dataset, values: Array, info: DataInfo) -> Dataset:
    """The next window: `values` `[B, h, F]`, in the data's units, at its end.

    Values that an encoding such as arccos cannot take are brought to -1 or 1.
    """
    if info.scaling is not None:
        values = info.scaling.scale_features(values)
    angles, weights = setup.unrolled.angle_map, np.zeros(setup.num_weights)

    def ending_with(new: Array) -> Array:
        joined: Array = np.concatenate([window.features, new], axis=1)[:, new.shape[1] :]
        return joined

    features = ending_with(values)
    try:
        angles.angles(weights, features)
    except DataError:
        features = ending_with(np.clip(values, -1.0, 1.0))
    return replace(window, features=features, times=None)


def _check_words(setup: Setup, info: DataInfo) -> None:
    classes, bits = setup.objective.readout.num_targets, len(info.feature_names)
    if not isinstance(setup.objective.loss, LabelLoss) or classes != 2**bits:
        raise DataError(
            f"only networks that read words of n bits and tell one of 2^n words can be sampled "
            f"from; this one reads {bits} features and tells {classes} values"
        )
