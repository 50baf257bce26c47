"""From job files, pieces and overrides to one validated job, and to plain data and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.spec.job import Job, keys_of
from qrnn_qiskit.spec.layers import Layer, MergedTables, read_layers, read_overrides
from qrnn_qiskit.spec.library import displayed, find, locate, looked_in, search, siblings
from qrnn_qiskit.spec.messages import find_problem, first_problem, nearest

# Table, attribute and key.
_PATHS: Final = (
    ("cell", "file", "file"),
    ("data", "file", "file"),
    ("initial", "source", "from"),
)


def load_job(source: str | Path, overrides: Sequence[str] = ()) -> Job:
    """The job of a file: its `defaults`, left to right, then its own keys, then the overrides.

    A layer that names another cell, data set, gradient method, loss or optimizer than the layers
    below starts that table anew, since options belong to what they were given for. Where only one
    of several keys may be given (`cell.file` or `cell.name`, `backend.shots` or
    `gradient.shots_total`, …), that of the highest layer counts.

    Paths in the job are absolute: relative ones are looked for beside the file that has them, then
    beside the job file, then in the current folder (first in the current folder for an override),
    and cells in the library too.

    Args:
        source: path of a job file, or a name in the library.
        overrides: `"table.key=value"`, the value as in TOML, or plain text.

    Raises:
        SpecError: for whatever is wrong, naming the key and the file it came from.
    """
    path = find("jobs", source)
    merged = MergedTables()
    for layer in (*read_layers(path), read_overrides(overrides)):
        merged.add(layer)
    return _with_paths(_validated(merged), merged, path.parent)


def override_job(job: Job, overrides: Sequence[str]) -> Job:
    """A job with some keys changed, as if they had been overridden when it was loaded.

    Raises:
        SpecError: as `load_job`.
    """
    here = Path.cwd()
    merged = MergedTables()
    merged.add(Layer(job_to_dict(job), "the job as it was", here))
    merged.add(read_overrides(overrides))
    return _with_paths(_validated(merged), merged, here)


def job_from_dict(tables: Mapping[str, Any]) -> Job:
    """The job of plain tables, such as those of `job_to_dict`; paths are taken as they are.

    Raises:
        SpecError: when the tables are not a job.
    """
    try:
        return Job.model_validate(dict(tables), by_alias=True, by_name=False)
    except ValidationError as error:
        raise SpecError(first_problem(error)) from None


def job_to_dict(job: Job) -> dict[str, Any]:
    """The job as tables that JSON can hold, with all defaults; `job_from_dict` gives it back.

    Keys without a value are left out. Of `data` only the keys that were given are there, since the
    defaults of the others depend on the kind of data.
    """
    tables = job.model_dump(mode="json", by_alias=True, exclude_none=True)
    if job.data is not None:
        tables["data"] = job.data.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    if job.readout.max_scale is None:
        tables["readout"]["max_scale"] = "none"
    return tables


def json_schema() -> dict[str, Any]:
    """JSON Schema of job files, for editors."""
    schema = Job.model_json_schema(by_alias=True)
    defaults = {
        "type": "array",
        "items": {"type": "string"},
        "default": [],
        "title": "Defaults",
        "description": 'Pieces to start from, such as "data/elnino"; later ones win.',
    }
    schema["properties"] = {"defaults": defaults, **schema["properties"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _validated(merged: MergedTables) -> Job:
    try:
        # By alias only: a job file says `initial.from`.
        return Job.model_validate(merged.tables, by_alias=True, by_name=False)
    except ValidationError as error:
        raise SpecError(_explained(error, merged)) from None


def _explained(error: ValidationError, merged: MergedTables) -> str:
    problem = find_problem(error)
    origin = merged.origin(problem.location).name
    if problem.location == ("cell",) and not problem.given:
        return f"{problem}; add [cell] with the name of a family, or a file (in {origin})"
    if not problem.unknown:
        return f"{problem} (in {origin})"
    *tables, key = map(str, problem.location)
    known = keys_of(tables[0] if tables else None)
    hint = nearest(key, known)
    if tables and not hint and key in keys_of():
        hint = " (a key of the job: write it above the first table)"
    where = f"keys of [{tables[0]}]" if tables else "keys of a job"
    return f"{problem}{hint} in {origin}; {where}: {', '.join(known)}"


def _with_paths(job: Job, merged: MergedTables, folder: Path) -> Job:
    """The job with absolute paths, `folder` being that of the job file."""
    here = Path.cwd()
    for table, attribute, key in _PATHS:
        model = getattr(job, table)
        given: Path | None = getattr(model, attribute, None)
        if given is None:
            continue
        layer = merged.origin((table, key))
        folders = [here, folder] if layer.folder is None else [layer.folder, folder, here]
        try:
            path = _existing(table, given, folders)
        except SpecError as error:
            raise SpecError(f"{table}.{key}: {error} (in {layer.name})") from None
        job = job.model_copy(update={table: model.model_copy(update={attribute: path})})
    return job


def _existing(table: str, given: Path, folders: Sequence[Path]) -> Path:
    if table == "cell":
        return search("circuits", given, folders)
    path = locate(given, folders)
    if path is None:
        raise SpecError(
            f"{str(given)!r} not found{nearest(str(given), siblings(given, folders))}; "
            f"{looked_in(given, folders)}"
        )
    if table == "data" and path.is_dir():
        raise SpecError(f"{displayed(path)} is a folder: name a .npz or .csv file")
    return path
