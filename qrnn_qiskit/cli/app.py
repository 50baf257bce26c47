"""The application: all commands under one name, and its entry point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from qrnn_qiskit.cli import cells, compare, config, evaluate, hardware, report, run
from qrnn_qiskit.cli.exits import CommandGroup

# Plain help: rich would take half of the time that `qrnn --help` has.
app = typer.Typer(
    cls=CommandGroup, rich_markup_mode=None, add_completion=False, no_args_is_help=True
)
for command in (
    run.run,
    run.plan,
    evaluate.predict,
    evaluate.forecast,
    evaluate.sample,
    evaluate.evaluate,
    evaluate.gradient,
    compare.compare,
    run.status,
    run.plot,
    report.report,
    hardware.cancel,
    hardware.fetch,
    hardware.tiles,
    hardware.resolve,
    hardware.devices,
    hardware.rehearse,
):
    app.command()(command)
app.add_typer(cells.app, name="cells")
app.add_typer(config.app, name="config")
app.add_typer(hardware.ledger, name="ledger")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"qrnn {version('qrnn-qiskit')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", envvar="QRNN_DEBUG", help="Show the traceback of an error."),
    ] = False,
) -> None:
    """Quantum recurrent neural networks: training, prediction and gradients.

    Exit codes: 0 done, 2 a mistake in what was given, 3 pending (the same command continues),
    4 over budget, 5 a job failed on the backend, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line (`sys.argv` without `arguments`); always ends by `SystemExit`."""
    app(args=arguments, prog_name="qrnn")
