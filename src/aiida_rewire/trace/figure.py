"""The picture of a trace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from aiida_rewire.trace.table import Row, microsiemens

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from aiida_rewire.trace.plateaus import Plateau

STAGE_STYLE = {
    # Okabe and Ito's colours, which the colour-blind tell apart, with a marker each
    "gap": ("#0072B2", "o"),
    "islands": ("#E69F00", "s"),
    "contact": ("#009E73", "^"),
    "growth": ("#CC79A7", "D"),
}
OTHER_STYLE = ("#56B4E9", "o")
"""Of conductances that name no stage."""

MISSING_COLOUR = "#999999"
PLATEAU_COLOUR = "#000000"
BAND = (0.965, 1.0)
"""Height of the band of stages, as shares of the height of the axes."""


def draw_points(axes: Axes, rows: Sequence[Row], *, size: float, logarithmic: bool = False) -> list[Line2D]:
    """Draw conductance against time: a mark of its stage each, hollow where it was taken over, crosses where missing.

    Parameters
    ----------
    axes
        To draw into.
    rows
        Of a trace, in the order of time.
    size
        Of marks, points.
    logarithmic
        Whether the axis of the conductance is to be; what is not positive is not drawn then.

    Returns
    -------
    list of Line2D
        For the legend.
    """
    axes.axhline(1.0, color="#BBBBBB", linewidth=0.8, linestyle="--", zorder=0)
    # the line breaks where a conductance is missing
    axes.plot([r["time_ps"] for r in rows], [r["conductance_g0"] for r in rows], color="#444444", linewidth=size / 7)
    there = [row for row in rows if math.isfinite(row["conductance_g0"])]
    handles = []
    named = {row["stage"] for row in there} - set(STAGE_STYLE)
    for stage, (colour, marker) in (*STAGE_STYLE.items(), *((name, OTHER_STYLE) for name in sorted(named))):
        for reused in (False, True):
            points = [r for r in there if r["stage"] == stage and bool(r["reused_from"]) == reused]
            if points:
                axes.plot(
                    [r["time_ps"] for r in points],
                    [r["conductance_g0"] for r in points],
                    marker=marker,
                    color=colour,
                    markerfacecolor="white" if reused else colour,
                    linestyle="none",
                    markersize=size,
                )
        if any(r["stage"] == stage for r in there):
            name = stage or "no stage named"
            handles.append(Line2D([], [], marker=marker, color=colour, linestyle="none", markersize=size, label=name))
    if any(row["reused_from"] for row in there):
        style = {"marker": "o", "color": "#444444", "markerfacecolor": "white", "markersize": size}
        handles.append(Line2D([], [], linestyle="none", label="taken over", **style))  # type: ignore[arg-type]
    missing = [row for row in rows if not math.isfinite(row["conductance_g0"])]
    if missing:
        # a logarithmic axis has no 0: they stand on its lower end
        times, height = [row["time_ps"] for row in missing], 0.03 if logarithmic else 0.0
        (crosses,) = axes.plot(times, [height] * len(missing), "x", color=MISSING_COLOUR, markersize=size, zorder=4)
        if logarithmic:
            crosses.set_transform(axes.get_xaxis_transform())
        handles.append(
            Line2D([], [], marker="x", color=MISSING_COLOUR, linestyle="none", markersize=size, label="missing")
        )
    highest = max((row["conductance_g0"] for row in there), default=0.0)
    if logarithmic:
        axes.set_yscale("log")
        axes.set_ylim(top=max(1.5, 2 * highest))
    else:
        axes.set_ylim(-0.05 * max(1.0, highest), max(1.15, 1.25 * highest))
    return handles


def draw_stages(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw the band of stages along the upper edge: each reaches half the way to its neighbours."""
    times = [row["time_ps"] for row in rows]
    if not times:
        return
    middles = [(one + other) / 2 for one, other in pairwise(times)]
    start = times[0]
    for place, row in enumerate(rows):
        last = place == len(rows) - 1
        if last or rows[place + 1]["stage"] != row["stage"]:
            end = times[-1] if last else middles[place]
            colour, _ = STAGE_STYLE.get(row["stage"], OTHER_STYLE)
            axes.axvspan(start, end, *BAND, color=colour, linewidth=0, zorder=0.5)
            start = end


def draw_plateaus(axes: Axes, plateaus: Sequence[Plateau]) -> Line2D | None:
    """Draw the mean of each plateau as a line, its standard deviation as a band, jumps as dotted lines.

    Returns
    -------
    Line2D or None
        For the legend.
    """
    for place, plateau in enumerate(plateaus):
        start, end = plateau.start_s * 1e12, plateau.end_s * 1e12
        axes.plot([start, end], [plateau.mean_g0] * 2, color=PLATEAU_COLOUR, linewidth=1.1, zorder=3)
        if math.isfinite(plateau.spread_g0):
            low, high = plateau.mean_g0 - plateau.spread_g0, plateau.mean_g0 + plateau.spread_g0
            axes.fill_between([start, end], low, high, color=PLATEAU_COLOUR, alpha=0.12, linewidth=0, zorder=1)
        if place:
            axes.axvline(start, color=PLATEAU_COLOUR, linewidth=0.6, linestyle=":", zorder=0)
    return Line2D([], [], color=PLATEAU_COLOUR, linewidth=1.1, label="plateau") if plateaus else None


def draw_bonds(axes: Axes, rows: Sequence[Row], *, label: str = "bonds at the\nnarrowest place") -> None:
    """Draw the bonds at the narrowest place against time; a negative number of them is unknown."""
    bonds = [row["bonds"] if row["bonds"] >= 0 else math.nan for row in rows]
    axes.step([r["time_ps"] for r in rows], bonds, where="mid", color="#444444")
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))


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
    handles = draw_points(upper, rows, size=7)
    upper.set_ylabel("conductance (G$_0$)")
    upper.legend(handles=handles, frameon=False, loc="upper left", ncols=max(1, len(handles)))
    right = upper.secondary_yaxis("right", functions=(microsiemens, lambda value: value / microsiemens(1.0)))
    right.set_ylabel("conductance (µS)")
    draw_bonds(lower, rows)
    lower.set_xlabel(f"time since {voltage_v:g} V was switched on (ps)")
    upper.set_title(title, fontsize=10)
    return figure


def save_trace(rows: Sequence[Row], path: Path, *, voltage_v: float, title: str) -> None:
    """Save the picture of a trace; the ending of the name decides the format."""
    draw_trace(rows, voltage_v=voltage_v, title=title).savefig(path, dpi=200)
