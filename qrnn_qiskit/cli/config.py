"""Commands on job files: the resolved job, and the schema of all keys."""

from __future__ import annotations

import typer

from qrnn_qiskit.cli.options import AsJson, JobFile, Overrides
from qrnn_qiskit.cli.output import show_json, show_line

app = typer.Typer(
    help="Show resolved job files, and all keys.", rich_markup_mode=None, no_args_is_help=True
)


@app.command()
def show(source: JobFile, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Print a job with defaults and overrides resolved.

    The output is TOML that gives the same job.
    """
    from qrnn_qiskit.spec.compose import job_to_dict, load_job
    from qrnn_qiskit.spec.toml import toml_lines

    job = job_to_dict(load_job(source, overrides=overrides or ()))
    if as_json:
        show_json(job)
        return
    for line in toml_lines(job):
        show_line(line)


@app.command()
def schema(as_json: AsJson = False) -> None:
    """Print the JSON Schema of job files (with or without --json)."""
    from qrnn_qiskit.spec.compose import json_schema

    show_json(json_schema())
