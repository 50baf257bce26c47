"""Numbers with their errors as text, and small tables for notebooks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

MOST_ROWS: Final = 30


def with_error(value: float, standard_error: float | None) -> str:
    """`0.1234 ± 0.0021`: the error to two digits, and the value to the same decimal place."""
    if standard_error is None or not math.isfinite(standard_error) or standard_error <= 0:
        return f"{value:.6g}"
    decimals = max(0, 1 - math.floor(math.log10(standard_error)))
    if decimals > 9:
        return f"{value:.9g} ± {standard_error:.2g}"
    return f"{value:.{decimals}f} ± {standard_error:.{decimals}f}"


def html_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """An HTML table of values, escaped; of many rows the first ones, and how many are left out."""
    found = list(rows)
    lines = ["<table>"]
    left = len(found) - MOST_ROWS
    note = f"{left:,} more rows are not shown" if left > 0 else ""
    about = "; ".join(text for text in (caption, note) if text)
    if about:
        lines.append(f"<caption>{escape(about)}</caption>")
    lines.append("<tr>" + "".join(f"<th>{escape(name)}</th>" for name in columns) + "</tr>")
    for row in found[:MOST_ROWS]:
        lines.append(
            "<tr>" + "".join(f"<td>{escape(_text(value))}</td>" for value in row) + "</tr>"
        )
    return "\n".join([*lines, "</table>"])


def html_records(records: Sequence[Mapping[str, Any]], caption: str = "") -> str:
    """Mappings with the same keys as a table."""
    return html_table(list(records[0]), [list(record.values()) for record in records], caption)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
