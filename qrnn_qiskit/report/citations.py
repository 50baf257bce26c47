"""Which publications the methods of a run come from, as BibTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, Final

ALWAYS: Final = ("qrnn_qiskit", "qiskit2024")
# Table and name in a job, to keys of `references.bib`.
SOURCES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("cell", "bausch"): ("bausch2020",),
    ("cell", "li_pqrnn"): ("li2023",),
    ("cell", "li_sqrnn"): ("li2023",),
    ("cell", "qru"): ("wu2026",),
    ("cell", "reupload"): ("perez2020",),
    ("cell", "takaki"): ("takaki2021",),
    ("cell", "viqueira_emcz2"): ("viqueira2023",),
    ("cell", "viqueira_emcz3"): ("viqueira2023",),
    ("data", "dectriang"): ("viqueira2023",),
    ("data", "elman_xor"): ("bausch2020",),
    ("data", "elman_letters"): ("bausch2020",),
    ("data", "dna"): ("bausch2020",),
    ("data", "simple_sequence"): ("bausch2020",),
    ("gradient", "parameter_shift"): ("mitarai2018", "schuld2019"),
    ("gradient", "gate_shift"): ("wierichs2022",),
    ("gradient", "tied_shift"): ("wierichs2022",),
    ("gradient", "random_occurrences"): ("mitarai2018", "schuld2019"),
    ("gradient", "spsa"): ("spall1992",),
    ("optimizer", "adam"): ("kingma2014",),
    ("optimizer", "bfgs"): ("scipy2020",),
    ("optimizer", "l_bfgs_b"): ("byrd1995", "scipy2020"),
}
ADAPTIVE_SHOTS: Final = "gu2021"


def methods_used(job: Mapping[str, Any], gradients: Iterable[str]) -> set[tuple[str, str]]:
    """Tables and names of what a run used.

    Args:
        job: its resolved tables.
        gradients: the methods that its steps took; `auto` decides by step.
    """
    used = {("gradient", method) for method in gradients}
    for table, key in (("cell", "name"), ("data", "name"), ("optimizer", "name")):
        name = (job.get(table) or {}).get(key)
        if name is not None:
            used.add((table, str(name)))
    return used


def bibtex(used: Iterable[tuple[str, str]], version: str, *, adaptive: bool = False) -> str:
    """Entries for the library itself and all sources of what was used, in the file's order."""
    keys = {*ALWAYS, *(key for one in used for key in SOURCES.get(one, ()))}
    if adaptive:
        keys.add(ADAPTIVE_SHOTS)
    found = [entry for key, entry in entries().items() if key in keys]
    return "\n\n".join(found).replace("VERSION", version)


def entries() -> dict[str, str]:
    """All entries of `references.bib` by their key."""
    text = files("qrnn_qiskit.report").joinpath("references.bib").read_text(encoding="utf-8")
    parts = re.split(r"\n(?=@)", text.strip())
    return {re.match(r"@\w+\{([^,]+),", part)[1]: part.strip() for part in parts}  # type: ignore[index]
