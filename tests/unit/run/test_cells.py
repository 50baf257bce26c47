"""What is told of cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from qrnn_qiskit.errors import CellError, SpecError
from qrnn_qiskit.run.cells import check_cell, describe_cell, export_cell, list_cells, resolve_cell
from tests.unit.run.small import CELL, write_cell


def test_families_and_files_are_listed_with_their_sizes() -> None:
    known = {(cell["kind"], Path(cell["name"]).stem): cell for cell in list_cells()}
    for name, weights in (("parity2", 4), ("viqueira_emcz2", 25)):
        for kind in ("family", "file"):
            assert known[kind, name]["weights"] == weights
            assert known[kind, name]["bits"] == 1


def test_a_cell_is_described(tmp_path: Path) -> None:
    found = describe_cell(str(write_cell(tmp_path)), 4)
    assert (found["io"], found["hidden"], found["ancilla"]) == (1, 1, 0)
    assert found["weights"] == ["a", "b", "c"]
    # ry(u), rx(a), rzz(b), ry(c) are an occurrence each; rzz and cx have two qubits.
    assert (found["occurrences"], found["occurrences_per_step"]) == (16, 4)
    assert (found["two_qubit_gates"], found["two_qubit_gates_per_step"]) == (8, 2)
    assert found["dead_weights"] == []
    assert "readout" in found["cell_drawing"]
    assert found["unrolled_drawing_steps"] == 2


def test_dead_weights_are_named_with_their_proof(tmp_path: Path) -> None:
    dead = CELL.replace("readout[0] = measure", "rz(b) io[0];\nreadout[0] = measure")
    dead = dead.replace("rzz(b) io[0], hidden[0];\n", "")
    (found,) = describe_cell(str(write_cell(tmp_path, dead)), 3)["dead_weights"]
    assert found["weight"] == "b"
    assert found["proof"].startswith("exact: ")
    notices = check_cell(str(tmp_path / "cell.qasm"))["notices"]
    assert notices == [f"weight b cannot influence any output ({found['proof']})"]


def test_a_cell_without_memory_is_fit_but_noticed(tmp_path: Path) -> None:
    forgetful = CELL.replace("reset io[0];", "reset io[0];\nreset hidden[0];")
    report = check_cell(str(write_cell(tmp_path, forgetful)))
    assert report["fit"] is True
    assert "a hidden qubit is reset in every step: it carries no memory" in report["notices"]


def test_a_cell_is_found_as_file_or_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_cell("parity2").num_weights == 4
    write_cell(tmp_path)
    for name in ("cell", "cell.qasm", str(tmp_path / "cell.qasm")):
        assert resolve_cell(name).weight_names == ("a", "b", "c")
    (tmp_path / "parity2.qasm").write_text(CELL)
    assert resolve_cell("parity2.qasm").num_weights == 3
    with pytest.raises(SpecError, match=r"'cell.qsm' not found \(did you mean 'cell.qasm'"):
        resolve_cell("cell.qsm")


def test_an_unfit_cell_says_why(tmp_path: Path) -> None:
    with pytest.raises(CellError, match="measures nothing"):
        check_cell(str(write_cell(tmp_path, CELL.replace("readout[0] = measure io[0];", ""))))


def test_an_exported_family_is_the_same_cell(tmp_path: Path) -> None:
    text = export_cell("viqueira_emcz2", {"layers": 1, "reuploads": 1})
    assert text.startswith("// viqueira_emcz2(layers = 1, reuploads = 1)\n")
    path = tmp_path / "small.qasm"
    path.write_text(text)
    assert resolve_cell(str(path)).num_weights < 25
