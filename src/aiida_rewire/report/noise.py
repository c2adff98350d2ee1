"""The picture of a noise: trace with its plateaus, fluctuations of each, power spectra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from aiida_rewire.errors import InvalidInput
from aiida_rewire.report.style import COLOURS, GUIDE_COLOUR, LINE_COLOUR, Width, journal_style, new_figure
from aiida_rewire.trace.noise_spectrum import HANN_NEIGHBOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from aiida_rewire.trace.noise_spectrum import NoiseSpectrum
    from aiida_rewire.trace.plateau_noise import PlateauNoise

MOST_PLATEAUS = len(COLOURS)
"""So many have a colour each: the longest."""

MOST_TRACES = 4

LEAST_G0 = 0.1
"""Of a plateau whose mean is lower, delta G/G is as large as the junction is open, and hides that of others."""

BINS = 25

MOST_FREQUENCIES = 150
PER_DECADE = 20
"""Points of a spectrum with more frequencies."""

PREFIXES = ((1e-15, "f"), (1e-12, "p"), (1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""))
MULTIPLES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))

MOST_DRAWN = 4000
"""Points of a trace; of more, lowest and highest of equal blocks."""


@dataclass(frozen=True)
class NoisyTrace:
    """A trace and the noise of its plateaus.

    Attributes
    ----------
    name
        Of the chain, or of device and cycle.
    times_s, conductances_g0
        s and G0, shape (n,); NaN where missing.
    plateaus
        From `aiida_rewire.trace.plateau_noise.noise_of_plateaus`.
    """

    name: str
    times_s: NDArray[np.float64]
    conductances_g0: NDArray[np.float64]
    plateaus: Sequence[PlateauNoise]


@dataclass(frozen=True)
class Drawn:
    """A plateau that is drawn in a colour.

    Attributes
    ----------
    noise
        Of it.
    colour, name
        Of its marks, and for the legend.
    """

    noise: PlateauNoise
    colour: str
    name: str


def drawn_plateaus(traces: Sequence[NoisyTrace]) -> list[Drawn]:
    """Return the plateaus that a figure shows: the longest of those whose fluctuation is known, in their order."""
    known = [
        (trace.name, number, one)
        for trace in traces
        for number, one in enumerate(trace.plateaus, 1)
        if one.fluctuation is not None and one.fluctuation.deviation_g0 > 0
    ]
    longest = sorted(known, key=lambda item: -item[2].plateau.points)[:MOST_PLATEAUS]
    chosen = {id(one) for _, _, one in longest}
    shown = [item for item in known if id(item[2]) in chosen]
    return [
        Drawn(one, colour, f"{name + ', ' if len(traces) > 1 else ''}{number}: {one.plateau.mean_g0:.2f} G₀")
        for (name, number, one), colour in zip(shown, COLOURS, strict=False)
    ]


@journal_style()
def draw_noise(traces: Sequence[NoisyTrace], *, width: Width | str = Width.SINGLE) -> Figure:
    """Draw traces with their plateaus, a histogram of delta G/G of each plateau, and the spectra with error bands.

    Parameters
    ----------
    traces
        At least one.
    width
        Column of a journal.

    Raises
    ------
    InvalidInput
        If there is no trace, more than fit, or no plateau fluctuates.
    """
    if not 1 <= len(traces) <= MOST_TRACES:
        raise InvalidInput(
            "traces",
            len(traces),
            f"from 1 to {MOST_TRACES} for a figure",
            "choose some: --chain or --voltage; of measured ones --cycle or --device",
        )
    drawn = drawn_plateaus(traces)
    if not drawn:
        raise InvalidInput(
            "plateaus", "none of 8 points that fluctuates", "at least one for a figure", "take a longer trace"
        )
    double = Width(width) is Width.DOUBLE
    figure = new_figure(width, height_mm=(60.0 if double else 118.0) + 26.0 * len(traces))
    outer = figure.add_gridspec(2, 1, height_ratios=[26.0 * len(traces) + 8, 50.0 if double else 108.0])
    panels = outer[0].subgridspec(len(traces), 1)
    below = outer[1].subgridspec(1, 2) if double else outer[1].subgridspec(2, 1)
    deviations, spectra = figure.add_subplot(below[0]), figure.add_subplot(below[1])
    _draw_traces([figure.add_subplot(panels[place]) for place in range(len(traces))], traces, drawn)
    _draw_deviations(deviations, drawn)
    _draw_spectra(spectra, drawn)
    legend = figure.legend(
        handles=deviations.get_legend_handles_labels()[0], loc="outside upper center", ncols=4 if double else 3
    )
    # a name may hold what looks like a formula
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def unit_of_time(longest_s: float) -> tuple[float, str]:
    """Return the unit that suits a time, in s and by name."""
    fitting = [(size, f"{prefix}s") for size, prefix in PREFIXES if longest_s >= size]
    return fitting[-1] if fitting else (PREFIXES[0][0], "fs")


def unit_of_frequency(highest_hz: float) -> tuple[float, str]:
    """Return the unit that suits a frequency, in Hz and by name."""
    return next(((size, f"{prefix}Hz") for size, prefix in MULTIPLES if highest_hz >= size), (1.0, "Hz"))


def averaged_spectrum(
    spectrum: NoiseSpectrum,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return frequencies (Hz), densities and their relative errors as they are drawn.

    Below four bins above zero the window mixes in what is no noise: that is left out. Where neighbours lie closer
    than a twentieth of a decade, they are averaged, which makes the errors smaller.
    """
    told = spectrum.frequencies_hz >= spectrum.lowest_hz * (1 - 1e-9)
    frequencies, density = spectrum.frequencies_hz[told], spectrum.density[told]
    if len(frequencies) <= MOST_FREQUENCIES:
        return frequencies, density, np.full(len(frequencies), spectrum.relative_error)
    bins = np.floor(PER_DECADE * np.log10(frequencies / frequencies[0]) + 1e-9)
    starts = np.flatnonzero(np.diff(bins, prepend=-1.0))
    sizes = np.diff([*starts, len(frequencies)])
    # neighbours under the Hann window tell in part the same
    memory = 1 + 2 * sum(HANN_NEIGHBOURS[1:])
    errors = spectrum.relative_error * np.sqrt(np.minimum(1.0, memory / sizes))
    middles = np.exp(np.add.reduceat(np.log(frequencies), starts) / sizes)
    return middles, np.add.reduceat(density, starts) / sizes, errors


def _draw_traces(panels: Sequence[Axes], traces: Sequence[NoisyTrace], drawn: Sequence[Drawn]) -> None:
    size, unit = unit_of_time(max(float(np.ptp(trace.times_s)) for trace in traces))
    colours = {id(one.noise): one.colour for one in drawn}
    for axes, trace in zip(panels, traces, strict=True):
        times, values = _thinned(trace.times_s, trace.conductances_g0)
        axes.plot(times / size, values, color=GUIDE_COLOUR, linewidth=0.6, zorder=1)
        for one in trace.plateaus:
            colour = colours.get(id(one), LINE_COLOUR)
            if id(one) in colours:
                times, values = _thinned(one.times_s, one.conductances_g0)
                axes.plot(times / size, values, color=colour, linewidth=0.7, zorder=2)
            ends = [one.plateau.start_s / size, one.plateau.end_s / size]
            axes.plot(ends, [one.plateau.mean_g0] * 2, color="black", linewidth=0.8, zorder=3)
        if len(traces) > 1:
            axes.set_title(trace.name, loc="left", pad=2, parse_math=False)
        axes.set_ylabel("G (G$_0$)")
        axes.margins(x=0.01)
    panels[-1].set_xlabel(f"time ({unit})")


def _draw_deviations(axes: Axes, drawn: Sequence[Drawn]) -> None:
    conducting = [one for one in drawn if one.noise.plateau.mean_g0 >= LEAST_G0]
    shown = conducting or list(drawn)
    deviations = []
    for one in shown:
        values = one.noise.conductances_g0[np.isfinite(one.noise.conductances_g0)]
        deviations.append(100 * (values / one.noise.plateau.mean_g0 - 1))
    largest = max(float(np.abs(values).max()) for values in deviations)
    edges = np.linspace(-largest, largest, BINS + 1)
    for one in drawn:
        # one entry of the legend for each, the open ones as well
        axes.plot([], [], color=one.colour, label=one.name)
    for one, values in zip(shown, deviations, strict=True):
        density, _ = np.histogram(values, edges, density=True)
        axes.stairs(density, edges, color=one.colour, linewidth=1.0)
        axes.stairs(density, edges, color=one.colour, fill=True, alpha=0.12)
    axes.axvline(0.0, color=GUIDE_COLOUR, linewidth=0.6, zorder=0)
    axes.set_xlabel("$\\delta$G/G (%)")
    axes.set_ylabel("density (1/%)")
    axes.set_ylim(bottom=0)


def _draw_spectra(axes: Axes, drawn: Sequence[Drawn]) -> None:
    # imported here, as elsewhere: it takes longer than all else of this module
    from scipy.special import digamma

    found = [(one, one.noise.spectrum) for one in drawn if one.noise.spectrum is not None]
    axes.set_ylabel("S$_\\mathrm{G}$ (G$_0^2$/Hz)")
    if not found:
        axes.text(
            0.5,
            0.5,
            "no spectrum: no plateau has\n64 points without a gap",
            ha="center",
            va="center",
            transform=axes.transAxes,
        )
        axes.set_xticks([])
        axes.set_yticks([])
        return
    size, unit = unit_of_frequency(max(spectrum.highest_hz for _, spectrum in found))
    for one, spectrum in found:
        frequencies, density, error = averaged_spectrum(spectrum)
        frequencies = frequencies / size
        # the logarithm of a density has about its relative error
        factor = np.exp(error)
        axes.fill_between(frequencies, density / factor, density * factor, color=one.colour, alpha=0.2, linewidth=0)
        axes.plot(frequencies, density, color=one.colour)
        fit = one.noise.exponent
        if fit is not None:
            band = np.array([fit.lowest_hz, fit.highest_hz])
            inside = (spectrum.frequencies_hz >= band[0] * (1 - 1e-9)) & (
                spectrum.frequencies_hz <= band[1] * (1 + 1e-9)
            )
            # the line of the fit passes through the middle of what it was fitted to
            x = np.log(spectrum.frequencies_hz[inside])
            middle, height = x.mean(), np.log(spectrum.density[inside]).mean()
            # the mean of a logarithm lies below the logarithm of the mean
            height += np.log(spectrum.averages) - digamma(spectrum.averages)
            axes.plot(
                band / size,
                np.exp(height - fit.gamma * (np.log(band) - middle)),
                color="black",
                linewidth=0.7,
                linestyle="--",
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    # plain numbers, of which a short band has some as well
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"frequency ({unit})")


def _thinned(
    times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a line that looks the same, with fewer points."""
    block = 2 * len(values) // MOST_DRAWN
    if block < 2:
        return times, values
    whole = len(values) // block * block
    blocks = values[:whole].reshape(-1, block)
    finite = np.isfinite(blocks)
    low = np.where(finite, blocks, np.inf).min(axis=1)
    high = np.where(finite, blocks, -np.inf).max(axis=1)
    low[~finite.any(axis=1)] = high[~finite.any(axis=1)] = np.nan
    starts = times[:whole:block]
    return np.repeat(starts, 2), np.stack([low, high], axis=1).reshape(-1)
