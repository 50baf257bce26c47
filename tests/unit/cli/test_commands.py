"""Each command passes on what it was given, and prints what the public function returned."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qrnn_qiskit.cli import main
from tests.unit.plot.recorded import elnino_run, write_run

Install = Callable[..., "Calls"]


@dataclass
class Calls:
    """What a stand-in for a module was asked."""

    seen: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)


@dataclass
class Result:
    run_dir: Path
    table: list[dict[str, Any]]
    summary: dict[str, Any] = field(default_factory=lambda: {"verdict": "it does NOT beat ridge"})

    def to_dict(self) -> dict[str, Any]:
        return {"run": str(self.run_dir), "table": self.table}


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Replace a module by functions that return (or raise) what is given."""

    def make(module: str, **answers: Any) -> Calls:
        calls = Calls()

        def function(name: str, answer: Any) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                calls.seen.append((name, args, kwargs))
                if isinstance(answer, BaseException):
                    raise answer
                return answer

            return call

        stand_in = ModuleType(module)
        for name, answer in answers.items():
            setattr(stand_in, name, function(name, answer))
        monkeypatch.setitem(sys.modules, module, stand_in)
        return calls

    return make


@pytest.fixture
def qrnn(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line: exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        captured = capsys.readouterr()
        return int(exit_.value.code or 0), captured.out, captured.err

    return call


Command = Callable[..., tuple[int, str, str]]
RECORDED = {"run_dir": None, "wait": True}
JOBS = "qrnn_qiskit.run.jobs"
CELLS = "qrnn_qiskit.run.cells"
COMPOSE = "qrnn_qiskit.spec.compose"

GRADIENT = {
    "method": "parameter_shift",
    "loss": 0.25,
    "loss_standard_error": 0.01,
    "gradient": [0.5, -0.125],
    "standard_errors": [0.02, 0.03],
    "rows": 9,
    "shots_total": 9216,
    "weights": ["a", "b"],
}


def test_run_passes_on_its_options_and_prints_the_table(
    install: Install, qrnn: Command, tmp_path: Path
) -> None:
    run = elnino_run(tmp_path / "run")
    calls = install(JOBS, run_job=Result(run, [{"model": "QRNN", "rmse": 0.5}]))
    code, out, err = qrnn(
        "run", "job.toml", "--run-dir", "there", "--set", "seed=1", "--set", "a.b=2", "--no-wait"
    )
    ((_, args, kwargs),) = calls.seen
    del kwargs["reporter"]
    assert args == ("job.toml",)
    assert kwargs == {
        "overrides": ["seed=1", "a.b=2"],
        "run_dir": Path("there"),
        "ledger_dir": None,
        "wait": False,
    }
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "model    RMSE",
        "QRNN   0.5000",
        "",
        "it does NOT beat ridge",
        f"run directory: {run}",
        f"picture: {run / 'summary.png'}",
    ]
    assert (run / "summary.png").is_file()


def test_run_as_json_is_one_document(install: Install, qrnn: Command, tmp_path: Path) -> None:
    run = elnino_run(tmp_path / "run")
    install(JOBS, run_job=Result(run, []))
    code, out, _ = qrnn("run", "job.toml", "--json")
    assert code == 0
    assert json.loads(out) == {
        "run": str(run),
        "table": [],
        "pictures": [str(run / "summary.png")],
    }


def test_a_run_that_has_nothing_to_draw_is_still_done(
    install: Install, qrnn: Command, tmp_path: Path
) -> None:
    write_run(tmp_path, name="evaluation")
    install(JOBS, run_job=Result(tmp_path, []))
    code, out, err = qrnn("run", "job.toml")
    assert (code, out) == (0, f"run directory: {tmp_path}\n")
    assert err.startswith("no picture: ")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["job.toml", "--run-dir", "R"], "qrnn run R\n"),
        (["."], "qrnn run .\n"),
        (["job.toml"], "qrnn status, and continue it with: qrnn run RUN\n"),
    ],
)
def test_an_interrupted_run_says_how_to_continue(
    install: Install, qrnn: Command, arguments: list[str], hint: str
) -> None:
    install(JOBS, run_job=KeyboardInterrupt())
    code, out, err = qrnn("run", *arguments)
    assert (code, out) == (130, "")
    assert err.startswith("interrupted; ")
    assert err.endswith(hint)


def test_plan_prints_every_key(install: Install, qrnn: Command) -> None:
    planned = {"rows": 1200, "qpu_seconds": 3.5, "budget": {"allowed": True}}
    calls = install(JOBS, plan_job=planned)
    assert qrnn("plan", "job.toml", "--set", "seed=1")[1] == (
        "rows             1,200\nQPU seconds      3.5\nbudget: allowed  yes\n"
    )
    assert json.loads(qrnn("plan", "job.toml", "--json")[1]) == planned
    assert calls.seen == [
        ("plan_job", ("job.toml",), {"overrides": ["seed=1"]}),
        ("plan_job", ("job.toml",), {"overrides": ()}),
    ]


def test_predict_prints_predictions_with_their_errors(install: Install, qrnn: Command) -> None:
    result = {
        "predictions": [[[20.5], [21.25]]],
        "standard_errors": [[[0.12], [0.5]]],
        "target_names": ["temperature"],
    }
    calls = install(JOBS, predict_run=result)
    code, out, _ = qrnn("predict", "RUN", "--data", "new.csv")
    assert calls.seen == [
        ("predict_run", (Path("RUN"), Path("new.csv")), {"overrides": (), **RECORDED})
    ]
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["sequence", "step", "temperature"],
        ["0", "0", "20.50", "±", "0.12"],
        ["0", "1", "21.25", "±", "0.50"],
    ]
    assert json.loads(qrnn("predict", "RUN", "--data", "new.csv", "--json")[1]) == result


def test_evaluate_prints_outputs(install: Install, qrnn: Command) -> None:
    result = {"outputs": [[[0.5, 1.0]] * 2] * 40, "standard_errors": None, "shots": None}
    calls = install(JOBS, evaluate_job=result)
    code, out, err = qrnn("evaluate", "job.toml", "--weights", "w.npy", "--data", "d.npz")
    assert calls.seen == [
        (
            "evaluate_job",
            ("job.toml",),
            {"overrides": (), "weights": Path("w.npy"), "data": Path("d.npz"), **RECORDED},
        )
    ]
    assert code == 0
    assert out.splitlines()[0].split() == ["sequence", "step", "output", "0", "output", "1"]
    assert out.endswith("\nshots per row: none (exact)\n")
    assert err == "… 20 more rows; --json prints all\n"
    assert json.loads(qrnn("evaluate", "job.toml", "--json")[1]) == result


def test_gradient_prints_each_weight(install: Install, qrnn: Command) -> None:
    calls = install(JOBS, gradient_job=GRADIENT)
    code, out, _ = qrnn("gradient", "job.toml", "--weights", "w.json")
    assert calls.seen == [
        (
            "gradient_job",
            ("job.toml",),
            {
                "overrides": (),
                "weights": Path("w.json"),
                "data": None,
                "by": "weights",
                **RECORDED,
            },
        )
    ]
    assert code == 0
    assert out.splitlines() == [
        "weight        gradient",
        "a        0.500 ± 0.020",
        "b       -0.125 ± 0.030",
        "",
        "loss: 0.250 ± 0.010",
        "method: parameter_shift",
        "rows: 9",
        "shots: 9,216",
    ]
    assert json.loads(qrnn("gradient", "job.toml", "--json")[1]) == GRADIENT


def test_a_gradient_by_features_has_a_line_for_each_step(install: Install, qrnn: Command) -> None:
    found = {
        **GRADIENT,
        "gradient": [[[0.5], [-0.25]]],
        "standard_errors": [[[0.02], [0.03]]],
        "features": ["x"],
        "loss_correction": "unbiased",
    }
    calls = install(JOBS, gradient_job=found)
    code, out, _ = qrnn("gradient", "job.toml", "--features")
    assert calls.seen[0][2]["by"] == "features"
    assert code == 0
    assert out.splitlines()[:3] == [
        "sequence  step               x",
        "       0     0   0.500 ± 0.020",
        "       0     1  -0.250 ± 0.030",
    ]
    assert "correction: unbiased" in out


def test_outputs_of_a_post_selected_circuit_tell_what_is_kept(
    install: Install, qrnn: Command
) -> None:
    found = {
        "outputs": [[[0.5]]],
        "standard_errors": [[[0.1]]],
        "shots": 200,
        "survival": [[0.25]],
        "survival_standard_errors": [[0.03]],
    }
    install(JOBS, evaluate_job=found)
    code, out, _ = qrnn("evaluate", "job.toml")
    assert code == 0
    assert "kept shots" in out
    assert "0.250 ± 0.030" in out


def test_an_exact_gradient_has_no_errors(install: Install, qrnn: Command) -> None:
    exact = {**GRADIENT, "standard_errors": None, "loss_standard_error": None, "shots_total": None}
    install(JOBS, gradient_job=exact)
    out = qrnn("gradient", "job.toml")[1]
    assert "±" not in out
    assert "shots: none (exact)" in out


def test_status_of_one_run_and_of_all(install: Install, qrnn: Command) -> None:
    calls = install(JOBS, status_run={"step": 3, "state": "running"})
    assert qrnn("status", "R")[1] == "step   3\nstate  running\n"
    assert calls.seen == [("status_run", (Path("R"),), {})]
    install(JOBS, status_run=[{"run": "a", "step": 3}])
    assert qrnn("status")[1] == "run  step\na       3\n"
    assert json.loads(qrnn("status", "--json")[1]) == [{"run": "a", "step": 3}]
    install(JOBS, status_run=[])
    code, out, err = qrnn("status")
    assert (code, out) == (0, "")
    assert "qrnn run JOBFILE" in err


def test_plot_prints_the_pictures_paths(qrnn: Command, tmp_path: Path) -> None:
    run = elnino_run(tmp_path / "run")
    assert qrnn("plot", str(run)) == (0, f"{run / 'summary.png'}\n", "")
    picture = tmp_path / "out" / "summary.png"
    code, out, _ = qrnn("plot", str(run), "--out", str(tmp_path / "out"), "--json")
    assert code == 0
    assert json.loads(out) == {"pictures": [str(picture)]}
    assert picture.is_file()
    code, out, err = qrnn("plot", str(tmp_path / "none"))
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_cells_list(install: Install, qrnn: Command) -> None:
    install(CELLS, list_cells=[{"name": "parity2", "kind": "family"}])
    assert qrnn("cells", "list")[1] == "name     kind\nparity2  family\n"
    assert json.loads(qrnn("cells", "list", "--json")[1])[0]["name"] == "parity2"


@pytest.mark.parametrize("dead", [[], [{"weight": "b", "proof": "rz before reset"}]])
def test_cells_show(install: Install, qrnn: Command, dead: list[dict[str, str]]) -> None:
    description = {
        "name": "demo",
        "weights": ["a", "b"],
        "num_weights": 2,
        "dead_weights": dead,
        "cell_drawing": "q: ─rx─\n   ───",
        "last_step_drawing": "q: ─M─",
        "unrolled_drawing": "q: ─rx──rx─",
        "unrolled_drawing_steps": 2,
    }
    calls = install(CELLS, describe_cell=description)
    code, out, _ = qrnn("cells", "show", "demo.qasm", "--steps", "2")
    assert calls.seen == [("describe_cell", ("demo.qasm", 2), {})]
    assert code == 0
    assert "num weights  2\n" in out
    assert ("rz before reset" if dead else "dead weights: none") in out
    assert "cell (one step):\nq: ─rx─\n   ───\n" in out
    assert "only in the last step, after it:\nq: ─M─\n" in out
    assert out.endswith("unrolled over 2 steps:\nq: ─rx──rx─\n")
    assert json.loads(qrnn("cells", "show", "demo.qasm", "--json")[1]) == description


def test_cells_check(install: Install, qrnn: Command) -> None:
    calls = install(CELLS, check_cell={"fit": True})
    assert qrnn("cells", "check", "demo.qasm") == (0, "fit  yes\n", "")
    assert calls.seen == [("check_cell", ("demo.qasm",), {})]


def test_cells_export(install: Install, qrnn: Command, tmp_path: Path) -> None:
    calls = install(CELLS, export_cell="OPENQASM 3.0;\n")
    assert qrnn("cells", "export", "ring", "--set", "layers=2") == (0, "OPENQASM 3.0;\n", "")
    assert calls.seen == [("export_cell", ("ring", {"layers": 2}), {})]
    path = tmp_path / "ring.qasm"
    assert qrnn("cells", "export", "ring", "-o", str(path)) == (0, "", f"wrote {path}\n")
    assert path.read_text(encoding="utf-8") == "OPENQASM 3.0;\n"
    code, _, err = qrnn("cells", "export", "ring", "-o", str(tmp_path))
    assert code == 2
    assert err == f"error: cannot write {tmp_path}: Is a directory\n"


def test_config_show_is_toml_of_the_same_job(install: Install, qrnn: Command) -> None:
    import tomllib

    job = {
        "kind": "train",
        "name": None,
        "cell": {"name": "ring", "odd key": "θ\n"},
        "data": {"split": [0.7, 0.3], "horizon": 1},
        "budget": {},
    }
    calls = install(COMPOSE, load_job="the job", job_to_dict=job)
    code, out, _ = qrnn("config", "show", "job.toml", "--set", "seed=1")
    assert calls.seen == [
        ("load_job", ("job.toml",), {"overrides": ["seed=1"]}),
        ("job_to_dict", ("the job",), {}),
    ]
    assert code == 0
    assert tomllib.loads(out) == {"kind": "train", "cell": job["cell"], "data": job["data"]}
    assert json.loads(qrnn("config", "show", "job.toml", "--json")[1]) == job


def test_config_schema(install: Install, qrnn: Command) -> None:
    install(COMPOSE, json_schema={"type": "object"})
    assert json.loads(qrnn("config", "schema")[1]) == {"type": "object"}
