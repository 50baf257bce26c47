from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
import typer
from typer.testing import CliRunner

from qrnn_qiskit.cli.exits import CommandGroup
from qrnn_qiskit.errors import (
    BudgetError,
    CellError,
    JobError,
    PendingError,
    QRNNError,
    SpecError,
)

ERRORS: list[tuple[type[QRNNError], int]] = [
    (SpecError, 2),
    (CellError, 2),
    (PendingError, 3),
    (BudgetError, 4),
    (JobError, 5),
]


def run(command: object, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command inside the group."""
    app = typer.Typer(cls=CommandGroup, rich_markup_mode=None)

    @app.callback()
    def options(debug: bool = False) -> None: ...

    assert callable(command)
    app.command("act")(command)
    result = CliRunner().invoke(app, [*arguments, "act"])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(("kind", "code"), ERRORS)
def test_an_error_is_one_line_and_its_exit_code(kind: type[QRNNError], code: int) -> None:
    def act() -> None:
        raise kind("shots = -1:\n  must be greater than 0")

    assert run(act) == (code, "", "error: shots = -1: must be greater than 0\n")


def test_debug_shows_the_traceback_and_keeps_the_exit_code() -> None:
    def act() -> None:
        raise BudgetError("too dear")

    code, _, err = run(act, "--debug")
    assert code == 4
    assert "Traceback" in err
    assert err.rstrip().endswith("BudgetError: too dear")


def test_a_bug_is_not_hidden() -> None:
    def act() -> None:
        raise ZeroDivisionError

    app = typer.Typer(cls=CommandGroup)
    app.command()(act)
    app.callback()(lambda: None)
    assert isinstance(CliRunner().invoke(app, ["act"]).exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("hint", "line"),
    [
        ("continue with: qrnn run R", "interrupted; continue with: qrnn run R\n"),
        ("", "interrupted; the same command starts again\n"),
    ],
)
def test_an_interruption_is_one_line(hint: str, line: str) -> None:
    def act() -> None:
        raise KeyboardInterrupt(*([hint] if hint else []))

    assert run(act) == (130, "", line)


def test_warnings_are_one_line_on_stderr() -> None:
    def act() -> None:
        warnings.simplefilter("always")
        warnings.warn("outside the range\n it was fitted on", UserWarning, stacklevel=1)
        typer.echo("data")

    assert run(act) == (0, "data\n", "warning: outside the range it was fitted on\n")


def test_a_closed_pipe_is_quiet() -> None:
    program = (
        "import typer\n"
        "from qrnn_qiskit.cli.exits import CommandGroup\n"
        "app = typer.Typer(cls=CommandGroup)\n"
        "@app.command()\n"
        "def act() -> None:\n"
        "    for i in range(100000): typer.echo('a line of data')\n"
        "app.callback()(lambda: None)\n"
        "app(['act'])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "a line of data\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 141
