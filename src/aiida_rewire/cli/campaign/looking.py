"""`aiida-rewire campaign status`, `watch`, `failures` and `cost`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from aiida_rewire.cli.campaign.interval import interval_option
from aiida_rewire.cli.campaign.opening import (
    answer,
    campaign_of,
    directory_option,
    json_option,
    say,
    say_aside,
    told_in_a_line,
)
from aiida_rewire.cli.home import DemoFailure
from aiida_rewire.cli.profile import open_profile


@click.command("status")
@click.argument("label", required=False)
@click.option("--mine", is_flag=True, help="Only campaigns that you recorded.")
@click.option("--by", metavar="NAME", help="Only campaigns that NAME recorded: an e-mail, or what is before its @.")
@directory_option
@json_option
def status_command(label: str | None, mine: bool, by: str | None, directory: Path | None, as_json: bool) -> None:
    """Say how far a campaign is: dynamics, snapshots, transmissions and time left of each chain.

    Without LABEL all campaigns are listed, a line each, or those of a person.
    """
    if mine and by is not None:
        raise DemoFailure(f"by = {by!r}: must be left out with --mine")
    if label is None:
        list_campaigns(directory, mine=mine, by=by, as_json=as_json)
        return
    if mine or by is not None:
        raise DemoFailure(
            f"label = {label!r}: must be left out with {'--mine' if mine else '--by'}, which lists campaigns"
        )
    with campaign_of(label, directory) as group:
        from aiida_rewire.cli.campaign.progress_text import progress_sheet, progress_values
        from aiida_rewire.cli.campaign.showing import show
        from aiida_rewire.cli.campaign.watching import look

        progress, runners = look(group)
        if as_json:
            answer(progress_values(progress, runners), [], as_json=True)
        else:
            show(progress_sheet(progress, runners, place_of(directory)))


def place_of(directory: Path | None) -> str:
    """Return what ends a command that is to find the same profile."""
    return "" if directory is None else f" --directory {shlex.quote(str(directory))}"


def list_campaigns(directory: Path | None, *, mine: bool, by: str | None, as_json: bool) -> None:
    """List all campaigns of a profile, or those of a person."""
    with told_in_a_line():
        open_profile(directory)
        from aiida_rewire.campaign.overview import overview
        from aiida_rewire.campaign.ownership import goes_by, me
        from aiida_rewire.campaign.runners import runners_of
        from aiida_rewire.cli.campaign.progress_text import overview_sheet, overview_values
        from aiida_rewire.cli.campaign.showing import show
        from aiida_rewire.cli.campaign.spec import printable

        whose = me() if mine else by
        shown = [one for one in overview() if whose is None or goes_by(one.submitted_by, whose)]
        found = [(one, runners_of(one.uuid, one.controller)) for one in shown]
        if as_json:
            answer({"campaigns": [overview_values(*pair) for pair in found]}, [], as_json=True)
        elif found:
            show(overview_sheet(found))
            for one, _ in found:
                if one.problem:
                    say_aside(f"{printable(one.label)}: {one.problem}")
        elif whose is not None:
            say(f"no campaign was recorded by {printable(whose)[:80] or 'you'}")
        else:
            say("there is no campaign yet: `aiida-rewire campaign new` writes a file, `submit` records it")


@click.command("watch")
@click.argument("label")
@interval_option
@directory_option
@json_option
def watch_command(label: str, interval: float, directory: Path | None, as_json: bool) -> None:
    """Look at a campaign again and again until it is over; its status, kept up to date on a terminal.

    Elsewhere a line is printed for each chain that is no longer what it was; with --json the status at the end. The
    exit status is 0 if every chain is finished, else 1. Ctrl-C ends the watching, not the campaign.
    """
    finished = False
    with campaign_of(label, directory) as group:
        from rich.console import Console

        from aiida_rewire.cli.campaign import watching
        from aiida_rewire.cli.campaign.progress_text import progress_values

        looks = watching.looks_until_over(group.pk, interval, say_aside)
        console = Console()
        try:
            if as_json:
                progress, runners = watching.last_of(looks)
                answer(progress_values(progress, runners), [], as_json=True)
            elif console.is_terminal:
                progress = watching.watch_on_terminal(looks, console, place_of(directory))
            else:
                progress = watching.watch_as_lines(looks, place_of(directory))
            finished = progress.state == "finished"
        except KeyboardInterrupt:
            say_aside("the campaign goes on")
    click.get_current_context().exit(0 if finished else 1)


@click.command("failures")
@click.argument("label")
@click.option("--mended", is_flag=True, help="Show what was made up for as fully as the rest.")
@directory_option
@json_option
def failures_command(label: str, mended: bool, directory: Path | None, as_json: bool) -> None:
    """List what failed by exit code: how often, an example, the lines that decide, and the way out.

    What separate jobs, the next job or a later attempt made up for is counted apart.
    """
    with campaign_of(label, directory) as group:
        from aiida_rewire.campaign.triage import failure_rows
        from aiida_rewire.cli.campaign.failures_text import failure_lines, triage_values

        rows = failure_rows(group)
        answer(
            triage_values(label, rows),
            failure_lines(label, rows, with_mended=mended, where=place_of(directory)),
            as_json=as_json,
        )


@click.command("cost")
@click.argument("label")
@click.option(
    "--sacct/--no-sacct",
    "ask",
    default=True,
    show_default=True,
    help="Ask Slurm for accounts that are missing.",
)
@directory_option
@json_option
def cost_command(label: str, ask: bool, directory: Path | None, as_json: bool) -> None:
    """Add up core-hours and wall time by step, user and status, and say where each number comes from.

    Jobs for which sacct was asked too early are asked for again, and what it says is kept. Jobs that were taken from
    the cache cost nothing and are counted apart.
    """
    with campaign_of(label, directory) as group:
        from aiida_rewire.campaign.cost import cost_of
        from aiida_rewire.cli.campaign.cost_text import cost_sheets, cost_values
        from aiida_rewire.cli.campaign.showing import show
        from aiida_rewire.database.standing import Standing, standing_of_profile

        # what sacct says is kept in the database, and asked for as whoever ran the jobs
        cost = cost_of(group, say_aside, ask=ask and standing_of_profile() is Standing.OWNER)
        if as_json:
            answer(cost_values(label, cost), [], as_json=True)
        else:
            show(*cost_sheets(label, cost))
