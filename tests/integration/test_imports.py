"""Starting is quick because heavy libraries wait until they are needed: judged by module list."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("matplotlib", "qiskit_aer", "qiskit_ibm_runtime", "scipy.optimize", "sklearn", "torch")

IMPORT = "import qrnn_qiskit"
HELP = """
sys.argv = ["qrnn", "--help"]
from qrnn_qiskit.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""


@pytest.mark.parametrize("code", [IMPORT, HELP], ids=["import", "help"])
def test_heavy_libraries_are_not_loaded(code: str) -> None:
    told = "\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code}{told}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stderr.splitlines()[-1])
    assert "qrnn_qiskit" in loaded
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.parametrize("library", ["torch", "sklearn"])
def test_a_missing_library_is_told_with_what_to_install(library: str) -> None:
    code = f"import sys; sys.modules[{library!r}] = None; import qrnn_qiskit.{library}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: qrnn_qiskit.{library} needs "), done.stderr
    assert f"pip install 'qrnn-qiskit[{library}]'" in last
