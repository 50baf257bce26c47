"""The site builds without a warning, and every link, anchor and picture in it is there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import qrnn_qiskit

pytest.importorskip("sphinx")
pytest.importorskip("myst_nb")
pytest.importorskip("furo")

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; pages that are notebooks are executed on the way."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "--builder", "html", "--quiet"),
            *("--fail-on-warning", "--keep-going", "--doctree-dir", str(folder / "doctrees")),
            *(str(DOCS), str(folder / "html")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


class Page(HTMLParser):
    """What a built page links to, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.images: list[dict[str, str | None]] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := values.get(key))}
        if tag == "a" and values.get("href"):
            self.links.append(str(values["href"]))
        if tag == "img":
            self.images.append(values)
        if tag in ("script", "img", "iframe") and values.get("src"):
            self.loaded.append(str(values["src"]))
        if tag == "link" and values.get("rel") == "stylesheet":
            self.loaded.append(str(values.get("href")))


def faults(site: Path) -> Iterator[str]:
    """Links to nothing, pictures without a description, and what comes from elsewhere."""
    pages = {path: Page(path) for path in site.rglob("*.html")}

    def anchors_of(target: Path) -> set[str]:
        return pages[target].anchors if target in pages else set()

    for path, page in pages.items():
        place = path.relative_to(site)
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                if parts.scheme not in ("http", "https", "mailto"):
                    yield f"{place}: {link}: what is {parts.scheme}?"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{place}: {link}: there is no such file"
            elif parts.fragment and unquote(parts.fragment) not in anchors_of(target):
                yield f"{place}: {link}: there is no such anchor"
        for image in page.images:
            alt = image.get("alt") or ""
            if not alt.strip() or alt == image.get("src"):
                yield f"{place}: {image.get('src')}: a picture needs a description"
        for source in page.loaded:
            if urlsplit(source).scheme not in ("", "data"):
                yield f"{place}: {source}: comes from elsewhere"


def test_links_anchors_and_pictures_are_there(site: Path) -> None:
    assert list(faults(site)) == []


def test_the_checker_notices(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="here">A</h1><a href="#here">.</a><a href="b.html">.</a><a href="a.html#gone">.</a>'
        '<a href="https://example.org/">.</a><img src="a.html" alt=""><img src="a.html" alt="A">'
        '<script src="https://example.org/x.js"></script>',
        encoding="utf-8",
    )
    assert list(faults(tmp_path)) == [
        "a.html: b.html: there is no such file",
        "a.html: a.html#gone: there is no such anchor",
        "a.html: a.html: a picture needs a description",
        "a.html: https://example.org/x.js: comes from elsewhere",
    ]


def test_every_public_name_has_an_entry(site: Path) -> None:
    anchors = Page(site / "reference" / "api.html").anchors
    public = {f"qrnn_qiskit.{name}" for name in qrnn_qiskit.__all__ if not name.startswith("_")}
    assert public - {"qrnn_qiskit.QRNNError"} <= anchors
    assert "qrnn_qiskit.errors.QRNNError" in anchors


def test_every_page_is_in_a_menu(site: Path) -> None:
    menu = {unquote(urlsplit(link).path) for link in Page(site / "index.html").links}
    pages = {str(path.relative_to(DOCS).with_suffix(".html")) for path in DOCS.rglob("*.md")}
    assert pages - menu == {"index.html"}


def test_the_demonstration_was_executed(site: Path) -> None:
    text = (site / "explanation" / "parameter-shift.html").read_text(encoding="utf-8")
    plain = re.sub(r"<[^>]+>", "", text)
    assert re.search(r"each occurrence\s+error \de-\d\d", plain)
    assert re.search(r"above frequency 1, one occurrence: \d\.\de-1\d", plain)


def test_generated_pages_hold_the_keys_and_the_commands(site: Path) -> None:
    keys = Page(site / "reference" / "generated" / "job-keys.html")
    assert {"backend", "gradient", "training", "budget"} <= keys.anchors
    text = (site / "reference" / "generated" / "commands.html").read_text(encoding="utf-8")
    for command in ("qrnn run", "qrnn report", "qrnn cells show", "qrnn ledger"):
        assert command in text
