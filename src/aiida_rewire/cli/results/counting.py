"""`aiida-rewire histogram`: how often T has which value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from aiida_rewire.cli.campaign.showing import Sheet
from aiida_rewire.cli.results.output import Answer, Output, give, output_options
from aiida_rewire.cli.results.selecting import Wanted, selected_by, selection_options
from aiida_rewire.errors import known_as

if TYPE_CHECKING:
    from aiida_rewire.database.selected import Selected
    from aiida_rewire.report.caption import Caption
    from aiida_rewire.report.histograms import Against, Weight
    from aiida_rewire.trace.histogram import Bins, Histogram, Histogram2D
    from aiida_rewire.trace.peaks import Peak

MOST_SHOWN = 60
"""Bins that are not empty, on a terminal."""

BAR = 40
"""Width of the longest bar, letters."""

COLUMNS = ("lower_g0", "upper_g0", "conductances", "density")

OPTIONS = {"width": "--bins", "lowest_g0": "--from", "range": "--from, --to"}
"""By what errors of bins name."""


@click.command("histogram", short_help="How often T has which value.")
@click.option("--log", "logarithmic", is_flag=True, help="Bins that are equal in log10(T).")
@click.option(
    "--bins",
    "bin_width",
    type=float,
    metavar="X",
    help="Width of a bin, in G0; with --log how many bins a decade. Default: 0.05, 20.",
)
@click.option(
    "--from", "lowest", type=float, metavar="T", help="Lower end. Default: 0; with --log the decade of the lowest."
)
@click.option("--to", "highest", type=float, metavar="T", help="Upper end. Default: above the highest.")
@click.option(
    "--weigh",
    type=click.Choice(["point", "chain"]),
    default="point",
    show_default=True,
    help="Draw counts, where each conductance weighs the same, or a density, where each chain does.",
)
@click.option("--against", type=click.Choice(["time", "voltage"]), help="In two dimensions: T against this.")
@click.option(
    "--along", type=click.IntRange(1, 10_000), metavar="N", help="Of --against time: bins of time. Default: 40."
)
@selection_options
@output_options
def histogram_command(
    logarithmic: bool,
    bin_width: float | None,
    lowest: float | None,
    highest: float | None,
    weigh: Weight,
    against: Against | None,
    along: int | None,
    wanted: Wanted,
    output: Output,
) -> None:
    """Count conductances by T, and find the peaks of the histogram.

    T is per spin at the Fermi energy, which is the conductance in G0 = 2e2/h. Errors of peaks are over chains, drawn
    again and again with replacement: the points of one chain follow each other and tell nothing of another chain.
    """
    if along is not None and against != "time":
        raise click.UsageError("--along goes with --against time")
    if against is not None and weigh != "point":
        raise click.UsageError("--weigh chain goes without --against")
    with selected_by(wanted) as found:
        from aiida_rewire.report.histograms import bins_for

        with known_as(OPTIONS):
            bins = bins_for(
                found.transmission, logarithmic=logarithmic, width=bin_width, lowest_g0=lowest, highest_g0=highest
            )
        if against is None:
            give(counted(found, bins, weigh, wanted, output), output)
        else:
            give(counted_against(found, bins, against, along, wanted, output), output)


def counted(found: Selected, bins: Bins, weigh: Weight, wanted: Wanted, output: Output) -> Answer:
    """Return the answer in one dimension."""
    from aiida_rewire.report.histograms import draw_histogram, histogram_of
    from aiida_rewire.trace.peaks import peaks_of

    histogram = histogram_of(found, bins)
    peaks = peaks_of(histogram)
    chains = [(campaign, chain) for campaign, chain, _ in found.chains()]
    edges, density = bins.edges_g0.tolist(), histogram.density(each=weigh).tolist()
    total = histogram.total.tolist()
    return Answer(
        values={
            "bins": bin_values(bins),
            "edges_g0": edges,
            "counts": total,
            "density": density,
            "weigh": weigh,
            "below": histogram.below,
            "above": histogram.above,
            "missing": histogram.missing,
            "peaks": [asdict(peak) for peak in peaks],
            "chains": [
                {"campaign": campaign, "chain": chain, "counts": counts}
                for (campaign, chain), counts in zip(chains, histogram.counts.tolist(), strict=True)
            ],
        },
        sheets=[bins_sheet(histogram), peaks_sheet(peaks, len(chains), bins)],
        columns=COLUMNS,
        rows=list(zip(edges[:-1], edges[1:], total, density, strict=True)),
        draw=lambda: draw_histogram(histogram, peaks=peaks, weight=weigh, width=output.width),
        caption=lambda: caption(found, histogram, peaks, weigh, wanted),
    )


def counted_against(
    found: Selected, bins: Bins, against: Against, along: int | None, wanted: Wanted, output: Output
) -> Answer:
    """Return the answer in two dimensions."""
    from aiida_rewire.report.caption import caption_of
    from aiida_rewire.report.histograms import ALONG, draw_histogram_2d, histogram_against

    histogram = histogram_against(found, bins, against, along=ALONG if along is None else along)
    unit = "ps" if against == "time" else "v"
    x, edges = histogram.edges.tolist(), bins.edges_g0.tolist()
    return Answer(
        values={
            "bins": bin_values(bins),
            "against": against,
            f"edges_{unit}": x,
            "edges_g0": edges,
            "counts": histogram.counts,
            "outside": histogram.outside,
        },
        sheets=[along_sheet(histogram, against)],
        columns=(f"lower_{unit}", f"upper_{unit}", "lower_g0", "upper_g0", "conductances"),
        rows=[
            (x[i], x[i + 1], edges[j], edges[j + 1], count)
            for i, row in enumerate(histogram.counts.tolist())
            for j, count in enumerate(row)
        ],
        draw=lambda: draw_histogram_2d(histogram, against, width=output.width),
        caption=lambda: caption_of(
            found,
            f"How many conductances are in each bin of T per spin at the Fermi energy and of {against}.",
            selection=wanted.selection,
            paragraphs=[f"{bins_text(bins)}. Empty bins are white."],
            data=[f"outside the bins, or without T or {against}: {histogram.outside}"],
        ),
    )


def bin_values(bins: Bins) -> dict[str, Any]:
    """Return bins for programs."""
    return {
        "from_g0": bins.lowest_g0,
        "to_g0": bins.highest_g0,
        "number": bins.number,
        "width": bins.width,
        "logarithmic": bins.logarithmic,
    }


def bins_text(bins: Bins) -> str:
    """Say in words what the bins are."""
    each = f"{1 / bins.width:g} a decade" if bins.logarithmic else f"{bins.width:g} G0 each"
    return f"{bins.number} bins from {bins.lowest_g0:g} to {bins.highest_g0:g} G0, {each}"


def chains_text(chains: int) -> str:
    """Say how many chains there are."""
    return f"{chains} chain{'' if chains == 1 else 's'}"


def bins_sheet(histogram: Histogram) -> Sheet:
    """Return the table of the bins that are not empty, with a bar each."""
    bins, total = histogram.bins, histogram.total.tolist()
    before = [
        f"{histogram.inside} conductances of {chains_text(len(histogram.counts))} in {bins_text(bins)}; "
        f"{histogram.below} below, {histogram.above} above, {histogram.missing} without T at E_F"
    ]
    filled = [place for place, count in enumerate(total) if count]
    if len(filled) > MOST_SHOWN:
        return Sheet(before=[*before, f"{len(filled)} bins are not empty; --csv and --json tell all"])
    edges, highest = bins.edges_g0, max(total)
    rows = [
        (
            f"{edges[place]:.4g}",
            f"{edges[place + 1]:.4g}",
            str(total[place]),
            "#" * math.ceil(BAR * total[place] / highest),
        )
        for place in filled
    ]
    return Sheet((">from (G0)", ">to (G0)", ">number", ""), rows, before=before)


def peaks_sheet(peaks: Sequence[Peak], chains: int, bins: Bins) -> Sheet:
    """Return the table of peaks."""
    from aiida_rewire.report.histograms import number_text

    if not peaks:
        return Sheet(before=["no peak rises above the noise of its bins"])
    rows = [
        (
            number_text(peak.position_g0, peak.position_error_g0),
            number_text(peak.width, peak.width_error),
            f"{peak.share:.1%}",
        )
        for peak in peaks
    ]
    note = f"errors: bootstrap over {chains} chains" if chains > 1 else "no errors: they need more than one chain"
    unit = "decades" if bins.logarithmic else "G0"
    return Sheet((">peak (G0)", f">full width ({unit})", ">share"), rows, after=[note])


def along_sheet(histogram: Histogram2D, against: Against) -> Sheet:
    """Return the table of how many conductances there are along time or voltage, and their most frequent T."""
    unit = "ps" if against == "time" else "V"
    lower, upper = histogram.bins.edges_g0[:-1], histogram.bins.edges_g0[1:]
    rows = []
    for place, counts in enumerate(histogram.counts):
        if counts.any():
            most = int(counts.argmax())
            rows.append(
                (
                    f"{histogram.edges[place]:.4g}",
                    f"{histogram.edges[place + 1]:.4g}",
                    str(counts.sum()),
                    f"{lower[most]:.4g} to {upper[most]:.4g}",
                )
            )
    before = [
        f"{histogram.counts.sum()} conductances in {bins_text(histogram.bins)}; {histogram.outside} outside the bins"
    ]
    columns = (f">from ({unit})", f">to ({unit})", ">number", ">most of them (G0)")
    return Sheet(columns, rows, before=before)


def caption(found: Selected, histogram: Histogram, peaks: Sequence[Peak], weigh: Weight, wanted: Wanted) -> Caption:
    """Return the caption of the figure in one dimension."""
    from aiida_rewire.report.caption import caption_of
    from aiida_rewire.report.histograms import number_text

    bins, chains = histogram.bins, len(histogram.counts)
    unit = "decades" if bins.logarithmic else "G0"
    paragraphs = [
        f"{bins_text(bins)}. "
        + ("Each conductance weighs the same." if weigh == "point" else "Each chain weighs the same.")
    ]
    if peaks:
        said = "; ".join(
            f"{number_text(peak.position_g0, peak.position_error_g0)} G0, full width "
            f"{number_text(peak.width, peak.width_error)} {unit}, {peak.share:.1%} of the conductances"
            for peak in peaks
        )
        errors = (
            f"Errors are standard ones, from bootstrap over {chains} chains."
            if chains > 1
            else "They have no errors, for there is one chain alone."
        )
        paragraphs.append(f"Peaks are Gaussian fits: {said}. {errors}")
    return caption_of(
        found,
        "Histogram of the transmission per spin at the Fermi energy, which is G/G0.",
        selection=wanted.selection,
        paragraphs=paragraphs,
        data=[
            f"within the bins: {histogram.inside}; below: {histogram.below}; above: {histogram.above}; "
            f"without T at the Fermi energy: {histogram.missing}"
        ],
    )
