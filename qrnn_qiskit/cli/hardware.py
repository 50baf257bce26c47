"""Commands about devices and QPU jobs."""

from __future__ import annotations

import csv
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from qrnn_qiskit.cli.options import AsJson, JobFile, NewRunDirectory, Overrides
from qrnn_qiskit.cli.output import show_json, show_line, show_mapping, show_records

RunDirectory = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")]
ledger = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="The record of a run.")


def cancel(run: RunDirectory, as_json: AsJson = False) -> None:
    """Cancel the QPU jobs of a run that still wait; what is paid for stays."""
    from qrnn_qiskit.run.service.remote import cancel_run

    done = cancel_run(run)
    show_json(done) if as_json else show_mapping(done)


def fetch(run: RunDirectory, as_json: AsJson = False) -> None:
    """Collect finished results of a run without continuing it."""
    from qrnn_qiskit.run.service.remote import fetch_run

    done = fetch_run(run)
    show_json(done) if as_json else show_mapping(done)


def tiles(run: RunDirectory, as_json: AsJson = False) -> None:
    """Say how far each tile of a run is from the others, and whether they disturb it."""
    from qrnn_qiskit.run.service.tile_report import tile_report

    found = tile_report(run)
    if as_json:
        show_json(found)
        return
    show_records(found["tiles"])
    show_mapping({"crosstalk": found["crosstalk"]})


def resolve(
    run: RunDirectory,
    submitted: Annotated[
        str | None,
        typer.Option("--submitted", metavar="ID", help="The submission became this QPU job."),
    ] = None,
    not_submitted: Annotated[
        bool, typer.Option("--not-submitted", help="The submission was not accepted: send again.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Submit the work of failed or lost QPU jobs again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Decide what became of a submission that got no answer, or consent to pay again."""
    from qrnn_qiskit.run.service.remote import resolve_run

    done = resolve_run(run, submitted=submitted, not_submitted=not_submitted, again=again)
    if as_json:
        show_json(done)
    else:
        for line in done["decided"]:
            show_line(line)


class Format(StrEnum):
    """How a ledger is written."""

    csv = "csv"
    jsonl = "jsonl"


def devices(
    job: Annotated[
        str | None, typer.Argument(metavar="[JOBFILE]", help="Job to be priced on each.")
    ] = None,
    overrides: Overrides = None,
    account: Annotated[str | None, typer.Option(help="Saved account.")] = None,
    instance: Annotated[str | None, typer.Option(help="Name or CRN of an instance.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the devices of an IBM account, and what a job would cost on each."""
    from qrnn_qiskit.run.service.devices import devices as find

    found = find(job, overrides or (), account, instance)
    show_json(found) if as_json else show_records(found)


def rehearse(
    source: JobFile,
    run_dir: NewRunDirectory = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Run a job for a real device against an emulated service: no account, no cost."""
    from qrnn_qiskit.cli.progress import make_reporter
    from qrnn_qiskit.run.service.rehearse import rehearse_job

    reporter = make_reporter()
    try:
        found = rehearse_job(source, overrides or (), run_dir, reporter)
    finally:
        reporter.stop()
    if as_json:
        show_json(found)
        return
    table = found["run"].pop("table", None)
    show_mapping({"the real run, by plan": found["plan"]})
    show_mapping({"the rehearsal": {k: found[k] for k in ("qpu_jobs", "qpu_seconds")}})
    show_mapping({"result": found["run"]})
    if table:
        show_records(table)
    if found["budget"]["add"] is not None:
        show_line(f"before the real run, add to the job file: {found['budget']['add']}")


@ledger.command()
def export(
    run: RunDirectory,
    form: Annotated[
        Format, typer.Option("--format", help="One table, or JSON lines.")
    ] = Format.csv,
    as_json: AsJson = False,
) -> None:
    """Print every QPU job of a run: what was asked, paid and received."""
    from qrnn_qiskit.run.service.remote import export_ledger

    records = export_ledger(run)
    if as_json:
        show_json(records)
    elif form is Format.jsonl:
        for record in records:
            show_line(json.dumps(record, allow_nan=False))
    elif records:
        writer = csv.DictWriter(sys.stdout, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
