"""A training killed at any moment continues to the same bits as one that was left alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit.cli import main
from qrnn_qiskit.run.jobs import run_job
from qrnn_qiskit.run.record import checkpoint
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.record.ledger import Ledger
from tests.unit.run.small import arrays, contents, write_data, write_job

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
Tables = Mapping[str, Mapping[str, Any]]
# The command, with checkpoints ten times as often as usual: these trainings take a second or two.
COMMAND = """\
import sys
from qrnn_qiskit.run import train
train.CHECKPOINT_SECONDS = 0.1
from qrnn_qiskit.cli import main
main(sys.argv[1:])
"""


@dataclass(frozen=True)
class Case:
    """A training whose evaluations take some tens of milliseconds.

    `kills` are the parts of the history in which a kill falls, `lines` is how long it gets at
    least, and `sequences` sizes the training part.
    """

    tables: Tables
    kills: tuple[str, ...]
    lines: int
    sequences: int
    num_steps: int = 3


SHIFT = {"method": "parameter_shift"}
ADAM = {"name": "adam", "learning_rate": 0.05}
MINIMIZER_ON_EXACT: Tables = {"gradient": SHIFT, "training": {"steps": 12, "validate_every": 3}}
MINIMIZER_ON_AER: Tables = {
    "backend": {"name": "aer", "shots": 60},
    "training": {"steps": 3, "validate_every": 2},
}
CASES = {
    "adam_exact": Case(
        {
            "gradient": SHIFT,
            "optimizer": ADAM,
            "training": {"steps": 50, "batch_size": 144, "validate_every": 7},
        },
        kills=("start", "middle", "end"),
        lines=50,
        sequences=240,
        num_steps=5,
    ),
    "adam_aer": Case(
        {
            "backend": {"name": "aer", "shots": 24},
            "optimizer": ADAM,
            "training": {"steps": 30, "batch_size": 2, "validate_every": 4},
        },
        kills=("start", "middle", "end"),
        lines=30,
        sequences=5,
    ),
    # adam_aer chooses rule and shots at each step; here the rule is fixed and the shots are not.
    "adam_adaptive": Case(
        {
            "gradient": {
                "method": "parameter_shift",
                "shots_total": 60_000,
                "allocation": "optimal",
                "adaptive": True,
            },
            "optimizer": ADAM,
            "training": {"steps": 30, "batch_size": 3, "validate_every": 4},
        },
        kills=("start", "middle", "end"),
        lines=30,
        sequences=5,
    ),
    **{
        f"{name}_exact": Case(
            {**MINIMIZER_ON_EXACT, "optimizer": {"name": name, "tolerance": 0.0}},
            kills=("start", "end"),
            lines=12,
            sequences=400,
            num_steps=4,
        )
        for name in ("bfgs", "l_bfgs_b")
    },
    **{
        f"{name}_aer": Case(
            {**MINIMIZER_ON_AER, "optimizer": {"name": name}},
            kills=("start", "end"),
            lines=3,
            sequences=2,
            num_steps=2,
        )
        for name in ("bfgs", "l_bfgs_b")
    },
}


def make_job_file(folder: Path, case: Case) -> Path:
    write_data(folder, **arrays(case.num_steps, {"": case.sequences, "validation_": 2, "test_": 3}))
    # This process makes no classical networks, those that it starts would.
    training = {**case.tables["training"], "baselines": ["persistence", "linear_ridge"]}
    return write_job(folder, **{**case.tables, "training": training})


@contextmanager
def qrnn(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, killed at the end if it still runs."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_for_lines(process: subprocess.Popen[str], run: Path, lines: int) -> None:
    """Until the run's record is there and its history has so many lines."""
    history, deadline = run / "history.jsonl", time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if (run / "run.json").exists() and (
            lines == 0 or (history.exists() and history.read_bytes().count(b"\n") >= lines)
        ):
            return
        if process.poll() is not None:
            raise AssertionError(f"ended before the kill: {process.communicate()}")
        time.sleep(0.001)
    raise AssertionError(f"no {lines} lines of history in {PATIENCE_S} s")


def kill(process: subprocess.Popen[str], after: float) -> None:
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the training was over before the kill"


def result(run: Path) -> dict[str, Any]:
    """All that must not depend on interruptions."""
    record = RunDirectory(run).record()
    with np.load(run / "predictions.npz", allow_pickle=False) as stored:
        predictions = {
            name: (stored[name].dtype.str, stored[name].tolist()) for name in stored.files
        }
    found = {
        "predictions": predictions,
        "summary": record["summary"],
        "job": record["job"],
        **{
            name: (run / name).read_text(encoding="utf-8")
            for name in ("history.jsonl", "weights.json", "table.json", "cell.qasm")
        },
    }
    if (run / "ledger.sqlite").exists():
        ledger = Ledger(run, looking=True)
        found["requests"] = [(r.address, r.digest, r.state) for r in ledger.requests()]
        found["jobs"] = [(row.address, row.state, row.result) for row in ledger.jobs()]
        ledger.close()
    return found


@pytest.mark.parametrize("name", CASES)
def test_killed_and_resumed_is_bit_for_bit_the_same(name: str, seed: int, tmp_path: Path) -> None:
    case = CASES[name]
    job, run, undisturbed = make_job_file(tmp_path, case), tmp_path / "run", tmp_path / "whole"
    run_job(job, run_dir=undisturbed)

    chance = random.Random(seed)
    arguments = ["run", str(job), "--run-dir", str(run)]
    resumed_from = running = 0
    for part, name_of_part in enumerate(case.kills):
        length = (case.lines - 1) // len(case.kills)
        lines = part * length + chance.randrange(length)
        with qrnn(*arguments) as process:
            wait_for_lines(process, run, lines)
            kill(process, chance.uniform(0.0, 0.03))
        state = checkpoint.load(RunDirectory(run))
        resumed_from = 0 if state is None else state.step
        running += RunDirectory(run).record()["state"] == "running"
        print(f"killed at the {name_of_part}: {lines} lines, checkpoint at step {resumed_from}")
        arguments = ["run", str(run)]
    # On a busy machine the last kill may come while the picture is drawn, all else being done.
    assert running >= len(case.kills) - 1
    if "adam" in name:
        assert resumed_from > 0, "no resume has started from a checkpoint"
        with qrnn(*arguments) as process:
            out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, (out, err)
    else:  # minimizers start anew and replay
        run_job(run)

    expected = result(undisturbed)
    assert result(run) == expected
    assert len(expected["history.jsonl"].splitlines()) >= case.lines
    if name in ("adam_aer", "adam_adaptive"):
        history = [json.loads(line) for line in expected["history.jsonl"].splitlines()]
        # The line through the losses, seen across the interruptions, has decided.
        assert any("loss " in line["gradient"]["reason"] for line in history), "nothing decided"


KILLER = """\
import os, signal, sys

calls, synchronize = int(sys.argv.pop(1)), os.fsync

def counting(descriptor):
    global calls
    calls -= 1
    if calls == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    synchronize(descriptor)

os.fsync = counting
from qrnn_qiskit.cli import main
main(sys.argv[1:])
"""


def test_killed_before_any_durable_write(seed: int, tmp_path: Path) -> None:
    # Each file is synchronized before it gets its name, and its folder after: calls 1 and 2 are
    # those of run.json, and each evaluation with shots has four.
    case = CASES["adam_aer"]
    settings = ["--set", "training.steps=4"]
    job, run, undisturbed = make_job_file(tmp_path, case), tmp_path / "run", tmp_path / "whole"
    run_job(job, overrides=settings[1::2], run_dir=undisturbed)
    chance = random.Random(seed)
    for calls in (1, 2, chance.randint(3, 6), chance.randint(7, 10), chance.randint(11, 14)):
        arguments = ["run", str(run)]
        if not (run / "run.json").exists():
            arguments = ["run", str(job), "--run-dir", str(run), *settings]
        done = subprocess.run(
            [sys.executable, "-c", KILLER, str(calls), *arguments],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert done.returncode == -signal.SIGKILL, (calls, done)
        if calls == 1:
            assert list(contents(run)) == ["run.json.part"]
    run_job(run)
    assert result(run) == result(undisturbed)


def test_one_process_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = CASES["adam_aer"]
    job, run = make_job_file(tmp_path, case), tmp_path / "run"
    with qrnn("run", str(job), "--run-dir", str(run)) as process:
        wait_for_lines(process, run, 1)
        with pytest.raises(SystemExit) as exit_:
            main(["run", str(run)])
        captured = capsys.readouterr()
        assert exit_.value.code == 2
        assert captured.out == ""
        assert captured.err == (
            f"error: another process is working on {run}: wait for it, or stop it\n"
        )
        # Looking on is allowed, and does not disturb.
        with pytest.raises(SystemExit) as exit_:
            main(["status", str(run)])
        assert exit_.value.code == 0
        assert process.poll() is None, process.communicate()
