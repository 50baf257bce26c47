"""Commands on cells: which there are, what one is made of, whether it is fit for use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from qrnn_qiskit.cli.options import AsJson, parse_settings
from qrnn_qiskit.cli.output import (
    show_json,
    show_line,
    show_mapping,
    show_message,
    show_records,
)
from qrnn_qiskit.errors import QRNNError

app = typer.Typer(
    help="List, show, check and export cells.", rich_markup_mode=None, no_args_is_help=True
)


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the cells that a job can name."""
    from qrnn_qiskit.run.cells import list_cells

    known = list_cells()
    if as_json:
        show_json(known)
    else:
        show_records(known)


@app.command()
def show(
    source: Annotated[str, typer.Argument(metavar="CELL", help="Cell file, or name of a cell.")],
    steps: Annotated[int, typer.Option("--steps", min=1, metavar="T", help="Steps to unroll.")] = 3,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE", help="Also draw it (.png, .svg or .pdf)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a cell, count its parts, name its dead weights."""
    from qrnn_qiskit.run.cells import describe_cell

    description = describe_cell(source, steps)
    if picture is not None:
        from qrnn_qiskit.plot import plot_cell
        from qrnn_qiskit.run.cells import drawn_cell

        plot_cell(drawn_cell(source, steps), picture)
    if as_json:
        drawn = None if picture is None else str(picture)
        show_json(description if drawn is None else {**description, "picture": drawn})
        return
    facts = dict(description)
    cell, unrolled = facts.pop("cell_drawing"), facts.pop("unrolled_drawing")
    last, drawn = facts.pop("last_step_drawing"), facts.pop("unrolled_drawing_steps")
    dead: list[dict[str, Any]] = facts.pop("dead_weights")
    show_mapping(facts)
    show_line()
    if dead:
        show_line("dead weights (no output depends on them):")
        show_records(dead)
    else:
        show_line("dead weights: none")
    show_line(f"\ncell (one step):\n{cell}")
    if last:
        show_line(f"\nonly in the last step, after it:\n{last}")
    show_line(f"\nunrolled over {drawn} {'step' if drawn == 1 else 'steps'}:\n{unrolled}")
    if picture is not None:
        show_line(f"picture: {picture}")


@app.command()
def check(
    source: Annotated[str, typer.Argument(metavar="FILE", help="Cell file, or name of a cell.")],
    as_json: AsJson = False,
) -> None:
    """Say whether a cell is fit for use.

    When it is not, the reason is given and the exit code is 2.
    """
    from qrnn_qiskit.run.cells import check_cell

    report = check_cell(source)
    if as_json:
        show_json(report)
    else:
        show_mapping(report)


@app.command()
def export(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="Name of a family of cells.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Option of the family (repeatable)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="File to write [stdout].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a family's cell as an OpenQASM 3 file."""
    from qrnn_qiskit.run.cells import export_cell

    text = export_cell(family, parse_settings(settings or ()))
    if out is not None:
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise QRNNError(f"cannot write {out}: {error.strerror}") from None
        show_message(f"wrote {out}")
    if as_json:
        show_json({"family": family, "qasm": text, "file": None if out is None else str(out)})
    elif out is None:
        show_line(text.rstrip("\n"))
