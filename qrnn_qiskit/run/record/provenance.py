"""Where a run came from: versions, source state, cell, backend."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any, Final

PACKAGES: Final = (
    "qrnn-qiskit",
    "qiskit",
    "qiskit-aer",
    "qiskit-ibm-runtime",
    "numpy",
    "scipy",
)


def provenance() -> dict[str, Any]:
    """Versions of Python and of the packages that decide the numbers, and the git state."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "git": _git(Path(__file__).parent),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(folder: Path) -> dict[str, Any] | None:
    """Commit of the package's own checkout and whether it has changes; None outside of one."""
    command = ["git", "-C", str(folder)]
    try:
        commit, changes = (
            subprocess.run(  # fixed arguments
                [*command, *arguments], capture_output=True, text=True, check=True, timeout=5
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain", "."])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": bool(changes)}
