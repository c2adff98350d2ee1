"""`aiida-rewire database`: what keeps a database of many campaigns safe, small and fast."""

from __future__ import annotations

import click

from aiida_rewire.cli.lazy import LazyGroup
from aiida_rewire.cli.profile import profile_option

MODULES = {
    "backup": "backing_up",
    "restore": "backing_up",
    "size": "sizes",
    "maintain": "maintaining",
    "index": "indexing",
}
"""By the names of the commands, the modules of this package in which they are."""

COMMANDS = {name: f"{__package__}.{module}:{name}_command" for name, module in MODULES.items()}


@click.group("database", cls=LazyGroup, lazy=COMMANDS)
@profile_option
def database_group() -> None:
    """Keep a database of many campaigns safe, small and fast."""
