"""Job tables as TOML, one key a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any


def toml_lines(tables: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """One `table.key = value` line for each key that is set."""
    for key, value in tables.items():
        path = prefix + (key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key))
        if isinstance(value, Mapping):
            yield from toml_lines(value, f"{path}.")
        elif value is not None:
            yield f"{path} = {json.dumps(value, ensure_ascii=False)}"
