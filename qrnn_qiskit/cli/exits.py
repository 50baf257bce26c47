"""How a command ends: errors, interruptions and closed pipes become one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from typing import Any, Final, TextIO

import typer
from typer.core import TyperGroup

from qrnn_qiskit.errors import QRNNError

# What a shell reports for a process that a signal ended: 128 + SIGINT, 128 + SIGPIPE.
_INTERRUPTED: Final = 130
_CLOSED_PIPE: Final = 141


class CommandGroup(TyperGroup):
    """The top-level group; every command runs inside its `invoke`."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for.

        Raises:
            typer.Exit: with the error's exit code, after one line on stderr.
        """
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                result = super().invoke(ctx)
                # Here rather than at the interpreter's exit, where a closed pipe makes a noise.
                sys.stdout.flush()
                return result
            except QRNNError as error:
                if ctx.params.get("debug"):
                    traceback.print_exc()
                else:
                    typer.echo(f"error: {_one_line(error)}", err=True)
                raise typer.Exit(error.exit_code) from None
            except KeyboardInterrupt as interrupt:
                hint = str(interrupt) or "the same command starts again"
                typer.echo(f"interrupted; {hint}", err=True)
                raise typer.Exit(_INTERRUPTED) from None
            except BrokenPipeError:
                _discard_output()
                raise typer.Exit(_CLOSED_PIPE) from None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = " ".join(str(message).split())
    typer.echo(f"warning: {text}", err=True)


def _discard_output() -> None:
    """Send what is still buffered to nowhere: nobody reads it, and flushing would fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
