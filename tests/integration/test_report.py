"""`qrnn report`: one file about real runs, opened in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from qrnn_qiskit.cli import main
from qrnn_qiskit.errors import RunError
from qrnn_qiskit.report import write_report
from qrnn_qiskit.run.jobs import run_job
from tests.browser import look_at

NAME = "<script>alert(1)</script> & co"
JOB = f"""
kind = "train"
name = "{NAME}"
seed = 4
defaults = ["cell/viqueira_emcz2", "optimizer/adam"]
[cell]
layers = 1
reuploads = 1
[data]
file = "walks.npz"
[backend]
name = "exact"
shots = 50
[gradient]
method = "parameter_shift"
[readout]
head = "scale"
[training]
steps = 3
batch_size = 2
test_shots = 100
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A training with shots and held-out data, and an exact one of another cell without."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "job.toml").write_text(JOB, encoding="utf-8")
    draw = np.random.default_rng(1).uniform
    np.savez(
        folder / "walks.npz",
        features=draw(-1, 1, (6, 4, 1)),
        targets=draw(-1, 1, (6, 4, 1)),
        test_features=draw(-1, 1, (3, 4, 1)),
        test_targets=draw(-1, 1, (3, 4, 1)),
    )
    sampled = run_job(folder / "job.toml", run_dir=folder / "sampled").run_dir
    settings = ["training.steps=2"]
    exact = run_job("train_parity2", overrides=settings, run_dir=folder / "exact").run_dir
    return [sampled, exact]


@pytest.fixture(scope="module")
def report(runs: list[Path]) -> Path:
    """The report of the first run."""
    return write_report(runs[:1])


class Reader(HTMLParser):
    """Text of a page, and the attributes of its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_report_holds_everything(runs: list[Path], report: Path) -> None:
    assert report == runs[0] / "report.html"
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    text = report.read_text(encoding="utf-8")
    page = Reader(text)
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "object")]
    assert NAME in page.text  # escaped, so it is text
    sources = [values.get("src") for tag, values in page.tags if tag == "img"]
    assert len(sources) >= 6
    assert all(source and source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    for needed in (
        "Held-out data",
        "linear ridge",
        "QPU seconds",
        "fake_marrakesh",
        "weights in noise",
        "signal-to-noise at the end, median",
        'gradient.method = "parameter_shift"',
        "cell (SHA-256)",
        "@article{mitarai2018,",
        "@misc{viqueira2023,",
        "@misc{kingma2014,",
    ):
        assert needed in page.text, needed
    assert "spall1992" not in page.text
    summary = json.loads((runs[0] / "run.json").read_text(encoding="utf-8"))["summary"]
    assert f"{summary['shots']:,}" in page.text


def test_a_real_browser_opens_it(report: Path, tmp_path: Path) -> None:
    found = look_at(report, tmp_path)
    assert found["title"] == f"{NAME} – qrnn-qiskit"
    assert found["scripts"] == 0
    assert found["fetched"] == found["faults"] == []
    assert found["overflow"] <= 0
    assert all(image["width"] > 100 and image["alt"] for image in found["images"])
    assert {"Results", "Circuit", "Health of the gradient", "Cost", "Provenance", "Job"} <= set(
        found["headings"]
    )
    narrow = look_at(report, tmp_path, width=400)
    assert narrow["overflow"] <= 0


def test_several_runs_stand_side_by_side(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "both.html"
    with pytest.raises(SystemExit) as stop:
        main(["report", *map(str, runs), "--out", str(out)])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"{out}\n"
    page = Reader(out.read_text(encoding="utf-8"))
    heads = [values for tag, values in page.tags if tag == "th" and values.get("scope") == "col"]
    assert len(heads) > 2
    assert "Side by side" in page.text
    assert page.text.count("What the same training would cost") == 2
    for method in ("parameter_shift", "finite_difference", "adjoint"):
        assert method in page.text
    assert "theta_2" in page.text  # the dead weight of parity2
    assert "exact gradients have no shot noise" in page.text


def test_what_cannot_be_told_is_said(runs: list[Path], tmp_path: Path) -> None:
    path = write_report(runs[:1], tmp_path / "a.html", device="fake_nowhere")
    assert "What it would cost on fake_nowhere is not known" in path.read_text(encoding="utf-8")
    with pytest.raises(RunError, match=r"no run directory: it has no run\.json"):
        write_report([tmp_path])
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="cannot write"):
        write_report(runs[:1], tmp_path / "file" / "report.html")


def test_a_run_that_was_killed_has_a_report(runs: list[Path], tmp_path: Path) -> None:
    run = tmp_path / "killed"
    run.mkdir()
    record = json.loads((runs[1] / "run.json").read_text(encoding="utf-8"))
    del record["summary"]
    record["state"] = "running"
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    text = write_report([run]).read_text(encoding="utf-8")
    assert "0 of 2 steps" in text


def test_who_paid_is_not_told(runs: list[Path], tmp_path: Path) -> None:
    run = tmp_path / "device"
    shutil.copytree(runs[1], run)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    private = {"account": "my account", "instance": "crn:v1:secret"}
    record["job"]["backend"] |= {"name": "ibm_somewhere", "shots": 100, **private}
    record["job"]["budget"] = {"qpu_seconds": 5}
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    page = Reader(write_report([run]).read_text(encoding="utf-8"))
    assert "ibm_somewhere" in page.text
    assert "What the same training would cost" in page.text
    assert not [value for value in private.values() if value in page.text]


def test_the_command_loads_nothing_for_its_help() -> None:
    code = (
        "import sys\nfrom qrnn_qiskit.cli import main\n"
        "try:\n    main(['report', '--help'])\nfinally:\n"
        "    assert not {'jinja2', 'matplotlib', 'qiskit'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
