"""`aiida-rewire kinetics`: time to contact against voltage."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from aiida_rewire.cli.campaign.showing import Sheet
from aiida_rewire.cli.results.output import Answer, Output, give, output_options
from aiida_rewire.cli.results.selecting import Wanted, profile_of, selection_options_but
from aiida_rewire.cli.results.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiida_rewire.cli.results.kinetics_runs import Kinetics
    from aiida_rewire.report.caption import Caption
    from aiida_rewire.report.kinetics import Series
    from aiida_rewire.trace.kinetics import ContactTime

COLUMNS = (
    *("conditions", "gap_angstrom", "voltage_V", "seeds", "without_contact"),
    *("lower_quartile_ps", "median_ps", "median_error_ps", "upper_quartile_ps"),
)

NOT_OF_RUNS = ("chain", "between", "bonds", "stage", "protocol", "mixed")


@click.command("kinetics", short_help="Time to contact against voltage.")
@click.option("--label", metavar="LABEL", help="Only runs of this label, as of `md submit --label`.")
@click.option(
    "--lasting", is_flag=True, help="The first contact that lasts a picosecond, not that of a single frame."
)
@selection_options_but(*NOT_OF_RUNS)
@output_options
def kinetics_command(label: str | None, lasting: bool, wanted: Wanted, output: Output) -> None:
    """Show how long tips take to touch, against voltage, with the spread over seeds.

    Runs of the dynamics and chains count alike; those are put together that differ in their seeds alone. A run that
    ended open says that its contact comes later (Kaplan and Meier), and is counted.
    """
    if label is not None and wanted.campaign is not None:
        raise click.UsageError("--label and --campaign: give one of them")
    with profile_of(wanted):
        from aiida_rewire.cli.results.kinetics_runs import find_runs, kinetics_of

        found = kinetics_of(
            find_runs(campaign=wanted.campaign, label=label), lasting=lasting, voltage_v=wanted.voltage
        )
        what = "lasting contact" if lasting else "first contact"

        def draw() -> Figure:
            from aiida_rewire.report.kinetics import draw_kinetics

            return draw_kinetics(series_of(found), width=output.width, what=what)

        give(
            Answer(
                values={"contact": what, **values_of(found)},
                sheets=[sheet_of(found, what)],
                columns=COLUMNS,
                rows=[(text, *cells) for text, one in every_time(found) for cells in [cells_of(one)]],
                draw=draw,
                caption=lambda: caption(found, what),
            ),
            output,
        )


def every_time(found: Kinetics) -> Iterator[tuple[str, ContactTime]]:
    """Yield the times of each voltage and gap, and the conditions in words."""
    from aiida_rewire.cli.results.kinetics_runs import conditions_text

    for alike in found.alike:
        for one in alike.times:
            yield conditions_text(alike.conditions), one


def cells_of(one: ContactTime) -> tuple[Any, ...]:
    """Return the cells of CSV; a time that the runs do not tell is empty."""
    times = one.times
    return (
        *(one.gap_angstrom, one.voltage_v, times.runs, times.censored),
        *(times.lower_quartile_ps, times.median_ps, one.median_error_ps, times.upper_quartile_ps),
    )


def values_of(found: Kinetics) -> dict[str, Any]:
    """Return what was found, for programs."""
    return {
        "sets": [
            {
                "conditions": alike.conditions,
                "times": [dict(zip(COLUMNS[1:], cells_of(one), strict=True)) for one in alike.times],
                "slopes": [asdict(slope) for slope in alike.slopes],
                "runs": [
                    {"uuid": run.uuid, "label": run.label, **asdict(seed)}
                    for run, seed in zip(alike.runs, alike.seeds, strict=True)
                ],
            }
            for alike in found.alike
        ],
        **{name: getattr(found, name) for name in ("not_over", "failed", "ramps", "doubled")},
    }


def sheet_of(found: Kinetics, what: str) -> Sheet:
    """Return the table for people: a line for each voltage and gap."""

    def cell(value: float | None) -> str:
        return "later" if value is None else f"{value:.3g}"

    rows = []
    for text, one in every_time(found):
        error = "" if one.median_error_ps is None else f" ± {one.median_error_ps:.2g}"
        times = one.times
        rows.append(
            (
                text,
                "-" if math.isnan(one.gap_angstrom) else f"{one.gap_angstrom:g}",
                f"{one.voltage_v:g}",
                str(times.runs),
                str(times.censored),
                f"{cell(times.median_ps)}{error if times.median_ps is not None else ''}",
                f"{cell(times.lower_quartile_ps)} to {cell(times.upper_quartile_ps)}",
            )
        )
    columns = ("runs", ">gap (Å)", ">V", ">seeds", ">without contact", ">median (ps)", ">quartiles (ps)")
    return Sheet(columns, rows, before=[f"time to {what}"], after=[*slope_lines(found), *left_out_lines(found)])


def slope_lines(found: Kinetics) -> list[str]:
    """Say how fast the times fall with voltage."""
    lines = []
    for alike in found.alike:
        for slope in alike.slopes:
            error = f" ± {slope.per_volt_error:.2g}" if math.isfinite(slope.per_volt_error) else ""
            gap = "" if math.isnan(slope.gap_angstrom) else f" at a gap of {slope.gap_angstrom:g} Å"
            lines.append(
                f"median ~ exp(-a V) with a = {slope.per_volt:.3g}{error} per V{gap}, {slope.voltages} voltages"
            )
    return lines


def left_out_lines(found: Kinetics) -> list[str]:
    """Say which runs are not among those compared."""
    reasons = {
        "not over yet": found.not_over,
        "failed before a snapshot": found.failed,
        "with a voltage that changes": found.ramps,
        "of a seed of which another run is as long or longer": found.doubled,
    }
    said = [f"{counted(number, 'run')} {reason}" for reason, number in reasons.items() if number]
    return [f"left out: {', '.join(said)}"] if said else []


def series_of(found: Kinetics) -> list[Series]:
    """Return what is drawn: a series for each gap of each set of runs."""
    from aiida_rewire.cli.results.kinetics_runs import conditions_text
    from aiida_rewire.report.kinetics import Series, gap_name

    series = []
    for alike in found.alike:
        # an unknown gap is math.nan itself
        for gap in dict.fromkeys(one.gap_angstrom for one in alike.times):
            same = "nan" if math.isnan(gap) else gap
            text = gap_name(gap)
            if len(found.alike) > 1:
                text += f", {conditions_text(alike.conditions)}"
            series.append(
                Series(
                    text,
                    [one for one in alike.times if _key(one.gap_angstrom) == same],
                    [seed for seed in alike.seeds if _key(seed.gap_angstrom) == same],
                    next((slope for slope in alike.slopes if _key(slope.gap_angstrom) == same), None),
                )
            )
    return series


def _key(gap: float) -> float | str:
    return "nan" if math.isnan(gap) else gap


def caption(found: Kinetics, what: str) -> Caption:
    """Return the caption of the figure."""
    from aiida_rewire.report.caption import Caption, plain

    runs = sum(len(alike.runs) for alike in found.alike)
    censored = sum(seed.contact_ps is None for alike in found.alike for seed in alike.seeds)
    data = [f"{counted(runs, 'run')}, {censored} of them without contact", *map(plain, slope_lines(found))]
    texts = list(dict.fromkeys(text for text, _ in every_time(found)))
    data += [f"conditions: {plain(text)}" for text in texts]
    data += [plain(line) for line in left_out_lines(found)]
    return Caption(
        f"Time to the {what} of the tips against voltage.",
        [
            "Marks are medians over the seeds, bars reach from the lower to the upper quartile, dots are seeds. "
            "Open triangles: runs that ended without contact, with their number; they count "
            "(Kaplan and Meier), and bars end there if the upper quartile is later. Dashed: median ~ exp(-a V).",
        ],
        data,
        {"Runs": [run.uuid for alike in found.alike for run in alike.runs]},
    )
