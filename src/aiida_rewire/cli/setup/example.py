"""`aiida-rewire setup example`: a commented file of a site."""

from __future__ import annotations

import json
from importlib.resources import files

import click

EXAMPLES = {
    "slurm-ssh": "Slurm, reached by SSH",
    "slurm-here": "Slurm, from its login node",
    "direct": "a workstation without a scheduler, by SSH",
}
"""Names of the examples, and of what."""


def example_file(name: str) -> str:
    """Return the text of an example, one of `EXAMPLES`."""
    return files(__package__).joinpath("examples", f"{name}.yaml").read_text(encoding="utf-8")


@click.command("example", epilog="; ".join(f"{name}: {what}" for name, what in EXAMPLES.items()))
@click.argument("name", type=click.Choice(list(EXAMPLES)), default="slurm-ssh")
@click.option("--schema", is_flag=True, help="Print the JSON schema of the files of sites, for editors.")
def example_command(name: str, schema: bool) -> None:
    """Print a commented file of a site, to be filled in for `aiida-rewire setup cluster`."""
    if schema:
        from aiida_rewire.cli.setup.site import Site

        click.echo(json.dumps(Site.model_json_schema(), indent=2))
        return
    click.echo(example_file(name), nl=False)
