from __future__ import annotations

import re

import pytest

from qrnn_qiskit.circuit import FAMILIES
from qrnn_qiskit.gradients import RULES
from qrnn_qiskit.learning.plugins import DATASETS, OPTIMIZERS
from qrnn_qiskit.registry import Registry
from qrnn_qiskit.report.citations import (
    ADAPTIVE_SHOTS,
    ALWAYS,
    SOURCES,
    bibtex,
    entries,
    methods_used,
)

REGISTRIES = {"cell": FAMILIES, "data": DATASETS, "gradient": RULES, "optimizer": OPTIMIZERS}
# Without a publication of their own to cite.
OURS = {
    "cell": {"hardware_efficient", "parity2", "connerty"},
    "gradient": {"finite_difference"},
    "optimizer": {"sgd", "ridge"},
}


@pytest.mark.parametrize("table", ["cell", "gradient", "optimizer"])
def test_every_method_has_its_source_or_is_known_to_have_none(table: str) -> None:
    registry: Registry = REGISTRIES[table]
    named = {name for where, name in SOURCES if where == table}
    assert named | OURS[table] == set(registry.names())
    assert not named & OURS[table]


def test_every_source_is_an_entry_that_is_used() -> None:
    used = {*ALWAYS, ADAPTIVE_SHOTS, *(key for keys in SOURCES.values() for key in keys)}
    assert used == set(entries())
    assert {name for table, name in SOURCES if table == "data"} <= set(DATASETS.names())


@pytest.mark.parametrize("key", entries())
def test_entries_are_well_formed(key: str) -> None:
    entry = entries()[key]
    assert entry.count("{") == entry.count("}")
    assert re.fullmatch(r"@(article|misc|inproceedings|software)\{.*\n\}", entry, re.DOTALL)
    for field in ("title", "author"):
        assert f"  {field} = {{" in entry


def test_a_run_cites_what_it_used() -> None:
    job = {"cell": {"name": "takaki"}, "data": {"file": "x.csv"}, "optimizer": {"name": "adam"}}
    used = methods_used(job, ["spsa"])
    assert used == {("cell", "takaki"), ("optimizer", "adam"), ("gradient", "spsa")}
    text = bibtex(used, "1.2.3", adaptive=True)
    for key in ("takaki2021", "kingma2014", "spall1992", "gu2021", "qiskit2024", "qrnn_qiskit"):
        assert f"{{{key}," in text
    assert "mitarai2018" not in text
    assert "Version 1.2.3" in text
