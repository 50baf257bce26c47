from __future__ import annotations

import json
import subprocess
import sys

import pytest

from qrnn_qiskit.cli import main

HEAVY = {"qiskit", "qiskit_aer", "qiskit_ibm_runtime", "scipy.optimize", "matplotlib"}
COMMANDS = ["run", "plan", "predict", "evaluate", "gradient", "status", "plot", "cells", "config"]


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import json, sys\n"
        "from qrnn_qiskit.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "finally:\n"
        "    print(json.dumps(list(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert HEAVY.isdisjoint(json.loads(done.stderr))
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout


def test_the_package_is_a_command_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qrnn_qiskit", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: qrnn ")


def test_version(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"1.2.3 of {name}")
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == "qrnn 1.2.3 of qrnn-qiskit\n"


@pytest.mark.parametrize(
    "arguments",
    [["no-such-command"], ["run"], ["predict", "RUN"], ["cells", "show", "x", "--steps", "0"]],
)
def test_a_wrong_usage_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Error: " in captured.err


@pytest.mark.parametrize(
    "command", [[], *([c] for c in COMMANDS), *(["cells", c] for c in ("list", "show", "check"))]
)
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([*command, "--help"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out.startswith(" ".join(["Usage: qrnn", *command]))
