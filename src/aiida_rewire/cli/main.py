"""The command `aiida-rewire`."""

from __future__ import annotations

from importlib.metadata import version

import click

from aiida_rewire.cli.campaign.group import campaign_group
from aiida_rewire.cli.demo import demo_command
from aiida_rewire.cli.doctor import doctor_command
from aiida_rewire.cli.harden import harden_command
from aiida_rewire.cli.md import md_group
from aiida_rewire.cli.md_stages import stages_command
from aiida_rewire.cli.validate import validate_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("aiida-rewire"), prog_name="aiida-rewire")
def main() -> None:
    """Conductance of silver filaments from biased reactive MD, with provenance."""


main.add_command(campaign_group)
main.add_command(demo_command)
main.add_command(doctor_command)
main.add_command(harden_command)
md_group.add_command(stages_command)
main.add_command(md_group)
main.add_command(validate_command)
