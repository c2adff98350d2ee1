"""Histograms of conductances from the database, and their figures: of T, and of T against time or voltage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import MaxNLocator

from aiida_rewire.errors import InvalidInput, known_as
from aiida_rewire.report.style import COMPUTED_COLOUR, COUNTS_MAP, GUIDE_COLOUR, Width, journal_style, new_figure
from aiida_rewire.trace.histogram import (
    BINS_PER_DECADE,
    MOST_BINS,
    WHOLE_TOLERANCE,
    WIDTH_G0,
    Bins,
    Histogram,
    Histogram2D,
    histogram_2d,
    histogram_of_chains,
    linear_bins,
    logarithmic_bins,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from aiida_rewire.database.selected import Selected
    from aiida_rewire.trace.peaks import Peak

Weight = Literal["point", "chain"]
Against = Literal["time", "voltage"]

LOWEST_DECADE = -6
"""Of logarithmic bins by default: transmissions below 1e-6 are not computed to their digits."""

ROOM = 1.3
"""By how much the axis is longer where peaks are marked."""

ALONG = 40
"""Bins of time by default."""

MOST_VOLTAGES = 60
"""With more different ones than this the bins of voltage are equal."""

FEW = 10
"""Counts below are shown in steps of one, not by decades."""

G_LABEL = r"T per spin at E$_\mathrm{F}$ = G/G$_0$"
AXES = {"time": "time since the voltage was switched on (ps)", "voltage": "voltage (V)"}


def bins_for(
    conductances_g0: NDArray[np.float64],
    *,
    logarithmic: bool = False,
    width: float | None = None,
    lowest_g0: float | None = None,
    highest_g0: float | None = None,
) -> Bins:
    """Return bins; what is not given follows from the conductances, so that all of them are inside.

    Parameters
    ----------
    conductances_g0
        G0, shape (n,); NaN where missing.
    logarithmic
        Whether they are to be equal in log10(G/G0).
    width
        Of a bin, G0, 0.05 by default; of logarithmic ones how many a decade, 20 by default.
    lowest_g0, highest_g0
        Ends, G0. By default 0 and the next multiple of G0 that a whole number of bins reaches; of logarithmic ones
        the decades around the conductances, from 1e-6 on.

    Raises
    ------
    InvalidInput
        If a whole number of bins does not fit, the range is empty, or logarithmic bins are no whole number a decade.
    """
    there = conductances_g0[np.isfinite(conductances_g0)]
    highest = float(there.max(initial=0.0))
    if logarithmic:
        with known_as({"per_decade": "width"}):
            return _logarithmic(there, highest, width, lowest_g0, highest_g0)
    step = WIDTH_G0 if width is None else width
    low = 0.0 if lowest_g0 is None else lowest_g0
    if highest_g0 is None:
        highest_g0 = _upper_end(highest, low, step)
    with known_as({"width_g0": "width"}):
        return linear_bins(low, highest_g0, step)


def _upper_end(highest: float, low: float, step: float) -> float:
    """Return the end of a whole number of bins above the highest conductance, if possible a multiple of G0 off."""
    if not math.isfinite(low) or not step > 0:
        return low + 1.0
    quantum = max(1.0, math.ceil(highest - low))
    number = quantum / step
    # too many bins are refused where they are made
    if number > MOST_BINS or abs(number - round(number)) < WHOLE_TOLERANCE:
        return low + quantum
    return low + step * max(1, math.ceil((highest - low) / step))


def _logarithmic(
    there: NDArray[np.float64], highest: float, width: float | None, low: float | None, high: float | None
) -> Bins:
    per_decade = BINS_PER_DECADE if width is None else width
    if not math.isfinite(per_decade) or per_decade != int(per_decade):
        raise InvalidInput("width", f"{per_decade:g} a decade", "a whole number", f"{BINS_PER_DECADE} is usual")
    if low is None:
        least = float(there[there > 0].min(initial=highest if highest > 0 else 1.0))
        low = 10.0 ** max(LOWEST_DECADE, math.floor(math.log10(least)))
    if high is None:
        decades = math.ceil(math.log10(highest / low) - 1e-9) if 0 < low < highest else 1
        high = low * 10.0 ** max(1, decades) if low > 0 else 1.0
    return logarithmic_bins(low, high, int(per_decade))


def histogram_of(found: Selected, bins: Bins) -> Histogram:
    """Count the conductances of a selection, those of each chain by themselves, in the order of the chains.

    Parameters
    ----------
    found
        From `aiida_rewire.database.selected.select`.
    bins
        From `bins_for`.
    """
    return histogram_of_chains((found.transmission[places] for _, _, places in found.chains()), bins)


def histogram_against(found: Selected, bins: Bins, against: Against, *, along: int = ALONG) -> Histogram2D:
    """Count the conductances of a selection against time (ps) or voltage (V).

    Parameters
    ----------
    found
        From `aiida_rewire.database.selected.select`.
    bins
        Of the conductance.
    against
        Which.
    along
        How many bins of time. Each voltage has a bin of its own, which ends in the middle between it and the next.

    Raises
    ------
    InvalidInput
        If no conductance has a time or a voltage.
    """
    x = found.time_ps if against == "time" else found.voltage_v
    there = x[np.isfinite(x)]
    if not len(there):
        raise InvalidInput(against, "none", "known of at least one conductance", "leave --against out")
    edges = voltage_edges(there) if against == "voltage" else even_edges(there, along)
    return histogram_2d([(x, found.transmission)], edges, bins)


def even_edges(values: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """Return the edges of equal bins over values; of a single one a bin of width 1 around it."""
    if number < 1:
        raise InvalidInput("along", number, "at least 1", f"{ALONG} is usual")
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, number + 1)


def voltage_edges(voltages_v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return edges, V, in the middle between voltages; the outer ones as far off as the inner ones."""
    different = np.unique(np.round(voltages_v, 9))
    if len(different) > MOST_VOLTAGES:
        return even_edges(voltages_v, MOST_VOLTAGES)
    if len(different) == 1:
        return even_edges(different, 1)
    middles = (different[1:] + different[:-1]) / 2
    first, last = 2 * different[0] - middles[0], 2 * different[-1] - middles[-1]
    return np.concatenate([[first], middles, [last]])


@journal_style()
def draw_histogram(
    histogram: Histogram,
    *,
    peaks: Sequence[Peak] = (),
    weight: Weight = "point",
    width: Width | str = Width.SINGLE,
    label: str = "",
) -> Figure:
    """Draw a histogram: how many conductances are in each bin, or their density if each chain is to weigh the same.

    Parameters
    ----------
    histogram
        From `histogram_of`.
    peaks
        From `aiida_rewire.trace.peaks.peaks_of`; each is marked with its position and error.
    weight
        What weighs the same, each point or each chain.
    width
        Column of a journal.
    label
        For the legend; without one there is none.

    Raises
    ------
    InvalidInput
        If no conductance is within the bins.
    """
    figure = new_figure(width, height_mm=62.0)
    axes = figure.subplots()
    draw_steps(axes, histogram, weight=weight, label=label)
    mark_peaks(axes, peaks)
    axes.set_xlabel(G_LABEL)
    if weight == "point":
        axes.set_ylabel("conductances")
        axes.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    else:
        axes.set_ylabel("density (per decade)" if histogram.bins.logarithmic else "density (1/G$_0$)")
    if label:
        axes.legend()
    return figure


def draw_steps(
    axes: Axes,
    histogram: Histogram,
    *,
    weight: Weight | Literal["density"] = "point",
    colour: str = COMPUTED_COLOUR,
    label: str = "",
    filled: bool = True,
) -> None:
    """Draw the steps of a histogram into axes; several drawn with ``density`` lie over each other to be compared.

    Parameters
    ----------
    axes
        To draw into.
    histogram
        Of any conductances, computed or measured.
    weight
        ``point``: counts. ``chain``: density, each chain weighs the same. ``density``: each point weighs the same.
    colour, label, filled
        How it looks.

    Raises
    ------
    InvalidInput
        If no conductance is within the bins.
    """
    histogram.require_points()
    bins = histogram.bins
    each: Weight = "chain" if weight == "chain" else "point"
    heights = histogram.total if weight == "point" else histogram.density(each=each)
    if filled:
        axes.stairs(heights, bins.edges_g0, fill=True, color=colour, alpha=0.35, linewidth=0)
    axes.stairs(heights, bins.edges_g0, color=colour, linewidth=0.9, label=label or None)
    if bins.logarithmic:
        axes.set_xscale("log")
    else:
        for quantum in range(math.ceil(bins.lowest_g0), min(math.floor(bins.highest_g0), 20) + 1):
            if quantum > 0:
                axes.axvline(quantum, color=GUIDE_COLOUR, linewidth=0.6, linestyle="--", zorder=0)
    axes.set_xlim(bins.lowest_g0, bins.highest_g0)
    axes.set_ylim(0, max(axes.get_ylim()[1], 1.05 * float(np.max(heights))))


def mark_peaks(axes: Axes, peaks: Sequence[Peak]) -> None:
    """Write the position of each peak, with its error where it is known, where it is."""
    if not peaks:
        return
    # room beside the lines, above the highest bin
    axes.set_ylim(0, ROOM * axes.get_ylim()[1])
    for peak in peaks:
        axes.axvline(peak.position_g0, color="#444444", linewidth=0.6, zorder=1)
        axes.annotate(
            number_text(peak.position_g0, peak.position_error_g0, digits=1),
            (peak.position_g0, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(1.5, -2),
            textcoords="offset points",
            rotation=90,
            ha="left",
            va="top",
            fontsize=6,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )


def number_text(value: float, error: float, *, digits: int = 2) -> str:
    """Return a number to so many digits of its error, and the error if it is known."""
    if not math.isfinite(error) or error <= 0:
        return f"{value:.3g}"
    places = min(9, max(0, digits - 1 - math.floor(math.log10(error))))
    return f"{value:.{places}f} ± {error:.{places}f}"


@journal_style()
def draw_histogram_2d(histogram: Histogram2D, against: Against, *, width: Width | str = Width.SINGLE) -> Figure:
    """Draw how many conductances are in each bin of T and of time or voltage: the darker the more, none is white.

    Parameters
    ----------
    histogram
        From `histogram_against`.
    against
        Which.
    width
        Column of a journal.

    Raises
    ------
    InvalidInput
        If no conductance is within the bins.
    """
    if not histogram.counts.any():
        raise InvalidInput(
            "points", f"none within the bins, {histogram.outside} outside", "at least one", "take another range"
        )
    figure = new_figure(width, height_mm=65.0)
    axes = figure.subplots()
    bins = histogram.bins
    counts = np.ma.masked_equal(histogram.counts.T, 0)
    most = int(counts.max())
    few = most < FEW
    norm = Normalize(0, most) if few else LogNorm(1, most)
    mesh = axes.pcolormesh(histogram.edges, bins.edges_g0, counts, cmap=COUNTS_MAP, norm=norm, rasterized=True)
    if bins.logarithmic:
        axes.set_yscale("log")
    axes.set_xlabel(AXES[against])
    axes.set_ylabel(G_LABEL)
    bar = figure.colorbar(mesh, ax=axes, pad=0.02, ticks=MaxNLocator(integer=True) if few else None)
    bar.set_label("conductances")
    return figure
