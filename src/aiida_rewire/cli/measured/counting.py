"""`aiida-rewire measured histogram`: measured conductances, and computed ones on the same axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from aiida_rewire.cli.measured.wording import devices_text, resistance_text
from aiida_rewire.cli.results.output import Answer, Output, give, output_options
from aiida_rewire.cli.results.selecting import Wanted, profile_of, selection_options
from aiida_rewire.cli.results.wording import counted
from aiida_rewire.errors import known_as

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiida_rewire.cli.campaign.showing import Sheet
    from aiida_rewire.database.measurements import Measurement
    from aiida_rewire.database.selected import Selected
    from aiida_rewire.report.caption import Caption
    from aiida_rewire.trace.histogram import Bins, Histogram
    from aiida_rewire.trace.peaks import Peak

OPTIONS = {"width_g0": "--bin", "per_decade": "--log", "lowest_g0": "--range", "range": "--range"}
"""By what errors of bins name."""


@dataclass(frozen=True)
class Counted:
    """What was counted.

    Attributes
    ----------
    chosen
        The measurements.
    measured
        Their histogram, a row for each cycle.
    peaks
        Of it.
    found, computed
        Conductances that were computed, and their histogram, a row for each chain; None where nobody asked.
    """

    chosen: Sequence[Measurement]
    measured: Histogram
    peaks: Sequence[Peak]
    found: Selected | None
    computed: Histogram | None


@click.command("histogram", short_help="Count measured conductances, beside computed ones.")
@click.argument("identifiers", nargs=-1, metavar="[IDENTIFIER]...")
@click.option("--device", metavar="NAME", help="Measured on this device.")
@click.option("--corrected", is_flag=True, help="Those from which a series resistance was taken off.")
@click.option(
    "--range", "ends", nargs=2, type=float, metavar="LOW HIGH", help="Of the conductance, G0. Default: 0 10."
)
@click.option("--bin", "width_g0", type=float, metavar="G0", help="Width of a bin, G0. Default: 0.05.")
@click.option(
    "--log", "per_decade", type=int, metavar="N", help="N bins a decade instead. The range is from 1e-4 to 10 then."
)
@selection_options
@output_options
def histogram_command(
    identifiers: tuple[str, ...],
    device: str | None,
    corrected: bool,
    ends: tuple[float, float] | None,
    width_g0: float | None,
    per_decade: int | None,
    wanted: Wanted,
    output: Output,
) -> None:
    """Count measured conductances: of these nodes, by PK or UUID, or of all as they were measured.

    With --campaign, or any other choice of computed conductances, those are counted on the same axis. Each histogram
    is normalised by itself: its integral over the range is 1.
    """
    if width_g0 is not None and per_decade is not None:
        raise click.UsageError("--bin and --log: give one of them")
    with profile_of(wanted):
        from aiida_rewire.cli.measured.choosing import choose

        with known_as(OPTIONS):
            bins = bins_of(ends, width_g0, per_decade)
        chosen = choose(identifiers, device=device, corrected=corrected)
        result = count(chosen, device, bins, wanted)

        def draw() -> Figure:
            from aiida_rewire.report.measured_figure import draw_histograms
            from aiida_rewire.report.style import new_figure

            figure = new_figure(output.width)
            draw_histograms(figure.subplots(), result.measured, result.computed, peaks=result.peaks)
            return figure

        columns, rows = bin_rows(result)
        give(
            Answer(values_of(result), [sheet_of(result)], columns, rows, draw, lambda: caption(result, wanted)),
            output,
        )


def bins_of(ends: tuple[float, float] | None, width_g0: float | None, per_decade: int | None) -> Bins:
    """Return the bins that were asked for.

    Raises
    ------
    InvalidInput
        If they do not fit the range.
    """
    from aiida_rewire.trace.histogram import HIGHEST_G0, WIDTH_G0, linear_bins, logarithmic_bins

    if per_decade is not None:
        low, high = ends or (1e-4, HIGHEST_G0)
        return logarithmic_bins(low, high, per_decade)
    low, high = ends or (0.0, HIGHEST_G0)
    return linear_bins(low, high, WIDTH_G0 if width_g0 is None else width_g0)


def count(chosen: Sequence[Measurement], device: str | None, bins: Bins, wanted: Wanted) -> Counted:
    """Count measured points, one node after another, and computed conductances where some were asked for.

    Raises
    ------
    InvalidInput
        If none lies within the bins, or none was computed of what was asked for.
    """
    from aiida import orm

    from aiida_rewire.database.queries import Selection
    from aiida_rewire.database.selected import select
    from aiida_rewire.trace.histogram import histogram_of_chains
    from aiida_rewire.trace.peaks import peaks_of

    def cycles() -> Any:
        for one in chosen:
            trace = orm.load_node(one.uuid).trace()
            for name, _, places in trace.cycles():
                if device is None or name == device:
                    yield trace.conductance_g0[places]

    found = computed = None
    if wanted.selection != Selection():
        found = select(wanted.selection, mixed=wanted.mixed)
        computed = histogram_of_chains((chain.transmission for _, _, chain in found.by_chain()), bins)
        computed.require_points()
    measured = histogram_of_chains(cycles(), bins)
    return Counted(chosen, measured, peaks_of(measured), found, computed)


def bin_rows(result: Counted) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return names and rows of the CSV file: a row for each bin."""
    bins = result.measured.bins
    unit = "per_decade" if bins.logarithmic else "per_G0"
    names: tuple[str, ...] = ("from_G0", "to_G0", "measured_points", f"measured_density_{unit}")
    edges = bins.edges_g0
    lists = [edges[:-1], edges[1:], result.measured.total, result.measured.density()]
    if result.computed is not None:
        names += ("computed_points", f"computed_density_{unit}")
        lists += [result.computed.total, result.computed.density()]
    return names, list(zip(*(values.tolist() for values in lists), strict=True))


def values_of(result: Counted) -> dict[str, Any]:
    """Return what was counted, for programs."""
    bins = result.measured.bins
    values: dict[str, Any] = {
        "edges_g0": bins.edges_g0,
        "logarithmic": bins.logarithmic,
        "measured": {**histogram_values(result.measured), "nodes": [one.uuid for one in result.chosen]},
        "peaks": [vars(peak) for peak in result.peaks],
        "computed": None,
    }
    if result.computed is not None and result.found is not None:
        values["computed"] = {**histogram_values(result.computed), "nodes": result.found.uuid}
    return values


def histogram_values(histogram: Histogram) -> dict[str, Any]:
    """Return a histogram for programs; ``parts`` are cycles or chains."""
    return {
        "points": histogram.total,
        "density": histogram.density(),
        "parts": len(histogram.counts),
        "below": histogram.below,
        "above": histogram.above,
        "undefined": histogram.missing,
    }


def sheet_of(result: Counted) -> Sheet:
    """Return peaks, and how much was counted, for people."""
    from aiida_rewire.cli.campaign.showing import Sheet

    unit = "decades" if result.measured.bins.logarithmic else "G0"
    before = [f"measured: {counted_text(result.measured, 'point', 'cycle')}, {nodes_text(result.chosen)}"]
    if result.computed is not None:
        before.append(f"computed: {counted_text(result.computed, 'conductance', 'chain')}")
    cells = [
        (
            with_error(peak.position_g0, peak.position_error_g0),
            with_error(peak.width, peak.width_error),
            f"{100 * peak.share:.1f} %",
        )
        for peak in result.peaks
    ]
    after = [] if cells else ["no peak of the measured points rises above their noise"]
    if cells and result.peaks[0].chains < 2:
        after = ["errors come from the spread over cycles: there is one alone"]
    return Sheet((">peak (G0)", f">full width at half maximum ({unit})", ">share"), cells, before, after)


def counted_text(histogram: Histogram, thing: str, whole: str) -> str:
    """Say how much was counted, and how much lies beyond the bins."""
    bins = histogram.bins
    beyond = {"below": histogram.below, "above": histogram.above, "without a conductance": histogram.missing}
    others = "".join(f", {number} {where}" for where, number in beyond.items() if number)
    inside = f"{counted(histogram.inside, thing)} of {counted(len(histogram.counts), whole)}"
    return f"{inside} from {bins.lowest_g0:g} to {bins.highest_g0:g} G0{others}"


def nodes_text(chosen: Sequence[Measurement]) -> str:
    """Name the measurements, the first few of them, and their devices."""
    named = ", ".join(f"<{one.pk}>" for one in chosen[:5]) + (
        f" and {len(chosen) - 5} more" if len(chosen) > 5 else ""
    )
    return f"{named}, {devices_text(sorted({name for one in chosen for name in one.devices}))}"


def with_error(value: float, error: float) -> str:
    """Return a number with its error, where there is one."""
    return f"{value:.3f} +- {error:.3f}" if math.isfinite(error) else f"{value:.3f}"


def caption(result: Counted, wanted: Wanted) -> Caption:
    """Return the caption of histograms: how they are normalised, and what went into them."""
    from aiida_rewire.report.caption import Caption, caption_of, plain

    bins = result.measured.bins
    unit = "decade" if bins.logarithmic else "G0"
    of_bins = f"bins of 1/{round(1 / bins.width)} decade" if bins.logarithmic else f"bins of {bins.width:g} G0"
    about = [
        f"Density per {unit}, from {bins.lowest_g0:g} to {bins.highest_g0:g} G0 in {of_bins}. Each histogram is "
        "normalised by itself: its integral over this range is 1, and each of its points weighs the same.",
        "Numbers above peaks: positions of Gaussians fitted to the measured histogram, G0. Beside an arrow: "
        "the height of a first bin that is cut off.",
    ]
    data = [f"measured: {counted_text(result.measured, 'point', 'cycle')}"]
    for one in result.chosen:
        names = ", ".join(plain(name) for name in one.devices[:5])
        if one.is_corrected:
            taken = resistance_text(one.series_resistance_ohm, one.series_resistance_error_ohm)
            data.append(f"{one.uuid}: {names}, without a series resistance of {taken} ohm, G = 1/(1/G_measured - R)")
        else:
            data.append(f"{one.uuid}: {names}, as measured")
    for peak in result.peaks:
        position = with_error(peak.position_g0, peak.position_error_g0)
        data.append(f"peak at {position} G0, {100 * peak.share:.1f} % of the points; error over {peak.chains} cycles")
    nodes = {"Measured": [one.uuid for one in result.chosen]}
    if result.found is None or result.computed is None:
        return Caption("Measured conductances.", about, data, nodes)
    data.append(f"computed: {counted_text(result.computed, 'conductance', 'chain')}")
    title = "Measured conductances, filled, and computed ones, a line."
    told = caption_of(result.found, title, selection=wanted.selection, paragraphs=about, data=data)
    return replace(told, nodes={**nodes, **told.nodes})
