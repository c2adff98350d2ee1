"""`aiida-rewire structures sheet`: pictures of junctions beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from aiida_rewire.cli.results.output import Answer, Output, give, output_options
from aiida_rewire.cli.results.selecting import Wanted, selected_by, selection_options
from aiida_rewire.cli.results.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiida_rewire.cli.structures.finding import Found, Row
    from aiida_rewire.report.caption import Caption

MOST_DRAWN = 24
LARGEST_SHEET = 200
"""Pictures of a sheet: by default, and at the most."""

SMALLEST_PLAIN = 0.01
"""Smaller T are written with a power of ten."""


@click.command("sheet", short_help="Draw junctions, a picture each.")
@click.option(
    "--most",
    type=click.IntRange(1, LARGEST_SHEET),
    default=MOST_DRAWN,
    show_default=True,
    help="So many pictures; of more junctions some are left out evenly, by T.",
)
@selection_options
@output_options
def sheet_command(most: int, wanted: Wanted, output: Output) -> None:
    """Draw junctions with T, time, bonds and the beginning of the conductance's UUID, in the order of T.

    -o names the figure. The atoms are those that pw.x and pwcond.x saw, from the side; flat layers of the leads are
    grey, and what is farther away is paler.
    """
    if output.figure is None:
        raise click.UsageError("-o FIGURE is needed: the file to draw into")
    with selected_by(wanted) as selected:
        from aiida_rewire.cli.structures.finding import COLUMNS, find
        from aiida_rewire.cli.structures.listing import sheet_of
        from aiida_rewire.report.junction_sheet import evenly

        found = find(selected)
        found.require_known()
        known = sorted(
            (found.rows[place] for place in found.known),
            key=lambda row: math.inf if row["transmission"] is None else row["transmission"],
        )
        drawn = [known[place] for place in evenly(len(known), most)]
        left = len(known) - len(drawn)
        lines = [*left_out_text(left), *found.unknown_text]
        give(
            Answer(
                {"drawn": drawn, "left_out": left, "without_junction": len(found.rows) - len(known)},
                [sheet_of(drawn, lines)],
                COLUMNS,
                [list(row.values()) for row in drawn],
                lambda: draw(drawn, output.width),
                lambda: caption(found, drawn, wanted, lines),
            ),
            output,
        )


def left_out_text(left: int) -> list[str]:
    """Say how many junctions are not drawn, if there are any."""
    if not left:
        return []
    return [f"{counted(left, 'junction')} left out, evenly by T: --most draws more, --between chooses"]


def draw(rows: Sequence[Row], width: str) -> Figure:
    """Draw junctions."""
    from aiida_rewire.cli.structures.finding import atoms_of
    from aiida_rewire.report.junction_sheet import JunctionView, draw_sheet

    views = [
        JunctionView(atoms.positions, atoms.numbers, atoms.cell.array, lines_above(row))
        for row, atoms in atoms_of(rows)
    ]
    return draw_sheet(views, width)


def lines_above(row: Row) -> tuple[str, ...]:
    """Return what stands above a picture."""
    t = row["transmission"]
    transmission = "T unknown" if t is None else f"T = {t:{'.3f' if t >= SMALLEST_PLAIN else '.1e'}}"
    known = [] if row["time_ps"] is None else [f"{row['time_ps']:.2f} ps"]
    known += [] if row["bonds"] is None else [counted(row["bonds"], "bond")]
    return transmission, ", ".join(known), row["conductance_uuid"][:8]


def caption(found: Found, drawn: Sequence[Row], wanted: Wanted, lines: Sequence[str]) -> Caption:
    """Return the caption of a sheet: what is drawn, and what is left out."""
    import numpy as np

    from aiida_rewire.report.caption import caption_of, plain

    shown = {row["conductance_uuid"] for row in drawn}
    chosen = found.selected.take(np.array([uuid in shown for uuid in found.selected.uuid]))
    about = [
        "The atoms that pw.x and pwcond.x saw, from the side, all at one scale, in the order of T. Flat layers of "
        "the leads are grey, each of their atoms in the image nearest to the contact; what is farther away is paler. "
        "Above: T per spin at E_F, time since the voltage was switched on, bonds at the narrowest place, beginning "
        "of the UUID of the conductance.",
    ]
    taken_over = sum(row["computed_as"] != row["conductance_uuid"] for row in drawn)
    if taken_over:
        about.append(f"{counted(taken_over, 'conductance')} taken over: drawn is the contact that was computed.")
    told = caption_of(
        chosen,
        f"{counted(len(drawn), 'junction')} of {counted(len(found.rows), 'conductance')}.",
        selection=wanted.selection,
        paragraphs=about,
        data=[plain(line) for line in lines],
        most=LARGEST_SHEET,
    )
    structures = [f"{row['structure_uuid']} of {row['conductance_uuid']}" for row in drawn]
    return replace(told, nodes={**told.nodes, "Structures": structures})
