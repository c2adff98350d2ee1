"""The picture of times to contact against voltage."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from aiida_rewire.errors import InvalidInput
from aiida_rewire.report.style import COLOURS, LINE_COLOUR, Width, journal_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from aiida_rewire.trace.kinetics import ContactTime, SeedRun, VoltageSlope

MOST_SERIES = len(COLOURS)
MARKERS = "osDvPX*"
OPEN = {"marker": "^", "markerfacecolor": "white", "markersize": 4}
"""Mark of runs that ended open."""

MOST_TICKS = 12
WIDEST_NAME = 20
"""Letters of a name of which a legend holds several in a row."""

MANY_DECADES = 500.0

SIDE = 0.25
"""Series stand beside each other by this share of the smallest step of the voltage."""


@dataclass(frozen=True)
class Series:
    """Times to contact of one gap and one set of conditions.

    Attributes
    ----------
    name
        For the legend.
    times
        Of each voltage.
    seeds
        What they come from.
    slope
        Of the medians; None where there is none.
    """

    name: str
    times: Sequence[ContactTime]
    seeds: Sequence[SeedRun]
    slope: VoltageSlope | None


@journal_style()
def draw_kinetics(
    series: Sequence[Series], *, width: Width | str = Width.SINGLE, what: str = "first contact"
) -> Figure:
    """Draw medians with quartiles, each seed beside them, and where runs ended open.

    Parameters
    ----------
    series
        At least one, each of a colour.
    width
        Column of a journal.
    what
        The contact whose time it is.

    Raises
    ------
    InvalidInput
        If there is no series, or more than colours.
    """
    if not 1 <= len(series) <= MOST_SERIES:
        raise InvalidInput(
            "gaps and conditions",
            len(series),
            f"from 1 to {MOST_SERIES} for a figure",
            "choose a campaign or a label",
        )
    figure = new_figure(width, height_mm=70.0)
    axes = figure.subplots()
    voltages = sorted({one.voltage_v for line in series for one in line.times})
    step = float(np.diff(voltages).min()) if len(voltages) > 1 else 1.0
    handles = []
    for place, line in enumerate(series):
        shift = SIDE * step * (place / (len(series) - 1) - 0.5) if len(series) > 1 else 0.0
        colour = COLOURS[place]
        _draw_seeds(axes, line, colour, shift, lowest=_earliest(series))
        _draw_slope(axes, line, colour, shift)
        handles.append(_draw_medians(axes, line, colour, MARKERS[place], shift))
    if any(run.contact_ps is None for line in series for run in line.seeds):
        handles.append(Line2D([], [], linestyle="none", label="ended open", color=LINE_COLOUR, **OPEN))  # type: ignore[arg-type]
    axes.set_yscale("log")
    axes.set_xlabel("voltage (V)")
    axes.set_ylabel(f"time to {what} (ps)")
    axes.set_xlim(voltages[0] - 0.5 * step, voltages[-1] + 0.5 * step)
    if len(voltages) <= MOST_TICKS:
        axes.set_xticks(voltages, [f"{value:g}" for value in voltages])
    lower, upper = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if upper < MANY_DECADES * lower else (1.0,)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    wide = max(len(str(handle.get_label())) for handle in handles) > WIDEST_NAME
    legend = figure.legend(handles=handles, loc="outside upper center", ncols=1 if wide else 3)
    # a name may hold what looks like a formula
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def gap_name(gap_angstrom: float) -> str:
    """Name a gap."""
    return "gap as built" if math.isnan(gap_angstrom) else f"gap {gap_angstrom:g} Å"


def _earliest(series: Sequence[Series]) -> float:
    """Return the first contact after the first frame, ps: one at it has no logarithm."""
    return min((run.contact_ps for line in series for run in line.seeds if run.contact_ps), default=0.1)


def _draw_seeds(axes: Axes, line: Series, colour: str, shift: float, *, lowest: float) -> None:
    met = [(run.voltage_v + shift, max(run.contact_ps, lowest)) for run in line.seeds if run.contact_ps is not None]
    if met:
        x, y = zip(*met, strict=True)
        axes.plot(x, y, marker=".", linestyle="none", color=colour, alpha=0.5, markersize=3, zorder=2)
    opened = Counter((run.voltage_v + shift, run.followed_ps) for run in line.seeds if run.contact_ps is None)
    if opened:
        x, y = zip(*opened, strict=True)
        axes.plot(x, y, linestyle="none", color=colour, zorder=5, **OPEN)  # type: ignore[arg-type]
    for place, number in opened.items():
        if number > 1:
            text = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 6, "color": colour}
            axes.annotate(f"{number}", place, **text)  # type: ignore[arg-type]


def _draw_medians(axes: Axes, line: Series, colour: str, marker: str, shift: float) -> Line2D:
    voltages, medians = [], []
    for one in line.times:
        low, middle, high = one.times.lower_quartile_ps, one.times.median_ps, one.times.upper_quartile_ps
        at = one.voltage_v + shift
        longest = max(run.followed_ps for run in line.seeds if run.voltage_v == one.voltage_v)
        if low is not None:
            # an upper quartile that is not known lies beyond the runs that ended open
            axes.plot([at, at], [low, longest if high is None else high], color=colour, linewidth=1.0, zorder=3)
        if middle is not None:
            voltages.append(at)
            medians.append(middle)
    (handle,) = axes.plot(
        voltages,
        medians,
        marker=marker,
        linestyle="none",
        color=colour,
        markersize=5,
        markeredgecolor="white",
        markeredgewidth=0.5,
        zorder=4,
        label=line.name,
    )
    return handle


def _draw_slope(axes: Axes, line: Series, colour: str, shift: float) -> None:
    known = [(one.voltage_v, one.times.median_ps) for one in line.times if one.times.median_ps]
    if line.slope is None or not known:
        return
    voltages, medians = np.array(known, dtype=np.float64).T
    fitted = np.exp(np.log(medians).mean() - line.slope.per_volt * (voltages - voltages.mean()))
    axes.plot(voltages + shift, fitted, color=colour, linewidth=0.7, linestyle="--", zorder=1)
