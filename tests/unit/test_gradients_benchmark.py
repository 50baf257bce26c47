"""The benchmark of trainings: what a second call measures, and which constant choices count."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gradients
from benchmarks.trainings import RULE, STEPS


def result(method: str, needed: int | None, shots: int = 100, **more: Any) -> dict[str, Any]:
    """Of a training; without `steps_done` one that went through all steps."""
    task = {"cell": "crx", "steps": 4, "noisy": False, "seed": 0}
    return {
        **task,
        "method": method,
        "needed": needed,
        "shots": shots,
        "start": 1.0,
        "end": 0.1,
        "steps_done": STEPS,
        "rules": {},
    } | more


def test_another_rule_of_auto_repeats_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def constants(task: gradients.Task) -> list[dict[str, Any]]:
        calls.append("constants")
        return [result("exact", None, seed=task[3])]

    def auto(task: gradients.Task, target: float) -> list[dict[str, Any]]:
        assert target == pytest.approx(0.1 + 0.9 / 20)
        calls.append("auto")
        return [result("auto", 7, seed=task[3], rule=RULE)]

    def unbiased(found: dict[str, Any]) -> list[dict[str, Any]]:
        calls.append("unbiased")
        return [result("unbiased", None, found["shots"], seed=found["seed"], rule=RULE)]

    monkeypatch.setattr(gradients, "ProcessPoolExecutor", ThreadPoolExecutor)
    monkeypatch.setattr(gradients, "run_constants", constants)
    monkeypatch.setattr(gradients, "run_auto", auto)
    monkeypatch.setattr(gradients, "run_unbiased", unbiased)
    tasks = [("crx", 4, False, seed) for seed in (0, 1)]
    out = tmp_path / "results.jsonl"

    def measured(keep: str | None) -> list[str]:
        calls.clear()
        lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
        known = [r for line in lines if (r := json.loads(line)).get("rule") in (None, keep)]
        gradients.measure(tasks, known, out, 1)
        return sorted(calls)

    assert measured(RULE) == ["auto"] * 2 + ["constants"] * 2 + ["unbiased"] * 2
    assert measured(RULE) == []
    assert measured("another") == ["auto"] * 2 + ["unbiased"] * 2
    assert len(out.read_text(encoding="utf-8").splitlines()) == 6


def test_the_surest_and_the_thriftiest_constant_choice() -> None:
    """One gets there with both seeds, dearly; one with one of them, cheaply; one is given up."""
    results = []
    for seed, cheap in ((0, 10), (1, None)):
        results += [
            result("difference auto 40", 400, seed=seed),
            result("difference auto 5", cheap, 40, seed=seed),
            result("shift 16", None, 50, seed=seed, steps_done=3),
            result("auto", 20, seed=seed),
        ]
    (row,) = gradients.rows_of(results)
    kinds = gradients.CONSTANT
    assert row.surest(*kinds) == "difference auto 40"
    assert row.thriftiest(*kinds) == "difference auto 5"  # sqrt(10 * 3 * 40) = 35 < 50
    assert [row.arrived(m) for m in ("difference auto 40", "difference auto 5", "shift 16")] == [
        2,
        1,
        0,
    ]
    assert [row.missed(m) for m in ("difference auto 5", "shift 16")] == [1, 0]
    assert gradients.ratio_text(row.logs("auto", "difference auto 40")) == "0.05 ± 0.00"
