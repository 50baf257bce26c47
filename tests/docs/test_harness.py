"""The harness notices what it is there to notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.docs.examples import run_console, run_file, run_python
from tests.docs.markdown import Block, read_blocks
from tests.docs.test_examples import broken_links


def console(text: str) -> Block:
    return Block("console", (), text, line=7)


def write(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


@pytest.mark.parametrize(
    "text",
    [
        "$ echo one two\none two\n",
        "$ echo one two\none ...\n",
        "$ echo one; echo two; echo three\none\n...\nthree\n",
        "$ echo one \\\n    two\none two\n$ true\n",
        "$ echo 'one  '; echo progress >&2\none\n",
        "$ true\n$ echo out; echo error >&2; exit 2\nout\nerror\n# exit code 2\n",
    ],
)
def test_console_accepts(text: str, tmp_path: Path) -> None:
    run_console(console(text), Path("page.md"), tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$ echo one\ntwo\n", r"page.md:7: \$ echo one\n--- shown\ntwo"),
        ("$ echo one\n", "--- written\none"),
        ("$ true\n$ false\n", r"page.md:8: \$ false\nexit code 1, not 0"),
        ("$ true\n# exit code 2\n", "exit code 0, not 2"),
        ("$ false\n$ (exit 2)\n# exit code 2\n", r"\$ false\nexit code 1, not 0"),
    ],
)
def test_console_refuses(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=message):
        run_console(console(text), Path("page.md"), tmp_path)


def test_python_blocks_share_names_and_tell_their_line() -> None:
    namespace: dict[str, Any] = {}
    run_python(Block("python", (), "x = 1\n", 3), Path("page.md"), namespace)
    run_python(Block("python", (), ">>> y = x + 1\n>>> y\n2\n", 7), Path("page.md"), namespace)
    assert namespace["y"] == 2
    with pytest.raises(AssertionError, match="line 7"):
        run_python(Block("python", (), ">>> x\n2\n", 7), Path("page.md"), namespace)
    with pytest.raises(ZeroDivisionError) as failure:
        run_python(Block("python", (), "x = 1\n1 / 0\n", 3), Path("page.md"), namespace)
    assert failure.traceback[-1].lineno == 3  # counted from 0


def test_blocks_run_in_order_in_one_folder(tmp_path: Path) -> None:
    page = write(
        tmp_path,
        """
        ```toml file=job.toml
        a = 1
        ```

        <!-- skip: would fail -->
        ```python
        1 / 0
        ```
        ```sh
        exit 1
        ```
        """.replace("        ", "")
        + "1. indented\n\n   ```python\n   if True:\n       open('made', 'w').close()\n   ```\n",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        run_file(page, tmp_path)
    assert (tmp_path / "job.toml").read_text() == "a = 1\n"
    assert (tmp_path / "made").exists()


def test_a_block_that_needs_a_missing_library_is_left_out(tmp_path: Path) -> None:
    text = "```python needs=numpy\nfound = 1\n```\n```python needs=no_such_library\n1 / 0\n```\n"
    run_file(write(tmp_path, text), tmp_path)
    needed = text.replace("no_such_library", "pytest")
    with pytest.raises(ZeroDivisionError):
        run_file(write(tmp_path, needed), tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- skip: -->\n```python\n```\n", "page.md:2: a skipped block says why"),
        ("```python\nx = 1\n", "page.md:1: this code block is never closed"),
    ],
)
def test_bad_pages(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read_blocks(write(tmp_path, text))


def test_links(tmp_path: Path) -> None:
    page = write(
        tmp_path,
        "[self](page.md#part) [web](https://example.org) [here](#part) `[no](code)`\n"
        "```text\n[no](code)\n```\n"
        "[gone](gone.md)\n![](page.md)\n![picture](gone.png)\n",
    )
    assert broken_links(page) == [
        "page.md:5: gone.md: there is no such file",
        "page.md:6: page.md: an image needs a description",
        "page.md:7: gone.png: there is no such file",
    ]
