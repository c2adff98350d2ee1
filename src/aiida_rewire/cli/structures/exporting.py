"""`aiida-rewire structures export`: junctions as files of other programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_rewire.cli.campaign.opening import answer, json_option
from aiida_rewire.cli.results.output import absolute, csv_text
from aiida_rewire.cli.results.selecting import Wanted, selected_by, selection_options
from aiida_rewire.cli.results.wording import counted

if TYPE_CHECKING:
    from aiida_rewire.cli.structures.finding import Row

INDEX = "index.csv"
"""File that says what is in which."""


@click.command("export", short_help="Write junctions as extended XYZ or CIF.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--format",
    "form",
    type=click.Choice(["extxyz", "cif"]),
    default="extxyz",
    show_default=True,
    help="Of the files.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@selection_options
@json_option
def export_command(folder: Path, form: str, force: bool, wanted: Wanted, as_json: bool) -> None:
    """Write each junction into a file of its own in DIR, with its T, time, voltage and UUIDs.

    Names are made of chain, snapshot and UUID. index.csv says what is in which file. A folder that is not there is
    made.
    """
    # the profile of --directory is looked for from here, and so are files
    target = absolute(folder) or folder
    with selected_by(wanted) as selected:
        from aiida_rewire.cli.structures.finding import find
        from aiida_rewire.report.saving import shown

        found = find(selected)
        found.require_known()
        rows = [found.rows[place] for place in found.known]
        names = file_names(rows, form)
        refuse_there(target, [*names, INDEX], force=force)
        write_all(target, rows, names, form)
        lines = [f"wrote {counted(len(names), 'file')} and {INDEX} into {shown(folder)}", *found.unknown_text]
        files = [{"file": name, **row} for name, row in zip(names, rows, strict=True)]
        values = {"folder": str(target), "files": files, "without_junction": len(found.rows) - len(rows)}
        answer(values, lines, as_json=as_json)


def file_names(rows: Sequence[Row], form: str) -> list[str]:
    """Return the name of the file of each junction, all different."""
    from aiida_rewire.junction.export import FORMATS, file_stem

    stems = [file_stem(row["chain"] or "", row["snapshot"], row["conductance_uuid"]) for row in rows]
    # on file systems that do not tell capital letters either
    often = Counter(stem.lower() for stem in stems)
    return [
        (f"{stem}_{row['conductance_uuid']}" if often[stem.lower()] > 1 else stem) + FORMATS[form]
        for stem, row in zip(stems, rows, strict=True)
    ]


def refuse_there(folder: Path, names: Sequence[str], *, force: bool) -> None:
    """Refuse files that could not be written, before any is.

    Raises
    ------
    InvalidInput
        If one is there and may not be replaced, or the folder can be no folder.
    """
    from aiida_rewire.errors import InvalidInput
    from aiida_rewire.report.saving import check_new, shown

    if folder.exists() and not folder.is_dir():
        raise InvalidInput("DIR", shown(folder), "a folder", "it is a file: choose another name")
    if not folder.exists():
        if not folder.parent.is_dir():
            raise InvalidInput("DIR", shown(folder), "in a folder that exists", f"make {shown(folder.parent)} first")
        return
    for name in names:
        check_new(folder / name, "file", replace=force)


def write_all(folder: Path, rows: Sequence[Row], names: Sequence[str], form: str) -> None:
    """Write files, each whole or not at all, and after them what is in which."""
    from aiida_rewire.cli.structures.finding import COLUMNS, atoms_of
    from aiida_rewire.junction.export import junction_text

    folder.mkdir(exist_ok=True)
    for name, (row, atoms) in zip(names, atoms_of(rows), strict=True):
        write_text(folder / name, junction_text(atoms, row, form))
    index = csv_text(("file", *COLUMNS), [(name, *row.values()) for name, row in zip(names, rows, strict=True)])
    write_text(folder / INDEX, index)


def write_text(path: Path, text: str) -> None:
    """Write a text as it is, the whole file or none."""
    from aiida_rewire.report.saving import write_whole

    content = text.encode()

    def write(partial: Path) -> None:
        partial.write_bytes(content)

    write_whole(path, write)
