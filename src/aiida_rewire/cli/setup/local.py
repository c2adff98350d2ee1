"""`aiida-rewire setup local`: a profile without services, this machine, and the codes on PATH."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_rewire.cli.campaign.opening import directory_option, json_option, say, say_aside, told_in_a_line
from aiida_rewire.cli.executables import find_executable
from aiida_rewire.cli.home import COMPUTER, PROFILE, VERDI_TIMEOUT_S, DemoFailure, Home
from aiida_rewire.cli.ingredients import DRIVER, LD1, ONE_THREAD, PROGRAMS, PSEUDO_FAMILY, has_pseudo, load_pseudo
from aiida_rewire.cli.localhost import configure_localhost
from aiida_rewire.cli.profile import PROFILE_KEY, load_profile, open_profile
from aiida_rewire.cli.setup.site import SiteCode
from aiida_rewire.cli.storages import harden_storage

if TYPE_CHECKING:
    from aiida import orm


@click.command("local")
@click.option("--update", is_flag=True, help="Take the programs on PATH where AiiDA has others.")
@directory_option
@json_option
@click.pass_context
def local_command(context: click.Context, update: bool, directory: Path | None, as_json: bool) -> None:
    """Make a profile that needs no services, with this machine as a computer and the codes found on PATH.

    SQLite and the ZeroMQ broker, which starts with the daemon; the computer localhost. The profile is `rewire`, or
    that of `aiida-rewire setup -p NAME local`; with --directory it is made in that folder. Twice is the same as once.
    """
    with told_in_a_line():
        profile = opened(context.meta.get(PROFILE_KEY), directory)
        # AiiDA, imported earlier, would look for the profile elsewhere
        from aiida import orm

        from aiida_rewire.cli.setup.registering import asked_of_code as asked_of
        from aiida_rewire.cli.setup.registering import differences, found_code, of_code, write_code

        computer, done = this_machine()
        programs, missing = codes_on_path()
        differs = []
        for name, asked in programs.items():
            code = found_code(name, computer)
            if code is not None:
                differs += differences(code.full_label, of_code(code), asked_of(name, asked))
        if differs and not update:
            lines = [str(difference).replace("in the file", "on PATH") for difference in differs]
            if as_json:
                click.echo(json.dumps({"profile": profile, "differences": lines}, indent=2))
            for line in [] if as_json else lines:
                say_aside(line)
            raise DemoFailure(
                f"AiiDA has codes otherwise than PATH ({differs[0].what}); --update takes those on PATH"
            )
        codes = {}
        for name, asked in programs.items():
            code, said = write_code(name, asked, computer)
            codes[name] = code.full_label
            done += [said] if said else []
        if LD1 in programs and not has_pseudo():
            load_pseudo(orm.load_code(codes[LD1]))
            done.append(f"pseudopotentials {PSEUDO_FAMILY}: made, for trials, not for publication")
    if as_json:
        values = {"profile": profile, "computer": COMPUTER, "codes": codes, "missing": missing, "done": done}
        click.echo(json.dumps(values, indent=2))
        return
    for line in done or [f"profile {profile}, computer {COMPUTER} and {len(codes)} codes: there, nothing changed"]:
        say(line)
    for program in missing:
        say_aside(f"{program}: not on PATH; `aiida-rewire doctor` says how to install it, then run this again")
    say(next_step(profile, directory))


def opened(name: str | None, directory: Path | None) -> str:
    """Open the profile, which is made where there is none, and return its name.

    Raises
    ------
    DemoFailure
        If it cannot be made or opened.
    """
    if directory is not None:
        open_profile(directory, make=True)
        return PROFILE
    from aiida import orm
    from aiida.manage.configuration import get_config

    name = name or PROFILE
    config = get_config(create=True)
    made = name not in config.profile_names
    if made:
        before = config.default_profile_name
        verdi("presto", "--use-zeromq", "--non-interactive", "--profile-name", name)
        if before is not None:
            # whoever has a default profile keeps it
            verdi("profile", "set-default", before)
        from aiida.manage.configuration import reset_config

        reset_config()
        harden_storage(name)
    load_profile(name)
    if made:
        configure_localhost(orm.load_computer(COMPUTER))
    return name


def verdi(*arguments: str) -> None:
    """Run verdi on the user's own configuration.

    Raises
    ------
    DemoFailure
        If it fails.
    """
    command = [sys.executable, "-W", "ignore", "-m", "aiida", *arguments]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=VERDI_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DemoFailure(f"`verdi {' '.join(arguments)}` gave no answer in {VERDI_TIMEOUT_S} s") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise DemoFailure(f"`verdi {' '.join(arguments)}` failed: {lines[-1]}")


def this_machine() -> tuple[orm.Computer, list[str]]:
    """Return the computer localhost, made as `verdi presto` does where there is none, and what was done."""
    from aiida import orm
    from aiida.manage.configuration import get_config

    from aiida_rewire.cli.setup.registering import found_computer

    computer = found_computer(COMPUTER)
    if computer is not None:
        if not computer.is_configured:
            configure_localhost(computer)
            return computer, [f"computer {COMPUTER}: configured"]
        return computer, []
    work = Path(get_config().dirpath) / "scratch" / COMPUTER
    computer = orm.Computer(
        COMPUTER, COMPUTER, transport_type="core.local", scheduler_type="core.direct", workdir=str(work)
    ).store()
    configure_localhost(computer)
    computer.set_default_mpiprocs_per_machine(1)
    return computer, [f"computer {COMPUTER}: made"]


def codes_on_path() -> tuple[dict[str, SiteCode], list[str]]:
    """Return the codes that are found, by what they are for, and the programs that are not."""
    codes, missing = {}, []
    for name, (program, _) in PROGRAMS.items():
        path = Path(sys.executable) if name == DRIVER else find_executable(program)
        if path is None:
            missing.append(program)
        else:
            codes[name] = SiteCode.model_construct(label=None, path=str(path), prepend=ONE_THREAD, test_ranks=1)
    return codes, missing


def next_step(profile: str, directory: Path | None) -> str:
    """Say what comes next."""
    if directory is not None:
        place = Home.at(directory).folder
        return f"next: `aiida-rewire campaign new`, and `--directory {place}` with the commands that follow"
    from aiida_rewire.campaign.runners import daemon_runs_here

    begin = "" if daemon_runs_here() else f"`verdi --profile {profile} daemon start`, then "
    return f"next: {begin}`aiida-rewire campaign --profile {profile} new`"
