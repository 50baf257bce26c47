from __future__ import annotations

import json
import math
import sys

import pytest

from qrnn_qiskit.cli.options import parse_settings
from qrnn_qiskit.cli.output import (
    cell_text,
    show_json,
    show_mapping,
    show_records,
    show_table,
    with_error,
)
from qrnn_qiskit.errors import SpecError


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.123456, 0.0021, "0.1235 ± 0.0021"),
        (0.123456, 0.25, "0.12 ± 0.25"),
        (1234.5, 32.0, "1234 ± 32"),
        (0.123456789, None, "0.123457"),
        (0.123456789, 0.0, "0.123457"),
        (0.5, math.nan, "0.5"),
        (0.123456789123, 1.5e-12, "0.123456789 ± 1.5e-12"),
    ],
)
def test_a_value_is_shown_to_the_digits_of_its_error(
    value: float, error: float | None, text: str
) -> None:
    assert with_error(value, error) == text


def test_json_is_one_document_with_lists_of_numbers_on_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = {
        "outputs": [[[0.5, -0.25]], [[1.0, math.nan]]],
        "names": ["θ"],
        "none": None,
        "empty": {},
        "records": [{"a": 1}, {}],
    }
    show_json(document)
    out = capsys.readouterr().out
    expected = {**document, "outputs": [[[0.5, -0.25]], [[1.0, None]]]}
    assert json.loads(out) == expected
    assert "      [0.5, -0.25]\n" in out


def test_tables_are_aligned_columns_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(
        ["model", "rmse", "shots"],
        [["QRNN", 0.5123456789, 1024], ["ridge", None, 7], ["zero", 0.6, 8]],
    )
    assert capsys.readouterr().out == (
        "model    rmse  shots\nQRNN   0.5123  1,024\nridge       -      7\nzero   0.6000      8\n"
    )


def test_tables_on_a_terminal_hold_the_same_cells(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_table(["model", "rmse"], [["[red]QRNN", 0.5]])
    out = capsys.readouterr().out
    assert "[red]QRNN" in out
    assert "0.5" in out


def test_floats_of_very_different_size_keep_their_digits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_table(["x"], [[1.5e-7], [20.25], [math.nan]])
    assert capsys.readouterr().out.split() == ["x", "1.5e-07", "20.25", "nan"]


def test_an_empty_table_shows_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(["weight", "gradient"], [])
    assert capsys.readouterr().out == "weight  gradient\n"


def test_records_with_different_keys_share_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    show_records([{"run": "a", "step": 3}, {"run": "b", "qpu_seconds": 1.5}])
    assert capsys.readouterr().out == (
        "run  step  QPU seconds\na       3            -\nb       -        1.500\n"
    )


def test_a_mapping_is_one_line_for_each_key(capsys: pytest.CaptureFixture[str]) -> None:
    show_mapping({"rows": 12, "budget": {"shots": 100, "allowed": True}, "names": ["a", "b"]})
    assert capsys.readouterr().out == (
        "rows             12\nbudget: shots    100\nbudget: allowed  yes\nnames            a, b\n"
    )


def test_nested_values_are_readable() -> None:
    assert cell_text([{"weight": "a", "n": 1}, {}]) == "weight a, n 1, -"
    assert cell_text([]) == "-"
    assert cell_text(False) == "no"


def test_settings_are_toml_values_or_text() -> None:
    assert parse_settings(["layers=2", "name = ring", 'title="a=b"', "on=true", "x=[1, 2]"]) == {
        "layers": 2,
        "name": "ring",
        "title": "a=b",
        "on": True,
        "x": [1, 2],
    }


@pytest.mark.parametrize("setting", ["layers", "=2", ""])
def test_a_setting_must_have_a_key_and_a_value(setting: str) -> None:
    with pytest.raises(SpecError, match="must be KEY=VALUE"):
        parse_settings([setting])
