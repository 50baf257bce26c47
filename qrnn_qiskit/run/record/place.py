"""Where a run's ledger is: in its directory, or on a local disk that the directory names.

SQLite's locks and syncs cannot be relied on over a network file system, and the ledger of paid jobs
must be.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Final

from qrnn_qiskit.errors import RunError
from qrnn_qiskit.run.record.durable import write_durably

MOUNTS = Path("/proc/mounts")  # elsewhere than on Linux nothing is known, and nothing refused
POINTER: Final = "ledger_dir.json"
NETWORK: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "lustre", "gpfs", "beegfs"),
        *("ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs", "fuse.beegfs", "pvfs2"),
        *("orangefs", "panfs", "wekafs"),
    }
)


def file_system(path: Path) -> str | None:
    """Type of the file system that a path is, or would be, on; None if that is not known."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    place = path.resolve()
    best, found = -1, None
    for line in lines:
        _, mount, kind, *_ = [*line.split(), "", "", ""]
        folder = Path(mount.replace("\\040", " "))
        depth = len(folder.parts)
        # Of two mounts at one place the later one covers the earlier.
        if mount and depth >= best and place.is_relative_to(folder):
            best, found = depth, kind
    return found


def check_local(path: Path, remedy: str) -> None:
    """Refuse to keep the ledger of paid jobs on a network file system.

    Raises:
        RunError: naming the file system; `remedy` says what to type.
    """
    kind = file_system(path)
    if kind in NETWORK:
        raise RunError(
            f"{path} is on a network file system ({kind}), where a database cannot rely on locks "
            f"and on what is written being there after a crash: {remedy}"
        )


def put_ledger(run: Path, folder: Path) -> None:
    """Let a run's ledger be in another folder, on this machine.

    Raises:
        RunError: if the folder cannot be made.
    """
    place = folder.resolve()
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {"host": platform.node(), "folder": str(place)}
        write_durably(run / POINTER, json.dumps(content).encode())
    except OSError as error:
        raise RunError(f"cannot keep the ledger in {place}: {error.strerror}") from None


def ledger_folder(run: Path) -> Path:
    """The folder of a run's `ledger.sqlite` and `payload`.

    Raises:
        RunError: if it is on another machine.
    """
    pointer = run / POINTER
    if not pointer.exists():
        return run
    try:
        content = json.loads(pointer.read_text(encoding="utf-8"))
        host, folder = str(content["host"]), Path(content["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        raise RunError(f"{pointer} is damaged: restore it from a backup") from None
    if host != platform.node():
        raise RunError(
            f"the ledger of {run} is on the machine {host}, in {folder}: continue the run there, "
            f"or copy that folder to this machine and give it: qrnn run {run} --ledger-dir COPY"
        )
    return folder
