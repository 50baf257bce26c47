"""Small jobs for the tests of runs: a cell of two qubits, and a few sequences of three steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrnn_qiskit.run.reporter import StepReport
from qrnn_qiskit.spec import Job, job_from_dict
from qrnn_qiskit.spec.toml import toml_lines

CELL = """\
OPENQASM 3.0;
include "stdgates.inc";
@qrnn.weight
input float[64] a;
@qrnn.weight
input float[64] b;
@qrnn.weight
input float[64] c;
@qrnn.feature arccos
input float[64] u;
qubit[1] io;
qubit[1] hidden;
bit[1] readout;
ry(u) io[0];
rx(a) hidden[0];
rzz(b) io[0], hidden[0];
ry(c) hidden[0];
cx hidden[0], io[0];
readout[0] = measure io[0];
reset io[0];
"""
PARTS = {"": 6, "validation_": 2, "test_": 3}


def arrays(num_steps: int = 3, parts: Mapping[str, int] = PARTS) -> dict[str, NDArray[Any]]:
    """Features and targets of each part, by the names that an npz file has for them."""
    random = np.random.default_rng(7)
    found = {}
    for prefix, count in parts.items():
        features = random.uniform(-0.9, 0.9, (count, num_steps, 1))
        found[f"{prefix}features"] = features
        found[f"{prefix}targets"] = 0.5 * np.roll(features, 1, axis=1) + 0.1
    return found


def write_cell(folder: Path, text: str = CELL) -> Path:
    path = folder / "cell.qasm"
    path.write_text(text, encoding="utf-8")
    return path


def write_data(folder: Path, **changed: Any) -> Path:
    path = folder / "data.npz"
    np.savez(path, **{**arrays(), **changed})
    return path


def tables(folder: Path, **changed: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a job in a folder that has the cell and the data; `changed` are on top.

    A table that names something takes the place of the other: options are not kept.
    """
    base: dict[str, Any] = {
        "name": "small",
        "seed": 5,
        "cell": {"file": str(folder / "cell.qasm")},
        "data": {"file": str(folder / "data.npz")},
        "readout": {"head": "scale"},
        "optimizer": {"name": "adam", "learning_rate": 0.1},
        "training": {"steps": 4, "validate_every": 2},
    }
    for name, table in changed.items():
        kept = {} if "name" in table else base.get(name, {})
        base[name] = {**kept, **table}
    return base


def make_job(folder: Path, **changed: Mapping[str, Any]) -> Job:
    """A job whose cell and data are written to a folder, unless they are there."""
    if not (folder / "cell.qasm").exists():
        write_cell(folder)
    if not (folder / "data.npz").exists():
        write_data(folder)
    return job_from_dict(tables(folder, **changed))


def write_job(folder: Path, **changed: Mapping[str, Any]) -> Path:
    """A job file, with its cell and data beside it."""
    make_job(folder, **changed)
    path = folder / "job.toml"
    lines = toml_lines(tables(folder, **changed))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def history(run: Path) -> list[dict[str, Any]]:
    lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@dataclass
class Recorder:
    """A reporter that keeps what it is told, and interrupts the training after some steps."""

    interrupt_after: int | None = None
    steps: list[StepReport] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def start(self, total_steps: int, description: str) -> None:
        self.steps = []

    def step(self, report: StepReport) -> None:
        self.steps.append(report)
        if len(self.steps) == self.interrupt_after:
            raise KeyboardInterrupt

    def part(self, text: str) -> None:
        self.messages.append(text)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def stop(self) -> None: ...


def settings(**values: Any) -> Sequence[str]:
    """Overrides from keywords: `training__steps=3` is `training.steps=3`."""
    return [f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in values.items()]
