"""The page: facts and pictures into one HTML file that needs no network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.plot.runs import names
from qrnn_qiskit.report.citations import bibtex
from qrnn_qiskit.report.collect import RunFacts, collect
from qrnn_qiskit.report.figures import circuit_picture, run_pictures, side_by_side

DEVICE: Final = "fake_marrakesh"
_SPELLING: Final = {"rmse": "RMSE", "mae": "MAE", "r2": "R²"}


def write_report(
    run_dirs: Sequence[Path], out: Path | None = None, *, device: str = DEVICE
) -> Path:
    """Write a report of one run, or of several side by side.

    The file holds everything it shows, and only its owner may read it.

    Args:
        run_dirs: the runs.
        out: the file; `report.html` in the run by default, or in the current directory for several.
        device: fake device to price the trainings on.

    Returns:
        Path of the file.

    Raises:
        RunError: if one is no run directory, or the file cannot be written.
    """
    path = out or (run_dirs[0] if len(run_dirs) == 1 else Path()) / "report.html"
    text = render([collect(run_dir, device) for run_dir in run_dirs], device)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(part, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        part.replace(path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from None
    return path


def render(runs: Sequence[RunFacts], device: str) -> str:
    """The page as HTML; everything that comes from a run is escaped."""
    environment = Environment(
        loader=PackageLoader("qrnn_qiskit.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = shown
    environment.globals["spelling"] = _SPELLING
    records = [run.record for run in runs]
    own = names(records)
    drawable = any(record.history is not None or record.scores for record in records)
    return environment.get_template("template.html").render(
        title=own[0] if len(runs) == 1 else f"{len(runs)} runs: {', '.join(own)}",
        names=own,
        runs=runs,
        device=device,
        together=side_by_side(records) if len(runs) > 1 and drawable else None,
        pictures=[run_pictures(record) for record in records],
        circuits=[circuit_picture(run.cell) for run in runs],
        references=bibtex(
            {one for run in runs for one in run.used},
            version("qrnn-qiskit"),
            adaptive=any(run.adaptive for run in runs),
        ),
        version=version("qrnn-qiskit"),
    )


def shown(value: Any) -> str:
    """A value as people read it."""
    if value is None or value == []:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    return str(value)
