"""`aiida-rewire campaign`: voltages x seeds x snapshots, from one file to a published table."""

from __future__ import annotations

import click

from aiida_rewire.cli.lazy import LazyGroup
from aiida_rewire.cli.profile import profile_option

MODULES = {
    "new": "spec",
    "check": "spec",
    "plan": "planning",
    "submit": "control",
    "run": "control",
    "serve": "serving",
    "retry": "control",
    "pause": "control",
    "resume": "control",
    "kill": "control",
    "status": "looking",
    "watch": "looking",
    "failures": "looking",
    "cost": "looking",
    "export": "publishing",
    "import": "publishing",
    "clean": "cleaning",
}
"""By the names of the commands, the modules of this package in which they are."""

COMMANDS = {name: f"{__package__}.{module}:{name}_command" for name, module in MODULES.items()}


@click.group("campaign", cls=LazyGroup, lazy=COMMANDS)
@profile_option
def campaign_group() -> None:
    """Campaigns of many chains from one file: run, watched, paid for and published."""
