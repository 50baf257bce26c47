"""The command that writes reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qrnn_qiskit.cli.options import AsJson
from qrnn_qiskit.cli.output import show_json, show_line


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="File to write [RUN/report.html]."),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="Fake device to price the training on.")
    ] = "fake_marrakesh",
    as_json: AsJson = False,
) -> None:
    """Write one HTML file about a run, or about several side by side; it needs no network."""
    from qrnn_qiskit.report import write_report

    path = write_report(runs, out, device=device)
    if as_json:
        show_json({"report": str(path)})
    else:
        show_line(str(path))
