"""`aiida-rewire measured`: conductances that were measured, beside those that are computed."""

from __future__ import annotations

import click

from aiida_rewire.cli.lazy import LazyGroup

MODULES = {
    "import": "importing",
    "list": "looking",
    "show": "looking",
    "plot": "drawing",
    "histogram": "counting",
}
"""By the names of the commands, the modules of this package in which they are."""

COMMANDS = {name: f"{__package__}.{module}:{name}_command" for name, module in MODULES.items()}


@click.group("measured", cls=LazyGroup, lazy=COMMANDS)
def measured_group() -> None:
    """Conductances that were measured, beside those that are computed."""
