"""`aiida-rewire md`: biased dynamics of two tips, from submission to the time of first contact."""

from __future__ import annotations

import json
import warnings
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aiida_rewire.cli import ingredients
from aiida_rewire.cli.home import DemoFailure, Home
from aiida_rewire.cli.md_runs import contact_times, find_runs, snapshots_of, voltage_text
from aiida_rewire.errors import InvalidInput
from aiida_rewire.workflows.protocols import check_dynamics, load_protocol, protocol_names

if TYPE_CHECKING:
    from aiida import orm

WORKFLOW = "rewire.dynamics"
PLUGIN = "rewire.md"


@click.group("md")
def md_group() -> None:
    """Biased reactive dynamics of two tips: submit runs, look at them."""


def read_voltage(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> list[Any]:
    """Read voltages: a number in V, or points `ps:V` parted by commas."""
    voltages: list[Any] = []
    for text in texts:
        try:
            if ":" in text:
                voltages.append([[float(part) for part in point.split(":")] for point in text.split(",")])
            else:
                voltages.append(float(text))
        except ValueError as error:
            raise click.BadParameter(f"{text}: must be a number of volts, or points such as 0:0,50:8") from error
    return voltages


@md_group.command("submit")
@click.option("--protocol", default="moderate", show_default=True, help="One of demo, moderate, paper.")
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
@click.option("--orientation", help="Of the tips: 100 or 111.")
@click.option("--fixed-layers", type=int, help="Layers of each base that are held fixed.")
@click.option("--temperature", type=float, help="K.")
@click.option("--timestep", type=float, help="fs.")
@click.option("--bias", help="driver (any LAMMPS), native (a LAMMPS with fix echemdid) or none.")
@click.option("--potential", help="How the driver spreads the potential: steady or diffusion.")
@click.option("--code", "code_label", metavar="LABEL@COMPUTER", help=f"Code with the plugin {PLUGIN}.")
@click.option("--ranks", type=click.IntRange(min=1), help="MPI ranks.")
@click.option("--wall-hours", type=click.FloatRange(min=0, min_open=True), help="Wall time of each job, h.")
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
    their contact. All inputs are checked before anything is submitted.
    """
    warnings.simplefilter("ignore")
    given = {key: value for key, value in changes.items() if value is not None}
    try:
        planned = plan(protocol, voltage, seed, given)
    except InvalidInput as error:
        raise DemoFailure(str(error)) from error
    open_profile(directory)
    code = find_code(code_label, directory, planned[0][1]["production"].get("bias", "driver"))
    potential = find_force_field(force_field)
    for overrides, _ in planned:
        start(code, potential, protocol, overrides, label, wait=directory is not None)


def plan(
    protocol: str, voltages: list[Any], seeds: tuple[int, ...], changes: dict[str, Any]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return overrides and complete values of each run, checked.

    Raises
    ------
    InvalidInput
        If a run could not begin.
    """
    if protocol not in protocol_names("dynamics"):
        names = ", ".join(protocol_names("dynamics"))
        raise InvalidInput("protocol", protocol, f"one of {names}", "correct the name")
    runs = []
    own = load_protocol(protocol, {}, workflow="dynamics")
    for volts, seed in product(voltages or [own["production"]["voltage_v"]], seeds or (own["production"]["seed"],)):
        overrides = overrides_of(own, changes)
        overrides["production"] |= {"voltage_v": volts, "seed": seed}
        overrides["equilibration"] |= {"seed": seed}
        values = load_protocol(protocol, overrides, workflow="dynamics")
        check_dynamics(values)
        runs.append((overrides, values))
    return runs


def overrides_of(own: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return the overrides of a protocol for the options that the user gave."""
    tips = {key: changes[key] for key in ("gap", "base_side", "orientation", "fixed_layers") if key in changes}
    names = {"temperature": "temperature_k", "timestep": "timestep_fs", "bias": "bias", "potential": "potential"}
    both = {name: changes[key] for key, name in names.items() if key in changes}
    production: dict[str, Any] = dict(both)
    if "ps" in changes:
        timestep = changes.get("timestep", own["production"]["timestep_fs"])
        production["steps"] = round(changes["ps"] * 1000 / timestep)
    overrides: dict[str, Any] = {"tips": tips, "equilibration": dict(both), "production": production}
    if "snapshot_ps" in changes:
        overrides["snapshot_interval_ps"] = changes["snapshot_ps"]
    options: dict[str, Any] = {}
    if "ranks" in changes:
        ranks = changes["ranks"]
        options["resources"] = {"num_machines": 1, "num_mpiprocs_per_machine": ranks}
        options["withmpi"] = ranks > 1
    if "wall_hours" in changes:
        options["max_wallclock_seconds"] = max(1, round(changes["wall_hours"] * 3600))
    if options:
        overrides["md"] = {"options": options}
    return overrides


def open_profile(directory: Path | None) -> None:
    """Load the embedded profile of a folder, made if it is not there, or the user's own.

    Raises
    ------
    DemoFailure
        If the user has none.
    """
    if directory is not None:
        home = Home.at(directory)
        home.enter()
        home.open_profile()
        return
    from aiida import load_profile
    from aiida.common.exceptions import ConfigurationError

    try:
        load_profile()
    except ConfigurationError as error:
        raise DemoFailure(
            f"no AiiDA profile: {error}; make one with `verdi presto --use-zeromq`, or give --directory"
        ) from error


def find_code(label: str | None, directory: Path | None, bias: str) -> Any:
    """Return the code of that label, or the only one of the plugin.

    Raises
    ------
    DemoFailure
        If there is none, or more than one.
    """
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    if directory is not None:
        codes = ingredients.load_codes(ingredients.find_programs(("lmp",)))
        return codes[ingredients.DRIVER if bias == "driver" else "lmp"]
    if label is not None:
        try:
            return orm.load_code(label)
        except (NotExistent, ValueError) as error:
            raise DemoFailure(f"code = {label}: there is none of that label; `verdi code list` shows all") from error
    query = orm.QueryBuilder().append(orm.AbstractCode, filters={"attributes.input_plugin": PLUGIN})
    found = query.all(flat=True)
    if len(found) == 1:
        return found[0]
    what = "a Python that can import LAMMPS's module" if bias == "driver" else "LAMMPS"
    if not found:
        raise DemoFailure(
            f"no code for {PLUGIN}: register {what} with `verdi code create core.code.installed --label md "
            f"--computer COMPUTER --filepath-executable PATH --default-calc-job-plugin {PLUGIN}`"
        )
    names = ", ".join(sorted(code.full_label for code in found))
    raise DemoFailure(f"several codes for {PLUGIN} ({names}): choose {what} with --code")


def find_force_field(uuid: str | None) -> Any:
    """Return the force field of that UUID, or the project's silver.

    Raises
    ------
    DemoFailure
        If there is none of that UUID.
    """
    if uuid is None:
        return ingredients.load_force_field()
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        return orm.load_node(uuid)
    except (NotExistent, ValueError) as error:
        raise DemoFailure(f"force-field = {uuid}: there is no such node") from error


def start(code: Any, potential: Any, protocol: str, overrides: dict[str, Any], label: str, *, wait: bool) -> None:
    """Submit a run, or run it here, and say which it is.

    Raises
    ------
    DemoFailure
        If its inputs are refused, or if it was awaited and failed.
    """
    from aiida.plugins import WorkflowFactory

    workflow = WorkflowFactory(WORKFLOW)
    about = f"{voltage_text(overrides['production']['voltage_v'])} V, seed {overrides['production']['seed']}"
    inputs = {"protocol": protocol, "overrides": overrides, "label": label}
    try:
        if not wait:
            click.echo(f"submitted <{workflow.submit_from_protocol(code, potential, **inputs).pk}> {about}")
            return
        click.echo(f"running {about} ...")
        node = workflow.run_from_protocol(code, potential, **inputs)
    except ValueError as error:
        raise DemoFailure(str(error)) from error
    if not node.is_finished_ok:
        raise DemoFailure(f"<{node.pk}> failed: [{node.exit_status}] {node.exit_message}")
    click.echo(f"<{node.pk}> {about}: {contact_text(node.outputs.snapshots)}")


def contact_text(snapshots: orm.TrajectoryData) -> str:
    """Say when the tips first touched."""
    first = snapshots.base.attributes.get("first_contact_ps")
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
    """Show all runs and the times to first contact, or the snapshots of one: its PK, UUID or label."""
    warnings.simplefilter("ignore")
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
        raise DemoFailure("no run of rewire.dynamics or rewire.chain in this profile; `aiida-rewire md submit`")
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
        "steps/s",
    )
    table = Table(*columns)
    for run in runs:
        table.add_row(*map(Text, run.row()))
    show(table)
    table = Table("atoms", "gap (Å)", "voltage (V)", "runs", "without contact", "median (ps)", "quartiles (ps)")
    for row in times:
        table.add_row(*row.row())
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
