"""What a user does wrong is said in one line, with exit code 2, and nothing is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_qiskit.run.jobs import run_job
from tests.integration.conftest import Command
from tests.unit.run.small import CELL, Recorder, arrays, contents, write_job

ROOT = Path(__file__).parents[2]
RUN = ("run", "job.toml", "--run-dir", "new")


@dataclass(frozen=True)
class Mistake:
    """A command line, what its message must say, and files that it needs.

    `says` are in this order; `files` are text by name, or functions that write them.
    """

    arguments: tuple[str, ...]
    says: tuple[str, ...]
    files: dict[str, str | Callable[[Path], None]] | None = None
    code: int = 2


def setting(*overrides: str) -> tuple[str, ...]:
    return (*RUN, *(part for override in overrides for part in ("--set", override)))


def npz(**changed: Any) -> Callable[[Path], None]:
    """The usual data with some arrays changed, or left out where None."""
    kept = {name: array for name, array in {**arrays(), **changed}.items() if array is not None}

    def write(path: Path) -> None:
        np.savez(path, **kept)

    return write


def npy(*values: float) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        np.save(path, np.array(values))

    return write


def finished(path: Path) -> None:
    run_job("job.toml", run_dir=path, overrides=["training.steps=1"])


def unfinished(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_job("job.toml", run_dir=path, reporter=Recorder(interrupt_after=1))


def damaged(path: Path) -> None:
    path.mkdir()
    (path / "run.json").write_text("{")


FEATURES = arrays()["features"]
SERIES = "month,value\n" + "".join(f"{i},{0.01 * i}\n" for i in range(20))
AER = ("backend.name=aer", "backend.shots=10")

MISTAKES = {
    # Job files.
    "no such job file": Mistake(
        ("run", "jbo.toml"), ("job file 'jbo.toml' not found", "'job.toml'", "looked in")
    ),
    "a folder that is no run": Mistake(
        ("run", "."), (". is no run directory: it has no run.json", "qrnn status")
    ),
    "no TOML": Mistake(
        ("run", "bad.toml"),
        ("bad.toml, line 2, column 9:",),
        {"bad.toml": "[training]\nsteps = \n"},
    ),
    "no cell at all": Mistake(
        ("run", "bad.toml"), ("cell: is missing", "add [cell]", "(in bad.toml)"), {"bad.toml": ""}
    ),
    "missing piece": Mistake(
        ("run", "bad.toml"),
        ("defaults:", "'optimizer/adma' not found", "'optimizer/adam'", "(in bad.toml)"),
        {"bad.toml": 'defaults = ["optimizer/adma"]\n'},
    ),
    "mistyped key in a file": Mistake(
        ("run", "bad.toml"),
        ("training.stps: unknown key", "'steps'", "in bad.toml", "keys of [training]: steps"),
        {"bad.toml": 'cell.name = "parity2"\n[training]\nstps = 3\n'},
    ),
    "mistyped key in a piece": Mistake(
        ("run", "bad.toml"),
        ("backend.shot: unknown key", "'shots'", "in piece.toml"),
        {
            "bad.toml": 'defaults = ["piece"]\ncell.name = "parity2"\n',
            "piece.toml": "backend.shot = 3\n",
        },
    ),
    "unknown table": Mistake(
        setting("traning.steps=3"), ("traning: unknown key", "'training'", "in --set")
    ),
    "wrong type": Mistake(
        setting("training.steps=many"),
        ("training.steps = 'many': must be a whole number", "(in --set)"),
    ),
    "a number as text in a file": Mistake(
        ("run", "bad.toml"),
        ("backend.shots = '100': must be a whole number (in bad.toml)",),
        {"bad.toml": 'cell.name = "parity2"\nbackend.shots = "100"\n'},
    ),
    "malformed --set": Mistake(
        setting("training.steps"), ("--set training.steps: must be key=value, such as",)
    ),
    "another kind of job": Mistake(
        setting("kind=gradient"), ("kind = 'gradient'", "use qrnn gradient job.toml")
    ),
    "a comparison as a training": Mistake(
        ("run", "compare_gradients"),
        ("kind = 'compare'", "use qrnn compare compare_gradients"),
    ),
    "a training as a comparison": Mistake(
        ("compare", "job.toml"), ("kind = 'train'", "use qrnn run job.toml")
    ),
    "a run as a comparison": Mistake(
        ("compare", "old"), ("old has kind = 'train'", "use qrnn run old"), {"old": unfinished}
    ),
    # Backends, shots, noise.
    "negative shots": Mistake(
        setting("backend.shots=-1"), ("backend.shots = -1: must be greater than 0 (in --set)",)
    ),
    "one shot": Mistake(setting("backend.shots=1"), ("backend.shots = 1: must be at least 2",)),
    "unknown backend": Mistake(
        setting("backend.name=aerr"), ("backend.name = 'aerr' is unknown", "'aer'", "known: exact")
    ),
    "unknown device": Mistake(
        setting("backend.name=fake_marakesh", "backend.shots=10"),
        ("device 'fake_marakesh' is unknown", "'fake_marrakesh'"),
    ),
    "qubit that a device does not have": Mistake(
        setting("noise.device=fake_boston", "backend.initial_layout=[0,999]"),
        ("backend.initial_layout = [0, 999]", "has no qubit 999, only 0 to 155"),
    ),
    "noise factors that are even": Mistake(
        setting("noise.preset=good", "mitigation.noise_factors=[1,2]"),
        ("mitigation.noise_factors = [1, 2]", "odd numbers with 1 first"),
    ),
    "step too long for T1": Mistake(
        setting("noise.device=fake_boston", "backend.longest_step=0.001"),
        ("a step takes", "of T1 =", "raise backend.longest_step"),
    ),
    "unknown device of noise": Mistake(
        setting(*AER, "noise.device=fake_bosten"), ("'fake_bosten' is unknown", "'fake_boston'")
    ),
    "Aer without shots": Mistake(
        setting("backend.name=aer"),
        ("backend.name = 'aer' only samples", "backend.shots", "gradient.shots_total"),
    ),
    "both kinds of shots": Mistake(
        setting(*AER, "gradient.shots_total=100"),
        ("gradient.shots_total = 100", "cannot be given together with backend.shots = 10"),
    ),
    "too few shots for the rows": Mistake(
        setting("gradient.shots_total=10"),
        ("gradient.shots_total = 10 is too few for 42 rows", "at least 84", "batch_size"),
    ),
    "shots of base rows of an exact job": Mistake(
        setting("gradient.forward_shots=10"), ("gradient.forward_shots", "set backend.shots too")
    ),
    "allocation of an exact job": Mistake(
        setting("gradient.allocation=optimal"),
        ("gradient.allocation is given", "the job is exact", "set backend.shots too"),
    ),
    "minibatches of a minimizer": Mistake(
        setting("optimizer.name=bfgs", "training.batch_size=1"),
        ("training.batch_size = 1", "optimizer 'bfgs' takes all", "adam"),
    ),
    "clipping of a minimizer": Mistake(
        setting("optimizer.name=bfgs", "training.gradient_clip=0.5"),
        ("training.gradient_clip = 0.5", "optimizer 'bfgs'", "adam"),
    ),
    "unknown allocation": Mistake(
        setting("gradient.allocation=optmal", "gradient.shots_total=9000"),
        ("gradient.allocation = 'optmal'", "'uniform'", "'optimal'"),
    ),
    "adaptive shots of an exact job": Mistake(
        setting("gradient.adaptive=true"),
        ("gradient.adaptive = true", "the job is exact", "gradient.shots_total"),
    ),
    "adaptive shots of a minimizer": Mistake(
        setting("gradient.adaptive=true", "gradient.shots_total=9000", "optimizer.name=bfgs"),
        ("gradient.adaptive = true", "adam or sgd"),
    ),
    "noise of a device's own": Mistake(
        setting("backend.name=fake_marrakesh", "backend.shots=10", "noise.readout=0.1"),
        ("[noise] is for the simulators", "remove [noise]"),
    ),
    "noise twice": Mistake(
        setting(*AER, "noise.device=fake_boston", "noise.readout=0.1"),
        ("noise.readout = 0.1: cannot be given with noise.device", "leave one out"),
    ),
    "over budget": Mistake(
        setting("backend.shots=100", "budget.shots=1000"),
        ("the job needs", "budget.shots = 1,000", "times the budget", "nothing was submitted"),
        code=4,
    ),
    # Methods.
    "unknown optimizer": Mistake(
        setting("optimizer.name=adma"), ("optimizer.name = 'adma' is unknown", "'adam'", "known:")
    ),
    "unknown option": Mistake(
        setting("optimizer.lerning_rate=1"),
        (
            "optimizer.lerning_rate is not a key of optimizer.name = 'adam'",
            "'learning_rate'",
            "its keys: learning_rate, beta1",
        ),
    ),
    "wrong option": Mistake(
        setting("optimizer.learning_rate=-1"), ("optimizer.learning_rate = -1", "greater than 0")
    ),
    "unknown gradient method": Mistake(
        setting("gradient.method=parameter_shfit"),
        ("gradient.method = 'parameter_shfit' is unknown", "'parameter_shift'", "known:"),
    ),
    "the global shift": Mistake(
        setting("gradient.method=global_shift"),
        ("gradient.method = 'global_shift'", "is not its gradient", "'parameter_shift'"),
    ),
    "the global shift in a comparison": Mistake(
        ("compare", "compare_gradients", "--set", 'compare.methods=["tied_parameter_shift"]'),
        ("method = 'tied_parameter_shift'", "is not its gradient", "'parameter_shift'"),
    ),
    "adjoint with shots": Mistake(
        setting("gradient.method=adjoint", "backend.shots=100"),
        ("gradient.method = 'adjoint' is exact", "with shots use 'parameter_shift'"),
    ),
    "unknown loss": Mistake(
        setting("loss.name=mss"),
        ("loss.name = 'mss' is unknown", "'mse'", "known: cross_entropy, mean, mse, nll"),
    ),
    "loss of more steps than there are": Mistake(
        setting("loss.last=9"), ("loss.last = 9: must be from 1 to 3",)
    ),
    "too many output values": Mistake(
        setting("readout.output=probabilities", "readout.head=identity"),
        ("readout.head = 'identity'", "2 output values", "1 predictions", "'linear'"),
    ),
    "patience without validation": Mistake(
        setting("training.patience=3", "data.file=only.npz"),
        ("training.patience = 3", "no validation part", "data.split"),
        {
            "only.npz": npz(
                validation_features=None,
                validation_targets=None,
                test_features=None,
                test_targets=None,
            )
        },
    ),
    # Cells.
    "no such cell": Mistake(
        setting("cell.file=cel.qasm"),
        ("cell.file: cell file 'cel.qasm' not found", "'cell.qasm'", "(in --set)"),
    ),
    "unknown family": Mistake(
        setting("cell.name=parity3"), ("cell.name = 'parity3' is unknown", "'parity2'", "known:")
    ),
    "cell and family": Mistake(
        setting("cell.name=parity2", "cell.file=cell.qasm"),
        ("give either cell.file or cell.name, not both",),
    ),
    "cell without measurement": Mistake(
        setting("cell.file=bad.qasm"),
        ("bad.qasm: cell 'bad' measures nothing", "add", "readout[0] = measure io[0];"),
        {"bad.qasm": CELL.replace("readout[0] = measure io[0];", "")},
    ),
    "cell with bad syntax": Mistake(
        setting("cell.file=bad.qasm"),
        ("bad.qasm:15: not valid OpenQASM 3", "unexpected"),
        {"bad.qasm": CELL.replace("rx(a) hidden", "rx a) hidden")},
    ),
    "unknown gate": Mistake(
        setting("cell.file=bad.qasm"),
        ("bad.qasm:18: gate 'cnot' is not defined", "define it"),
        {"bad.qasm": CELL.replace("cx hidden[0]", "cnot hidden[0]")},
    ),
    "gate as a name": Mistake(
        setting("cell.file=bad.qasm"),
        ("bad.qasm:", ": 'x' is the name of a gate", "rename it"),
        {"bad.qasm": CELL.replace("64] u", "64] x").replace("(u)", "(x)")},
    ),
    "no cell to check": Mistake(
        ("cells", "check", "cel.qasm"), ("cell file 'cel.qasm' not found", "'cell.qasm'")
    ),
    # Data.
    "no such data file": Mistake(
        setting("data.file=dat.npz"),
        ("data.file: 'dat.npz' not found", "'data.npz'", "looked in the current folder"),
    ),
    "unknown data set": Mistake(
        setting("data.name=elninjo"), ("data.name = 'elninjo' is unknown", "'elnino'", "known:")
    ),
    "NaN in the data": Mistake(
        setting("data.file=bad.npz"),
        ("array 'features' in", "bad.npz holds nan at [1, 0, 0]", "finite"),
        {"bad.npz": npz(features=np.where(np.arange(18).reshape(6, 3, 1) == 3, np.nan, FEATURES))},
    ),
    "features without an axis": Mistake(
        setting("data.file=bad.npz"),
        ("'features'", "shape (6, 3)", "[sequences, steps, features]", "features[:, :, None]"),
        {"bad.npz": npz(features=FEATURES[:, :, 0])},
    ),
    "targets of other length": Mistake(
        setting("data.file=bad.npz"),
        ("'targets'", "shape (6, 2, 1)", "(6, 3, 1)", "must agree"),
        {"bad.npz": npz(targets=FEATURES[:, :2])},
    ),
    "too many features": Mistake(
        setting("data.file=bad.npz"),
        ("the data have 2 features per step, but cell 'cell' has 1: u",),
        {"bad.npz": npz(**{n: np.repeat(a, 2, 2) for n, a in arrays().items() if "feat" in n})},
    ),
    "Python objects": Mistake(
        setting("data.file=bad.npz"),
        ("'features'", "bad.npz holds Python objects, which are never loaded", "save"),
        {"bad.npz": npz(features=np.array([{"a": 1}], dtype=object))},
    ),
    "no npz": Mistake(
        setting("data.file=bad.npz"), ("bad.npz", "is not a .npz file"), {"bad.npz": "1, 2, 3"}
    ),
    "features out of an encoding's range": Mistake(
        setting("data.file=bad.npz"),
        ("arccos needs features in [-1, 1]", "reach from", 'data.scale = "minmax"'),
        {"bad.npz": npz(features=3 * FEATURES)},
    ),
    "a series without window": Mistake(
        setting("data.file=series.csv"),
        ("data.window is missing", "series.csv is a series"),
        {"series.csv": SERIES},
    ),
    "a window longer than the series": Mistake(
        setting("data.file=series.csv", "data.window=30"),
        ("series.csv has 20 rows", "data.window = 30", "at least 31 rows"),
        {"series.csv": SERIES},
    ),
    "a column that is not there": Mistake(
        setting("data.file=series.csv", "data.window=3", "data.target=valu"),
        ("series.csv has no column 'valu'", "'value'", "its columns: month, value"),
        {"series.csv": SERIES},
    ),
    "a gap in a series": Mistake(
        setting("data.file=series.csv", "data.window=2"),
        ("series.csv line 4, column 'value': an empty cell", "fill the gap"),
        {"series.csv": SERIES.replace("2,0.02", "2,")},
    ),
    # Weights.
    "no such weights": Mistake(
        ("evaluate", "job.toml", "--weights", "none.npy"),
        ("cannot read the weights none.npy: No such file",),
    ),
    "weights that are none": Mistake(
        ("evaluate", "job.toml", "--weights", "job.toml"),
        ("job.toml holds no weights: use a JSON list of numbers or a .npy file",),
    ),
    "an empty npy file": Mistake(
        ("gradient", "job.toml", "--weights", "w.npy"), ("w.npy holds no weights",), {"w.npy": ""}
    ),
    "too few weights": Mistake(
        ("evaluate", "job.toml", "--weights", "w.json"),
        ("w.json holds an array of shape (2,)", "'cell' has 3 weights: a, b, c"),
        {"w.json": "[0.1, 0.2]"},
    ),
    "too many weights": Mistake(
        ("evaluate", "job.toml", "--weights", "w.npy"),
        ("w.npy holds an array of shape (4,)", "3 weights"),
        {"w.npy": npy(1, 2, 3, 4)},
    ),
    "NaN in the weights": Mistake(
        ("evaluate", "job.toml", "--weights", "w.npy"),
        ("w.npy holds NaN or infinity",),
        {"w.npy": npy(1, np.nan, 3)},
    ),
    "text as weights": Mistake(
        ("evaluate", "job.toml", "--weights", "w.json"),
        ("w.json holds no weights",),
        {"w.json": '["0.1", "0.2", "0.3"]'},
    ),
    "weights of another cell": Mistake(
        ("evaluate", "train_parity2", "--weights", "old"),
        ("weights.json holds weights a, b, c, but cell", "has theta_0"),
        {"old": finished},
    ),
    "weights of a run that is not done": Mistake(
        setting("initial.from=old"),
        ("run", "old is not finished: continue it with: qrnn run", "old"),
        {"old": unfinished},
    ),
    "weights of no run": Mistake(
        setting("initial.from=."), ("is no run directory", "name a run, a JSON list or a .npy")
    ),
    "no targets to learn from": Mistake(
        ("gradient", "job.toml", "--data", "new.npz"),
        ("the data hold no targets, which a loss needs",),
        {"new.npz": npz(targets=None)},
    ),
    "new data that are not there": Mistake(
        ("evaluate", "job.toml", "--data", "new.npz"), ("data file new.npz does not exist",)
    ),
    "new data of unknown kind": Mistake(
        ("evaluate", "job.toml", "--data", "new.txt"), ("new.txt: must end in .npz", ".csv")
    ),
    # Run directories.
    "run directory below a file": Mistake(
        ("run", "job.toml", "--run-dir", "job.toml/run"),
        ("cannot write the run directory job.toml/run", "job.toml is not a writable folder"),
    ),
    "run directory where nothing can be made": Mistake(
        ("run", "job.toml", "--run-dir", "/proc/run"),
        ("cannot write the run directory /proc/run", "choose another with --run-dir"),
    ),
    "run directory in use": Mistake(
        ("run", "job.toml", "--run-dir", "."),
        (". is not an empty folder: choose another --run-dir",),
    ),
    "run directory of another run": Mistake(
        ("run", "job.toml", "--run-dir", "old"),
        ("old holds a run already: continue it with: qrnn run old",),
        {"old": finished},
    ),
    "changing a run": Mistake(
        ("run", "old", "--set", "training.steps=9"),
        ("--set training.steps=9: a run continues as it was started", "initial.from = RUN"),
        {"old": unfinished},
    ),
    "a damaged run": Mistake(
        ("run", "old"),
        ("run.json is damaged",),
        {"old": damaged},
    ),
    "prediction without a run": Mistake(
        ("predict", "none", "--data", "data.npz"),
        ("none is no run directory: it has no run.json",),
    ),
    "prediction of a run that is not done": Mistake(
        ("predict", "old", "--data", "data.npz"),
        ("old is not finished: continue it with: qrnn run old",),
        {"old": unfinished},
    ),
    "prediction of other features": Mistake(
        ("predict", "old", "--data", "new.npz"),
        ("new.npz has 2 features per step", "made for 1"),
        {"old": finished, "new.npz": npz(features=np.repeat(FEATURES, 2, 2))},
    ),
    "a picture of nothing": Mistake(
        ("plot", "none"), ("none is no run directory: it has no run.json",)
    ),
    "the state of nothing": Mistake(("status", "none"), ("none is no run directory",)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(name: str, qrnn: Command, tmp_path: Path) -> None:
    mistake = MISTAKES[name]
    write_job(tmp_path)
    for file, content in (mistake.files or {}).items():
        if callable(content):
            content(Path(file))
        else:
            Path(file).write_text(content)
    before = contents(tmp_path), sorted(path.name for path in tmp_path.rglob("*"))
    done = qrnn(*mistake.arguments)
    assert done.code == mistake.code, done
    assert done.out == ""
    assert done.err.count("\n") == 1, done.err
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    position = 0
    for fragment in mistake.says:
        position = done.err.find(fragment, position)
        assert position >= 0, (fragment, done.err)
        position += len(fragment)
    assert (contents(tmp_path), sorted(path.name for path in tmp_path.rglob("*"))) == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (setting("backend.shots=-1"), 2),
        (setting("backend.shots=100", "budget.shots=1000"), 4),
        (("predict", "none", "--data", "data.npz", "--json"), 2),
    ],
)
def test_the_shell_sees_the_same(arguments: tuple[str, ...], code: int, tmp_path: Path) -> None:
    write_job(tmp_path)
    before = contents(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "qrnn_qiskit", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert contents(tmp_path) == before


def test_debug_shows_where(qrnn: Command, tmp_path: Path) -> None:
    write_job(tmp_path)
    done = qrnn("--debug", *setting("backend.shots=-1"))
    assert done.code == 2
    assert "Traceback" in done.err
    assert json.dumps(contents(tmp_path), default=str).count("run.json") == 0
