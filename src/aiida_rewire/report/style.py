"""How figures look: the widths of a journal's columns, letters that can be read at that size, colours for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

MM_PER_INCH = 25.4


class Width(StrEnum):
    """Columns of a journal that a figure is as wide as."""

    SINGLE = "single"
    DOUBLE = "double"


WIDTH_MM = {Width.SINGLE: 89.0, Width.DOUBLE: 183.0}
"""As Nature and the Royal Society of Chemistry (83 and 171 mm, to which they shrink without harm) print them."""

BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
VERMILION = "#D55E00"
SKY = "#56B4E9"
YELLOW = "#F0E442"
BLACK = "#000000"

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Colours that people with any colour vision tell apart: M. Okabe and K. Ito, Color Universal Design,
https://jfly.uni-koeln.de/color/ (2008), recommended by B. Wong, Nat. Methods 8, 441 (2011). Without their yellow,
which is too pale for lines."""

COMPUTED_COLOUR = BLUE
MEASURED_COLOUR = ORANGE
GUIDE_COLOUR = "#BBBBBB"
MISSING_COLOUR = "#888888"
LINE_COLOUR = "#444444"

COUNTS_MAP = "cividis_r"
"""Of counts on white, even in lightness for any colour vision: J. R. Nuñez et al., PLoS ONE 13, e0199239 (2018)."""

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    # comes with matplotlib, so that a figure looks the same everywhere
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 7.0,
    "axes.labelsize": 7.0,
    "axes.titlesize": 7.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "lines.linewidth": 0.9,
    "lines.markersize": 3.5,
    "axes.unicode_minus": True,
    "savefig.dpi": 300,
    # letters stay letters, for journals want to edit them
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    # names inside an SVG follow from this, not from chance
    "svg.hashsalt": "aiida-rewire",
}


@contextmanager
def journal_style() -> Iterator[None]:
    """Let what is drawn and saved inside look as in a journal; matplotlib's other figures stay as they are."""
    with rc_context(STYLE):  # type: ignore[arg-type]
        yield


def new_figure(width: Width | str = Width.SINGLE, *, height_mm: float = 65.0) -> Figure:
    """Return an empty figure as wide as a column, which no window and no global state of pyplot holds.

    Parameters
    ----------
    width
        Of which column.
    height_mm
        Height, mm.
    """
    figure = Figure(figsize=(WIDTH_MM[Width(width)] / MM_PER_INCH, height_mm / MM_PER_INCH), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
