"""`aiida-rewire campaign new` and `check`: the campaign file before it is submitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_rewire.cli.campaign.opening import directory_option, json_option, say_aside, told_in_a_line
from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.errors import InvalidInput

if TYPE_CHECKING:
    from aiida_rewire.campaign.specification import CampaignSpec

STDOUT = "-"


@click.command("new")
@click.argument("file", default="campaign.yaml", metavar="[FILE]")
@click.option(
    "--protocol",
    default="moderate",
    show_default=True,
    metavar="NAME",
    help="Of the campaign: demo, moderate or paper; its values stand in the comments.",
)
@click.option("--label", default="silver", show_default=True, help="Of the campaign.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of campaign files, for editors, and write none.")
@json_option
def new_command(file: str, protocol: str, label: str, schema: bool, as_json: bool) -> None:
    """Write a campaign file with every field, its unit and its default.

    FILE is campaign.yaml by default; - writes to the standard output. A file that is there is left alone.
    """
    from aiida_rewire.campaign.reading import CampaignErrors, spec_of
    from aiida_rewire.campaign.specification import CampaignSpec
    from aiida_rewire.campaign.template import campaign_file

    if schema:
        click.echo(json.dumps(CampaignSpec.model_json_schema(), indent=2))
        return
    try:
        text = campaign_file(protocol, label)
        spec_of(text, file)
    except InvalidInput as error:
        raise DemoFailure(str(error)) from error
    except CampaignErrors as error:
        raise DemoFailure(error.errors[0].split(": ", 1)[1]) from error
    if file == STDOUT:
        click.echo(text, nl=False)
        return
    try:
        with Path(file).open("x", encoding="utf-8") as handle:
            handle.write(text)
    except FileExistsError as error:
        raise DemoFailure(f"file = {printable(file)}: must not be there yet; choose another, or delete it") from error
    except (OSError, ValueError) as error:
        raise DemoFailure(f"file = {printable(file)}: cannot be written: {error}") from error
    if as_json:
        click.echo(json.dumps({"file": file, "label": label, "protocol": protocol}, indent=2))
    else:
        click.echo(f"wrote {printable(file)}; fill in its codes, then `aiida-rewire campaign check` it")


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--offline", is_flag=True, help="Leave out what only a database knows: codes, computers, slots.")
@directory_option
@json_option
def check_command(file: Path, offline: bool, directory: Path | None, as_json: bool) -> None:
    """Say all that is wrong with a campaign file, each with its line and a way out.

    Without --offline also whether its codes, computers, pseudopotentials and force field are there, whether its jobs
    fit the computers, and its chains the slots of the daemon. Nothing is stored but silver's own force field; with
    --directory the profile is made, with the programs of this machine as codes.
    """
    from aiida_rewire.campaign.checks import database_problems
    from aiida_rewire.campaign.reading import CampaignErrors, examine_file
    from aiida_rewire.cli.campaign.embedded import open_and_prepare

    if offline and directory is not None:
        raise DemoFailure(f"directory = {directory}: must be left out with --offline, which asks no database")
    spec = None
    try:
        reading = examine_file(file)
    except CampaignErrors as error:
        errors = error.errors
    else:
        spec, problems = reading.spec, reading.problems
        if spec is not None and not offline:
            with told_in_a_line():
                open_and_prepare(spec, directory, say_aside)
                problems += database_problems(spec, [problem.place for problem in problems])
        errors = reading.source.messages(problems)
    if errors or spec is None:
        if as_json:
            click.echo(json.dumps({"ok": False, "errors": errors}, indent=2))
        for line in [] if as_json else errors:
            click.echo(line, err=True)
        count = f"{len(errors)} error{'s' * (len(errors) != 1)}"
        raise DemoFailure(f"{count} in {printable(file)}")
    found = summary(spec, offline=offline)
    click.echo(json.dumps({"ok": True, "errors": [], **found}, indent=2) if as_json else sentence(found))


def printable(file: str | Path) -> str:
    """Return the name of a file as it can be printed."""
    return str(file) if str(file).isprintable() else repr(str(file))


def summary(spec: CampaignSpec, *, offline: bool) -> dict[str, Any]:
    """Return what a campaign comes to.

    Parameters
    ----------
    spec
        Of the campaign.
    offline
        Without the slots that the daemon has.
    """
    from aiida_rewire.campaign.chains import chains_of
    from aiida_rewire.campaign.computers import workers_and_slots
    from aiida_rewire.campaign.reading import digest_of
    from aiida_rewire.campaign.slots import jobs_at_once, slots_of_chain, snapshots_in

    chains = chains_of(spec)
    values = chains[0].values
    active = min(spec.limits.active_chains, len(chains))
    found: dict[str, Any] = {
        "label": spec.label,
        "digest": digest_of(spec),
        "chains": len(chains),
        "snapshots": sum(snapshots_in(chain.values) for chain in chains),
        "jobs_at_once": active * jobs_at_once(values),
        "slots": active * slots_of_chain(values),
    }
    if not offline:
        workers, each = workers_and_slots()
        found["slots_there"] = workers * each
    return found


def sentence(found: dict[str, Any]) -> str:
    """Return what a campaign comes to as a line."""
    from aiida_rewire.campaign.decisions import counted

    there = f" of {found['slots_there']}" if "slots_there" in found else ""
    chains = counted(found["chains"], "chain", "chains")
    snapshots = counted(found["snapshots"], "snapshot", "snapshots")
    jobs = counted(found["jobs_at_once"], "job", "jobs")
    slots = f"{found['slots']}{there} slots of the daemon"
    return f"{found['label']}: {chains}, {snapshots}; up to {jobs} at once, and {slots}"
