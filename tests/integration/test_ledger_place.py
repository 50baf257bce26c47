"""Ledgers on local disks, and runs that are handed from one machine to the next."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from qrnn_qiskit.emulator import EmulatedService
from qrnn_qiskit.run.record import place
from qrnn_qiskit.run.record.place import file_system
from tests.integration.service_harness import ideal_service, result, write_training
from tests.integration.test_service_commands import Cli, cli, point_at

__all__ = ["cli"]
MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
proc /proc proc rw 0 0
server:/home {home} nfs4 rw,vers=4.2 0 0
/dev/sdb1 {home}/scratch xfs rw 0 0
"""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedService]:
    with ideal_service() as running:
        point_at(running, monkeypatch)
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory on a network file system, with a local disk inside."""
    folder = tmp_path / "my home"
    (folder / "scratch").mkdir(parents=True)
    mounts = tmp_path / "mounts"
    escaped = str(folder).replace(" ", "\\040")
    mounts.write_text(MOUNTS.format(home=escaped), encoding="utf-8")
    monkeypatch.setattr(place, "MOUNTS", mounts)
    return folder


def test_the_file_system_of_a_path_is_that_of_the_nearest_mount(home: Path) -> None:
    assert file_system(home / "runs" / "not there yet") == "nfs4"
    assert file_system(home / "scratch" / "x") == "xfs"
    assert file_system(Path("/somewhere")) == "ext4"
    link = home / "scratch" / "link"
    link.symlink_to(home)
    assert file_system(link / "run") == "nfs4"


def test_where_nothing_is_known_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "MOUNTS", tmp_path / "none")
    assert file_system(tmp_path) is None


def test_on_a_network_file_system_the_ledger_goes_to_a_local_disk(
    service: EmulatedService, cli: Cli, home: Path, tmp_path: Path
) -> None:
    job, run = write_training(tmp_path), home / "run"
    code, _, err = cli("run", job, "--run-dir", run)
    assert code == 2
    assert f"{run} is on a network file system (nfs4)" in err
    assert "give --ledger-dir DIR, a folder on a local disk" in err
    assert not run.exists()
    assert service.jobs == []
    code, _, err = cli("evaluate", job, "--run-dir", run)
    assert "give a --run-dir on a local disk" in err
    local = home / "scratch" / "ledgers" / "first"
    service.hold()
    assert cli("run", job, "--run-dir", run, "--ledger-dir", local, "--no-wait")[0] == 3
    assert (local / "ledger.sqlite").exists()
    assert not (run / "ledger.sqlite").exists()
    service.release()
    assert cli("run", run)[0] == 0
    assert len(service.jobs) == 2
    status = json.loads(cli("status", run, "--jobs", "--json")[1])
    assert status["qpu_jobs"] == len(status["jobs"]) == 2
    # A simulator's run may stay there: nothing is paid for.
    simulated = write_training(tmp_path, backend={"name": "exact", "shots": 8})
    assert cli("run", simulated, "--run-dir", home / "simulated")[0] == 0


def test_a_ledger_on_another_machine_is_named(
    service: EmulatedService, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, run, local = write_training(tmp_path), tmp_path / "run", tmp_path / "local"
    service.hold()
    assert cli("run", job, "--run-dir", run, "--ledger-dir", local, "--no-wait")[0] == 3
    service.release()
    monkeypatch.setattr("qrnn_qiskit.run.record.place.platform.node", lambda: "elsewhere")
    code, _, err = cli("run", run)
    assert code == 2
    assert f"in {local}: continue the run there, or copy that folder to this machine" in err
    code, _, err = cli("run", run, "--ledger-dir", tmp_path / "empty")
    assert "holds no ledger.sqlite of a run" in err
    shutil.move(local, tmp_path / "copy")
    assert cli("run", run, "--ledger-dir", tmp_path / "copy")[0] == 0
    assert len(service.jobs) == 2


def test_a_run_is_handed_from_one_machine_to_the_next(
    service: EmulatedService, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the run's directory goes on, with what is under way; nothing is paid again."""
    job, run = write_training(tmp_path), tmp_path / "run"
    assert cli("run", job, "--run-dir", tmp_path / "whole")[0] == 0
    service.hold()
    assert cli("run", job, "--run-dir", run, "--no-wait")[0] == 3
    other = tmp_path / "other machine" / "run"
    shutil.copytree(run, other)
    shutil.rmtree(run)
    monkeypatch.setattr("qrnn_qiskit.run.record.place.platform.node", lambda: "elsewhere")
    service.release()
    assert cli("run", other)[0] == 0
    assert len(service.jobs) == 4  # two of each run
    assert result(other)["weights"] == result(tmp_path / "whole")["weights"]
