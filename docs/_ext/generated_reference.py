"""Reference pages written from the code itself: commands, keys of job files, methods.

They are made anew at each build, so they cannot be out of date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, ClassVar

import typer
from pygments.lexer import RegexLexer, words
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Punctuation,
    String,
    Whitespace,
)
from sphinx.application import Sphinx
from typer.cli import get_docs_for_click

from qrnn_qiskit.circuit import FAMILIES
from qrnn_qiskit.cli.app import app as commands
from qrnn_qiskit.gradients import RULES
from qrnn_qiskit.learning.plugins import DATASETS, LOSSES, OPTIMIZERS
from qrnn_qiskit.spec.compose import json_schema

PLUGINS = {
    "Families of cells (`cell.name`)": FAMILIES,
    "Data sets (`data.name`)": DATASETS,
    "Losses (`loss.name`)": LOSSES,
    "Gradient rules (`gradient.method`)": RULES,
    "Optimizers (`optimizer.name`)": OPTIMIZERS,
}


class QasmLexer(RegexLexer):
    """OpenQASM 3."""

    name = "OpenQASM"
    aliases = ("qasm",)
    tokens: ClassVar = {
        "root": [
            (r"//.*", Comment.Single),
            (r"@[^\n]*", Name.Decorator),
            (r'"[^"]*"', String),
            (
                words(("OPENQASM", "include", "input", "if", "else", "for", "gate"), r"\b", r"\b"),
                Keyword,
            ),
            (words(("qubit", "bit", "float", "angle", "bool"), r"\b", r"\b"), Keyword.Type),
            (words(("measure", "reset", "barrier"), r"\b", r"\b"), Name.Builtin),
            (r"\d+(\.\d+)?", Number),
            (r"\w+", Name),
            (r"\s+", Whitespace),
            (r".", Punctuation),
        ]
    }


def write_pages(app: Sphinx) -> None:
    """Write `reference/generated/*.md`, touching what has changed only."""
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(exist_ok=True)
    pages = {"commands": command_page(), "job-keys": key_page(json_schema())}
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def command_page() -> str:
    """Every command with its arguments and options."""
    group = typer.main.get_command(commands)
    context = typer.Context(group, info_name="qrnn")
    text = get_docs_for_click(obj=group, ctx=context, name="qrnn", title="Commands")
    return text.replace("```console", "```text").rstrip() + "\n"


def key_page(schema: Mapping[str, Any]) -> str:
    """Every key of a job file: type, default, meaning; and the names that tables take."""
    lines = [
        "# Keys of job files",
        "",
        "Written from the schema that `qrnn config schema` prints. A table that takes a `name`",
        "takes the options of that name as further keys.",
        "",
    ]
    top: dict[str, Any] = {}
    for key, value in schema["properties"].items():
        table = _table(value, schema)
        if table is None:
            top[key] = value
            continue
        lines += [f"## `[{key}]`", "", table.get("description", ""), ""]
        lines += _rows(table["properties"])
    lines[5:5] = ["## Top level", "", *_rows(top)]
    for title, registry in PLUGINS.items():
        lines += [f"## {title}", "", "| name | what it is | options |", "| --- | --- | --- |"]
        for name in registry.names():
            kind = registry.type_of(name)
            summary = _cell((kind.__doc__ or "").strip().partition("\n\n")[0])
            options = ", ".join(f"`{_option(field)}`" for field in fields(kind))
            lines.append(f"| `{name}` | {summary} | {options} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _table(value: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The definition of a key that is a table; None for other keys."""
    for choice in (value, *value.get("anyOf", ())):
        if "$ref" in choice:
            found: Mapping[str, Any] = schema["$defs"][choice["$ref"].rpartition("/")[2]]
            return found if "properties" in found else None
    return None


def _rows(properties: Mapping[str, Any]) -> Iterator[str]:
    yield from ("| key | type | default | meaning |", "| --- | --- | --- | --- |")
    for key, value in properties.items():
        default = "" if value.get("default") is None else f"`{json.dumps(value['default'])}`"
        meaning = _cell(value.get("description", ""))
        yield f"| `{key}` | {_cell(_type(value))} | {_cell(default)} | {meaning} |"
    yield ""


def _option(field: Field[Any]) -> str:
    return field.name if field.default is MISSING else f"{field.name} = {field.default!r}"


def _type(value: Mapping[str, Any]) -> str:
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if "anyOf" in value:
        texts = [_type(choice) for choice in value["anyOf"] if choice.get("type") != "null"]
        return " or ".join(dict.fromkeys(texts))
    if "$ref" in value:
        return "table"
    kind = str(value.get("type", "any"))
    if kind == "array":
        return f"list of {_type(value.get('items', {}))}"
    return {"object": "table", "string": "text"}.get(kind, kind)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def as_restructured_text(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Mend what docstrings write as in Markdown: |x| is no substitution, `PUB`s ends a word."""
    for i, line in enumerate(lines):
        parts = re.split(r"(`[^`]*`)", line)
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        lines[i] = re.sub(r"(`[^`]*`)(?=\w)", r"\1\\ ", "".join(parts))


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_lexer("qasm", QasmLexer)
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", as_restructured_text)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
