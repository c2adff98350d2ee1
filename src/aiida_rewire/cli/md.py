"""`aiida-rewire md`: biased dynamics of two tips, from submission to the time of first contact."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.cli.md_inputs import find_code, find_force_field, find_local_code
from aiida_rewire.cli.md_plan import plan
from aiida_rewire.cli.md_runs import contact_times, find_runs, snapshots_of, state_of, voltage_text
from aiida_rewire.cli.md_stages import stages_command
from aiida_rewire.cli.profile import open_profile, profile_option
from aiida_rewire.errors import InvalidInput
from aiida_rewire.junction.tips import ORIENTATIONS
from aiida_rewire.md.conditions import BIASES, POTENTIALS
from aiida_rewire.workflows.protocols import protocol_names

if TYPE_CHECKING:
    from aiida import orm

WORKFLOW = "rewire.dynamics"


@click.group("md")
@profile_option
def md_group() -> None:
    """Biased reactive dynamics of two tips: submit runs, look at them."""


md_group.add_command(stages_command)


def read_voltage(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> list[Any]:
    """Read voltages: a number in V, or points `ps:V` parted by commas."""
    voltages: list[Any] = []
    for text in texts:
        try:
            points = [[float(part) for part in point.split(":")] for point in text.split(",")]
            if not all(math.isfinite(part) for point in points for part in point):
                raise ValueError(text)
            if ":" not in text and len(points) > 1:
                raise ValueError(text)
            if ":" in text and any(len(point) != 2 for point in points):
                raise ValueError(text)
        except ValueError as error:
            raise click.BadParameter(f"{text!r}: must be a number of volts, or points such as 0:0,50:8") from error
        voltages.append(points if ":" in text else points[0][0])
    return voltages


@md_group.command("submit")
@click.option("--protocol", default="moderate", show_default=True, type=click.Choice(protocol_names("dynamics")))
@click.option(
    "--voltage",
    multiple=True,
    callback=read_voltage,
    metavar="V | PS:V,PS:V,...",
    help="Bias in V, or points in ps and V with lines between them; may be repeated: a run for each.",
)
@click.option("--seed", multiple=True, type=int, help="Of the velocities; may be repeated: a run for each.")
@click.option("--ps", type=float, help="Length of the production, ps.")
@click.option("--snapshot-ps", type=float, help="Time between snapshots, ps.")
@click.option("--gap", type=float, help="Distance of the tips' apexes, Å.")
@click.option("--base-side", type=int, help="Atoms along an edge of a tip's base.")
@click.option("--apex-side", type=int, help="Atoms along an edge of a tip's apex.")
@click.option("--orientation", type=click.Choice(list(ORIENTATIONS)), help="Layers across the tips' axis.")
@click.option("--fixed-layers", type=int, help="Layers of each base that are held fixed.")
@click.option("--temperature", type=float, help="Temperature of the mobile atoms, K.")
@click.option("--timestep", type=float, help="Time step, fs; the lengths in ps stay.")
@click.option(
    "--bias",
    type=click.Choice(BIASES),
    help="Who spreads the potential: the driver (any LAMMPS), a native LAMMPS with fix echemdid, or none (0 V).",
)
@click.option("--potential", type=click.Choice(POTENTIALS), help="How the driver spreads it.")
@click.option("--code", "code_label", metavar="LABEL@COMPUTER", help="Code with the plugin rewire.md.")
@click.option("--ranks", type=click.IntRange(min=1), help="MPI ranks.")
@click.option("--wall-hours", type=float, help="Wall time of each job, h.")
@click.option(
    "--force-field", metavar="UUID", help="LammpsPotentialData with ReaxFF; the project's silver by default."
)
@click.option("--label", default="", help="Label of the runs.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Work in the embedded profile of this folder, made if it is not there, and wait for the end.",
)
def submit_command(
    protocol: str,
    voltage: list[Any],
    seed: tuple[int, ...],
    code_label: str | None,
    force_field: str | None,
    label: str,
    directory: Path | None,
    **changes: Any,
) -> None:
    """Submit biased dynamics of two tips: a run for each voltage and each seed.

    Tips are built, relaxed and equilibrated; the voltage is switched on; snapshots are taken, with the descriptors of
    their contact. What is not given is the protocol's. All inputs are checked before anything is submitted.
    """
    warnings.simplefilter("ignore")
    try:
        runs = plan(protocol, voltage, seed, {key: value for key, value in changes.items() if value is not None})
    except InvalidInput as error:
        raise DemoFailure(str(error)) from error
    bias = runs[0]["production"]["bias"]
    if directory is None:
        open_profile(None)
        refuse_no_daemon()
        code = find_code(code_label, bias)
    elif code_label is not None:
        raise DemoFailure(f"code = {code_label}: must be left out with --directory, which has its own")
    else:
        code = find_local_code(bias, lambda: open_profile(directory, make=True))
    potential = find_force_field(force_field)
    launch(code, potential, runs, label, wait=directory is not None)


def refuse_no_daemon() -> None:
    """Refuse a profile to whose daemon nothing can be submitted.

    Raises
    ------
    DemoFailure
        If it has no broker, or if its daemon does not run.
    """
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    if profile is None or profile.process_control_backend is None:
        name = profile.name if profile else "none"
        raise DemoFailure(
            f"profile = {name}: must have a broker, by which runs reach the daemon; "
            "make one with `verdi presto --use-zeromq`, or give --directory"
        )
    if not get_manager().get_daemon_client().is_daemon_running:
        raise DemoFailure(
            f"profile = {profile.name}: must have a daemon that runs; "
            f"start it with `verdi -p {profile.name} daemon start`, or give --directory"
        )


def launch(code: orm.AbstractCode, potential: Any, runs: list[dict[str, Any]], label: str, *, wait: bool) -> None:
    """Submit the runs, or run them here one after another, and say which they are.

    Raises
    ------
    DemoFailure
        If inputs are refused, or if a run was awaited and failed; the others are run all the same.
    """
    from aiida.plugins import WorkflowFactory

    workflow = WorkflowFactory(WORKFLOW)
    try:
        builders = [workflow.get_builder_from_values(code, potential, values, label=label) for values in runs]
        failed = 0
        for builder, values in zip(builders, runs, strict=True):
            production = values["production"]
            about = f"{voltage_text(production['voltage_v'])} V, seed {production['seed']}"
            if not wait:
                click.echo(f"submitted <{workflow.launch(builder).pk}> {about}")
                continue
            click.echo(f"running {about} ...")
            node = workflow.launch(builder, here=True)
            failed += not node.is_finished_ok
            click.echo(f"<{node.pk}> {about}: {outcome(node)}")
    except ValueError as error:
        raise DemoFailure(" ".join(str(error).split())) from error
    if failed:
        raise DemoFailure(f"{failed} of {len(runs)} runs failed; see `verdi process report`")


def outcome(node: orm.ProcessNode) -> str:
    """Say when the tips first touched, or why nobody knows."""
    if not node.is_finished_ok:
        return f"failed: [{node.exit_status}] {node.exit_message}" if node.is_finished else str(state_of(node, None))
    first = node.outputs.snapshots.base.attributes.get("first_contact_ps")
    return "no contact" if first is None else f"first contact at {first:.3g} ps"


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs to read.")
directory_option = click.option(
    "--directory", type=click.Path(path_type=Path), help="Look into the embedded profile of this folder."
)


@md_group.command("show")
@click.argument("identifier", required=False)
@click.option("--label", help="Only runs of this label.")
@directory_option
@json_option
def show_command(identifier: str | None, label: str | None, directory: Path | None, as_json: bool) -> None:
    """List the runs and their first contact, or show one.

    IDENTIFIER is the PK, UUID or label of the run whose snapshots are shown. Times to first contact are medians and
    quartiles over the seeds of runs that are alike otherwise; one that ends open says that its contact comes later.
    """
    warnings.simplefilter("ignore")
    if identifier is not None and label is not None:
        raise DemoFailure(f"label = {label}: must be left out with an identifier; leave one out")
    open_profile(directory)
    if identifier is not None:
        show_one(identifier, as_json=as_json)
        return
    runs = find_runs(label)
    times = contact_times(runs)
    if as_json:
        listed = {"runs": [run.as_dict() for run in runs], "first_contact": [row.as_dict() for row in times]}
        click.echo(json.dumps(listed, indent=2))
        return
    if not runs:
        which = "" if label is None else f" of label {label!r}"
        raise DemoFailure(
            f"no run of rewire.dynamics or rewire.chain{which} here; `aiida-rewire md submit` makes one"
        )
    columns = (
        "pk",
        "label",
        "atoms",
        "gap (Å)",
        "voltage (V)",
        "seed",
        "state",
        "ps",
        "first contact (ps)",
        "lasting (ps)",
        "in contact",
        "steps/s",
    )
    table = Table(*columns)
    for run in runs:
        table.add_row(*map(Text, run.row()))
    show(table)
    if not times:
        return
    conditions = ("tips", "atoms", "gap (Å)", "T (K)", "voltage (V)", "potential")
    table = Table(
        *conditions,
        "seeds",
        "without contact",
        "median (ps)",
        "quartiles (ps)",
        "without lasting",
        "lasting median (ps)",
    )
    for row in times:
        table.add_row(*map(Text, row.row()))
    show(table)


def show_one(identifier: str, *, as_json: bool) -> None:
    """Show the snapshots of a run with the descriptors of their contact.

    Raises
    ------
    DemoFailure
        If there is no such run, or it has no snapshots yet.
    """
    rows = snapshots_of(identifier)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(
            *(
                "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
                for value in row.values()
            )
        )
    show(table)


def show(table: Table) -> None:
    """Print a table, in full width where nobody looks."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)
