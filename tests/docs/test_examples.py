"""Every example and every link of the documentation holds."""

from __future__ import annotations

import doctest
import importlib
import os
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.docs.examples import run_file
from tests.docs.markdown import read_links

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "docs" / "reference" / "generated"  # there once the site was built
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    if not page.is_relative_to(GENERATED)
)
PACKAGE = ROOT / "qrnn_qiskit"


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with patch.dict(os.environ):  # a page may set variables, such as those of an account
        run_file(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links(page: Path) -> None:
    assert broken_links(page) == []


def broken_links(page: Path) -> list[str]:
    """Relative links to nothing and images without a description, each with its line."""
    faults = []
    for link in read_links(page):
        place = f"{page.name}:{link.line}: {link.target}"
        target = link.target.partition("#")[0]
        if link.is_image and not link.text.strip():
            faults.append(f"{place}: an image needs a description")
        is_relative = target and ":" not in target
        if is_relative and not (page.parent / target).exists():
            faults.append(f"{place}: there is no such file")
    return faults


def test_docstring_examples() -> None:
    with_examples = [path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text("utf-8")]
    for path in with_examples:
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
        failures, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
        assert failures == 0, f"{_name(path)}: see the captured output"
