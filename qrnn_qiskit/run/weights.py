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
        path = path / "weights.json"
    readout: Array | None = None
    try:
        if path.suffix == ".npy":
            content: Any = np.load(path, allow_pickle=False)
        else:
            content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read the weights {path}: {error.strerror}") from None
    except ValueError:
        raise DataError(
            f"{path} holds no weights: use a JSON list of numbers or a .npy file"
        ) from None
    if isinstance(content, dict):
        names = content.get("names", [])
        if list(names) != list(cell.weight_names):
            raise DataError(
                f"{path} holds weights {', '.join(map(str, names))}, but cell {cell.name!r} has "
                f"{', '.join(cell.weight_names)}"
            )
        readout = _vector(content.get("readout", {}).get("best", []), path)
        content = content.get("best")
    weights = _vector(content, path)
    if weights.shape != (cell.num_weights,):
        raise DataError(
            f"{path} holds an array of shape {weights.shape}, but cell {cell.name!r} has "
            f"{cell.num_weights} weights"
        )
    return weights, readout


def _vector(content: Any, path: Path) -> Array:
    try:
        vector = np.asarray(content, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{path} holds no weights: use a JSON list of numbers") from None
    if not np.all(np.isfinite(vector)):
        raise DataError(f"{path} holds NaN or infinity")
    return vector
