"""Weights on disk: what a run leaves, and what a user hands in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.errors import DataError


def read_weights(path: Path, cell: Cell) -> tuple[Array, Array | None]:
    """Weights `[P]` in declaration order, and the readout's parameters where the file has them.

    Args:
        path: a run directory, its `weights.json` (the best weights are taken), a JSON list, or a
            `.npy` file.
        cell: the cell that the weights are for.

    Raises:
        DataError: if the file is missing, malformed, or made for other weights.
    """
    if path.is_dir():
        path = _of_run(path)
    content = _content(path)
    readout: Array | None = None
    if isinstance(content, dict):
        names = content.get("names")
        if names != list(cell.weight_names):
            held = ", ".join(map(str, names)) if isinstance(names, list) else "without names"
            raise DataError(
                f"{path} holds weights {held}, but cell {cell.name!r} has "
                f"{', '.join(cell.weight_names)}"
            )
        of_readout = content.get("readout")
        if isinstance(of_readout, dict):
            readout = _vector(of_readout.get("best", []), path)
        content = content.get("best", [])
    weights = _vector(content, path)
    if weights.shape != (cell.num_weights,):
        raise DataError(
            f"{path} holds an array of shape {weights.shape}, but cell {cell.name!r} has "
            f"{cell.num_weights} weights: {', '.join(cell.weight_names)}"
        )
    return weights, readout


def _of_run(directory: Path) -> Path:
    path = directory / "weights.json"
    if path.is_file():
        return path
    if (directory / "run.json").is_file():
        raise DataError(f"run {directory} is not finished: continue it with: qrnn run {directory}")
    raise DataError(
        f"{directory} is no run directory: it has no run.json; name a run, a JSON list or a .npy "
        "file"
    )


def _content(path: Path) -> Any:
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read the weights {path}: {error.strerror}") from None
    except (ValueError, EOFError):
        raise _no_weights(path) from None


def _vector(content: Any, path: Path) -> Array:
    try:
        vector = np.asarray(content)
        if vector.dtype.kind not in "iuf":
            raise ValueError
    except ValueError:
        raise _no_weights(path) from None
    if not np.all(np.isfinite(vector)):
        raise DataError(f"{path} holds NaN or infinity")
    return vector.astype(np.float64)


def _no_weights(path: Path) -> DataError:
    return DataError(f"{path} holds no weights: use a JSON list of numbers or a .npy file")
