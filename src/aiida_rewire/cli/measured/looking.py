"""`aiida-rewire measured list` and `show`: which measured points there are, and what they span."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_rewire.cli.campaign.opening import directory_option, told_in_a_line
from aiida_rewire.cli.measured.wording import resistance_text
from aiida_rewire.cli.profile import open_profile, profile_option
from aiida_rewire.cli.results.output import Answer, Output, give
from aiida_rewire.cli.results.tables import table_options
from aiida_rewire.cli.results.wording import counted, printable

if TYPE_CHECKING:
    from aiida_rewire.cli.campaign.showing import Sheet
    from aiida_rewire.database.measurements import Measurement

LIST_COLUMNS = (
    "pk",
    "uuid",
    "created",
    "filename",
    "devices",
    "n_cycles",
    "n_points",
    "n_undefined",
    "n_lines_left_out",
    "series_resistance_ohm",
    "series_resistance_error_ohm",
    "measured_as",
)

MOST_CYCLES = 40
"""So many cycles are shown to people; JSON and CSV hold all."""


@click.command("list", short_help="List what was measured.")
@click.option("--device", metavar="NAME", help="Only with points of this device.")
@table_options
@profile_option
@directory_option
def list_command(device: str | None, directory: Path | None, output: Output) -> None:
    """List the nodes of measured points, the newest first.

    Those from which a series resistance was taken off have no file; they name the node that they come from.
    """
    with told_in_a_line():
        open_profile(directory)
        from aiida_rewire.cli.campaign.showing import Sheet
        from aiida_rewire.database.measurements import measurements, origins_of_corrected

        origins = origins_of_corrected()
        found = measurements(device=device)
        rows = [list_row(one, origins) for one in found]
        pks = {one.uuid: one.pk for one in measurements()} if origins else {}
        sheet = Sheet(
            (">pk", "uuid", "created", "file", "devices", ">cycles", ">points", ">undefined", ">taken off (ohm)"),
            [list_cells(one, origins, pks) for one in found],
            before=[] if found else ["nothing measured: `aiida-rewire measured import FILE` adds some"],
        )
        values = {"measurements": rows}
        give(Answer(values, [sheet], LIST_COLUMNS, [csv_cells(row) for row in rows]), output)


def list_row(one: Measurement, origins: dict[str, str]) -> dict[str, Any]:
    """Return a measurement for programs."""
    values = (
        *(one.pk, one.uuid, one.created.isoformat(), one.filename, list(one.devices)),
        *(one.n_cycles, one.n_points, one.n_undefined, one.n_lines_left_out),
        *(one.series_resistance_ohm, one.series_resistance_error_ohm, origins.get(one.uuid)),
    )
    return dict(zip(LIST_COLUMNS, values, strict=True))


def csv_cells(row: dict[str, Any]) -> list[Any]:
    """Return the cells of a row; names of devices are parted by semicolons."""
    return ["; ".join(value) if isinstance(value, list) else value for value in row.values()]


def list_cells(one: Measurement, origins: dict[str, str], pks: dict[str, int]) -> tuple[str, ...]:
    """Return a measurement for people."""
    source = origins.get(one.uuid)
    file = one.filename if one.filename is not None else f"from <{pks[source]}>" if source in pks else "-"
    return (
        str(one.pk),
        one.uuid[:8],
        one.created.astimezone().strftime("%Y-%m-%d %H:%M"),
        printable(file),
        printable(", ".join(one.devices)),
        str(one.n_cycles),
        str(one.n_points),
        str(one.n_undefined),
        resistance_text(one.series_resistance_ohm, one.series_resistance_error_ohm),
    )


@click.command("show", short_help="Show what was measured, cycle by cycle.")
@click.argument("identifier")
@table_options
@profile_option
@directory_option
def show_command(identifier: str, directory: Path | None, output: Output) -> None:
    """Show the attributes of a measurement, its PK or UUID given, and what each cycle spans."""
    with told_in_a_line():
        open_profile(directory)
        from aiida_rewire.cli.campaign.showing import Sheet
        from aiida_rewire.cli.measured.choosing import load_measured
        from aiida_rewire.trace.measured_summary import COLUMNS, cycle_rows

        node = load_measured(identifier)
        rows = cycle_rows(node.trace())
        facts = facts_of(node)
        before = [f"{name}: {printable(str(value))}" for name, value in facts.items() if value is not None]
        values = {**facts, "cycles": rows}
        sheets = [Sheet(before=before), cycles_sheet(rows)]
        give(Answer(values, sheets, COLUMNS, [list(row.values()) for row in rows]), output)


def facts_of(node: Any) -> dict[str, Any]:
    """Return UUID, attributes and origin of a measurement, for programs."""
    from aiida_rewire.database.measurements import origins_of_corrected

    attributes = {
        key: value for key, value in node.base.attributes.all.items() if not key.startswith(node.array_prefix)
    }
    return {
        "pk": node.pk,
        "uuid": node.uuid,
        "created": node.ctime.isoformat(),
        **attributes,
        "measured_as": origins_of_corrected().get(node.uuid),
    }


def cycles_sheet(rows: list[dict[str, Any]]) -> Sheet:
    """Return what cycles span as a table for people."""
    from aiida_rewire.cli.campaign.showing import Sheet

    titles = ("device", ">cycle", ">points", ">undefined", ">lowest G (G0)", ">median", ">highest")
    optional = {
        ("first_s", "last_s"): (">from (s)", ">to (s)"),
        ("lowest_v", "highest_v"): (">lowest V (V)", ">highest V"),
    }
    shown = {names: heads for names, heads in optional.items() if any(row[names[0]] is not None for row in rows)}
    always = ("device", "cycle", "points", "undefined", "lowest_g0", "median_g0", "highest_g0")
    names = [*always, *(name for pair in shown for name in pair)]
    cells = [[cell_text(row[name]) for name in names] for row in rows[:MOST_CYCLES]]
    left = len(rows) - MOST_CYCLES
    after = [f"{counted(left, 'further cycle')}: --json and --csv hold all"] if left > 0 else []
    return Sheet((*titles, *(head for heads in shown.values() for head in heads)), cells, after=after)


def cell_text(value: Any) -> str:
    """Return a value for people."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else printable(str(value))
