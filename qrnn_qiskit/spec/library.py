"""Finding files by name: in the user's folders, then among those that the library brings along."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.spec.messages import nearest

Kind = Literal["circuits", "configs", "jobs"]

_SUFFIX: Final[dict[Kind, str]] = {"circuits": ".qasm", "configs": ".toml", "jobs": ".toml"}
_NOUN: Final[dict[Kind, str]] = {
    "circuits": "cell file",
    "configs": "configuration piece",
    "jobs": "job file",
}
_PACKAGE: Final = Path(__file__).resolve().parents[1]


def find(kind: Kind, name: str | Path, base: Path | None = None) -> Path:
    """The absolute path of a file of one kind.

    Looked for in this order, each time with and without the kind's suffix: below `base`, below the
    current folder, then in the library: `$QRNN_LIBRARY/<kind>`, `./<kind>`, and what was installed
    with the package (or lies beside it, in a source checkout).

    Args:
        kind: what the file is.
        name: a path, or a name in the library such as `"data/elnino"`.
        base: folder of the file that mentions `name`.

    Raises:
        SpecError: when there is none, saying where it was looked for and the nearest name.
    """
    here = Path.cwd()
    return search(kind, name, [here] if base is None else [base, here])


def search(kind: Kind, name: str | Path, folders: Sequence[Path]) -> Path:
    """Like `find`, with the folders to look in before the library.

    Raises:
        SpecError: as `find`.
    """
    roots = _roots(kind)
    found = locate(name, [*folders, *roots], _SUFFIX[kind])
    if found is not None and found.is_file():
        return found
    if found is not None:
        raise SpecError(f"{_NOUN[kind]} {str(name)!r} is a folder: name a file")
    known = [*siblings(name, folders), *available(kind)]
    raise SpecError(
        f"{_NOUN[kind]} {str(name)!r} not found{nearest(str(name), known)}; "
        f"{looked_in(name, [*folders, *roots])}"
    )


def available(kind: Kind) -> list[str]:
    """Names of all files of one kind in the library, without suffix, sorted."""
    suffix = _SUFFIX[kind]
    return sorted(
        {
            path.relative_to(root).with_suffix("").as_posix()
            for root in _roots(kind)
            for path in root.rglob(f"*{suffix}")
        }
    )


def locate(name: str | Path, folders: Sequence[Path], suffix: str = "") -> Path | None:
    """The first file, or else the first folder, of this name (or name and suffix); absolute."""
    given = Path(name).expanduser()
    names = [given]
    if suffix and given.name and given.suffix != suffix:
        names.append(given.with_name(given.name + suffix))
    # An absolute path replaces the folder that it is joined to.
    candidates = [folder / each for folder in folders for each in names]
    for exists in (_is_file, _is_folder):
        for candidate in candidates:
            if exists(candidate):
                return candidate.resolve()
    return None


def looked_in(name: str | Path, folders: Sequence[Path]) -> str:
    """`"looked in A, B"`: the folders where a file of this name could have been, each once."""
    parents = [displayed((folder / Path(name).expanduser()).parent) for folder in folders]
    places = dict.fromkeys("the current folder" if each == "." else each for each in parents)
    return f"looked in {', '.join(places)}"


def siblings(name: str | Path, folders: Sequence[Path]) -> list[str]:
    """Names like `name` that exist, with the same folder part: for suggestions."""
    given = Path(name).expanduser()
    return [
        str(given.with_name(entry.name))
        for folder in folders
        for entry in _entries((folder / given).parent)
        if given.name
    ]


def displayed(path: Path) -> str:
    """A path as people like to read it: relative to the current folder if it is below that."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _roots(kind: Kind) -> list[Path]:
    places = [Path.cwd(), _PACKAGE / "_library"]
    if chosen := os.environ.get("QRNN_LIBRARY"):
        places.insert(0, Path(chosen).expanduser().absolute())
    # Beside an installed package lie other people's packages; only a checkout is ours.
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        places.append(_PACKAGE.parent)
    return [place / kind for place in places if _is_folder(place / kind)]


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.iterdir())
    except OSError:
        return


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long, or a folder that must not be read
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
