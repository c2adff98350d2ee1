"""`aiida-rewire database maintain`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from aiida_rewire.cli.campaign.opening import answer, directory_option, json_option, say_aside
from aiida_rewire.cli.database.opening import bytes_text, storage_of


@click.command("maintain", short_help="Pack files, vacuum the database.")
@click.option("--full", is_flag=True, help="Also what nobody else may be there for: stop the daemon first.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@directory_option
@json_option
def maintain_command(full: bool, dry_run: bool, directory: Path | None, as_json: bool) -> None:
    """Pack files and vacuum the database; people and the daemon may go on.

    With --full also delete files that belong to no node any more, and write packs anew; that is refused while a
    daemon or anybody else uses the profile. One upkeep or backup at a time, whoever starts it.
    """
    with storage_of(directory) as storage:
        from aiida_rewire.database.maintenance import maintain

        done = maintain(storage, full=full, dry_run=dry_run, tell=say_aside)
    would = "would be " if dry_run else ""
    lines = [f"{done.packed} files ({bytes_text(done.packed_bytes)}) {would}packed"]
    if done.deleted is not None:
        lines.append(f"{done.deleted} files that belong to no node {would}deleted")
    if dry_run:
        lines.append("the database would be vacuumed")
    for name, before, after in (
        ("database", done.database_before, done.database_after),
        ("repository", done.repository_before, done.repository_after),
    ):
        lines.append(
            f"{name} {bytes_text(before)}" if dry_run else f"{name} {bytes_text(before)} -> {bytes_text(after)}"
        )
    answer({"dry_run": dry_run, "full": full, **asdict(done)}, lines, as_json=as_json)
