"""`aiida-rewire campaign submit`, `run`, `retry`, `pause`, `resume` and `kill`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from aiida_rewire.cli.campaign.interval import interval_option
from aiida_rewire.cli.campaign.opening import (
    answer,
    campaign_of,
    campaign_to_change,
    chain_option,
    directory_option,
    force_option,
    home_of,
    json_option,
    refuse_no_broker,
    say,
    say_aside,
    told_in_a_line,
)
from aiida_rewire.cli.campaign.running import log_path, run_here, start_detached
from aiida_rewire.cli.home import DemoFailure

if TYPE_CHECKING:
    from aiida import orm

    from aiida_rewire.campaign.control import Reached
    from aiida_rewire.campaign.specification import CampaignSpec


@click.command("submit")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--amend", is_flag=True, help="Take over what changed in the file of a campaign that is recorded.")
@click.option("--hold", is_flag=True, help="Record it, and start nothing.")
@force_option
@interval_option
@directory_option
@json_option
def submit_command(
    file: Path, amend: bool, hold: bool, force: str | None, interval: float, directory: Path | None, as_json: bool
) -> None:
    """Record the campaign of a file and start it; twice is the same as once.

    The controller that runs it goes on when this command ends. With --amend chains may be added, and limits, retries,
    resources and description changed; what would change chains that are recorded is refused.

    A member of a group records it, and the group's service runs it.
    """
    from aiida_rewire.campaign.reading import CampaignErrors, read_campaign
    from aiida_rewire.cli.campaign.embedded import open_and_prepare

    try:
        spec = read_campaign(file)
    except CampaignErrors as error:
        refuse(error.errors, file)
    with told_in_a_line():
        source = file.read_text(encoding="utf-8-sig")
        open_and_prepare(spec, directory, say_aside)
        check(spec, source, file)
        group, done = recorded(spec, source, amend=amend, force=force)
        found: dict[str, Any] = {"label": group.label, "pk": group.pk, "uuid": group.uuid, **done}
        lines = [sentence_of(group, done)]
        served = not hold and ask_service(group)
        if not hold and not served:
            refuse_no_broker()
        if served:
            found |= {"controller": "asked"}
            lines.append(SERVED)
        elif hold:
            lines.append(f"nothing is started: `{run_hint(group.label, directory)}` does")
        else:
            started, line = ensure_controller(group, directory, interval)
            found |= started
            lines.append(line)
        answer(found, lines, as_json=as_json)


def run_hint(label: str, directory: Path | None) -> str:
    """Return the command that runs a campaign."""
    where = "" if directory is None else f" --directory {shlex.quote(str(directory))}"
    return f"aiida-rewire campaign run {label}{where}"


def refuse(errors: Sequence[str], file: Path) -> NoReturn:
    """Print errors, a line each, and end.

    Raises
    ------
    DemoFailure
        Always.
    """
    for line in errors:
        say_aside(line)
    raise DemoFailure(f"{len(errors)} error{'s' * (len(errors) != 1)} in {file}; nothing is recorded")


def check(spec: CampaignSpec, source: str, file: Path) -> None:
    """Refuse what could not be run.

    Raises
    ------
    DemoFailure
        With every reason, a line each.
    """
    from aiida_rewire.campaign.checks import check_campaign

    errors = check_campaign(spec, source, name=str(file))
    if errors:
        refuse(errors, file)


SERVICE = "the group's service"
SERVED = f"{SERVICE} runs it"


def is_served() -> bool:
    """Whether the user's campaigns are run by the service of a group."""
    from aiida_rewire.database.standing import Standing, standing_of_profile

    return standing_of_profile() is not Standing.OWNER


def say_nothing(_: str) -> None:
    """Say nothing of a daemon that is another account's."""


def ask_service(group: orm.Group) -> bool:
    """Ask the service of a group to run a campaign, if that is how the user runs any; return whether it is."""
    from aiida_rewire.campaign.wishes import want

    if not is_served():
        return False
    want(group)
    return True


def recorded(spec: CampaignSpec, source: str, *, amend: bool, force: str | None) -> tuple[orm.Group, dict[str, Any]]:
    """Record a campaign, or amend its record; return its group, and what was done."""
    from aiida_rewire.campaign.extras import refuse_imported
    from aiida_rewire.campaign.ownership import refuse_others
    from aiida_rewire.campaign.record import UnknownCampaign, amend_campaign, find_campaign, record_campaign

    if amend:
        try:
            refuse_others(find_campaign(spec.label), force)
            group, changes = amend_campaign(spec, source)
        except UnknownCampaign:
            pass
        else:
            changed = [name for name, _, _ in changes.free]
            return group, {"created": False, "added": list(changes.added), "changed": changed}
    group, created = record_campaign(spec, source)
    refuse_imported(group)
    return group, {"created": created, "added": [], "changed": []}


def sentence_of(group: orm.Group, done: dict[str, Any]) -> str:
    """Say what was recorded."""
    from aiida_rewire.campaign.amending import listed, names_of
    from aiida_rewire.campaign.decisions import counted
    from aiida_rewire.campaign.record import spec_of

    chains = counted(len(names_of(spec_of(group))), "chain", "chains")
    if done["created"]:
        return f"recorded {group.label}: {chains}"
    changes = [f"{counted(len(done['added']), 'chain', 'chains')} added"] if done["added"] else []
    changes += [f"changed {listed(done['changed'])}"] if done["changed"] else []
    return f"{group.label} is recorded: {chains}{'; ' + ', '.join(changes) if changes else ''}"


def ensure_controller(group: orm.Group, directory: Path | None, interval_s: float) -> tuple[dict[str, Any], str]:
    """Start a controller unless one runs; return what is known of it, and a line that says it."""
    from aiida_rewire.database.lock import lock_of

    if not lock_of(group.uuid).is_free():
        return {"controller": "runs", "log": str(log_path(group.label))}, "a controller runs it already"
    pid, log = start_detached(group, directory, interval_s=interval_s)
    return {"controller": "started", "pid": pid, "log": str(log)}, f"a controller runs it: PID {pid}, log {log}"


@click.command("run")
@click.argument("label")
@click.option("--detach", is_flag=True, help="Run on after this command ends, and write to a log file.")
@click.option("--log", "stamped", is_flag=True, hidden=True)
@interval_option
@directory_option
@json_option
def run_command(
    label: str, detach: bool, stamped: bool, interval: float, directory: Path | None, as_json: bool
) -> None:
    """Run a campaign to its end: the controller, of which one runs at a time.

    Chains are started and tried again within the limits of the file; a line is printed for all that happens. Killed
    at any moment and started again it goes on. Ctrl-C ends the controller, not the chains. The exit status is 0 if
    every chain is finished, else 1.
    """
    with campaign_of(label, directory) as group:
        from aiida_rewire.campaign.extras import refuse_imported

        refuse_imported(group)
        if ask_service(group):
            answer({"label": label, "controller": "asked"}, [SERVED], as_json=as_json)
            return
        refuse_no_broker()
        if detach:
            from aiida_rewire.database.lock import lock_of

            waits = not lock_of(group.uuid).is_free()
            pid, log = start_detached(group, directory, interval_s=interval)
            line = f"PID {pid}, log {log}{'; it waits for the controller that runs to end' if waits else ''}"
            answer({"label": label, "pid": pid, "log": str(log), "waits": waits}, [line], as_json=as_json)
            return
        home = home_of(directory)
        status = run_here(group, home, say_aside if as_json else say, interval_s=interval, stamped=stamped)
        if as_json:
            answer({"label": label, "finished": status == 0}, [], as_json=True)
    click.get_current_context().exit(status)


@click.command("retry")
@click.argument("label")
@click.option("--exit-code", type=click.IntRange(min=1), help="Only what ended with this exit code.")
@chain_option
@force_option
@directory_option
@json_option
def retry_command(
    label: str,
    exit_code: int | None,
    chains: tuple[str, ...],
    force: str | None,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Try again what failed or was killed, and only that: a further attempt that takes over what is finished.

    With --exit-code those chains that ended with it, or whose missing snapshots did.
    """
    with campaign_to_change(label, directory, force) as group:
        from aiida_rewire.campaign.control import checked_chains
        from aiida_rewire.campaign.retrying import grant_retries
        from aiida_rewire.database.lock import lock_of

        retries = grant_retries(group, checked_chains(group, chains), exit_code)
        shown = [retry for retry in retries if retry.granted or chains]
        granted = [retry for retry in retries if retry.granted]
        runs = not lock_of(group.uuid).is_free()
        lines = [f"{retry.chain}: {retry.why}" for retry in shown]
        if not granted:
            lines.append("nothing is tried again: no such chain failed")
        elif ask_service(group):
            lines.append(SERVED)
        elif not runs:
            lines.append(f"no controller runs: `{run_hint(label, directory)}` starts them")
        found = {
            "label": label,
            "granted": [retry.chain for retry in granted],
            "left_alone": {retry.chain: retry.why for retry in retries if not retry.granted},
            "controller": "runs" if runs else "none",
        }
        answer(found, lines, as_json=as_json)


def ask(
    what: str, label: str, chains: Sequence[str], force: str | None, directory: Path | None, as_json: bool
) -> None:
    """Pause, resume or kill, and say what came of it."""
    from aiida_rewire.campaign import control
    from aiida_rewire.campaign.extras import read_extras

    actions: dict[str, tuple[Callable[..., Reached], str, str]] = {
        "pause": (control.pause, "paused", "the controller goes on asking"),
        "resume": (control.resume, "resumed", "the controller goes on asking"),
        "kill": (control.kill, "killed", f"ask again, or let `{run_hint(label, directory)}` do it"),
    }
    action, done, rest = actions[what]
    with campaign_to_change(label, directory, force) as group:
        served = is_served()
        reached = action(group, chains, say_nothing if served else say_aside)
        if what != "pause" and served:
            # who kills what no controller runs waits for one as well
            ask_service(group)
        which = ", ".join(chains) if chains else label
        lines = [f"{done} {which}: {reached.done} processes"]
        if reached.left and served:
            lines = [f"recorded that {which} is to be {done}: {reached.left} processes hear of it by {SERVICE}"]
        elif reached.left:
            lines.append(f"{reached.left} processes not yet: {rest}")
        if reached.jobs_left:
            lines.append(
                f"{reached.jobs_left} jobs of killed processes are left in the scheduler: cancel them by hand"
            )
        found = {
            "label": label,
            "chains": list(chains),
            "processes": {"done": reached.done, "left": reached.left, "jobs_left": reached.jobs_left},
            "daemon": reached.daemon,
            **control.state_of_requests(read_extras(group)),
        }
        answer(found, lines, as_json=as_json)
    if not served and (reached.left or reached.jobs_left):
        click.get_current_context().exit(1)


@click.command("pause")
@click.argument("label")
@chain_option
@force_option
@directory_option
@json_option
def pause_command(
    label: str, chains: tuple[str, ...], force: str | None, directory: Path | None, as_json: bool
) -> None:
    """Pause a campaign, or some of its chains: nothing new is started; jobs that a scheduler has go on."""
    ask("pause", label, chains, force, directory, as_json)


@click.command("resume")
@click.argument("label")
@chain_option
@force_option
@directory_option
@json_option
def resume_command(
    label: str, chains: tuple[str, ...], force: str | None, directory: Path | None, as_json: bool
) -> None:
    """Let a paused campaign go on, or some of its chains."""
    ask("resume", label, chains, force, directory, as_json)


@click.command("kill")
@click.argument("label")
@chain_option
@click.option("--yes", is_flag=True, help="Do not ask first.")
@force_option
@directory_option
@json_option
def kill_command(
    label: str, chains: tuple[str, ...], yes: bool, force: str | None, directory: Path | None, as_json: bool
) -> None:
    """Kill a campaign, or some of its chains, with their jobs; `retry` lets them be tried again."""
    if not yes and not as_json:
        which = ", ".join(chains) if chains else f"all chains of {label}"
        click.confirm(f"kill {which}? What is finished stays; jobs that run are cancelled.", abort=True)
    ask("kill", label, chains, force, directory, as_json)
