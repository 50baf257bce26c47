from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from qrnn_qiskit.estimate import Estimate, Outputs
from qrnn_qiskit.markup import MOST_ROWS, html_records, html_table
from qrnn_qiskit.run.measure.gradient import GradientResult
from qrnn_qiskit.run.runs import RunResult


class Cells(HTMLParser):
    """Texts of a page's cells, and its captions."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.captions: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if data.strip() and self.tags:
            (self.captions if self.tags[-1] == "caption" else self.cells).append(data)


def test_what_is_written_in_is_escaped_and_long_tables_are_cut() -> None:
    page = html_records([{"<b>": "<script>", "n": 1234, "x": 0.123456, "none": None, "yes": True}])
    assert "<script>" not in page
    assert Cells(page).cells == [
        "<b>",
        "n",
        "x",
        "none",
        "yes",
        "<script>",
        "1,234",
        "0.1235",
        "–",
        "yes",
    ]
    long = Cells(html_table(["a"], [[i] for i in range(MOST_ROWS + 5)], "many"))
    assert long.captions == ["many; 5 more rows are not shown"]
    assert long.tags.count("tr") == 1 + MOST_ROWS


@pytest.mark.parametrize(
    ("estimate", "cells"),
    [
        (Estimate(np.array(0.5)), ["index", "value", "0", "0.5"]),
        (
            Estimate(np.array([0.5, -1.0]), np.array([0.01, 0.2])),
            ["index", "value", "0", "0.500 ± 0.010", "1", "-1.00 ± 0.20"],
        ),
        (
            Estimate(np.arange(4.0).reshape(1, 2, 2)),
            ["index", "0", "1", "0, 0", "0", "1", "0, 1", "2", "3"],
        ),
    ],
)
def test_estimates(estimate: Estimate, cells: list[str]) -> None:
    shown = Cells(estimate._repr_html_())
    assert shown.cells == cells
    exact = estimate.standard_error is None
    assert shown.captions[0].endswith("exact" if exact else "± one standard error")


def test_outputs_gradients_and_runs(tmp_path: Path) -> None:
    outputs = Outputs(np.array([[[0.2]]]), np.array([100]), np.array([[[1.0]]]))
    assert "0.20 ± 0.10" in outputs._repr_html_()
    loss = Estimate(np.array(0.7), np.array(0.1))
    gradient = Estimate(np.array([0.25]), np.array([0.05]))
    result = GradientResult(loss, gradient, Estimate(np.empty(0)), rows=3, shots_total=3000)
    shown = Cells(result._repr_html_()).cells
    assert {"0.70 ± 0.10", "3", "3,000", "0.250 ± 0.050"} <= set(shown)
    run = RunResult(tmp_path, [{"model": "QRNN", "rmse": 0.5}], {"steps": 7, "verdict": None})
    shown = Cells(run._repr_html_()).cells
    assert {"steps", "7", "QRNN", "0.5", str(tmp_path)} <= set(shown)
    assert "<table>" in RunResult(tmp_path, [], {})._repr_html_()
