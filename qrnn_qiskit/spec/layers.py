"""The layers of a job: pieces, the job file, overrides; merged with a record of who said what."""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.spec.library import displayed, find
from qrnn_qiskit.spec.messages import shown
from qrnn_qiskit.spec.noise import OF_A_DEVICE

# Keys that name something with options of its own, and the keys that are not such options.
_SELECTORS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "cell": (("file", "name"), ()),
    "data": (("file", "name"), ()),
    "gradient": (("method",), ("shots_total", "forward_shots", "allocation", "adaptive")),
    "loss": (("name",), ("last", "correction")),
    "noise": (("preset",), ("scale", "idle")),
    "optimizer": (("name",), ()),
}
# Keys that exclude each other: a later one takes the place of an earlier one.
_ALTERNATIVES: Final = (
    (("backend", "shots"), ("gradient", "shots_total")),
    *((("noise", "device"), ("noise", key)) for key in OF_A_DEVICE),
)


@final
@dataclass(frozen=True, slots=True)
class Layer:
    """Tables from one place.

    Attributes:
        tables: nested, as TOML gives them, without `defaults`.
        name: where they are from, for messages: a file, or `--set`.
        folder: that of the file; None for overrides.
    """

    tables: dict[str, Any]
    name: str
    folder: Path | None


@final
@dataclass(slots=True)
class MergedTables:
    """Layers on top of each other.

    Attributes:
        tables: the outcome so far.
        origins: for each key path, the layer that gave it; for a table, the last that touched it.
    """

    tables: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[str, ...], Layer] = field(default_factory=dict)

    def add(self, layer: Layer) -> None:
        """Put a layer on top."""
        for table, (selectors, kept) in _SELECTORS.items():
            old, new = self.tables.get(table), layer.tables.get(table)
            if not isinstance(old, dict) or not isinstance(new, dict):
                continue
            chosen = [{k: t[k] for k in selectors if k in t} for t in (old, new)]
            if all(chosen) and chosen[0] != chosen[1]:
                for key in set(old) - set(kept):
                    self._drop((table, key))
        for pair in _ALTERNATIVES:
            for mine, other in (pair, pair[::-1]):
                if _has(layer.tables, mine) and not _has(layer.tables, other):
                    self._drop(other)
        self.origins[()] = layer if layer.folder is not None else self.origins.get((), layer)
        self._merge(self.tables, layer.tables, (), layer)

    def origin(self, location: Sequence[str | int]) -> Layer:
        """The layer that gave a key, or else its table; the job file for what nobody gave."""
        path = tuple(part for part in location if isinstance(part, str))
        while path not in self.origins:
            path = path[:-1]
        return self.origins[path]

    def _merge(
        self, below: dict[str, Any], above: Mapping[str, Any], path: tuple[str, ...], layer: Layer
    ) -> None:
        for key, value in above.items():
            here = (*path, key)
            if isinstance(value, dict):
                if not isinstance(below.get(key), dict):
                    below[key] = {}
                self._merge(below[key], value, here, layer)
            else:
                below[key] = value
            self.origins[here] = layer

    def _drop(self, path: tuple[str, str]) -> None:
        table, key = path
        if _has(self.tables, path):
            del self.tables[table][key]
        self.origins.pop(path, None)


def read_layers(path: Path) -> list[Layer]:
    """The layers of a job file: those of its `defaults`, left to right, then its own keys.

    Raises:
        SpecError: when a file cannot be read, or `defaults` are wrong, missing or cyclic.
    """
    return list(_layers(path, ()))


def read_overrides(overrides: Sequence[str]) -> Layer:
    """One layer of `"table.key=value"` settings; a value that is not TOML is text.

    Raises:
        SpecError: for a setting that has not this form, or would change the defaults.
    """
    tables: dict[str, Any] = {}
    for override in overrides:
        key, equals, text = override.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(re.fullmatch(r"[A-Za-z0-9_-]+", part) for part in parts):
            raise SpecError(f"--set {override}: must be key=value, such as --set training.steps=50")
        if parts[0] == "defaults":
            raise SpecError("--set defaults: pieces are named in the job file, not by --set")
        table = tables
        for part in parts[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise SpecError(f"--set {override}: {part} is given a value by another --set")
        table[parts[-1]] = _value(text.strip())
    return Layer(tables, "--set", None)


def _layers(path: Path, chain: tuple[Path, ...]) -> Iterator[Layer]:
    if path in chain:
        cycle = " → ".join(displayed(each) for each in (*chain[chain.index(path) :], path))
        raise SpecError(f"defaults form a cycle: {cycle}")
    tables, name = _read(path), displayed(path)
    defaults = tables.pop("defaults", [])
    if not isinstance(defaults, list) or not all(isinstance(each, str) for each in defaults):
        raise SpecError(
            f"defaults = {shown(defaults)}: must be a list of names, such as "
            f'["data/elnino"] (in {name})'
        )
    for piece in defaults:
        try:
            found = find("configs", piece, path.parent)
        except SpecError as error:
            raise SpecError(f"defaults: {error} (in {name})") from None
        yield from _layers(found, (*chain, path))
    yield Layer(tables, name, path.parent)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        # "what (at line 3, column 7)" or "what (at end of document)"
        what, _, where = str(error).partition(" (at ")
        raise SpecError(
            f"{displayed(path)}, {where.rstrip(')').removeprefix('the ')}: {what}"
        ) from None
    except UnicodeDecodeError:
        raise SpecError(f"{displayed(path)}: is not a text file (TOML in UTF-8)") from None
    except OSError as error:
        raise SpecError(f"{displayed(path)}: cannot be read: {error.strerror}") from None


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    # A line break in the text would start further keys; dates are of no use in a job.
    if len(parsed) > 1 or isinstance(parsed["value"], datetime.date | datetime.time):
        return text
    return parsed["value"]


def _has(tables: Mapping[str, Any], path: tuple[str, str]) -> bool:
    table = tables.get(path[0])
    return isinstance(table, dict) and path[1] in table
