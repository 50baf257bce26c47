"""Errors of the OpenQASM parser and importer in words that say what to write instead."""

from __future__ import annotations

import re


def syntax_error(error: Exception) -> tuple[int, str]:
    """Line (0 if unknown) of an error of the parser, and what it says."""
    message = str(error)
    place = re.match(r"L(\d+):C\d+: (.*)", message, re.DOTALL)
    if place:
        return int(place[1]), place[2]
    cause = error.__cause__
    token = getattr(cause.args[0] if cause and cause.args else None, "offendingToken", None)
    if token is None:
        return 0, message or "the text cannot be parsed; is a ; or } missing?"
    if token.text == "<EOF>":
        return token.line, "the file ends in the middle of a statement; is a ; or } missing?"
    return token.line, f"unexpected {token.text!r}; is a ; missing before it?"


def importer_message(message: str, source: str) -> str:
    """What the importer says, with file, line and advice."""
    message = message.strip('"')
    place = re.match(r"(\d+),\d+: (.*)", message, re.DOTALL)
    if place is None:
        return f"{source}: {message}"
    text = place[2].rstrip(".")
    if gate := re.match(r"gate '(\w+)' is not defined", text):
        text += f": define it in this file, gate {gate[1]}(a) q {{ … }}"
    elif symbol := re.match(r"Undefined symbol '(\w+)'", text):
        text = (
            f"{symbol[1]!r} is not declared: declare an input (@qrnn.weight or @qrnn.feature, then "
            f"input float[64] {symbol[1]};) or a register (qubit[1] {symbol[1]};)"
        )
    elif symbol := re.match(r"(?:Symbol )?'(\w+)' (?:is )?already", text):
        text = (
            f"{symbol[1]!r} is declared twice, or is the name of a gate or constant: rename it, "
            f"for example to {symbol[1]}_0"
        )
    elif "declarations of type" in text:
        text += ": write the number where it is used"
    elif "measurements must save their result" in text:
        text = "a measurement needs a bit: readout[0] = measure io[0];"
    elif "cannot be resolved" in text or "unsupported binary operation" in text:
        text += (
            ": expressions of angles may use + - * / only; an elementwise encoding goes into the "
            "annotation, @qrnn.feature arccos"
        )
    elif "Physical qubit" in text:
        text = "physical qubits such as $0 are not supported: use io[0], hidden[0]"
    return f"{source}:{place[1]}: {text}"
