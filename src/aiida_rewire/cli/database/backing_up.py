"""`aiida-rewire database backup` and `restore`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from aiida_rewire.cli.campaign.opening import answer, directory_option, json_option, say_aside
from aiida_rewire.cli.database.opening import storage_of


@click.command("backup", short_help="Copy database and files into a folder.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--keep", type=click.IntRange(min=0), metavar="N", help="Keep N older backups in FOLDER; all by default."
)
@directory_option
@json_option
def backup_command(folder: Path, keep: int | None, directory: Path | None, as_json: bool) -> None:
    """Copy the database and its files into a folder of backups; people and the daemon may go on.

    The database is copied as it is at one moment, then the files, and it is checked that each file which that
    database names is in the copy. Files that are packed, and in the backup before, take no further space. The
    password is in no backup.
    """
    # the profile of --directory is looked for from here, and so are files
    folder = folder.absolute()
    with storage_of(directory) as storage:
        from aiida_rewire.database.backup import back_up

        made, record = back_up(storage, folder, keep=keep, tell=say_aside)
    counts = ", ".join(f"{count} {name}" for name, count in record.counts.items())
    answer(
        {"folder": str(made), **asdict(record)},
        [f"{made}", f"{counts}, {record.files} files: all there"],
        as_json=as_json,
    )


@click.command("restore", short_help="Put a backup into a new profile.")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@directory_option
@json_option
def restore_command(folder: Path, directory: Path | None, as_json: bool) -> None:
    """Put a backup into a new, empty profile; of a folder of backups the latest.

    Make the profile with `verdi profile setup` on an empty database, with the same address of the user, and name it
    by `aiida-rewire database --profile NAME restore FOLDER`. Roles and rights of PostgreSQL are not part of a backup.
    """
    folder = folder.absolute()
    with storage_of(directory) as storage:
        from aiida_rewire.database.restoring import restore, standing_of

        made, record = restore(storage, folder, say_aside)
        standing = standing_of(storage, record)
    lines = [f"restored {made}", *standing.lines(storage.name)]
    answer({"folder": str(made), "complete": standing.complete, **asdict(record)}, lines, as_json=as_json)
    click.get_current_context().exit(0 if standing.complete is not False else 1)
