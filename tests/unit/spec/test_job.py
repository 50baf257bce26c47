"""The tables of a job: defaults, what is refused, options, and the way to plain data and back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.spec import (
    CellSpec,
    DataSpec,
    InitialSpec,
    Job,
    NoiseSpec,
    ReadoutSpec,
    TrainingSpec,
    job_from_dict,
    job_to_dict,
    json_schema,
)
from qrnn_qiskit.spec.job import keys_of
from qrnn_qiskit.spec.noise import PRESETS


def minimal(**tables: Any) -> Job:
    return job_from_dict({"cell": {"name": "parity2"}, **tables})


def test_defaults() -> None:
    job = minimal()
    assert (job.kind, job.name, job.seed, job.data, job.noise) == ("train", None, 0, None, None)
    assert (job.backend.name, job.backend.shots) == ("exact", None)
    assert (job.gradient.method, job.optimizer.name, job.loss.name) == ("auto", "adam", "mse")
    assert (job.readout.head, job.readout.max_scale) == ("identity", 10.0)
    assert (job.initial.low, job.initial.high) == (0.0, 2 * math.pi)
    assert (job.training.steps, job.training.validate_every) == (100, 10)
    assert (job.budget.shots, job.budget.qpu_seconds) == (None, None)
    assert DataSpec().range == (-1.0, 1.0)


def test_whole_numbers_serve_as_floats_and_lists_as_tuples() -> None:
    data = DataSpec.model_validate({"name": "x", "split": [1, 0, 0], "range": [0, 3]})
    assert data.split == (1.0, 0.0, 0.0)
    assert [type(value) for value in data.range] == [float, float]
    assert DataSpec.model_validate({"file": "a.csv"}).file == Path("a.csv")


def test_options_are_the_other_keys() -> None:
    job = minimal(
        cell={"name": "x", "layers": 3, "deep": {"a": [1, 2.5, "b", True]}},
        optimizer={"learning_rate": 0.1},
        gradient={"method": "finite_difference", "step": "auto", "shots_total": 9},
        loss={"last": 2, "delta": 1.0},
        data={"name": "parity", "steps": 4, "scale": "minmax"},
    )
    assert job.cell.options == {"layers": 3, "deep": {"a": [1, 2.5, "b", True]}}
    assert job.optimizer.options == {"learning_rate": 0.1}
    assert job.gradient.options == {"step": "auto"}
    assert job.loss.options == {"delta": 1.0}
    assert job.data is not None
    assert job.data.options == {"steps": 4}


def test_jobs_are_frozen() -> None:
    job = minimal()
    with pytest.raises(ValidationError):
        job.seed = 3  # type: ignore[misc]  # what is tested
    with pytest.raises(ValidationError):
        job.training.steps = 3  # type: ignore[misc]  # what is tested


def test_data_without_a_source_says_how_to_read_the_data_to_come() -> None:
    job = minimal(data={"window": 5})
    assert job.data is not None
    assert (job.data.file, job.data.name, job.data.window) == (None, None, 5)


def test_python_may_write_source_for_from() -> None:
    assert InitialSpec(source=Path("w.json")).source == Path("w.json")
    assert minimal(initial={"from": "w.json"}).initial.source == Path("w.json")
    with pytest.raises(SpecError, match="initial.source: unknown key"):
        minimal(initial={"source": "w.json"})


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"cell": {}}, "cell.name: is missing; give a family's name, or cell.file"),
        ({"cell": {"name": "a", "file": "b"}}, "cell.file = 'b': give either cell.file or"),
        ({"cell": {"nam": "a"}}, "cell.nam: unknown key"),
        ({"cell": {"file": "a.qasm", "layers": 2}}, "cell.layers = 2: only a cell with a name has"),
        ({"cell": "parity2"}, "cell = 'parity2': must be a table"),
        ({"cell": {"file": ""}}, "cell.file = '': must not be empty"),
        ({"cell": {"name": "a", "x": float("nan")}}, "cell.x = nan: must be finite"),
        ({"cell": {"name": "a", "x": [1.0, [math.inf]]}}, "cell.x = [1.0, [inf]]: must be finite"),
        ({"cell": {"name": "a", "x": {"y": math.inf}}}, "cell.x: must be finite"),
        ({"cell": {"name": "a", "x": None}}, "cell.x: must be a number, text, true, false"),
        ({"data": {"name": "a", "file": "b"}}, "data.file = 'b': give either data.file or"),
        ({"data": {"file": "a.csv", "colums": ["x"]}}, "data.colums: unknown key"),
        ({"data": {"steps": 4}}, "data.steps: unknown key"),
        ({"data": {"columns": []}}, "data.columns = []: must not be empty"),
        ({"data": {"columns": "a"}}, "data.columns = 'a': must be a list"),
        ({"data": {"columns": ["a", "a"]}}, "data.columns = ['a', 'a']: must not name a column"),
        ({"data": {"split": [0.5, 0.5]}}, "data.split = [0.5, 0.5]: must have more values"),
        ({"data": {"split": [0.5, 0.4, 0.2]}}, "data.split = [0.5, 0.4, 0.2]: must be three"),
        ({"data": {"split": [0.0, 0.5, 0.5]}}, "data.split = [0.0, 0.5, 0.5]: must be three"),
        ({"data": {"split": [1.5, -0.5, 0.0]}}, "data.split = [1.5, -0.5, 0.0]: must be three"),
        ({"data": {"split": [True, 0, 0]}}, "data.split[0] = true: must be a number"),
        ({"data": {"range": [1, -1]}}, "data.range = [1.0, -1.0]: must be [low, high]"),
        ({"data": {"window": 0}}, "data.window = 0: must be greater than 0"),
        ({"data": {"scale": "minmx"}}, "data.scale = 'minmx': must be 'none' or 'minmax' (did"),
        (
            {"kind": "sample"},
            "kind = 'sample': must be 'train', 'evaluate', 'gradient' or 'compare'",
        ),
        ({"seed": -1}, "seed = -1: must be at least 0"),
        ({"seed": True}, "seed = true: must be a whole number"),
        ({"name": 3}, "name = 3: must be text"),
        ({"backend": {"shots": -1}}, "backend.shots = -1: must be greater than 0"),
        ({"backend": {"shots": 1e3}}, "backend.shots = 1000.0: must be a whole number"),
        ({"backend": {"shots": "10"}}, "backend.shots = '10': must be a whole number"),
        ({"backend": {"optimization_level": 4}}, "backend.optimization_level = 4: must be at most"),
        ({"backend": {"initial_layout": [1, 1]}}, "backend.initial_layout = [1, 1]: must not name"),
        ({"backend": {"initial_layout": [-1]}}, "backend.initial_layout[0] = -1: must be at least"),
        (
            {"backend": {"shots": 5}, "gradient": {"shots_total": 7}},
            "gradient.shots_total = 7: cannot be given together with backend.shots = 5; leave one",
        ),
        ({"noise": {"readout": 1.5}}, "noise.readout = 1.5: must be at most 1"),
        (
            {"noise": {"device": "fake_boston", "depolarizing_2q": 0.1}},
            "noise.depolarizing_2q = 0.1: cannot be given with noise.device = 'fake_boston'",
        ),
        (
            {"noise": {"device": "fake_boston", "preset": "bad"}},
            "noise.preset = 'bad': cannot be given with noise.device = 'fake_boston'",
        ),
        ({"noise": {"readout": [0.1, 1.2]}}, "noise.readout[1] = 1.2: must be between 0 and 1"),
        (
            {"noise": {"readout": [[0.1, 0.1], [-0.1, 0.2]]}},
            "noise.readout[1][0] = -0.1: must be between 0 and 1",
        ),
        ({"noise": {"t2_us": 50}}, "noise.t2_us = 50.0: needs noise.t1_us beside it"),
        ({"noise": {"t1_us": 0}}, "noise.t1_us = 0: must be greater than 0"),
        ({"noise": {"t1_us": [100, 0]}}, "noise.t1_us[1] = 0: must be greater than 0"),
        ({"noise": {"t1_us": []}}, "noise.t1_us = []: must be a number or must not be empty"),
        ({"noise": {"readout": [0.1]}}, "noise.readout = [0.1]: must have more values"),
        (
            {"noise": {"readout": [0.1, 0.2, 0.3]}},
            "noise.readout = [0.1, 0.2, 0.3]: must have at most 2 values",
        ),
        ({"noise": {"t1_us": 10, "t2_us": 21}}, "noise.t2_us = 21.0: must be at most 2 T1 = 20 us"),
        ({"noise": {"preset": "bad", "t1_us": 20}}, "noise.t2_us = 60.0: must be at most 2 T1 = 4"),
        (
            {"noise": {"t1_us": [10, 20], "t2_us": [20, 41]}},
            "noise.t2_us[1] = 41.0: must be at most 2 T1 = 40 us",
        ),
        (
            {"noise": {"t1_us": [10, 20], "t2_us": [20, 40, 3]}},
            "noise.t2_us = [20.0, 40.0, 3.0]: has 3 values, but noise.t1_us has 2",
        ),
        (
            {"noise": {"preset": "bad", "scale": 60}},
            "noise.scale = 60.0: makes noise.depolarizing_2q = 0.02 a probability above 1",
        ),
        ({"noise": {"scale": -1}}, "noise.scale = -1: must be at least 0"),
        ({"noise": {"preset": "god"}}, "noise.preset = 'god': must be 'good', 'typical' or 'bad'"),
        ({"readout": {"scale": "big"}}, "readout.scale = 'big': must be a number"),
        ({"readout": {"train_bias": 1}}, "readout.train_bias = 1: must be true or false"),
        ({"readout": {"max_scale": 0}}, "readout.max_scale = 0: must be greater than 0"),
        ({"training": {"gradient_clip": math.nan}}, "training.gradient_clip = nan: must be finite"),
        ({"training": {"stps": 3}}, "training.stps: unknown key"),
        ({"initial": {"low": 7}}, "initial.low = 7.0: must not be above initial.high"),
        ({"initial": {"std": -1}}, "initial.std = -1: must be at least 0"),
        ({"budget": {"qpu_seconds": 0}}, "budget.qpu_seconds = 0: must be greater than 0"),
        (
            {"backend": {"name": "aer", "mode": "batch"}},
            "backend.mode = 'batch': is for devices of IBM's service, not 'aer'",
        ),
        (
            {"backend": {"name": "fake_fez", "account": "mine"}},
            "backend.account = 'mine': is for devices of IBM's service, not 'fake_fez'",
        ),
        (
            {"backend": {"unknown": "list"}},
            "backend.unknown = 'list': is for devices of IBM's service, not 'exact'",
        ),
        ({"optimizer": {"name": ""}}, "optimizer.name = '': must not be empty"),
        ({"trainig": {"steps": "x"}, "seed": -1}, "trainig: unknown key"),
    ],
)
def test_refused(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        minimal(**tables)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_unbounded_scale_is_said_by_a_word() -> None:
    job = minimal(readout={"max_scale": "none"})
    assert job.readout.max_scale is None
    assert job_to_dict(job)["readout"]["max_scale"] == "none"
    assert job_from_dict(job_to_dict(job)) == job


def test_plain_data_have_all_defaults_but_those_of_the_data() -> None:
    tables = job_to_dict(minimal(data={"name": "elnino", "window": 6}))
    assert tables["data"] == {"name": "elnino", "window": 6}
    assert tables["training"] == {"steps": 100, "validate_every": 10, "keep_weights": False}
    assert "noise" not in tables
    assert tables["initial"]["high"] == 2 * math.pi


positive = st.integers(1, 10**9)
floats = st.floats(allow_nan=False, allow_infinity=False)
option = st.one_of(floats, st.booleans(), st.integers(), st.text(), st.lists(st.integers()))
options = st.dictionaries(st.sampled_from(["alpha", "beta", "gamma"]), option)


NOISES = [
    None,
    NoiseSpec(device="d"),
    NoiseSpec(readout=0.25),
    NoiseSpec(preset="bad", t1_us=(60.0, 70.0)),
]


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    cell = {"name": "x", **draw(options)} if draw(st.booleans()) else {"file": "/a/b.qasm"}
    data = draw(
        st.sampled_from([None, {"file": "/d.csv", "window": 3}, {"name": "y", "split": [1, 0, 0]}])
    )
    return Job(
        kind=draw(st.sampled_from(["train", "evaluate", "gradient"])),
        name=draw(st.none() | st.text(min_size=1)),
        seed=draw(st.integers(0, 2**128)),
        cell=CellSpec.model_validate(cell),
        data=None if data is None else DataSpec.model_validate(data),
        readout=ReadoutSpec(
            head=draw(st.sampled_from(["identity", "scale", "linear"])),
            scale=draw(floats),
            max_scale=draw(st.none() | st.floats(0.1, 1e300)),
        ),
        noise=draw(st.sampled_from(NOISES)),
        training=TrainingSpec(steps=draw(positive), batch_size=draw(st.none() | positive)),
        initial=InitialSpec(source=draw(st.sampled_from([None, Path("/run")]))),
    )


@given(jobs())
def test_round_trip_through_json(job: Job) -> None:
    tables = json.loads(json.dumps(job_to_dict(job), allow_nan=False))
    again = job_from_dict(tables)
    assert again == job
    assert job_to_dict(again) == tables
    if job.data is not None:
        assert again.data is not None
        assert again.data.model_fields_set == job.data.model_fields_set


def test_schema_describes_every_key() -> None:
    schema = json_schema()
    assert list(schema["properties"]) == keys_of()
    assert schema["required"] == ["cell"]
    assert schema["additionalProperties"] is False
    for name, table in schema["$defs"].items():
        assert table["description"], name
        for key, value in table["properties"].items():
            assert value["description"].endswith("."), f"{name}.{key}"
    assert list(schema["$defs"]["InitialSpec"]["properties"]) == keys_of("initial")
    assert keys_of("initial")[0] == "from"
    with_options = [n for n, t in schema["$defs"].items() if t["additionalProperties"] is True]
    assert sorted(with_options) == [
        "CellSpec",
        "DataSpec",
        "GradientSpec",
        "LossSpec",
        "MethodSpec",
        "OptimizerSpec",
    ]
    json.dumps(schema, allow_nan=False)


def test_noise_is_the_preset_under_the_keys_given_and_scaled() -> None:
    spec = NoiseSpec(preset="bad", readout=(0.01, 0.02), scale=2.0)
    values = spec.scaled()
    assert values["readout"] == (0.02, 0.04)
    assert values["depolarizing_2q"] == 2 * PRESETS["bad"]["depolarizing_2q"]
    assert values["t1_us"] == PRESETS["bad"]["t1_us"] / 2
    assert values["measure_ns"] == PRESETS["bad"]["measure_ns"]
    assert "t1_us" not in NoiseSpec(preset="bad", scale=0.0).scaled()
    assert NoiseSpec().scaled() == {}
