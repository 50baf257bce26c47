"""Run directories written by hand, shaped like those of real runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

MONTHS = 126
STEPS = 6


def elnino_run(
    directory: Path, *, shots: bool = True, stride: int = 1, dated: bool = True, steps: int = 60
) -> Path:
    """A forecast of monthly temperatures: windows of six months, the loss reading the last two."""
    write_run(directory, name="elnino-demo", target_names=["Niño 3.4 temperature (°C)"])
    write_history(directory, steps=steps, shots=shots)
    write_predictions(directory, shots=shots, stride=stride, dated=dated)
    return directory


def write_run(directory: Path, *, name: str | None, target_names: list[str] | None = None) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    about: dict[str, Any] = {"job": {"kind": "train", "name": name}}
    if target_names is not None:
        about["target_names"] = target_names
    (directory / "run.json").write_text(json.dumps(about), encoding="utf-8")
    (directory / "weights.json").write_text(
        json.dumps({"names": ["a"], "last": [0.1], "best": [0.2], "best_step": 50}),
        encoding="utf-8",
    )


def write_history(directory: Path, *, steps: int, shots: bool) -> None:
    rng = np.random.default_rng(3)
    lines = []
    for step in range(1, steps + 1):
        loss = 0.02 + 0.25 * np.exp(-step / 12) * (1 + 0.15 * rng.standard_normal())
        lines.append(
            {
                "step": step,
                "loss": loss,
                "loss_standard_error": 0.05 * loss + 0.001 if shots else None,
                "validation_loss": 1.1 * loss if step % 10 == 0 else None,
                "gradient_norm": 0.5 * np.exp(-step / 15) + 0.02 * rng.random() + 0.01,
                "shots": 4096 * step if shots else 0,
                "qpu_seconds": 0.0,
            }
        )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (directory / "history.jsonl").write_text(text, encoding="utf-8")


def write_predictions(
    directory: Path, *, shots: bool, stride: int, dated: bool, num_targets: int = 1
) -> None:
    rng = np.random.default_rng(5)
    month = np.arange(MONTHS + STEPS)
    slow = np.convolve(rng.standard_normal(month.size + 11), np.ones(12) / 6, mode="valid")
    series = 27.0 + 0.7 * np.sin(2 * np.pi * month / 12) + slow[: month.size]
    start = np.arange(0, MONTHS, stride)
    index = start[:, None] + np.arange(STEPS)
    labels = (np.datetime64("2013-01") + month).astype(str)
    shape = (*index.shape, num_targets)
    noise = rng.standard_normal(month.size)
    arrays: dict[str, Any] = {
        "targets": np.broadcast_to(series[index][..., None], shape),
        "mean": np.broadcast_to((series + 0.25 * noise)[index][..., None], shape),
        "persistence": np.broadcast_to(np.roll(series, 1)[index][..., None], shape),
        "ridge": np.broadcast_to((series + 0.2 * np.roll(noise, 7))[index][..., None], shape),
        "mask": np.arange(STEPS) >= STEPS - 2,
    }
    if shots:
        arrays["standard_error"] = np.full(shape, 0.15)
    if dated:
        arrays["times"] = labels[index]
    np.savez(directory / "predictions.npz", **arrays)
