"""Starting is quick because heavy libraries wait until they are needed: judged by module list."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "jinja2",
    "matplotlib",
    "qiskit_aer",
    "qiskit_ibm_runtime",
    "scipy.optimize",
    "sklearn",
    "tensorboardX",
    "torch",
)

# What only extras bring.
EXTRAS = ("torch", "sklearn", "tensorboardX", "sphinx", "myst_nb", "furo", "jax", "pennylane")

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


@pytest.mark.parametrize("library", ["torch", "sklearn", "tensorboard"])
def test_a_missing_library_is_told_with_what_to_install(library: str) -> None:
    module = {"tensorboard": "tensorboardX"}.get(library, library)
    code = f"import sys; sys.modules[{module!r}] = None; import qrnn_qiskit.{library}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: qrnn_qiskit.{library} needs "), done.stderr
    assert f"pip install 'qrnn-qiskit[{library}]'" in last


def test_the_command_line_says_it_in_one_line() -> None:
    code = (
        "import sys; sys.modules['tensorboardX'] = None\n"
        "from qrnn_qiskit.cli import main\n"
        "main(['run', 'train_parity2', '--tensorboard', 'nowhere'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: --tensorboard: qrnn_qiskit.tensorboard needs ")
    assert done.stderr.endswith("pip install 'qrnn-qiskit[tensorboard]'\n")


def test_no_extra_is_needed() -> None:
    """Neither to import the package with all its public names, nor for any command's help."""
    code = (
        "import sys\n"
        f"for name in {EXTRAS!r}: sys.modules[name] = None\n"
        "import qrnn_qiskit\n"
        "for name in qrnn_qiskit.__all__: getattr(qrnn_qiskit, name)\n"
        "import qrnn_qiskit.plot, qrnn_qiskit.report, qrnn_qiskit.cli.app\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
