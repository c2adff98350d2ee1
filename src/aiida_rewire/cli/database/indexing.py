"""`aiida-rewire database index`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_rewire.cli.campaign.opening import answer, directory_option, json_option, say_aside
from aiida_rewire.cli.database.opening import bytes_text, storage_of
from aiida_rewire.cli.home import DemoFailure

if TYPE_CHECKING:
    from aiida_rewire.database.indices import Standing


@click.command("index", short_help="Make indices for queries, or drop them.")
@click.option("--show", "show_only", is_flag=True, help="Say which there are, and change nothing.")
@click.option("--drop", is_flag=True, help="Take them away again, for instance before an upgrade of AiiDA.")
@directory_option
@json_option
def index_command(show_only: bool, drop: bool, directory: Path | None, as_json: bool) -> None:
    """Make the indices by which queries for conductances are fast, in PostgreSQL.

    They are made while people and the daemon go on. AiiDA does not know of them and is not disturbed: its tables and
    the version of its schema are what they were.
    """
    if show_only and drop:
        raise DemoFailure("--show and --drop: must be one of the two; leave out one")
    with storage_of(directory) as storage:
        from aiida_rewire.database.indices import drop_indices, make_indices, standing

        if not storage.is_postgresql:
            raise DemoFailure(
                f"profile = {storage.name} on SQLite: must be one on PostgreSQL to have indices; "
                "queries give the same without, in a longer time"
            )
        made: list[str] = []
        dropped: list[str] = []
        with storage.connection() as connection:
            if drop:
                dropped = drop_indices(connection)
            elif not show_only:
                made = make_indices(connection, say_aside)
            there = standing(connection)
    found = [
        {"name": one.index.name, "bytes": one.size, "valid": one.valid, "definition": one.index.definition}
        for one in there
    ]
    answer({"made": made, "dropped": dropped, "indices": found}, [line_of(one) for one in there], as_json=as_json)


def line_of(one: Standing) -> str:
    """Say whether an index is there, and what for."""
    if one.size is None:
        state = "not there"
    elif one.valid:
        state = bytes_text(one.size)
    else:
        state = "unfinished, of no use: `aiida-rewire database index` makes it anew"
    return f"{one.index.name}: {state} ({one.index.helps})"
