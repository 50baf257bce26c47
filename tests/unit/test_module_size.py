"""Small modules with one job: none of the package is longer than 400 lines."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "qrnn_qiskit"


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {
        str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
    }
    assert lengths
    assert {name: length for name, length in lengths.items() if length > 400} == {}
