"""All examples, and their tables in the tutorial.

python -m examples.hybrid [--quick] [--write docs/tutorials/hybrid.md] [NAME ...]
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import torch

from examples.hybrid import deep_head, gated, reuploading, timing, toy_series, transfer, warm_start

EXAMPLES = {
    "toy_series": toy_series.run,
    "gated": gated.run,
    "timing": timing.run,
    "deep_head": deep_head.run,
    "transfer": transfer.run,
    "warm_start": warm_start.run,
    "reuploading": reuploading.run,
}


def main() -> None:
    """Run the examples that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", type=Path, help="page with a place for each table")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(EXAMPLES))
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in given.names or EXAMPLES:
        table = EXAMPLES[name](given.quick).markdown()
        print(f"\n{name}\n\n{table}", flush=True)
        if given.write is not None:
            text = given.write.read_text(encoding="utf-8")
            place = rf"(<!-- table: {name} -->\n)(?:\|.*\n)*"
            text, count = re.subn(place, lambda m: f"{m[1]}{table}\n", text)  # noqa: B023
            if count != 1:
                raise SystemExit(f"{given.write} has no place for {name}")
            given.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
