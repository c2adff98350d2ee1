"""`aiida-rewire md stages`: a picture of the stages that a run went through."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.cli.md_runs import find_run, voltage_text
from aiida_rewire.cli.profile import open_profile
from aiida_rewire.junction.contact import Stage
from aiida_rewire.junction.tips import Region

PICTURES = (".png", ".pdf", ".svg")
DPI = 200


@click.command("stages")
@click.argument("identifier")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("stages.png"),
    show_default=True,
    help=f"Picture; {', '.join(PICTURES)}.",
)
@click.option("--directory", type=click.Path(path_type=Path), help="Look into the embedded profile of this folder.")
def stages_command(identifier: str, output: Path, directory: Path | None) -> None:
    """Draw the first snapshot of each stage of a run: its PK, UUID or label."""
    warnings.simplefilter("ignore")
    if output.suffix not in PICTURES:
        raise DemoFailure(f"output = {output}: must end with one of {', '.join(PICTURES)}; rename it")
    open_profile(directory)
    node, snapshots = find_run(identifier)
    from aiida_rewire.junction.figure import StageView, draw_stages, first_of_each_stage

    views = [
        StageView(
            stage=Stage(stage),
            time_ps=float(snapshots.get_array("time_ps")[index]),
            bonds=int(snapshots.get_array("bonds")[index]),
            positions=snapshots.get_array("positions")[index],
        )
        for stage, index in first_of_each_stage(snapshots.base.attributes.get("stages")).items()
    ]
    regions = [Region(site.kind_name) for site in node.outputs.tips.sites]
    voltage = voltage_text(node.inputs.production.get_dict().get("voltage_v", 0.0))
    seed = node.inputs.production["seed"]
    title = f"{len(regions)} atoms of silver, {voltage} V, seed {seed}"
    draw_stages(views, regions, title=title).savefig(output, dpi=DPI)
    click.echo(f"wrote {output}: {', '.join(f'{view.stage} at {view.time_ps:.2f} ps' for view in views)}")
