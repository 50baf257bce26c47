"""Arguments and options that several commands share."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from qrnn_qiskit.errors import SpecError

JobFile = Annotated[
    str, typer.Argument(metavar="JOBFILE", help="Job file, or the name of one in the library.")
]
JobFileOrRun = Annotated[
    str,
    typer.Argument(metavar="JOBFILE|RUN", help="Job file to start, or run directory to continue."),
]
NewRunDirectory = Annotated[
    Path | None,
    typer.Option("--run-dir", metavar="DIR", help="Where to keep the run [runs/DATE-JOB-ID]."),
]
LedgerDirectory = Annotated[
    Path | None,
    typer.Option(
        "--run-dir",
        metavar="DIR",
        help="Where a real device's QPU jobs are recorded; the same command continues from there.",
    ),
]
NoWait = Annotated[
    bool,
    typer.Option("--no-wait", help="Go as far as possible without waiting; exit code 3 then."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a key of the job, such as training.steps=20 (repeatable).",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
WeightsFile = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FILE", help="Weights: a JSON list, or a .npy file."),
]
DataFile = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="FILE", help="Features and targets: .npz or .csv, instead of the job's."
    ),
]


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """`["layers=2", "name=ring"]` as `{"layers": 2, "name": "ring"}`: TOML values, else text.

    Raises:
        SpecError: for a setting without a key or without `=`.
    """
    result = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not key or not equals:
            raise SpecError(f"--set {setting}: must be KEY=VALUE, such as --set layers=2")
        try:
            result[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            result[key] = text.strip()
    return result
