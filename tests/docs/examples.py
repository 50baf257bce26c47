"""Executes the examples of a Markdown file: the blocks `python` and `console`, in order.

All blocks of a file share a working directory, the Python blocks one namespace too.

- ```` ```python ````: executed; with `>>>` prompts, as a doctest.
- ```` ```console ````: executed if it calls qrnn; what each `$ command` writes to stdout must be
  what the block shows (rules of doctest's ELLIPSIS: `...` stands for anything) and its exit code 0.
  A last line `# exit code 2` says otherwise; of a command that fails, stderr is shown too.
- ```` ```toml file=my_job.toml ````: any block that names a file is written to it.
- ```` ```python needs=torch ````: left out where that library is not installed.
- A comment `<!-- skip: reason -->` right before a block leaves it out.
"""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from tests.docs.markdown import Block, read_blocks

_COMMAND: Final = re.compile(r"^\$ (?P<command>(?:.*\\\n)*.*)$", re.MULTILINE)
_EXIT_CODE: Final = re.compile(r"^# exit code (?P<code>\d+)\n?\Z", re.MULTILINE)
_TIMEOUT_S: Final = 300


def run_file(path: Path, folder: Path) -> None:
    """Executes all examples of a file in `folder`, which must be the current directory.

    Raises:
        AssertionError: where an example does not do what the file says, with the place.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in read_blocks(path):
        if block.skip is not None:
            continue
        for word in block.words:
            if word.startswith("file="):
                (folder / word.removeprefix("file=")).write_text(block.text, encoding="utf-8")
        if not _is_installed(block.words):
            continue
        if block.language == "python":
            run_python(block, path, namespace)
        elif block.language == "console" and re.search(r"^\$ qrnn\b", block.text, re.MULTILINE):
            run_console(block, path, folder)


def _is_installed(words: tuple[str, ...]) -> bool:
    """Whether all libraries that a block needs are there."""
    needed = [word.removeprefix("needs=") for word in words if word.startswith("needs=")]
    return all(importlib.util.find_spec(name) is not None for name in needed)


def run_python(block: Block, path: Path, namespace: dict[str, Any]) -> None:
    """Executes a Python block; names it defines stay in `namespace`."""
    if not block.text.lstrip().startswith(">>>"):
        padding = "\n" * (block.line - 1)  # tracebacks then tell the line of the file
        code = compile(padding + block.text, str(path), "exec", dont_inherit=True)
        exec(code, namespace)
        return
    test = doctest.DocTestParser().get_doctest(
        block.text, namespace, path.name, str(path), block.line - 1
    )
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    runner.run(test, out=report.append, clear_globs=False)
    namespace.update(test.globs)
    assert not report, "".join(report)


def run_console(block: Block, path: Path, folder: Path) -> None:
    """Executes the commands of a console block and compares what they write."""
    exit_code = _EXIT_CODE.search(block.text)
    text = block.text if exit_code is None else block.text[: exit_code.start()]
    commands = list(_COMMAND.finditer(text))
    ends = [command.start() for command in commands[1:]] + [len(text)]
    for command, end in zip(commands, ends, strict=True):
        line = block.line + text.count("\n", 0, command.start())
        expected_code = int(exit_code["code"]) if exit_code and end == len(text) else 0
        done = subprocess.run(
            ["bash", "-c", command["command"]],
            cwd=folder,
            env=os.environ
            | {
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "COLUMNS": "100",
                "NO_COLOR": "1",
                "TERM": "dumb",
            },
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        shown = _trimmed(text[command.end() : end])
        written = _trimmed(done.stdout if expected_code == 0 else done.stdout + done.stderr)
        place = f"{path}:{line}: $ {command['command']}"
        assert done.returncode == expected_code, (
            f"{place}\nexit code {done.returncode}, not {expected_code}\n{written}{done.stderr}"
        )
        assert doctest.OutputChecker().check_output(shown, written, doctest.ELLIPSIS), (
            f"{place}\n--- shown\n{shown}--- written\n{written}--- stderr\n{done.stderr}"
        )


def _trimmed(text: str) -> str:
    """The text without blank lines around it and without blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()).strip("\n") + "\n"
