"""`aiida-rewire structures`: junctions by their conductance, seen and handed on."""

from __future__ import annotations

import click

from aiida_rewire.cli.lazy import LazyGroup

MODULES = {"list": "listing", "sheet": "sheet", "export": "exporting"}
"""By the names of the commands, the modules of this package in which they are."""

COMMANDS = {name: f"{__package__}.{module}:{name}_command" for name, module in MODULES.items()}


@click.group("structures", cls=LazyGroup, lazy=COMMANDS)
def structures_group() -> None:
    """Junctions by their conductance: listed, seen, handed on."""
