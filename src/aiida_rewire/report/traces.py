"""Figures of traces from the database: one chain with its stages and bonds, or several beside each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from aiida_rewire.errors import InvalidInput
from aiida_rewire.report.style import Width, journal_style, new_figure
from aiida_rewire.trace.figure import draw_bonds, draw_plateaus, draw_points, draw_stages
from aiida_rewire.trace.table import microsiemens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiida_rewire.database.traces import ChainTrace
    from aiida_rewire.trace.plateaus import Plateau

MOST_PANELS = 20

T_LABEL = r"T per spin at E$_\mathrm{F}$ = G/G$_0$"

Plateaus = Mapping[tuple[str, str], "Sequence[Plateau]"]
"""By campaign and chain."""


def plateaus_of_chains(
    traces: Sequence[ChainTrace], *, smallest_step_g0: float | None = None
) -> dict[tuple[str, str], list[Plateau]]:
    """Return the plateaus of traces, by campaign and chain.

    Parameters
    ----------
    traces
        From `aiida_rewire.database.traces.chain_traces`.
    smallest_step_g0
        Between two plateaus, G0; 0.1 by default.

    Raises
    ------
    InvalidInput
        If two snapshots of a chain are of one time, or the step is negative.
    """
    from aiida_rewire.trace.plateaus import SMALLEST_STEP_G0, plateaus_of

    step = SMALLEST_STEP_G0 if smallest_step_g0 is None else smallest_step_g0
    return {
        (trace.campaign, trace.chain): plateaus_of(
            trace.time_ps * 1e-12,
            trace.conductance_g0,
            stages=[str(row["stage"]) for row in trace.rows],
            smallest_step_g0=step,
        )
        for trace in traces
    }


@journal_style()
def draw_traces(
    traces: Sequence[ChainTrace],
    *,
    width: Width | str = Width.SINGLE,
    logarithmic: bool = False,
    plateaus: Plateaus | None = None,
) -> Figure:
    """Draw T against time: of one chain with its bonds below, of several each in a panel.

    Parameters
    ----------
    traces
        From `aiida_rewire.database.traces.chain_traces`.
    width
        Column of a journal.
    logarithmic
        Whether the axis of T is to be.
    plateaus
        To be marked, from `plateaus_of_chains`.

    Raises
    ------
    InvalidInput
        If there is no trace, or more than fit a page.
    """
    if not 1 <= len(traces) <= MOST_PANELS:
        raise InvalidInput(
            "chains",
            f"{len(traces)}",
            f"from 1 to {MOST_PANELS} for a figure",
            "choose some with --chain, --campaign or --voltage",
        )
    if len(traces) == 1:
        return _one(traces[0], Width(width), logarithmic, plateaus or {})
    return _several(traces, Width(width), logarithmic, plateaus or {})


def _one(trace: ChainTrace, width: Width, logarithmic: bool, plateaus: Plateaus) -> Figure:
    double = width is Width.DOUBLE
    figure = new_figure(width, height_mm=90.0 if double else 72.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    handles = draw_points(upper, trace.rows, size=_mark(trace, 4.0), logarithmic=logarithmic)
    draw_stages(upper, trace.rows)
    line = draw_plateaus(upper, plateaus.get((trace.campaign, trace.chain), ()))
    upper.set_ylabel(T_LABEL)
    if not logarithmic:
        right = upper.secondary_yaxis("right", functions=(microsiemens, lambda value: value / microsiemens(1.0)))
        right.set_ylabel("conductance (µS)")
    _legend(figure, [*handles, *([line] if line else [])], columns=7 if double else 4)
    draw_bonds(lower, trace.rows, label="bonds")
    lower.set_xlabel(_time_label(trace))
    return figure


def _several(traces: Sequence[ChainTrace], width: Width, logarithmic: bool, plateaus: Plateaus) -> Figure:
    across = 2 if width is Width.DOUBLE else 1
    down = math.ceil(len(traces) / across)
    figure = new_figure(width, height_mm=16.0 + 32.0 * down)
    panels = figure.subplots(down, across, squeeze=False, sharey=True)
    one_campaign = len({trace.campaign for trace in traces}) == 1
    handles: dict[str, Line2D] = {}
    for axes, trace in zip(panels.flat, traces, strict=False):
        drawn = draw_points(axes, trace.rows, size=_mark(trace, 3.2), logarithmic=logarithmic)
        draw_stages(axes, trace.rows)
        line = draw_plateaus(axes, plateaus.get((trace.campaign, trace.chain), ()))
        handles |= {str(handle.get_label()): handle for handle in [*drawn, *([line] if line else [])]}
        name = trace.chain if one_campaign else f"{trace.campaign}/{trace.chain}"
        # a label may hold what looks like a formula
        axes.set_title(name or "no chain named", loc="left", pad=2, parse_math=False)
    highest = max(axes.get_ylim()[1] for axes in panels.flat[: len(traces)])
    panels[0, 0].set_ylim(top=highest)
    for axes in panels.flat[len(traces) :]:
        axes.set_axis_off()
    figure.supxlabel("time since the voltage was switched on (ps)", fontsize=7)
    figure.supylabel(T_LABEL, fontsize=7)
    _legend(figure, list(handles.values()), columns=7 if across == 2 else 4)
    return figure


def _legend(figure: Figure, handles: Sequence[Line2D], *, columns: int) -> None:
    # beside the points, for a trace leaves no corner free
    figure.legend(handles=list(handles), loc="outside upper center", ncols=min(columns, max(1, len(handles))))


def _mark(trace: ChainTrace, largest: float) -> float:
    return max(1.8, min(largest, largest * math.sqrt(60 / max(1, len(trace.rows)))))


def _time_label(trace: ChainTrace) -> str:
    if not math.isfinite(trace.voltage_v):
        return "time (ps)"
    return f"time since {trace.voltage_v:g} V was switched on (ps)"
