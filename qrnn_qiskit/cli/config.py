"""Commands on job files: the resolved job, and the schema of all keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

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


def toml_lines(tables: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """One `table.key = value` line for each key that is set."""
    for key, value in tables.items():
        path = prefix + (key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key))
        if isinstance(value, Mapping):
            yield from toml_lines(value, f"{path}.")
        elif value is not None:
            yield f"{path} = {json.dumps(value, ensure_ascii=False)}"
