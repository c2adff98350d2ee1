"""`aiida-rewire structures list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aiida_rewire.cli.results.output import Answer, Output, give
from aiida_rewire.cli.results.selecting import Wanted, selected_by, selection_options
from aiida_rewire.cli.results.tables import table_options
from aiida_rewire.cli.results.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiida_rewire.cli.campaign.showing import Sheet
    from aiida_rewire.cli.structures.finding import Row

TITLES = (
    "campaign",
    "chain",
    ">time (ps)",
    ">voltage (V)",
    "stage",
    ">bonds",
    ">T",
    "conductance",
    "structure",
    "atoms of",
)


@click.command("list", short_help="List junctions by T, bonds, stage.")
@selection_options
@table_options
def list_command(wanted: Wanted, output: Output) -> None:
    """List junctions with their T, time, bonds and UUIDs, in the order of campaign, chain and time.

    Where a conductance was taken over from an equal contact, the structure is the one it was computed of, and its
    column "atoms of" says so.
    """
    with selected_by(wanted) as selected:
        from aiida_rewire.cli.structures.finding import COLUMNS, find

        found = find(selected)
        sheet = sheet_of(found.rows, found.unknown_text)
        rows = [list(row.values()) for row in found.rows]
        give(Answer({"structures": found.rows}, [sheet], COLUMNS, rows), output)


def sheet_of(rows: Sequence[Row], after: Sequence[str] = ()) -> Sheet:
    """Return junctions as a table for people."""
    from aiida_rewire.cli.campaign.showing import Sheet

    return Sheet(TITLES, [cells(row) for row in rows], after=after)


def cells(row: Row) -> tuple[str, ...]:
    """Return what is known of a junction, for people."""
    taken_over = row["computed_as"] != row["conductance_uuid"]
    return (
        *(text_of(row[name]) for name in ("campaign", "chain")),
        text_of(row["time_ps"], ".3f"),
        text_of(row["voltage_v"], "g"),
        text_of(row["stage"]),
        text_of(row["bonds"]),
        text_of(row["transmission"], ".4f"),
        row["conductance_uuid"][:8],
        "-" if row["structure_uuid"] is None else row["structure_uuid"][:8],
        row["computed_as"][:8] if taken_over else "",
    )


def text_of(value: Any, style: str = "") -> str:
    """Return a value for people; a dash where it is not known."""
    return "-" if value is None else printable(format(value, style))
