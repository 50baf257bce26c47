"""What a user reads when a value is wrong: one line, with the key's path and what is allowed."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

_LONGEST = 60

# Messages for the error types that need no number or name; those with one are in `_allowed`.
_PLAIN = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be finite",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be a path, as text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "dataclass_type": "must be a table",
}
# What a member of a union that is no list says of a list that has values.
_NO_LIST = (*(kind for kind in _PLAIN if not kind.startswith(("list", "tuple"))), "too_short")
_MEMBER = re.compile(r"^(bool|int|float|str|none)$|\W")
_KEY_PROBLEM = "key_problem"
_UNKNOWN_KEY = "unknown_key"
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument", _UNKNOWN_KEY)


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing that a validation found wrong.

    Attributes:
        location: path of the key, such as `("training", "steps")` or `("data", "split", 1)`.
        given: what the user wrote there, as in a job file; empty where it would not help.
        allowed: what is wrong or allowed, such as `"must be greater than 0"`.
        unknown: True where the key itself is the mistake.
    """

    location: tuple[str | int, ...]
    given: str
    allowed: str
    unknown: bool = False

    @property
    def path(self) -> str:
        """Dotted path of the key, list positions in brackets: `"data.split[1]"`."""
        return dotted(self.location)

    def __str__(self) -> str:
        given = f" = {self.given}" if self.given else ""
        return f"{self.path}{given}: {self.allowed}" if self.path else self.allowed


def nearest(word: str, known: Iterable[str]) -> str:
    """`" (did you mean 'x'?)"` for the known word closest to `word`, or `""` if none is close."""
    lowered = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return f" (did you mean {lowered[close[0]]!r}?)" if close else ""


def first_problem(error: ValidationError, path: str = "") -> str:
    """One line for the first problem in `error`, such as `"training.steps = -1: must be …"`.

    Args:
        error: what pydantic raised.
        path: dotted path of the table that was validated, such as `"optimizer"`; empty for a job.
    """
    return str(find_problem(error, path))


def find_problem(error: ValidationError, path: str = "") -> Problem:
    """The first problem in `error`; mistyped keys come first, as they explain missing ones."""
    details = error.errors(include_url=False)
    chosen = next((d for d in details if d["type"] in _UNKNOWN), details[0])
    kind, given, context = chosen["type"], chosen["input"], chosen.get("ctx", {})
    table: tuple[str | int, ...] = tuple(path.split(".")) if path else ()
    if kind in (_KEY_PROBLEM, _UNKNOWN_KEY):
        table = (*table, *chosen["loc"])
        location = (*table, *context["key"].split("."))
        if kind == _UNKNOWN_KEY:
            return Problem(location, "", "unknown key", unknown=True)
        return Problem(location, shown(context["given"]), context["allowed"])
    if kind in _UNKNOWN:
        return Problem((*table, *chosen["loc"]), "", "unknown key", unknown=True)
    location = _key_of(chosen)
    if kind == "missing":
        if location and isinstance(location[-1], int):  # the input is the whole list
            return Problem((*table, *location[:-1]), shown(given), "must have more values")
        return Problem((*table, *location), "", "is missing")
    location, given, members = _members(details, location, given)
    allowed = list(dict.fromkeys(_allowed(d) for d in members))
    text = allowed[0] + "".join(f" or {each.removeprefix('must be ')}" for each in allowed[1:])
    return Problem((*table, *location), shown(given), text)


def _members(
    details: list[ErrorDetails], location: tuple[str | int, ...], given: Any
) -> tuple[tuple[str | int, ...], Any, list[ErrorDetails]]:
    """What the members of a union say at a key, each what it would allow; where and of what.

    A list is no mistaken number: what is wrong with it, or with a value in it, comes first.
    """
    own = [d for d in details if _key_of(d) == location]
    if not isinstance(given, list | tuple) or not given:
        return location, given, own
    of_lists = [d for d in own if d["type"] not in _NO_LIST]
    places = [
        tuple(p for p in d["loc"] if isinstance(p, int) or not _MEMBER.search(p)) for d in details
    ]
    within = [i for i, place in enumerate(places) if place[:-1] == location]
    if of_lists or not within:
        return location, given, of_lists or own
    first = within[0]
    if details[first]["type"] == "missing":
        return location, given, [details[first]]
    same = [details[i] for i in within if places[i] == places[first]]
    return places[first], details[first]["input"], same


def key_problem(key: str, given: Any, allowed: str) -> PydanticCustomError:
    """For a validator of a whole table: the error that names one key of it.

    Args:
        key: the key, relative to the table that is validated: `"low"`, or `"backend.shots"`.
        given: its value; None leaves it out of the message.
        allowed: what is wrong or allowed, such as `"must be below high = 1.0"`.
    """
    context = {"key": key, "given": given, "allowed": allowed}
    return PydanticCustomError(_KEY_PROBLEM, "{key}: {allowed}", context)


def unknown_key(key: str) -> PydanticCustomError:
    """For a validator of a whole table: the error that refuses one key of it."""
    return PydanticCustomError(_UNKNOWN_KEY, "{key}: unknown key", {"key": key})


def dotted(location: Iterable[str | int]) -> str:
    """`("data", "split", 1)` as `"data.split[1]"`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shown(value: Any) -> str:
    """A value as one writes it in a job file, in one short line; `""` for None and for tables."""
    if value is None or isinstance(value, Mapping):
        return ""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(shown(item) or '{…}' for item in value)}]"
    elif isinstance(value, float | int | str):
        # Plain `int` and `float` print numbers of other libraries without their type's name.
        text = repr(float(value) if isinstance(value, float) else value)
    else:
        text = repr(str(value))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _key_of(detail: ErrorDetails) -> tuple[str | int, ...]:
    """Where the problem is, without the names of a union's members (types, not keys)."""
    location = detail["loc"]
    while location and isinstance(location[-1], str) and _MEMBER.search(location[-1]):
        location = location[:-1]
    return location


def _allowed(detail: ErrorDetails) -> str:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "float_type" and isinstance(value, int) and not isinstance(value, bool):
        return "is too large for a number"
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "greater_than":
        return f"must be greater than {_number(context['gt'])}"
    if kind == "greater_than_equal":
        return f"must be at least {_number(context['ge'])}"
    if kind == "less_than":
        return f"must be less than {_number(context['lt'])}"
    if kind == "less_than_equal":
        return f"must be at most {_number(context['le'])}"
    if kind == "literal_error":
        allowed = str(context["expected"])
        words = allowed.replace("'", "").replace(" or ", ", ").split(", ")
        return f"must be {allowed}" + (nearest(value, words) if isinstance(value, str) else "")
    if kind == "missing":
        return "must have more values"
    if kind in ("too_short", "string_too_short"):
        few = context.get("min_length")
        return "must not be empty" if few == 1 else f"must have at least {few} values"
    if kind == "too_long":
        return f"must have at most {context['max_length']} values"
    if kind == "value_error":
        return " ".join(str(context["error"]).split())
    return " ".join(detail["msg"].split())


def _number(value: float) -> str:
    return str(math.floor(value)) if float(value).is_integer() else repr(value)
