"""`aiida-rewire database size`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_rewire.cli.campaign.opening import answer, directory_option, json_option
from aiida_rewire.cli.database.opening import bytes_text, storage_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiida_rewire.cli.campaign.showing import Sheet
    from aiida_rewire.database.size import Share, Sizes

COLUMNS = (">nodes", ">in the database", ">files", ">in the repository")


@click.command("size", short_help="Say how large it is.")
@directory_option
@json_option
def size_command(directory: Path | None, as_json: bool) -> None:
    """Say how large the database and its files are, by types of nodes and by campaigns.

    A file that nodes of two types or campaigns own counts for both, and once for the whole.
    """
    with storage_of(directory) as storage:
        from aiida_rewire.cli.campaign.showing import show
        from aiida_rewire.database.size import sizes

        found = sizes(storage)
        if as_json:
            answer(asdict(found), [], as_json=True)
        else:
            show(*size_sheets(found))


def size_sheets(found: Sizes) -> list[Sheet]:
    """Return the tables, and what is to be said of them."""
    from aiida_rewire.cli.campaign.showing import Sheet

    after = [
        f"database {bytes_text(found.database_bytes)} on the disk, with indices",
        f"repository {bytes_text(found.repository_bytes)} on the disk; {found.loose} files are not packed",
    ]
    if found.unowned:
        after.append(
            f"{found.unowned} files ({bytes_text(found.unowned_bytes)}) belong to no node: "
            "`aiida-rewire database maintain --full` deletes them"
        )
    if found.missing:
        after.append(f"{found.missing} files of nodes are missing in the repository: restore a backup")
    sheets = [Sheet(("type", *COLUMNS), rows([*found.types, found.whole]))]
    if found.campaigns:
        sheets.append(Sheet(("campaign", *COLUMNS), rows(found.campaigns)))
    return [*sheets, Sheet(after=after)]


def rows(shares: Sequence[Share]) -> list[tuple[str, ...]]:
    """Return the rows of a table."""
    return [
        (
            one.name.rstrip("."),
            str(one.nodes),
            bytes_text(one.database_bytes),
            str(one.objects),
            bytes_text(one.repository_bytes),
        )
        for one in shares
    ]
