"""Reading sequences from a `.npz` file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.errors import DataError
from qrnn_qiskit.spec.messages import nearest

Array = NDArray[np.float64]

PREFIXES: Final = {"train": "", "validation": "validation_", "test": "test_"}
_RANK: Final = 3


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a `.npz` file; nothing in it is ever executed (no pickles).

    Raises:
        DataError: when the file is missing, is no `.npz` file, or holds Python objects.
    """
    name = ""
    try:
        # Opened here, so that the file is closed when it turns out to be damaged.
        with path.open("rb") as stream:
            stored = np.load(stream, allow_pickle=False)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise DataError(f"{path} is a single array; save with np.savez(path, features=…)")
            arrays = {}
            for name in stored.files:
                arrays[name] = stored[name]
            return arrays
    except FileNotFoundError:
        raise DataError(f"data file {path} does not exist") from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"data file {path} cannot be read as .npz: {error}") from None
    except ValueError:
        if name:
            raise DataError(
                f"array {name!r} in {path} holds Python objects, which are never loaded; "
                "save it as numbers (dtype float64)"
            ) from None
        raise DataError(f"data file {path} is not a .npz file (see np.savez)") from None


def features_of(arrays: Mapping[str, NDArray[Any]], prefix: str, path: Path) -> Array:
    """Features `[N, T, F]` of the part with this prefix (`""`, `"validation_"` or `"test_"`).

    Raises:
        DataError: when the array is missing, has a wrong shape or holds no finite numbers.
    """
    return _sequences(arrays, f"{prefix}features", path)


def targets_of(
    arrays: Mapping[str, NDArray[Any]], prefix: str, path: Path, features: Array
) -> Array:
    """Targets `[N, T, M]` of the part with this prefix, N and T being those of `features`.

    Whole numbers `[N]` are labels of the sequences: each step gets its sequence's label.

    Raises:
        DataError: as `features_of`, and when N or T differ.
    """
    stored = arrays.get(f"{prefix}targets")
    if stored is not None and stored.ndim == 1 and stored.dtype.kind in "iu":
        labels = np.broadcast_to(stored[:, None, None], (len(stored), features.shape[1], 1))
        arrays = {**arrays, f"{prefix}targets": labels}
    targets = _sequences(arrays, f"{prefix}targets", path)
    if targets.shape[:2] != features.shape[:2]:
        raise DataError(
            f"array '{prefix}targets' in {path} has shape {targets.shape}, but '{prefix}features' "
            f"has {features.shape}: sequences and steps (the first two axes) must agree"
        )
    return targets


def _sequences(arrays: Mapping[str, NDArray[Any]], name: str, path: Path) -> Array:
    kind = name.rpartition("_")[2]
    if name not in arrays:
        raise DataError(
            f"array {name!r} is missing in {path}{nearest(name, list(arrays))}; it holds: "
            f"{', '.join(sorted(arrays)) or 'nothing'}"
        )
    array = arrays[name]
    if array.ndim != _RANK or 0 in array.shape:
        hint = ""
        if array.ndim == _RANK - 1:
            hint = f"; for one value per step save {name}[:, :, None]"
        raise DataError(
            f"array {name!r} in {path} has shape {array.shape}, but must be [sequences, steps, "
            f"{kind}] with none of them 0{hint}"
        )
    if array.dtype.kind not in "fiub":
        raise DataError(f"array {name!r} in {path} has dtype {array.dtype}, but must be numbers")
    values = array.astype(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        where = tuple(int(i) for i in bad[0])
        raise DataError(
            f"array {name!r} in {path} holds {values[where]} at {list(where)} ({len(bad)} such "
            "values), but all must be finite numbers"
        )
    return values
