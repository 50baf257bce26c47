"""What all tables of a job file have in common: strict keys and values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from qrnn_qiskit.spec.messages import key_problem


def _not_empty(value: Any) -> Any:
    if value == "":  # as a path it would be the current folder
        raise ValueError("must not be empty")
    return value


Positive = Annotated[int, Field(gt=0)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(min_length=1)]
# TOML has text for paths and lists for tuples: these alone are converted.
FilePath = Annotated[Path, Field(strict=False), BeforeValidator(_not_empty)]
Pair = Annotated[tuple[float, float], Field(strict=False)]
Fractions = Annotated[tuple[float, float, float], Field(strict=False)]
# TOML has no null, so that the bound is removed by a word.
Bound = Annotated[
    Annotated[float, Field(gt=0.0)] | None,
    BeforeValidator(
        lambda value: None if value == "none" else value,
        json_schema_input_type=float | Literal["none"] | None,
    ),
]


class Table(BaseModel):
    """A table with fixed keys. Whole numbers serve as floats; nothing else is converted."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True
    )


class TableWithOptions(Table):
    """A table that names something with options of its own, which are checked where it is made."""

    model_config = ConfigDict(extra="allow")

    @property
    def options(self) -> dict[str, Any]:
        """The keys that are not fixed ones."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        for key, value in self.options.items():
            if problem := _wrong_option(value):
                raise key_problem(key, value, problem)
        return self


def _wrong_option(value: Any) -> str:
    """What is wrong with an option's value; empty if nothing. Options are what JSON can hold."""
    if isinstance(value, list):
        return next((problem for item in value if (problem := _wrong_option(item))), "")
    if isinstance(value, dict):
        return next((problem for item in value.values() if (problem := _wrong_option(item))), "")
    if isinstance(value, float) and not math.isfinite(value):
        return "must be finite"
    if not isinstance(value, bool | int | float | str):
        return "must be a number, text, true, false, a list or a table (dates go in quotes)"
    return ""
