"""The picture of a trace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aiida_rewire.trace.table import Row, microsiemens

STAGE_STYLE = {
    # Okabe and Ito's colours, which the colour-blind tell apart, with a marker each
    "gap": ("#0072B2", "o"),
    "islands": ("#E69F00", "s"),
    "contact": ("#009E73", "^"),
    "growth": ("#CC79A7", "D"),
}
MISSING_COLOUR = "#999999"


def draw_trace(rows: Sequence[Row], *, voltage_v: float, title: str) -> Figure:
    """Draw conductance and bonds against time.

    Parameters
    ----------
    rows
        Of a trace, in the order of time.
    voltage_v
        Bias, V.
    title
        Above the picture.
    """
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    there = [row for row in rows if math.isfinite(row["conductance_g0"])]
    missing = [row for row in rows if not math.isfinite(row["conductance_g0"])]
    upper.axhline(1.0, color="#BBBBBB", linewidth=0.8, linestyle="--", zorder=0)
    # the line breaks where a conductance is missing
    upper.plot([r["time_ps"] for r in rows], [r["conductance_g0"] for r in rows], color="#444444", linewidth=1)
    handles = []
    for stage, (colour, marker) in STAGE_STYLE.items():
        points = [r for r in there if r["stage"] == stage]
        if points:
            upper.plot(
                [r["time_ps"] for r in points],
                [r["conductance_g0"] for r in points],
                marker=marker,
                color=colour,
                linestyle="none",
                markersize=7,
            )
            handles.append(Line2D([], [], marker=marker, color=colour, linestyle="none", label=stage))
    if missing:
        upper.plot([r["time_ps"] for r in missing], [0.0] * len(missing), "x", color=MISSING_COLOUR, markersize=7)
        handles.append(Line2D([], [], marker="x", color=MISSING_COLOUR, linestyle="none", label="missing"))
    upper.set_ylabel("conductance (G$_0$)")
    highest = max((row["conductance_g0"] for row in there), default=0.0)
    upper.set_ylim(-0.05, max(1.15, 1.25 * highest))
    upper.legend(handles=handles, frameon=False, loc="upper left", ncols=len(handles))
    right = upper.secondary_yaxis("right", functions=(microsiemens, lambda value: value / microsiemens(1.0)))
    right.set_ylabel("conductance (µS)")
    lower.step([r["time_ps"] for r in rows], [r["bonds"] for r in rows], where="mid", color="#444444")
    lower.set_ylabel("bonds at the\nnarrowest place")
    lower.set_ylim(bottom=0)
    lower.yaxis.get_major_locator().set_params(integer=True)
    lower.set_xlabel(f"time since {voltage_v:g} V was switched on (ps)")
    upper.set_title(title, fontsize=10)
    return figure


def save_trace(rows: Sequence[Row], path: Path, *, voltage_v: float, title: str) -> None:
    """Save the picture of a trace; the ending of the name decides the format."""
    draw_trace(rows, voltage_v=voltage_v, title=title).savefig(path, dpi=200)
