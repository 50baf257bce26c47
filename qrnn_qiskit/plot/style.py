"""One look for all pictures: a colour-blind-safe palette (Okabe and Ito 2008), thin frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import matplotlib
from matplotlib.axes import Axes

TRUTH: Final = "#000000"
MODEL: Final = "#0072B2"
VALIDATION: Final = "#D55E00"
BASELINES: Final = {"persistence": "#7F7F7F", "ridge": "#CC79A7"}
OTHER_BASELINE: Final = "#009E73"
GUIDE: Final = "#666666"

BAND_ALPHA: Final = 0.25
BAND_SIGMAS: Final = 2.0

_RC: Final[dict[str, Any]] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
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


def decimal_log_ticks(ax: Axes) -> None:
    """Logarithmic y axis with labels such as 0.02, also where it spans less than a decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = ax.get_ylim()
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    decades = high / low
    digits = (1.0,) if decades > 1e3 else (1.0, 2.0, 5.0) if decades > 5 else tuple(range(1, 10))
    ax.yaxis.set_major_locator(LogLocator(base=10.0, subs=digits, numticks=12))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
