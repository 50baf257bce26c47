"""The examples of hybrid networks run, and show what their tutorial says they show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from examples.hybrid.__main__ import EXAMPLES  # noqa: E402

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorials" / "hybrid.md"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in ("gated", "warm_start")))
        for name in EXAMPLES
    ],
)
def test_quickly(name: str) -> None:
    torch.set_num_threads(1)
    table = EXAMPLES[name](True)
    assert len(table.rows) >= 3
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert "nan" not in table.markdown()


def test_the_tutorial_has_a_table_of_each() -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    for name in EXAMPLES:
        assert re.search(rf"<!-- table: {name} -->\n\|", text), name
