"""Where files are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.spec import library
from qrnn_qiskit.spec.library import available, displayed, find, locate


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, far from the checkout."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("QRNN_LIBRARY", raising=False)
    return folder


def test_first_found_wins(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "qrnn_qiskit"
    monkeypatch.setattr(library, "_PACKAGE", package)
    monkeypatch.setenv("QRNN_LIBRARY", str(tmp_path / "mine"))
    touch(package.parent / "pyproject.toml")
    places = [
        touch(tmp_path / "base" / "x.toml"),
        touch(here / "x.toml"),
        touch(tmp_path / "mine" / "jobs" / "x.toml"),
        touch(here / "jobs" / "x.toml"),
        touch(package / "_library" / "jobs" / "x.toml"),
        touch(package.parent / "jobs" / "x.toml"),
    ]
    for place in places:
        for name in ("x", "x.toml", Path("x")):
            assert find("jobs", name, tmp_path / "base") == place
        place.unlink()
    with pytest.raises(SpecError, match="job file 'x' not found"):
        find("jobs", "x", tmp_path / "base")


def test_packages_beside_an_installed_one_are_not_ours(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_PACKAGE", tmp_path / "site" / "qrnn_qiskit")
    touch(tmp_path / "site" / "circuits" / "theirs.qasm")
    assert available("circuits") == []


def test_the_librarys_jobs_are_found_from_anywhere(here: Path) -> None:
    assert find("jobs", "train_elnino").name == "train_elnino.toml"
    assert find("configs", "data/elnino").is_absolute()
    assert "train_elnino" in available("jobs")
    assert "data/elnino" in available("configs")


def test_explicit_paths(here: Path, tmp_path: Path) -> None:
    path = touch(here / "deep" / "a.b.qasm")
    for name in ("deep/a.b.qasm", "deep/a.b", "./deep/../deep/a.b.qasm", str(path), path):
        assert find("circuits", name) == path
    # A run directory does not hide the job that it is named after.
    (here / "train_elnino").mkdir()
    assert find("jobs", "train_elnino").is_file()


def test_missing_says_where_it_looked_and_the_nearest_name(here: Path) -> None:
    touch(here / "sub" / "my_job.toml")
    with pytest.raises(SpecError) as caught:
        find("jobs", "sub/my_jbo.toml")
    assert str(caught.value).startswith(
        "job file 'sub/my_jbo.toml' not found (did you mean 'sub/my_job.toml'?); looked in sub, "
    )
    with pytest.raises(SpecError, match=r"\(did you mean 'data/elnino'\?\)"):
        find("configs", "data/elnno")
    with pytest.raises(SpecError, match="not found; looked in the current folder, "):
        find("jobs", "zzz")


@pytest.mark.parametrize("name", [".", "sub", ""])
def test_a_folder_is_no_file(here: Path, name: str) -> None:
    (here / "sub").mkdir()
    with pytest.raises(SpecError, match="is a folder: name a file"):
        find("jobs", name)


def test_unusable_names_are_missing(here: Path) -> None:
    for name in ("x" * 5000, "a\0b"):
        assert locate(name, [here]) is None


def test_displayed(here: Path, tmp_path: Path) -> None:
    assert displayed(here / "a" / "b.toml") == "a/b.toml"
    assert displayed(tmp_path / "b.toml") == str(tmp_path / "b.toml")
