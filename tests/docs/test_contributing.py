"""The plug-ins that the contributing page writes are found once their file is in its place."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from qrnn_qiskit.circuit import FAMILIES
from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.gradients import RULES
from qrnn_qiskit.registry import Registry
from tests.docs.markdown import read_blocks

PAGE = Path(__file__).parents[2] / "docs" / "contributing.md"


@pytest.mark.parametrize(
    ("registry", "name", "option", "bad"),
    [
        (FAMILIES, "seesaw", {"turns": 3}, {"turns": 0}),
        (RULES, "wide_shift", {"shift": 0.5}, {"shift": 4.0}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_is_all_it_takes(
    registry: Registry,
    name: str,
    option: dict[str, Any],
    bad: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (block,) = [block for block in read_blocks(PAGE) if f"file={name}.py" in block.words]
    (tmp_path / f"{name}.py").write_text(block.text, encoding="utf-8")
    package = importlib.import_module(registry.package)
    assert name not in registry.names()
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    try:
        assert name in registry.names()
        made = registry.build(name, option)
        ((key, value),) = option.items()
        assert getattr(made, key) == value
        with pytest.raises(SpecError, match=f"{registry.table}.{key}"):
            registry.build(name, bad)
    finally:
        sys.modules.pop(f"{registry.package}.{name}", None)
        vars(package).pop(name, None)
