"""Reads Markdown: fenced code blocks with their line numbers, and links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FENCE: Final = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")
_SKIP: Final = re.compile(r"<!--\s*skip:\s*(?P<reason>.*?)\s*-->")
_LINK: Final = re.compile(r"(?P<image>!?)\[(?P<text>[^\[\]]*)\]\((?P<target>[^)\s]+)[^)]*\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, further words of the opening fence, and its text.

    Attributes:
        line: line of the file that holds the block's first line of text, 1-based.
        skip: why it is not executed, from a comment `<!-- skip: reason -->` right before it.
    """

    language: str
    words: tuple[str, ...]
    text: str
    line: int
    skip: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A link or an image outside of code."""

    text: str
    target: str
    line: int
    is_image: bool


def read_blocks(path: Path) -> list[Block]:
    """All fenced code blocks of a Markdown file, in order.

    Raises:
        ValueError: for a block that is never closed, or a skip comment without a reason.
    """
    blocks = []
    previous = ""  # the last line with text
    lines = iter(enumerate(path.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        opening = _FENCE.match(line)
        if opening is None:
            previous = line.strip() or previous
            continue
        indent = len(opening["indent"])
        text = []
        for _, inner in lines:
            if inner.strip() == opening["fence"]:
                break
            text.append(inner[indent:] if inner[:indent].isspace() else inner)
        else:
            raise ValueError(f"{path}:{number}: this code block is never closed")
        skip = _SKIP.fullmatch(previous)
        if skip is not None and not skip["reason"]:
            raise ValueError(f"{path}:{number}: a skipped block says why: <!-- skip: reason -->")
        language, *words = opening["info"].split() or [""]
        blocks.append(
            Block(
                language,
                tuple(words),
                "".join(f"{line}\n" for line in text),
                number + 1,
                None if skip is None else skip["reason"],
            )
        )
        previous = ""
    return blocks


def read_links(path: Path) -> list[Link]:
    """All links and images of a Markdown file, code left out."""
    code = {
        number
        for block in read_blocks(path)
        for number in range(block.line - 1, block.line + block.text.count("\n") + 1)
    }
    links = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if number in code:
            continue
        prose = re.sub(r"`[^`]*`", "", line)
        links += [
            Link(match["text"], match["target"], number, bool(match["image"]))
            for match in _LINK.finditer(prose)
        ]
    return links
