"""One look for all pictures: a colour-blind-safe palette (Okabe and Ito 2008), thin frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

TRUTH: Final = "#000000"
MODEL: Final = "#0072B2"
VALIDATION: Final = "#D55E00"
# Each with dashes of its own, so that no line depends on its colour alone.
BASELINES: Final = (
    ("#8C8C8C", (0, (4, 1.2))),
    ("#CC79A7", (0, (4, 1.2, 1, 1.2))),
    ("#009E73", (0, (1, 1.2))),
    ("#E69F00", (0, (7, 1.2))),
    ("#56B4E9", (0, (7, 1.2, 1, 1.2))),
)
# Okabe and Ito's palette with markers, for methods or runs side by side.
LINES: Final = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
    ("#000000", "X"),
)
GUIDE: Final = "#666666"

BAND_ALPHA: Final = 0.25
BAND_SIGMAS: Final = 2.0

# Ratios of the ends of a logarithmic axis: labels at 1, 2 and 5 of each decade lie between.
_FEW_TICKS_BELOW: Final = 8.0
_DECADES_ONLY_ABOVE: Final = 1e3

# Typed Any: matplotlib lists the keys it accepts in a type that differs between its versions.
_RC: Final[Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "date.converter": "concise",
    "figure.titlesize": 12.0,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "mathtext.default": "regular",
}


@contextmanager
def house_style() -> Iterator[None]:
    """The settings above, for the pictures made inside; the user's own are put back after."""
    with matplotlib.rc_context(_RC):
        yield


def logarithmic(ax: Axes, axis: Literal["x", "y"] = "y") -> None:
    """A logarithmic axis with labels such as 0.02, also where it spans less than a decade."""
    if axis == "y":
        ax.set_yscale("log")
        low, high = ax.get_ylim()
    else:
        ax.set_xscale("log")
        low, high = ax.get_xlim()
    scale: XAxis | YAxis = ax.yaxis if axis == "y" else ax.xaxis
    span = high / low
    if span < _FEW_TICKS_BELOW and axis == "y":
        scale.set_major_locator(MaxNLocator(5))
        scale.set_minor_locator(NullLocator())
    else:
        digits = (1.0, 2.0, 5.0) if span < _DECADES_ONLY_ABOVE else (1.0,)
        scale.set_major_locator(LogLocator(base=10.0, subs=digits, numticks=12))
    scale.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
    scale.set_minor_formatter(NullFormatter())


def thousands(ax: Axes, axis: Literal["x", "y"] = "x") -> None:
    """Numbers such as 400k on an axis."""
    scale: XAxis | YAxis = ax.xaxis if axis == "x" else ax.yaxis
    scale.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))


def _number(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
