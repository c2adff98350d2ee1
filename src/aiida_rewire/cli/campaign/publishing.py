"""`aiida-rewire campaign export` and `import`: to a data repository, and from one."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_rewire.cli.campaign.opening import (
    answer,
    campaign_of,
    directory_option,
    json_option,
    refuse_all_but_the_owner,
    told_in_a_line,
)
from aiida_rewire.cli.profile import open_profile

TABLES = ("csv", "parquet")


@click.command("export")
@click.argument("label")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that the files go to. Default: one of the campaign's name, here.",
)
@click.option("--table", type=click.Choice([*TABLES, "both"]), default="both", show_default=True)
@click.option("--no-archive", is_flag=True, help="The table alone, without the AiiDA archive.")
@directory_option
@json_option
def export_command(
    label: str, output: Path | None, table: str, no_archive: bool, directory: Path | None, as_json: bool
) -> None:
    """Write a campaign for a data repository: its archive, the table of its conductances, their checksums.

    While something of the campaign runs, the table holds what is finished, and there is no archive.
    """
    # the profile of --directory is looked for from here, and so are files
    folder = Path(label) if output is None else output
    with campaign_of(label, directory) as group:
        from aiida_rewire.campaign.archive import export_campaign

        tables = TABLES if table == "both" else (table,)
        written = export_campaign(group, folder, tables=tables, archive=not no_archive)
    lines = [f"wrote {path}" for path in written.files.values()]
    lines.append(f"{written.rows} conductances")
    if written.living:
        lines.append(f"{written.living} processes have not ended: no archive yet; the table holds what is finished")
    found = {
        "label": label,
        "files": {kind: str(path) for kind, path in written.files.items()},
        "conductances": written.rows,
        "living": written.living,
    }
    answer(found, lines, as_json=as_json)


@click.command("import")
@click.argument("archive", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@directory_option
@json_option
def import_command(archive: Path, directory: Path | None, as_json: bool) -> None:
    """Take the campaign of an archive into this profile, to be looked at; nobody goes on with it here.

    Twice is the same as once.
    """
    with told_in_a_line():
        open_profile(directory, make=directory is not None)
        refuse_all_but_the_owner("import")
        from aiida_rewire.campaign.importing import import_campaign

        group, done = import_campaign(archive)
        lines = [f"{group.label} is here" if done else f"{group.label} was recorded here: nothing to import"]
        answer({"label": group.label, "imported": done}, lines, as_json=as_json)
