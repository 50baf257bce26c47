"""Job files, pieces and overrides: what wins, and what is said when something is wrong."""

from __future__ import annotations

import string
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.spec import Job, job_to_dict, load_job, override_job
from qrnn_qiskit.spec.layers import Layer, MergedTables

CELL = '[cell]\nname = "parity2"\n'

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file of the current folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("QRNN_LIBRARY", raising=False)

    def to(name: str, text: str = "") -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return to


def refusal(*overrides: str, job: str | Path = "my.toml") -> str:
    with pytest.raises(SpecError) as caught:
        load_job(job, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_order_is_pieces_then_file_then_overrides(write: Write) -> None:
    write("configs/a.toml", "[training]\nsteps = 1\nbatch_size = 1\npatience = 1\ntest_shots = 1\n")
    write("configs/b.toml", "[training]\nsteps = 2\nbatch_size = 2\npatience = 2\n")
    write("my.toml", 'defaults = ["a", "b"]\n[training]\nsteps = 3\nbatch_size = 3\n' + CELL)
    training = load_job("my", ["training.steps=4"]).training
    assert (training.steps, training.batch_size) == (4, 3)
    assert (training.patience, training.test_shots) == (2, 1)


def test_pieces_may_have_pieces_found_beside_them(write: Write) -> None:
    write("configs/group/base.toml", "seed = 1\n[training]\nsteps = 1\n")
    write("configs/group/more.toml", 'defaults = ["base"]\nseed = 2\n')
    write("my.toml", 'defaults = ["group/more"]\n' + CELL)
    job = load_job("my.toml")
    assert (job.seed, job.training.steps) == (2, 1)


def test_the_same_piece_twice_is_no_cycle(write: Write) -> None:
    write("configs/base.toml", "seed = 1\n")
    write("configs/a.toml", 'defaults = ["base"]\nseed = 2\n')
    write("my.toml", 'defaults = ["a", "base"]\n' + CELL)
    assert load_job("my.toml").seed == 1


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("training.steps=7", ("training", "steps"), 7),
        (" training.steps = 7 ", ("training", "steps"), 7),
        ("readout.scale=2", ("readout", "scale"), 2.0),
        ("readout.train_bias=false", ("readout", "train_bias"), False),
        ("backend.name=aer", ("backend", "name"), "aer"),
        ('backend.name="aer"', ("backend", "name"), "aer"),
        ("backend.initial_layout=[3, 4]", ("backend", "initial_layout"), [3, 4]),
        ("noise.readout=0.1", ("noise", "readout"), 0.1),
        ("budget.shots=1_000", ("budget", "shots"), 1000),
        ("readout.max_scale=none", ("readout", "max_scale"), "none"),
        ("training={steps=9, patience=2}", ("training", "steps"), 9),
        ("cell.deep.key=[1, 2]", ("cell", "deep", "key"), [1, 2]),
        ("cell.note=2026-01-02", ("cell", "note"), "2026-01-02"),
        ("cell.note=1\nsteps = 3", ("cell", "note"), "1\nsteps = 3"),
        ("cell.note=a=b", ("cell", "note"), "a=b"),
        ("cell.note=", ("cell", "note"), ""),
        ("name=my run", ("name",), "my run"),
        ("seed=5", ("seed",), 5),
    ],
)
def test_override(write: Write, override: str, path: tuple[str, ...], value: Any) -> None:
    write("my.toml", CELL)
    found: Any = job_to_dict(load_job("my.toml", [override]))
    for key in path:
        found = found[key]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("below", "above", "want"),
    [
        # Another cell, data set, method, loss or optimizer starts the table anew.
        ({"cell": {"name": "a", "layers": 3}}, {"cell": {"file": "f"}}, {"cell": {"file": "f"}}),
        ({"cell": {"file": "f"}}, {"cell": {"name": "a"}}, {"cell": {"name": "a"}}),
        ({"cell": {"name": "a", "n": 3}}, {"cell": {"name": "b"}}, {"cell": {"name": "b"}}),
        (
            {"cell": {"name": "a", "n": 3}},
            {"cell": {"name": "a", "m": 1}},
            {"cell": {"name": "a", "n": 3, "m": 1}},
        ),
        ({"cell": {"name": "a", "n": 3}}, {"cell": {"n": 4}}, {"cell": {"name": "a", "n": 4}}),
        (
            {"data": {"name": "a", "window": 3, "scale": "minmax"}},
            {"data": {"file": "f.npz"}},
            {"data": {"file": "f.npz"}},
        ),
        (
            {"gradient": {"method": "a", "step": 1, "shots_total": 5, "forward_shots": 2}},
            {"gradient": {"method": "b"}},
            {"gradient": {"method": "b", "shots_total": 5, "forward_shots": 2}},
        ),
        (
            {"optimizer": {"name": "adam", "beta1": 0.5}},
            {"optimizer": {"name": "sgd", "momentum": 0.5}},
            {"optimizer": {"name": "sgd", "momentum": 0.5}},
        ),
        (
            {"loss": {"name": "a", "delta": 1.0, "last": 5}},
            {"loss": {"name": "b"}},
            {"loss": {"name": "b", "last": 5}},
        ),
        # Keys that exclude each other.
        (
            {"backend": {"name": "aer", "shots": 5}},
            {"gradient": {"shots_total": 7}},
            {"backend": {"name": "aer"}, "gradient": {"shots_total": 7}},
        ),
        (
            {"gradient": {"shots_total": 7}},
            {"backend": {"shots": 5}},
            {"gradient": {}, "backend": {"shots": 5}},
        ),
        (
            {"noise": {"depolarizing_1q": 0.1, "depolarizing_2q": 0.1, "readout": 0.1}},
            {"noise": {"device": "d"}},
            {"noise": {"device": "d"}},
        ),
        (
            {"noise": {"device": "d"}},
            {"noise": {"readout": 0.1}},
            {"noise": {"readout": 0.1}},
        ),
        (
            {"noise": {"preset": "good", "t1_us": 3.0, "t2_us": 4.0, "scale": 2.0}},
            {"noise": {"device": "d"}},
            {"noise": {"device": "d", "scale": 2.0}},
        ),
        (
            {"noise": {"preset": "good", "t1_us": 300.0, "scale": 2.0}},
            {"noise": {"preset": "bad"}},
            {"noise": {"preset": "bad", "scale": 2.0}},
        ),
        # Both in one layer: left to the validation.
        (
            {"cell": {"name": "a"}},
            {"cell": {"name": "b", "file": "f"}},
            {"cell": {"name": "b", "file": "f"}},
        ),
        # Not tables: left to the validation.
        ({"cell": {"name": "a"}}, {"cell": 3}, {"cell": 3}),
        ({"cell": 3}, {"cell": {"name": "a"}}, {"cell": {"name": "a"}}),
    ],
)
def test_later_layers_replace(
    below: dict[str, Any], above: dict[str, Any], want: dict[str, Any]
) -> None:
    merged = MergedTables()
    merged.add(Layer(below, "below", Path()))
    merged.add(Layer(above, "above", Path()))
    assert merged.tables == want


def test_overrides_take_the_place_of_alternatives(write: Write) -> None:
    write("cell.qasm")
    write("my.toml", '[cell]\nfile = "cell.qasm"\n[backend]\nname = "aer"\nshots = 5\n')
    job = load_job("my.toml", ["cell.name=parity2", "gradient.shots_total=100"])
    assert (job.cell.name, job.cell.file) == ("parity2", None)
    assert (job.backend.name, job.backend.shots, job.gradient.shots_total) == ("aer", None, 100)
    message = refusal("cell.name=parity2", "cell.file=cell.qasm")
    assert message.endswith("give either cell.file or cell.name, not both (in --set)")


keys = st.sampled_from(["steps", "batch_size", "patience", "validate_every", "test_shots"])
tables = st.dictionaries(keys, st.integers(1, 99))


@given(st.lists(tables, max_size=5), tables, tables)
def test_property_the_last_layer_that_has_a_key_wins(
    pieces: list[dict[str, int]], own: dict[str, int], overrides: dict[str, int]
) -> None:
    # A folder for each example: Hypothesis does not renew fixtures.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index, piece in enumerate(pieces):
            (folder / f"p{index}.toml").write_text(_toml(piece))
        defaults = [f"p{index}" for index in range(len(pieces))]
        (folder / "my.toml").write_text(f"defaults = {defaults}\n{CELL}{_toml(own)}")
        job = load_job(folder / "my.toml", [f"training.{k}={v}" for k, v in overrides.items()])
    want: dict[str, int] = {}
    for layer in (*pieces, own, overrides):
        want |= layer
    assert job.training.model_dump(include=set(want)) == want


def _toml(training: dict[str, int]) -> str:
    return "[training]\n" + "".join(f"{key} = {value}\n" for key, value in training.items())


leaf = st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)
names = st.sampled_from(string.ascii_lowercase[:4])
nested = st.recursive(leaf, lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=8)
layers = st.lists(st.dictionaries(names, nested, max_size=3), max_size=4)


@given(layers)
def test_property_every_value_is_from_the_layer_that_is_named(given_: list[dict[str, Any]]) -> None:
    merged = MergedTables()
    merged.add(Layer({}, "the job", Path()))
    for index, each in enumerate(given_):
        merged.add(Layer(each, str(index), Path()))
    for path, value in _leaves(merged.tables):
        found: Any = given_[int(merged.origin(path).name)]
        for key in path:
            found = found[key]
        assert found == value


def _leaves(table: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += _leaves(value, (*path, key))
        else:
            found.append(((*path, key), value))
    return found


@given(layers)
def test_property_no_layer_is_changed_by_merging(given_: list[dict[str, Any]]) -> None:
    before = repr(given_)
    merged = MergedTables()
    for each in given_:
        merged.add(Layer(each, "x", Path()))
    assert repr(given_) == before


def test_paths_are_looked_for_beside_the_file_that_has_them(write: Write, tmp_path: Path) -> None:
    beside_piece = write("configs/cell/mine.qasm")
    write("configs/cell/mine.toml", '[cell]\nfile = "mine.qasm"\n')
    beside_job = write("deep/data.csv")
    in_current = write("weights.json")
    write(
        "deep/my.toml",
        'defaults = ["cell/mine"]\n[data]\nfile = "data.csv"\n[initial]\nfrom = "weights.json"\n',
    )
    job = load_job("deep/my.toml")
    assert job.data is not None
    assert job.cell.file == beside_piece
    assert job.data.file == beside_job
    assert job.initial.source == in_current


def test_paths_of_overrides_are_those_of_the_current_folder_first(write: Write) -> None:
    here, beside = write("a.csv"), write("deep/a.csv")
    write("deep/my.toml", CELL)
    data = load_job("deep/my.toml", ["data.file=a.csv"]).data
    assert data is not None
    assert data.file == here
    here.unlink()
    data = load_job("deep/my.toml", ["data.file=a.csv"]).data
    assert data is not None
    assert data.file == beside


def test_cells_are_found_in_the_library_and_runs_are_folders(write: Write) -> None:
    cell, run = write("circuits/mine.qasm"), write("runs/one/run.json").parent
    write("my.toml", '[cell]\nfile = "mine"\n[initial]\nfrom = "runs/one"\n')
    job = load_job("my.toml")
    assert (job.cell.file, job.initial.source) == (cell, run)


def test_override_job(write: Write) -> None:
    cell = write("cell.qasm")
    write("my.toml", '[cell]\nfile = "cell.qasm"\n[backend]\nshots = 5\n[gradient]\nmethod = "a"\n')
    job = load_job("my.toml")
    cell.unlink()
    write("cell.qasm")
    changed = override_job(job, ["gradient.shots_total=9", "gradient.method=b"])
    assert changed.gradient.method == "b"
    assert changed.backend.shots is None
    assert changed.cell.file == cell
    assert override_job(job, []) == job
    with pytest.raises(SpecError, match=r"seed = -1: must be at least 0 \(in --set\)"):
        override_job(job, ["seed=-1"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cell: is missing; add [cell] with the name of a family, or a file (in my.toml)"),
        (CELL + "[backend]\nshots = -1\n", "backend.shots = -1: must be greater than 0 (in "),
        (
            CELL + "[training]\nstps = 3\n",
            "training.stps: unknown key (did you mean 'steps'?) in my.toml; keys of [training]: "
            "steps, batch_size, ",
        ),
        (
            CELL + "[trainig]\nsteps = 3\n",
            "trainig: unknown key (did you mean 'training'?) in my.toml; keys of a job: defaults, ",
        ),
        (
            CELL + "[training]\nseed = 3\n",
            "training.seed: unknown key (a key of the job: write it above the first table) in my",
        ),
        (
            CELL + '[initial]\nsource = "x"\n',
            "initial.source: unknown key in my.toml; keys of [initial]: from, distribution, ",
        ),
        (
            '[cell]\nfile = "mine.qsm"\n',
            "cell.file: cell file 'mine.qsm' not found (did you mean 'mine.qasm'?); looked in the "
            "current folder, ",
        ),
        (
            CELL + '[data]\nfile = "deep/dta.csv"\n',
            "data.file: 'deep/dta.csv' not found (did you mean 'deep/data.csv'?); looked in deep ",
        ),
        (CELL + '[data]\nfile = "deep"\n', "data.file: deep is a folder: name a .npz or .csv file"),
        (CELL + '[data]\nfile = ""\n', "data.file = '': must not be empty (in my.toml)"),
        (
            CELL + '[initial]\nfrom = "runs/x"\n',
            "initial.from: 'runs/x' not found; looked in runs (in my.toml)",
        ),
        (
            'defaults = ["data/elnno"]\n' + CELL,
            "defaults: configuration piece 'data/elnno' not found (did you mean 'data/elnino'?); "
            "looked in data, ",
        ),
        (
            'defaults = "data/elnino"\n' + CELL,
            "defaults = 'data/elnino': must be a list of names, such as [\"data/elnino\"] (in my.t",
        ),
        ("defaults = [3]\n" + CELL, "defaults = [3]: must be a list of names"),
        ("[training\n", "my.toml, line 1, column 10: Expected ']'"),
        ("seed = \n", "my.toml, line 1, column 8: Invalid value"),
        ('name = "a', "my.toml, end of document: "),
        (CELL + CELL, "my.toml, line 3, column 6: Cannot declare"),
        (CELL + "date = 2026-01-02\n", "cell.date = '2026-01-02': must be a number, text, "),
        (CELL + "x = nan\n", "cell.x = nan: must be finite (in my.toml)"),
        ('"a b" = 1\n' + CELL, "a b: unknown key in my.toml; "),
        ("training = 3\n" + CELL, "training = 3: must be a table (in my.toml)"),
        ("seed = { a = 1 }\n" + CELL, "seed: must be a whole number (in my.toml)"),
    ],
)
def test_wrong_files(write: Write, text: str, message: str) -> None:
    write("mine.qasm")
    write("deep/data.csv")
    write("my.toml", text)
    assert refusal().startswith(message)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("backend.shots=-1", "backend.shots = -1: must be greater than 0 (in --set)"),
        ("training.stps=3", "training.stps: unknown key (did you mean 'steps'?) in --set; keys "),
        ("training.steps", "--set training.steps: must be key=value, such as --set training.ste"),
        ("=3", "--set =3: must be key=value"),
        ("a..b=3", "--set a..b=3: must be key=value"),
        ("training steps=3", "--set training steps=3: must be key=value"),
        ("backend=aer", "backend = 'aer': must be a table (in --set)"),
        ("training.steps=many", "training.steps = 'many': must be a whole number (in --set)"),
        ("seed.x=1", "seed: must be a whole number (in --set)"),
        ('defaults=["a"]', "--set defaults: pieces are named in the job file, not by --set"),
        ("data.file=no.csv", "data.file: 'no.csv' not found; looked in the current folder (in --"),
    ],
)
def test_wrong_overrides(write: Write, override: str, message: str) -> None:
    write("my.toml", CELL)
    assert refusal(override).startswith(message)


def test_overrides_that_do_not_fit_together(write: Write) -> None:
    write("my.toml", CELL)
    message = refusal("training=3", "training.steps=3")
    assert message == "--set training.steps=3: training is given a value by another --set"


def test_the_piece_that_is_wrong_is_named(write: Write) -> None:
    write("configs/slow.toml", "[training]\nsteps = 0\nbatch_size = 0\n")
    write("my.toml", 'defaults = ["slow"]\n[training]\nsteps = 5\n' + CELL)
    assert refusal().endswith(
        "training.batch_size = 0: must be greater than 0 (in configs/slow.toml)"
    )
    write("configs/slow.toml", "[training\n")
    assert refusal().startswith("configs/slow.toml, line 1")


@pytest.mark.parametrize(
    ("pieces", "cycle"),
    [
        ({"a": "a"}, "configs/a.toml → configs/a.toml"),
        ({"a": "b", "b": "a"}, "configs/a.toml → configs/b.toml → configs/a.toml"),
    ],
)
def test_cycles(write: Write, pieces: dict[str, str], cycle: str) -> None:
    for name, other in pieces.items():
        write(f"configs/{name}.toml", f'defaults = ["{other}"]\n')
    write("my.toml", 'defaults = ["a"]\n' + CELL)
    assert refusal() == f"defaults form a cycle: {cycle}"


def test_files_that_are_no_text(write: Write) -> None:
    write("my.toml").write_bytes(b"\xff\xfe\x00")
    assert refusal() == "my.toml: is not a text file (TOML in UTF-8)"


def test_missing_job(write: Write) -> None:
    message = refusal(job="train_elnio")
    assert message.startswith(
        "job file 'train_elnio' not found (did you mean 'train_elnino'?); looked in the current"
    )


def test_a_job_is_the_same_from_any_folder(write: Write, tmp_path: Path) -> None:
    path = write("my.toml", 'defaults = ["data/elnino"]\n' + CELL)
    jobs: list[Job] = [load_job("my"), load_job(path), load_job(str(path.with_suffix("")))]
    assert jobs[0] == jobs[1] == jobs[2]
