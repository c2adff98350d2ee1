"""Pictures of measured points: current against voltage, conductance against time, histograms beside computed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.report.style import COLOURS, COMPUTED_COLOUR, COUNTS_MAP, GUIDE_COLOUR, MEASURED_COLOUR
from aiida_rewire.trace.histogram import Histogram
from aiida_rewire.trace.measured import MeasuredTrace
from aiida_rewire.trace.peaks import Peak
from aiida_rewire.trace.table import microsiemens

MOST_NAMED = 6
"""Cycles that have a colour and a name each; of more the colour goes by their number."""

CLIPPED_FROM = 2.0
"""A first bin that is so many times higher than all others is cut off: open gaps would hide every peak."""

MANY_POINTS = 20_000
"""From so many on points are drawn as pixels in PDF and SVG, too."""

PREFIXES = ((1e-15, "f"), (1e-12, "p"), (1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""))


def scaled(values: NDArray[np.float64], unit: str) -> tuple[float, str]:
    """Return the unit that suits values, and how large it is.

    Parameters
    ----------
    values
        In the unit, any shape.
    unit
        Without a prefix.
    """
    largest = float(np.abs(values).max(initial=0.0))
    fitting = [(size, prefix) for size, prefix in PREFIXES if size <= largest]
    size, prefix = fitting[-1] if fitting else (1.0, "")
    return size, f"{prefix}{unit}"


@dataclass(frozen=True)
class Part:
    """What is drawn of one cycle.

    Attributes
    ----------
    name
        Device, and number of the cycle.
    number
        Of the cycle.
    x, y
        In the units of the axes, shape (n,).
    """

    name: str
    number: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def draw_current_voltage(axes: Axes, trace: MeasuredTrace) -> list[Part]:
    """Draw current against voltage, each cycle by itself.

    Parameters
    ----------
    axes
        To draw into.
    trace
        Measured points.

    Returns
    -------
    list of Part
        What was drawn.

    Raises
    ------
    InvalidInput
        If voltage or current were not measured.
    """
    if trace.voltage_v is None or trace.current_a is None:
        there = [
            name
            for name, values in (("voltage", trace.voltage_v), ("current", trace.current_a))
            if values is not None
        ]
        raise InvalidInput(
            "quantities",
            " and ".join(there) or "the conductance alone",
            "voltage and current for I(V)",
            "draw the conductance against time: --against time",
        )
    volt, volt_text = scaled(trace.voltage_v, "V")
    ampere, ampere_text = scaled(trace.current_a, "A")
    axes.axhline(0, color=GUIDE_COLOUR, linewidth=0.6, zorder=0)
    axes.axvline(0, color=GUIDE_COLOUR, linewidth=0.6, zorder=0)
    axes.set_xlabel(f"voltage ({volt_text})")
    axes.set_ylabel(f"current ({ampere_text})")
    return _draw_cycles(axes, trace, trace.voltage_v / volt, trace.current_a / ampere)


def draw_in_time(axes: Axes, trace: MeasuredTrace) -> list[Part]:
    """Draw conductance against time, or against the number of the point where no time was measured.

    Parameters
    ----------
    axes
        To draw into.
    trace
        Measured points.

    Returns
    -------
    list of Part
        What was drawn; a point without a conductance is a gap.

    Raises
    ------
    InvalidInput
        If no point has a conductance.
    """
    if trace.undefined == len(trace.conductance_g0):
        raise InvalidInput(
            "points", f"none of {trace.undefined} with a conductance", "at least one", "draw I(V): --against voltage"
        )
    if trace.time_s is None:
        x, x_text = np.arange(len(trace.conductance_g0), dtype=np.float64), "point"
    else:
        second, unit = scaled(trace.time_s, "s")
        x, x_text = trace.time_s / second, f"time ({unit})"
    for quantum in range(1, 1 + min(10, int(np.nanmax(trace.conductance_g0)))):
        axes.axhline(quantum, color=GUIDE_COLOUR, linewidth=0.6, linestyle="--", zorder=0)
    axes.set_xlabel(x_text)
    axes.set_ylabel("conductance (G$_0$)")
    there_and_back: Any = (microsiemens, lambda value: value / microsiemens(1.0))
    right = axes.secondary_yaxis("right", functions=there_and_back)
    right.set_ylabel("conductance (µS)")
    return _draw_cycles(axes, trace, x, trace.conductance_g0)


def draw_histograms(
    axes: Axes, measured: Histogram, computed: Histogram | None = None, *, peaks: Sequence[Peak] = ()
) -> None:
    """Draw the density of measured conductances, and over it that of computed ones.

    Parameters
    ----------
    axes
        To draw into.
    measured, computed
        Of the same bins; the integral of each over the range is 1.
    peaks
        Of the measured ones; each is marked at its position.
    """
    bins = measured.bins
    density = measured.density()
    axes.stairs(density, bins.edges_g0, fill=True, color=MEASURED_COLOUR, alpha=0.45, label="measured")
    axes.stairs(density, bins.edges_g0, color=MEASURED_COLOUR, linewidth=0.8)
    densities, colours = [density], [MEASURED_COLOUR]
    if computed is not None:
        densities, colours = [density, computed.density()], [MEASURED_COLOUR, COMPUTED_COLOUR]
        axes.stairs(densities[1], bins.edges_g0, color=COMPUTED_COLOUR, linewidth=1.0, label="computed", zorder=3)
    if bins.logarithmic:
        axes.set_xscale("log")
    axes.set_xlim(bins.lowest_g0, bins.highest_g0)
    _clip(axes, densities, colours, bins.edges_g0[1])
    for peak in peaks:
        axes.annotate(
            f"{peak.position_g0:.2f}",
            (peak.position_g0, float(np.interp(peak.position_g0, bins.centres_g0, density))),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize="small",
            path_effects=[withStroke(linewidth=1.5, foreground="white")],
            zorder=4,
        )
    axes.set_xlabel("conductance (G$_0$)")
    axes.set_ylabel("density (per decade)" if bins.logarithmic else "density (1/G$_0$)")
    if computed is not None:
        axes.legend(frameon=False)


def _draw_cycles(axes: Axes, trace: MeasuredTrace, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Part]:
    """Draw all points, a line for each cycle, and say which colour is which; return what was drawn."""
    alone = len(trace.devices) == 1
    parts = [
        Part(f"cycle {cycle}" if alone else f"{device}, cycle {cycle}", cycle, x[chosen], y[chosen])
        for device, cycle, chosen in trace.cycles()
    ]
    raster = sum(len(part.x) for part in parts) > MANY_POINTS
    few = len(parts) <= MOST_NAMED
    # cycles of one device by their numbers, of several in their order
    places = [part.number for part in parts] if alone else list(range(len(parts)))
    scale = ScalarMappable(Normalize(min(places), max(places)), COUNTS_MAP)
    colours: Any = COLOURS if few else scale.to_rgba(np.array(places))
    for part, colour in zip(parts, colours, strict=False):
        axes.plot(part.x, part.y, color=colour, linewidth=0.7, rasterized=raster, label=part.name)
    if not few:
        label = "cycle" if alone else "cycles of all devices, in their order"
        axes.figure.colorbar(scale, ax=axes, location="top", label=label, aspect=40, pad=0.02)
    elif len(parts) > 1:
        legend = axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(len(parts), 3))
        # a name may hold what looks like a formula
        for text in legend.get_texts():
            text.set_parse_math(False)
    return parts


def _clip(axes: Axes, densities: Sequence[NDArray[np.float64]], colours: Sequence[str], first_g0: float) -> None:
    """Let a first bin that is far above all others leave the picture, and say how high it is."""
    others = max(float(density[1:].max(initial=0.0)) for density in densities)
    highest = max(float(density[0]) for density in densities)
    if not others or highest <= CLIPPED_FROM * others:
        axes.set_ylim(0, 1.12 * max(others, highest))
        return
    top = 1.25 * others
    axes.set_ylim(0, top)
    for place, (density, colour) in enumerate(zip(densities, colours, strict=True)):
        if density[0] > top:
            axes.annotate(
                f"\u2191 {density[0]:.2g}",
                (first_g0, top),
                xytext=(3, -9 - 9 * place),
                textcoords="offset points",
                color=colour,
                fontsize="small",
            )
