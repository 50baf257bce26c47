"""The one line that a user reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from qrnn_qiskit.spec.messages import (
    dotted,
    find_problem,
    first_problem,
    key_problem,
    nearest,
    shown,
    unknown_key,
)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("stps", " (did you mean 'steps'?)"),
        ("STEPS", " (did you mean 'steps'?)"),
        ("batchsize", " (did you mean 'batch_size'?)"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_nearest(word: str, hint: str) -> None:
    assert nearest(word, ["steps", "batch_size"]) == hint
    assert nearest(word, []) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ({"a": 1}, ""),
        (True, "true"),
        (-1, "-1"),
        (0.5, "0.5"),
        (float("nan"), "nan"),
        ("a\nb", r"'a\nb'"),
        ([1, "a", {"b": 1}], "[1, 'a', {…}]"),
        ((0.5, False), "[0.5, false]"),
        ("x" * 100, "'" + "x" * 58 + "…"),
    ],
)
def test_shown_as_in_a_job_file_and_in_one_line(value: Any, text: str) -> None:
    assert shown(value) == text


def test_dotted() -> None:
    assert dotted(("data", "split", 1)) == "data.split[1]"
    assert dotted(()) == ""


@dataclass(frozen=True)
class Options:
    rate: Annotated[float, Field(gt=0.0)] = 0.5
    part: Annotated[float, Field(ge=0.25, lt=1.0, allow_inf_nan=False)] = 0.5
    step: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    pair: tuple[float, float] = (0.0, 1.0)
    on: bool = False
    kind: Literal["uniform", "normal"] = "uniform"
    few: Annotated[list[int], Field(min_length=1, max_length=2)] = field(default_factory=list)
    more: Annotated[list[int], Field(min_length=2)] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        if self.text == "bad":
            raise ValueError("text and\nlines do not mix")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("rate", -1, "table.rate = -1: must be greater than 0"),
        ("rate", "fast", "table.rate = 'fast': must be a number"),
        ("rate", 10**400, f"table.rate = {'1' + '0' * 58}…: is too large for a number"),
        ("part", 0.1, "table.part = 0.1: must be at least 0.25"),
        ("part", 2, "table.part = 2: must be less than 1"),
        ("part", float("inf"), "table.part = inf: must be finite"),
        (
            "step",
            "aut",
            "table.step = 'aut': must be a number or 'auto' (did you mean 'auto'?)",
        ),
        ("step", -1, "table.step = -1: must be greater than 0 or 'auto'"),
        ("pair", [1], "table.pair = [1]: must have more values"),
        ("pair", [1, 2, 3], "table.pair = [1, 2, 3]: must have at most 2 values"),
        ("pair", [1, "a"], "table.pair[1] = 'a': must be a number"),
        ("pair", "12", "table.pair = '12': must be a list"),
        ("on", "si", "table.on = 'si': must be true or false"),
        (
            "kind",
            "normall",
            "table.kind = 'normall': must be 'uniform' or 'normal' (did you mean 'normal'?)",
        ),
        ("kind", 3, "table.kind = 3: must be 'uniform' or 'normal'"),
        ("few", [], "table.few = []: must not be empty"),
        ("few", [1, 2, 3], "table.few = [1, 2, 3]: must have at most 2 values"),
        ("more", [1], "table.more = [1]: must have at least 2 values"),
        ("few", [0.5], "table.few[0] = 0.5: must be a whole number"),
        ("text", 3, "table.text = 3: must be text"),
        ("text", "bad", "table: text and lines do not mix"),
    ],
)
def test_first_problem_of_options(key: str, value: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Options).validate_python({key: value})
    assert first_problem(caught.value, "table") == message


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    needed: int
    low: float = 0.0

    @model_validator(mode="after")
    def _check(self) -> Inner:
        if self.low > 1.0:
            raise key_problem("low", self.low, "must not be above 1")
        if self.low < 0.0:
            raise unknown_key("deep.low")
        return self


class Outer(BaseModel):
    inner: Inner


@pytest.mark.parametrize(
    ("inner", "message", "unknown"),
    [
        ({"needed": 1, "low": 2.0}, "inner.low = 2.0: must not be above 1", False),
        ({"needed": 1, "low": -1.0}, "inner.deep.low: unknown key", True),
        ({"low": 2.0}, "inner.needed: is missing", False),
        ({"neded": 1}, "inner.neded: unknown key", True),
        ({"needed": 1, "batch-size": 1}, "inner.batch-size: unknown key", True),
        (3, "inner = 3: must be a table", False),
    ],
)
def test_first_problem_of_tables(inner: Any, message: str, unknown: bool) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"inner": inner})
    assert first_problem(caught.value) == message
    assert find_problem(caught.value).unknown is unknown
