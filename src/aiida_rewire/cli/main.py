"""The command `aiida-rewire`."""

from __future__ import annotations

from importlib.metadata import version

import click

from aiida_rewire.cli.lazy import LazyGroup

COMMANDS = {
    "campaign": "aiida_rewire.cli.campaign.group:campaign_group",
    "database": "aiida_rewire.cli.database.group:database_group",
    "demo": "aiida_rewire.cli.demo:demo_command",
    "doctor": "aiida_rewire.cli.doctor:doctor_command",
    "harden": "aiida_rewire.cli.harden:harden_command",
    "histogram": "aiida_rewire.cli.results.counting:histogram_command",
    "iv": "aiida_rewire.cli.results.current_voltage:iv_command",
    "kinetics": "aiida_rewire.cli.results.kinetics:kinetics_command",
    "md": "aiida_rewire.cli.md:md_group",
    "measured": "aiida_rewire.cli.measured.group:measured_group",
    "noise": "aiida_rewire.cli.results.noise:noise_command",
    "report": "aiida_rewire.cli.report:report_command",
    "setup": "aiida_rewire.cli.setup.group_of_commands:setup_group",
    "structures": "aiida_rewire.cli.structures.group:structures_group",
    "trace": "aiida_rewire.cli.results.tracing:trace_command",
    "validate": "aiida_rewire.cli.validate:validate_command",
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("aiida-rewire"), prog_name="aiida-rewire")
def main() -> None:
    """Conductance of silver filaments from biased reactive MD, with provenance."""
