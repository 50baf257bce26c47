"""What commands print: one JSON document, or tables for people (plain columns when piped)."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import typer

from qrnn_qiskit.markup import with_error as with_error

_SPELLING: Final = {"qpu": "QPU", "rmse": "RMSE", "mae": "MAE", "r2": "R²"}
_DIGITS: Final = 4


def show_json(document: Any) -> None:
    """Print one JSON document; numbers that JSON lacks (NaN, infinities) become null."""
    typer.echo(_layout(_finite(document)))


def show_line(text: str = "") -> None:
    """Print a line of data."""
    typer.echo(text)


def show_message(text: str) -> None:
    """Print a line that is no data, on stderr."""
    typer.echo(text, err=True)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under column names; columns of numbers are aligned to the right."""
    by_column = [_column_texts(values) for values in zip(*rows, strict=True)]
    cells = [list(row) for row in zip(*by_column, strict=True)]
    right = [bool(cells) and all(_is_number(row[j]) for row in cells) for j in range(len(columns))]
    if sys.stdout.isatty():
        _show_rich_table(columns, cells, right)
        return
    lines = [list(columns), *cells]
    widths = [max(len(line[j]) for line in lines) for j in range(len(columns))]
    for line in lines:
        padded = (
            text.rjust(width) if at_right else text.ljust(width)
            for text, width, at_right in zip(line, widths, right, strict=True)
        )
        typer.echo("  ".join(padded).rstrip())


def show_records(records: Sequence[Mapping[str, Any]]) -> None:
    """Print mappings as a table with one column for each key that any of them has."""
    keys = list(dict.fromkeys(key for record in records for key in record))
    show_table(
        [key_text(key) for key in keys], [[record.get(key) for key in keys] for record in records]
    )


def show_mapping(mapping: Mapping[str, Any]) -> None:
    """Print one `key  value` line for each entry, inner mappings flattened."""
    entries = [(key_text(key), cell_text(value)) for key, value in _flat(mapping)]
    width = max((len(key) for key, _ in entries), default=0)
    for key, value in entries:
        typer.echo(f"{key.ljust(width)}  {value}".rstrip())


def key_text(key: str) -> str:
    """A key as people read it: `qpu_seconds` is `QPU seconds`."""
    words = key.replace("_", " ").split(" ")
    return " ".join(_SPELLING.get(word, word) for word in words)


def cell_text(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {cell_text(item)}" for key, item in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(cell_text(item) for item in value) or "-"
    return str(value)


def _show_rich_table(columns: Sequence[str], cells: list[list[str]], right: list[bool]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    for name, at_right in zip(columns, right, strict=True):
        table.add_column(Text(name), justify="right" if at_right else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(text) for text in row))
    Console().print(table)


def _column_texts(values: Sequence[Any]) -> list[str]:
    """Texts of a column; floats of like size get as many decimals as the smallest needs."""
    sizes = [abs(v) for v in values if isinstance(v, float) and math.isfinite(v) and v]
    alike = bool(sizes) and max(sizes) < 1e4 * min(sizes) and 1e-4 <= min(sizes) < 1e6
    if not alike:
        return [cell_text(value) for value in values]
    decimals = max(0, _DIGITS - 1 - math.floor(math.log10(min(sizes))))
    return [f"{v:.{decimals}f}" if isinstance(v, float) else cell_text(v) for v in values]


def _is_number(text: str) -> bool:
    try:
        float(text.partition(" ± ")[0].replace(",", ""))
    except ValueError:
        return text == "-"
    return True


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}: ")
        else:
            yield f"{prefix}{key}", value


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _layout(value: Any, indent: str = "") -> str:
    """JSON with one key a line, and every list of plain values on a line of its own."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        lines = (f"{json.dumps(key)}: {_layout(item, inner)}" for key, item in value.items())
        return "{\n" + ",\n".join(inner + line for line in lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return "[\n" + ",\n".join(inner + _layout(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)
