"""`aiida-rewire setup`: what AiiDA must know before a campaign can run."""

from __future__ import annotations

import click

from aiida_rewire.cli.lazy import LazyGroup
from aiida_rewire.cli.profile import profile_option

COMMANDS = {
    "local": "aiida_rewire.cli.setup.local:local_command",
    "cluster": "aiida_rewire.cli.setup.cluster:cluster_command",
    "example": "aiida_rewire.cli.setup.example:example_command",
    "group": "aiida_rewire.cli.setup.sharing:group_command",
    "join": "aiida_rewire.cli.setup.sharing:join_command",
    "check-group": "aiida_rewire.cli.setup.sharing:check_group_command",
}


@click.group("setup", cls=LazyGroup, lazy=COMMANDS)
@profile_option
def setup_group() -> None:
    """Set up this machine, a cluster, or a group's database."""
