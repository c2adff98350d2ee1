"""`aiida-rewire campaign`: voltages x seeds x snapshots, from one file to a published table."""

from __future__ import annotations

import click

from aiida_rewire.cli.campaign.cleaning import clean_command
from aiida_rewire.cli.campaign.control import (
    kill_command,
    pause_command,
    resume_command,
    retry_command,
    run_command,
    submit_command,
)
from aiida_rewire.cli.campaign.publishing import export_command, import_command
from aiida_rewire.cli.campaign.spec import check_command, new_command
from aiida_rewire.cli.md import PROFILE_KEY

COMMANDS = (
    *(new_command, check_command),
    *(submit_command, run_command, retry_command, pause_command, resume_command, kill_command),
    *(export_command, import_command, clean_command),
)


@click.group("campaign")
@click.option("-p", "--profile", metavar="NAME", help="AiiDA profile; the default one by default.")
@click.pass_context
def campaign_group(context: click.Context, profile: str | None) -> None:
    """Campaigns of many chains from one file: run, watched, paid for and published."""
    context.meta[PROFILE_KEY] = profile


for command in COMMANDS:
    campaign_group.add_command(command)
